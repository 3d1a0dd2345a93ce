//! A path of `ZooKeeper` below which nodes are settings, or one node that is a whole document.
//!
//! `client` holds the session and is the only file that waits for a network; `line` carries frames over a stream of
//! bytes; `wire` encodes and decodes; `tree` says what is known and when it is whole; `servers` reads connection
//! strings, and `refusal` error codes.

mod client;
mod line;
mod refusal;
mod servers;
mod tree;
mod wire;

#[cfg(test)]
mod tests;

use super::net::{Token, Transport};
use super::{Entry, Identity, Remote, Store};
use crate::source::{Context, SourceError};
use servers::{Servers, check_path, endpoint};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

pub use client::ZooKeeperSession;

/// `ZooKeeper` as a source: nodes below a path, or one node with a whole document.
///
/// It watches, then reads everything, and then what a watch tells of and nothing else. One transaction of the store is
/// one change, however many nodes it writes: what was read is told only once it is a state that the store was in. Each
/// value knows its node and its `mZxid`, as `zkCli.sh` shows it. Configurations of one process that name the same
/// servers, user, transport and nodes share one session.
///
/// Servers are tried in turn, from one that is drawn by lot, and one that is behind what was seen of the others lets us in
/// no more. A ping goes out after a third of the session's timeout, and a server that is silent for two thirds is left.
/// Every session, also after one that expired, watches and reads anew. A server that is older than 3.6 is followed by
/// standard watches.
///
/// ```
/// use hotconf::{Source, ZooKeeper};
///
/// let shop = ZooKeeper::new(["10.0.0.1:2181", "10.0.0.2:2181"]).prefix("/shop/");
/// assert_eq!(shop.describe(), "zookeeper 10.0.0.1:2181,10.0.0.2:2181 /shop/");
/// // A connection string with a chroot: the node is `/europe/shop.toml`.
/// let whole = ZooKeeper::new(["zk1,zk2:2182/europe"]).key("/shop.toml");
/// assert_eq!(whole.describe(), "zookeeper zk1:2181,zk2:2182/europe /shop.toml");
/// ```
///
/// With a user and TLS:
///
/// ```
/// use hotconf::ZooKeeper;
/// use hotconf::remote::{Token, Transport};
///
/// let shop = ZooKeeper::new(["zk.internal:2281"])
///     .prefix("/shop/")
///     .tls()
///     .transport(Transport::new().ca_file("/etc/shop/ca.pem"))
///     .digest("shop", Token::file("/run/secrets/zookeeper-password"));
/// # let _ = shop;
/// ```
pub type ZooKeeper = Remote<ZooKeeperStore>;

/// The servers of an ensemble, and what is asked of them: see [`ZooKeeper`].
pub struct ZooKeeperStore {
    settings: Arc<Settings>,
    /// Which server is tried first; none was yet: drawn by lot.
    turn: AtomicUsize,
    /// The last transaction that any session has seen.
    seen: Arc<AtomicI64>,
}

/// Before any server was tried.
const BY_LOT: usize = usize::MAX;
const SESSION_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Settings {
    servers: Result<Servers, SourceError>,
    scope: Option<Scope>,
    user: Option<(Box<str>, Token)>,
    session_timeout: Duration,
    read_only: bool,
    tls: bool,
    transport: Transport,
}

/// Which nodes.
#[derive(Clone)]
enum Scope {
    Key(Box<str>),
    /// With a slash at its end.
    Prefix(Box<str>),
}

impl Settings {
    fn chroot(&self) -> &str {
        self.servers.as_ref().map_or("", |servers| &servers.chroot)
    }

    fn span(&self) -> tree::Span {
        let (root, below) = match &self.scope {
            Some(Scope::Key(key)) => (&**key, false),
            Some(Scope::Prefix(prefix)) if prefix.len() > 1 => (prefix.trim_end_matches('/'), true),
            Some(Scope::Prefix(_)) | None => ("/", true),
        };
        tree::Span { root: root.into(), below, system: self.chroot().is_empty() }
    }

    /// The path as the server has it.
    fn whole<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match (self.chroot(), path) {
            ("", path) => path.into(),
            (chroot, "/") => chroot.to_owned().into(),
            (chroot, path) => format!("{chroot}{path}").into(),
        }
    }

    /// The path as the user has it; `None`: it lies elsewhere.
    fn user_path<'a>(&self, whole: &'a str) -> Option<&'a str> {
        match (self.chroot(), whole.strip_prefix(self.chroot())?) {
            ("", path) => Some(path),
            (_, "") => Some("/"),
            (_, path) => path.starts_with('/').then_some(path),
        }
    }
}

impl Remote<ZooKeeperStore> {
    /// The servers of an ensemble, as `host:port` each, or a connection string: `host1:port,host2:port/chroot`. Without
    /// a port it is 2181. Say next what to read: [`prefix`](Self::prefix) or [`key`](Self::key).
    pub fn new<I>(servers: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let strings: Vec<I::Item> = servers.into_iter().collect();
        let settings = Settings {
            servers: Servers::parse(strings.iter().map(AsRef::as_ref)),
            scope: None,
            user: None,
            session_timeout: SESSION_TIMEOUT,
            read_only: false,
            tls: false,
            transport: Transport::new(),
        };
        let (turn, seen) = (AtomicUsize::new(BY_LOT), Arc::default());
        Self::of(ZooKeeperStore { settings: Arc::new(settings), turn, seen })
    }

