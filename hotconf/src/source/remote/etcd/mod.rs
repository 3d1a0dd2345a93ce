//! etcd v3: a prefix whose keys are paths, or one key that is a whole document.
//!
//! `client` holds the session and is the only file that waits for a network; `grpc` makes calls on a
//! stream of bytes; `wire` and `proto` encode and decode; `history` and `refusal` say what answers mean.

mod client;
mod grpc;
mod history;
mod proto;
mod refusal;
mod wire;

#[cfg(test)]
mod tests;

use super::net::{Endpoint, Token, Transport};
use super::{Entry, Identity, Remote, Store};
use crate::source::{Context, SourceError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use client::EtcdSession;

/// etcd v3 as a source: keys below a prefix, or one key with a whole document.
///
/// It lists everything as of one revision and then watches from there. One transaction of the store is one
/// change, and each value knows its key and revision. Configurations of one process that name the same
/// members, user, transport and keys share one connection and one watch.
///
/// Members are tried in turn, from one that is drawn by lot; one that fails, or that has lost the others, is
/// left for the next. A watch that says nothing for 20 s is asked for a sign of life, and given up at 30 s.
///
/// ```
/// use hotconf::{Etcd, Source};
///
/// let shop = Etcd::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"]).prefix("/shop/");
/// assert_eq!(shop.describe(), "etcd http://10.0.0.1:2379,http://10.0.0.2:2379 /shop/");
/// let whole = Etcd::new(["http://10.0.0.1:2379"]).key("/shop.toml");
/// assert_eq!(whole.describe(), "etcd http://10.0.0.1:2379 /shop.toml");
/// ```
///
/// With users and TLS:
///
/// ```
/// use hotconf::remote::{Token, Transport};
/// use hotconf::Etcd;
///
/// let tls = Transport::new().ca_file("/etc/shop/ca.pem").client_cert("/etc/shop/tls.pem", "/etc/shop/tls.key");
/// let shop = Etcd::new(["https://etcd.internal:2379"])
///     .prefix("/shop/")
///     .transport(tls)
///     .user("shop", Token::file("/run/secrets/etcd-password"));
/// # let _ = shop;
/// ```
pub type Etcd = Remote<EtcdStore>;

/// The members of an etcd cluster, and what is asked of them: see [`Etcd`].
pub struct EtcdStore {
    settings: Arc<Settings>,
    /// Which member is tried first; none was yet: drawn by lot.
    turn: AtomicUsize,
}

/// Before any member was tried.
const BY_LOT: usize = usize::MAX;

#[derive(Clone)]
struct Settings {
    members: Result<Vec<Endpoint>, SourceError>,
    scope: Option<Scope>,
    user: Option<(Box<str>, Token)>,
    transport: Transport,
}

/// Which keys.
#[derive(Clone)]
enum Scope {
    Key(Box<str>),
    Prefix(Box<str>),
}

impl Settings {
    fn span(&self) -> wire::Span {
        match &self.scope {
            Some(Scope::Key(key)) => wire::Span::key(key),
            Some(Scope::Prefix(prefix)) => wire::Span::prefix(prefix),
            None => wire::Span::prefix(""),
        }
    }
}

impl Remote<EtcdStore> {
    /// The members of a cluster, as `http(s)://host:port`; one is enough to reach it, more of them to survive
    /// the loss of one. Say next what to read: [`prefix`](Self::prefix) or [`key`](Self::key).
    pub fn new<I>(members: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let members = members.into_iter().map(|url| member(url.as_ref())).collect();
        let settings = Settings { members, scope: None, user: None, transport: Transport::new() };
        Self::of(EtcdStore { settings: Arc::new(settings), turn: AtomicUsize::new(BY_LOT) })
    }

    /// Keys below `prefix` are paths: with `/shop/`, the key `/shop/http/timeout` is `http.timeout`. A value is
    /// text that the field's type reads. The prefix ends with a slash, which is added where it is missing, so
    /// that `/shop` does not take `/shopping/`; an empty one takes every key.
    pub fn prefix(self, prefix: &str) -> Self {
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        let prefix = format!("{prefix}{slash}");
        self.keys(&prefix).set(|settings| settings.scope = Some(Scope::Prefix(prefix.into())))
    }

    /// One key is a whole document. The extension of its name tells the format; without one,
    /// [`document`](Self::document) does.
    pub fn key(self, key: &str) -> Self {
        self.set(|settings| settings.scope = Some(Scope::Key(key.into())))
    }

    /// Logs in as this user. The password is asked for at each login.
    pub fn user(self, name: &str, password: impl Into<Token>) -> Self {
        self.set(|settings| settings.user = Some((name.into(), password.into())))
    }

    /// How the members are reached: TLS and proxies.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport)
    }

    fn set(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| set(Arc::make_mut(&mut store.settings)))
    }
}

fn member(url: &str) -> Result<Endpoint, SourceError> {
    let member = Endpoint::parse(url)?;
    if member.target() == "/" {
        return Ok(member);
    }
    Err(SourceError::invalid(format!("expected the address of an etcd without a path, found {member}")))
}

impl Store for EtcdStore {
    type Session = EtcdSession;

    fn describe(&self) -> String {
        let members = match &self.settings.members {
            Ok(members) => members.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            Err(_) => "(no address)".to_owned(),
        };
        match &self.settings.scope {
            Some(Scope::Key(scope) | Scope::Prefix(scope)) => format!("etcd {members} {scope}"),
            None => format!("etcd {members}"),
        }
    }

    fn locate(&self, key: &str, entry: &Entry) -> String {
        format!("etcd {key} @ revision {}", entry.revision())
    }

    fn identity(&self) -> Identity {
        let Settings { members, scope, user, transport } = &*self.settings;
        let Ok(members) = members else { return Identity::unique() };
        let scope = match scope {
            None => String::new(),
            Some(Scope::Key(key)) => format!("key {key}"),
            Some(Scope::Prefix(prefix)) => format!("prefix {prefix}"),
        };
        let (name, password) =
            user.as_ref().map_or_else(Default::default, |(name, token)| (name.clone(), token.identify()));
        let members = members.iter().map(Endpoint::whole).collect::<Vec<_>>().join(" ");
        let identity = Identity::of(["etcd".to_owned(), members, scope, name.into(), password]);
        transport.identify(identity)
    }

    async fn connect(&self, cx: &Context, _: u32) -> Result<EtcdSession, SourceError> {
        let members = self.settings.members.as_ref().map_err(Clone::clone)?;
        if members.is_empty() {
            return Err(SourceError::invalid(
                "expected the address of an etcd: `Etcd::new([\"http://host:2379\"])`",
            ));
        }
        if self.settings.scope.is_none() {
            let message = "expected what to read: `.prefix(\"/shop/\")`, or `.key(\"/shop.toml\")`";
            return Err(SourceError::invalid(message));
        }
        // What is left of a random number after a division is even enough for a handful of members.
        let lot = usize::try_from(cx.random() >> 33).unwrap_or_default();
        let _ = self.turn.compare_exchange(BY_LOT, lot, Ordering::Relaxed, Ordering::Relaxed);
        client::connect(&self.settings, members, &self.turn, cx).await
    }
}
