//! NATS `JetStream` KV: the keys of a bucket below a prefix, or one key that is a whole document.
//!
//! `client` holds the session and is the only file that waits, on a `line`; `wire` reads and writes the text
//! protocol, `api` its JSON; `consumer` says what messages mean, and `refusal` what refusals do; `credentials`
//! signs.

mod api;
mod client;
mod consumer;
mod credentials;
mod line;
mod refusal;
mod wire;

use super::net::{Endpoint, Token, Transport};
use super::{Entry, Identity, Remote, Store};
use crate::source::{Context, SourceError};
use consumer::Scope;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use client::NatsSession;

/// A bucket of NATS `JetStream` as a source: keys below a prefix, or one key with a whole document.
///
/// It is followed by an ordered consumer of its own, which brings the last value of each key, and then each new
/// one. Its place in the bucket's stream is the revision. A number that is left out, or heartbeats that do not come
/// for 15 s, and everything is listed anew; the same every 5 min ([`resync`](Remote::resync)), which also finds keys
/// that ran out without a word (`MaxAge`). Configurations of one process that name the same servers, bucket,
/// credentials and keys share one connection and one consumer.
///
/// **Transactions.** A message is one change. NATS has no transaction over several keys, but for a batch that is
/// published as one (`Nats-Batch-Id`; server 2.12, a stream with `allow_atomic`): that is one version. Where
/// neither will do, write what belongs together as one document in one key.
///
/// **Rights.** The user must be allowed to publish to `$JS.API.CONSUMER.CREATE.KV_bucket.>`,
/// `$JS.API.CONSUMER.DELETE.KV_bucket.>` and `$JS.FC.>`, and to subscribe to `_INBOX.>`, or to what
/// [`inbox`](Remote::inbox) says.
///
/// Servers are tried in turn, from one that is drawn by lot; those that a server names besides are left alone.
///
/// ```
/// use hotconf::{Nats, Source};
///
/// let shop = Nats::new(["nats://10.0.0.1:4222", "nats://10.0.0.2"]).bucket("config").prefix("shop.");
/// assert_eq!(shop.describe(), "nats 10.0.0.1:4222,10.0.0.2:4222 config shop.");
/// let whole = Nats::new(["nats://10.0.0.1"]).bucket("config").key("shop.toml");
/// assert_eq!(whole.describe(), "nats 10.0.0.1:4222 config shop.toml");
/// ```
///
/// With users and TLS:
///
/// ```
/// use hotconf::Nats;
/// use hotconf::remote::Transport;
///
/// let shop = Nats::new(["tls://nats.internal:4222"])
///     .bucket("config")
///     .prefix("shop.")
///     .transport(Transport::new().ca_file("/etc/shop/ca.pem"))
///     .credentials_file("/run/secrets/shop.creds");
/// # let _ = shop;
/// ```
pub type Nats = Remote<NatsStore>;

/// The servers of NATS, and what is asked of them: see [`Nats`].
pub struct NatsStore {
    settings: Arc<Settings>,
    /// Which server is tried first; none was yet: drawn by lot.
    turn: AtomicUsize,
}

/// Before any server was tried.
const BY_LOT: usize = usize::MAX;

#[derive(Clone)]
struct Settings {
    servers: Result<Vec<Server>, SourceError>,
    bucket: Option<Box<str>>,
    scope: Option<Scope>,
    login: Login,
    transport: Transport,
    tls_first: bool,
    /// What subjects begin with by which we are answered, and those of the API.
    inbox: Box<str>,
    domain: Box<str>,
}

/// Who we are.
#[derive(Clone)]
enum Login {
    Nobody,
    User(Box<str>, Token),
    Token(Token),
    Credentials(PathBuf),
}

/// A server, as it is reached without TLS and with it.
#[derive(Clone)]
struct Server {
    plain: Endpoint,
    tls: Endpoint,
    wants_tls: bool,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plain.host_and_port())
    }
}