    /// Nodes below `prefix` are settings by their path: with `/shop/`, the node `/shop/http/timeout` is `http.timeout`,
    /// and its data are text that the field's type reads. A node without data is a folder, and says nothing. Prefixes
    /// begin with a slash; the one at the end is added where it is missing.
    pub fn prefix(self, prefix: &str) -> Self {
        let slash = if prefix.ends_with('/') { "" } else { "/" };
        let prefix = format!("{prefix}{slash}");
        self.keys(&prefix).set(|settings| settings.scope = Some(Scope::Prefix(prefix.into())))
    }

    /// One node is a whole document, of up to 1 MiB unless the servers' `jute.maxbuffer` says otherwise. The extension of
    /// its name tells the format; without one, [`document`](Self::document) does.
    pub fn key(self, key: &str) -> Self {
        self.set(|settings| settings.scope = Some(Scope::Key(key.into())))
    }

    /// Logs in as this user, by the scheme `digest`. The password is asked for at the beginning of each session. It is
    /// sent in clear where there is no TLS.
    pub fn digest(self, user: &str, password: impl Into<Token>) -> Self {
        self.set(|settings| settings.user = Some((user.into(), password.into())))
    }

    /// How long the servers keep the session without a word, and thrice the time between two pings. Default 30 s; the
    /// servers take no less than two of their ticks and no more than twenty (4 s to 40 s, as they come).
    pub fn session_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.session_timeout = timeout)
    }

    /// Also takes a server that has lost the others and serves reads alone (`readonlymode.enabled`, and
    /// `localSessionsEnabled` for it to begin sessions), where no other lets us in. What it says may be out of date.
    /// Default: no.
    pub fn read_only(self) -> Self {
        self.set(|settings| settings.read_only = true)
    }

    /// Speaks TLS with the servers, at their `secureClientPort`. A server that is not told otherwise may speak TLS 1.2
    /// alone: [`Transport::tls12`] allows it.
    pub fn tls(self) -> Self {
        self.set(|settings| settings.tls = true)
    }

    /// How the servers are reached: certificates for [`tls`](Self::tls), and proxies.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport)
    }

    fn set(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| set(Arc::make_mut(&mut store.settings)))
    }
}

impl Store for ZooKeeperStore {
    type Session = ZooKeeperSession;

    fn describe(&self) -> String {
        let servers = match &self.settings.servers {
            Ok(servers) => format!("{}{}", servers.hosts.join(","), servers.chroot),
            Err(_) => "(no address)".to_owned(),
        };
        match &self.settings.scope {
            Some(Scope::Key(scope) | Scope::Prefix(scope)) => format!("zookeeper {servers} {scope}"),
            None => format!("zookeeper {servers}"),
        }
    }

    fn locate(&self, key: &str, entry: &Entry) -> String {
        format!("zookeeper {key} @ revision {:#x}", entry.revision())
    }

    fn identity(&self) -> Identity {
        let Settings { servers, scope, user, session_timeout, read_only, tls, transport } = &*self.settings;
        let Ok(servers) = servers else { return Identity::unique() };
        let scope = match scope {
            None => String::new(),
            Some(Scope::Key(key)) => format!("key {key}"),
            Some(Scope::Prefix(prefix)) => format!("prefix {prefix}"),
        };
        let (name, password) =
            user.as_ref().map_or_else(Default::default, |(name, token)| (name.clone(), token.identify()));
        let manner = format!("{session_timeout:?} {read_only} {tls}");
        let parts = [
            "zookeeper".into(),
            servers.hosts.join(" ").into(),
            servers.chroot.clone(),
            scope.into(),
            name,
            password.into_boxed_str(),
            manner.into(),
        ];
        transport.identify(Identity::of(parts))
    }

    async fn connect(&self, cx: &Context, _: u32) -> Result<ZooKeeperSession, SourceError> {
        let servers = self.settings.servers.as_ref().map_err(Clone::clone)?;
        if servers.hosts.is_empty() {
            return Err(SourceError::invalid(
                "expected the address of a ZooKeeper: `ZooKeeper::new([\"host:2181\"])`",
            ));
        }
        let path = match &self.settings.scope {
            Some(Scope::Key(key)) => &**key,
            Some(Scope::Prefix(prefix)) if prefix.len() > 1 => &prefix[..prefix.len() - 1],
            Some(Scope::Prefix(prefix)) => &**prefix,
            None => {
                let message = "expected what to read: `.prefix(\"/shop/\")`, or `.key(\"/shop.toml\")`";
                return Err(SourceError::invalid(message));
            }
        };
        check_path(path)?;
        let tls = self.settings.tls;
        let servers = servers.hosts.iter().map(|host| endpoint(host, tls));
        let servers: Vec<_> = servers.collect::<Result<_, _>>()?;
        // What is left of a random number after a division is even enough for a handful of servers.
        let lot = usize::try_from(cx.random() >> 33).unwrap_or_default();
        let _ = self.turn.compare_exchange(BY_LOT, lot, Ordering::Relaxed, Ordering::Relaxed);
        client::connect(self, &servers, cx).await
    }
}