impl Remote<NatsStore> {
    /// The servers of a cluster, as `nats://host:port` or `tls://host:port`; the port is 4222 where none is said.
    /// With `tls` a server without TLS is refused; with `nats` TLS is spoken if the server asks for it, which
    /// whoever sits between could prevent. Say next which [`bucket`](Self::bucket), and what to read of it:
    /// [`prefix`](Self::prefix) or [`key`](Self::key).
    pub fn new<I>(servers: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let settings = Settings {
            servers: servers.into_iter().map(|url| server(url.as_ref())).collect(),
            bucket: None,
            scope: None,
            login: Login::Nobody,
            transport: Transport::new(),
            tls_first: false,
            inbox: "_INBOX".into(),
            domain: "$JS.API".into(),
        };
        Self::of(NatsStore { settings: Arc::new(settings), turn: AtomicUsize::new(BY_LOT) })
    }

    /// The bucket: letters, digits, `-` and `_`.
    pub fn bucket(self, bucket: &str) -> Self {
        self.set(|settings| settings.bucket = Some(bucket.into()))
    }

    /// Keys below `prefix` are paths; a value is text that the field's type reads. What the prefix ends with
    /// separates the names: with `shop.`, the key `shop.http.timeout` is `http.timeout`, and with `shop/` that is
    /// `shop/http/timeout`. The other one of the two is then a letter like any other. A dot is added where neither
    /// stands, so that `shop` does not take `shopping.x`; an empty prefix takes every key, with dots.
    ///
    /// The server selects by dots alone: below `shop/` it sends all keys of the bucket, and what is not asked for is
    /// left out here.
    pub fn prefix(self, prefix: &str) -> Self {
        let separator = if prefix.ends_with('/') { '/' } else { '.' };
        let end = if prefix.is_empty() || prefix.ends_with(separator) { "" } else { "." };
        let prefix = format!("{prefix}{end}");
        self.keys_by(&prefix, separator).set(|settings| settings.scope = Some(Scope::Prefix(prefix.into())))
    }

    /// One key is a whole document. The extension of its name tells the format; without one,
    /// [`document`](Self::document) does.
    pub fn key(self, key: &str) -> Self {
        self.set(|settings| settings.scope = Some(Scope::Key(key.into())))
    }

    /// Logs in as this user. The password is asked for at each connection.
    pub fn user(self, name: &str, password: impl Into<Token>) -> Self {
        self.set(|settings| settings.login = Login::User(name.into(), password.into()))
    }

    /// Logs in with this token (`authorization.token` of the server).
    pub fn token(self, token: impl Into<Token>) -> Self {
        self.set(|settings| settings.login = Login::Token(token.into()))
    }

    /// Logs in with a file of credentials as `nsc` writes it: a JWT and the seed of a user's key; or with a file
    /// that holds such a seed alone, for servers that know users by their keys. It is read at each connection.
    pub fn credentials_file(self, path: impl Into<PathBuf>) -> Self {
        self.set(|settings| settings.login = Login::Credentials(path.into()))
    }

    /// How servers are reached: TLS and proxies.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport)
    }

    /// Begins with TLS, for servers with `handshake_first`. By default the server is greeted first.
    pub fn tls_first(self) -> Self {
        self.set(|settings| settings.tls_first = true)
    }

    /// What the subjects begin with by which the server answers, for users that may not subscribe to `_INBOX.>`.
    /// Default `_INBOX`.
    pub fn inbox(self, prefix: &str) -> Self {
        self.set(|settings| settings.inbox = prefix.trim_end_matches('.').into())
    }

    /// The domain of `JetStream` that has the bucket, beyond leaf nodes. Default: that of the server.
    pub fn domain(self, domain: &str) -> Self {
        self.set(|settings| settings.domain = format!("$JS.{domain}.API").into())
    }

    fn set(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| set(Arc::make_mut(&mut store.settings)))
    }
}

/// Reads `nats://host[:port]` or `tls://host[:port]`.
fn server(url: &str) -> Result<Server, SourceError> {
    let wrong = |why: &str| {
        SourceError::invalid(format!("expected an address such as `nats://host:4222`, found {why}"))
    };
    let url = url.trim();
    let (wants_tls, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("nats") => (false, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tls") => (true, rest),
        Some(_) => return Err(wrong("another scheme: `nats` and `tls` are spoken")),
        None => return Err(wrong("one without a scheme")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(wrong("one with a path"));
    }
    let behind_host = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
    let port = if behind_host.contains(':') { "" } else { ":4222" };
    let read = |scheme| {
        Endpoint::parse(&format!("{scheme}://{authority}{port}")).map_err(|error| {
            let said = error.to_string();
            wrong(said.split_once(", found ").map_or(&said, |(_, found)| found))
        })
    };
    Ok(Server { plain: read("http")?, tls: read("https")?, wants_tls })
}

/// What a subject cannot have in it: it would be another one, or another line.
fn fits(subject: &str) -> bool {
    !subject.split('.').any(str::is_empty)
        && !subject
            .contains(|letter: char| letter.is_whitespace() || letter.is_control() || "*>".contains(letter))
}

impl Settings {
    /// What is wrong with what was said, before anybody is asked.
    fn check(&self) -> Result<(), SourceError> {
        let Some(bucket) = &self.bucket else {
            return Err(SourceError::invalid("expected a bucket: `.bucket(\"config\")`"));
        };
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if bucket.is_empty() || !bucket.chars().all(plain) {
            let message = "expected a bucket of letters, digits, `-` and `_`";
            return Err(SourceError::invalid(format!("{message}, found {bucket:?}")));
        }
        let scope = match &self.scope {
            None => {
                let message = "expected what to read: `.prefix(\"shop.\")`, or `.key(\"shop.toml\")`";
                return Err(SourceError::invalid(message));
            }
            Some(Scope::Key(key)) => &**key,
            Some(Scope::Prefix(prefix)) if prefix.is_empty() => "all",
            Some(Scope::Prefix(prefix)) => prefix.strip_suffix('.').unwrap_or(prefix),
        };
        for (what, subject) in [("key", scope), ("inbox", &self.inbox), ("domain", &self.domain)] {
            if !fits(subject) {
                return Err(SourceError::invalid(format!(
                    "expected a name for `{what}` with single dots within it, and without spaces, `*` and `>`, \
                     found {subject:?}"
                )));
            }
        }
        Ok(())
    }
}

impl Store for NatsStore {
    type Session = NatsSession;

    fn describe(&self) -> String {
        let Settings { servers, bucket, scope, .. } = &*self.settings;
        let mut said = match servers {
            Ok(servers) => {
                let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
                format!("nats {}", servers.join(","))
            }
            Err(_) => "nats (no address)".to_owned(),
        };
        let scope = scope.as_ref().map(|(Scope::Key(scope) | Scope::Prefix(scope))| scope);
        for part in [bucket.as_ref(), scope].into_iter().flatten().filter(|part| !part.is_empty()) {
            said = format!("{said} {part}");
        }
        said
    }

    fn locate(&self, key: &str, entry: &Entry) -> String {
        let bucket = self.settings.bucket.as_deref().unwrap_or_default();
        format!("nats {bucket} {key} @ revision {}", entry.revision())
    }

    fn identity(&self) -> Identity {
        let Settings { servers, bucket, scope, login, transport, tls_first, inbox, domain } = &*self.settings;
        let (Ok(servers), Some(bucket), Some(scope)) = (servers, bucket, scope) else {
            return Identity::unique();
        };
        let servers: Vec<_> = servers.iter().map(|server| format!("{} {server}", server.wants_tls)).collect();
        let login = match login {
            Login::Nobody => String::new(),
            Login::User(name, password) => format!("user {name} {}", password.identify()),
            Login::Token(token) => format!("token {}", token.identify()),
            Login::Credentials(path) => format!("credentials {}", path.display()),
        };
        let identity = Identity::of(["nats".to_owned(), servers.join(" "), bucket.to_string()]);
        let identity = identity.and(format!("{scope:?}")).and(login).and(tls_first.to_string());
        transport.identify(identity.and(inbox.clone()).and(domain.clone()))
    }

    async fn connect(&self, cx: &Context, _: u32) -> Result<NatsSession, SourceError> {
        let servers = self.settings.servers.as_ref().map_err(Clone::clone)?;
        if servers.is_empty() {
            return Err(SourceError::invalid(
                "expected the address of a server: `Nats::new([\"nats://host:4222\"])`",
            ));
        }
        self.settings.check()?;
        // What is left of a random number after a division is even enough for a handful of servers.
        let lot = usize::try_from(cx.random() >> 33).unwrap_or_default();
        let _ = self.turn.compare_exchange(BY_LOT, lot, Ordering::Relaxed, Ordering::Relaxed);
        client::connect(&self.settings, servers, &self.turn, cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(url: &str) -> String {
        server(url).err().expect("it is wrong").to_string()
    }

    #[test]
    fn an_address_has_the_port_of_nats_where_none_is_said() {
        let shown = |url| server(url).ok().map(|server| (server.to_string(), server.wants_tls));
        assert_eq!(shown("nats://h"), Some(("h:4222".into(), false)));
        assert_eq!(shown("NATS://h:1/"), Some(("h:1".into(), false)));
        assert_eq!(shown("tls://[::1]"), Some(("[::1]:4222".into(), true)));
        assert_eq!(shown("tls://[::1]:80"), Some(("[::1]:80".into(), true)));
    }

    #[test]
    fn a_wrong_address_is_told_without_a_password() {
        assert!(said("nats://me:hunter2@h").contains("user name or a password"));
        assert!(!said("nats://me:hunter2@h").contains("hunter2"));
        for url in ["h", "ws://h", "nats://h/x", "nats://h:x", "nats://"] {
            assert!(said(url).contains("nats://host:4222"), "{}", said(url));
        }
    }

    #[test]
    fn what_is_no_bucket_or_no_key_is_refused_before_anybody_is_asked() {
        let wrong = |nats: Nats| nats.store().settings.check().err().map(|error| error.to_string());
        let nats = || Nats::new(["nats://h"]).bucket("config");
        for good in [nats().prefix(""), nats().prefix("shop"), nats().prefix("a.b/c/"), nats().key("a.b=c/d")]
        {
            assert_eq!(wrong(good), None);
        }
        let all = [
            nats(),
            Nats::new(["nats://h"]).prefix("shop."),
            nats().bucket("a.b").prefix(""),
            nats().prefix("a..b."),
            nats().prefix("*."),
            nats().key("a b"),
            nats().key("a\r\nPUB"),
            nats().key(""),
            nats().key("a").inbox("x y"),
        ];
        for nats in all {
            assert!(wrong(nats).is_some_and(|said| said.starts_with("expected")));
        }
    }

    #[test]
    fn what_differs_in_anything_is_another_store() {
        let with = |change: fn(Nats) -> Nats| {
            change(Nats::new(["nats://h"]).bucket("b").key("k")).store().identity()
        };
        assert_eq!(with(|nats| nats), with(|nats| nats));
        let others: [fn(Nats) -> Nats; 10] = [
            |nats| nats,
            |nats| nats.bucket("c"),
            |nats| nats.key("l"),
            |nats| nats.prefix("k"),
            |nats| nats.user("k", "a"),
            |nats| nats.token("a"),
            |nats| nats.credentials_file("a"),
            |nats| nats.tls_first(),
            |nats| nats.inbox("a"),
            |nats| nats.domain("a"),
        ];
        let mut seen = Vec::new();
        for other in others {
            let identity = with(other);
            assert!(!seen.contains(&identity));
            seen.push(identity);
        }
    }
}
