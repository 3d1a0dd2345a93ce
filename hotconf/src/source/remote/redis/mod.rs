//! Redis and Valkey: keys with a prefix, the fields of a hash, or one key with a whole document.
//!
//! `client` holds the session, `line` its connection; `wire` encodes and decodes; `address` and
//! `refusal` read addresses and errors. Why the client is our own stands in `DESIGN.md`.

mod address;
mod client;
mod line;
mod refusal;
mod wire;

#[cfg(test)]
mod tests;

use super::net::{Token, Transport};
use super::{Entry, Identity, Remote, Store};
use crate::source::{Context, SourceError};
use address::Address;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use client::RedisSession;

/// Redis, or Valkey, as a source: keys with a prefix, the fields of a hash, or one key with a whole document.
///
/// The server is asked to tell of changes, and what changed is then read. A transaction of a writer (`MULTI`) is one
/// change. From Redis 6 on it is told by `CLIENT TRACKING`, for which nothing has to be set; where that is
/// not allowed by keyspace events (`notify-keyspace-events` with `KA`); and where neither is, which is warned of,
/// keys are read again [`every`](Self::every) 30 s. All is read anew after each loss of the connection.
///
/// A key whose time to live ends is deleted. Redis has no revisions: an origin names the key alone. Configurations of
/// one process that name the same servers, user, transport and keys share one connection.
///
/// A server that says nothing for 15 s is asked for a sign of life, and given up 5 s later.
///
/// ```
/// use hotconf::{Redis, Source};
///
/// let shop = Redis::new("redis://10.0.0.1:6379").prefix("shop:"); // `shop:http:timeout` is `http.timeout`
/// assert_eq!(shop.describe(), "redis://10.0.0.1:6379 shop:");
/// let hash = Redis::new("redis://10.0.0.1:6379").hash("shop"); // its field `http.timeout`
/// let whole = Redis::new("redis://10.0.0.1").database(2).key("shop.toml");
/// assert_eq!(whole.describe(), "redis://10.0.0.1:6379/2 shop.toml");
/// # let _ = hash;
/// ```
///
/// With a user and TLS:
///
/// ```
/// use hotconf::remote::{Token, Transport};
/// use hotconf::Redis;
///
/// let shop = Redis::new("rediss://redis.internal:6380")
///     .hash("shop")
///     .transport(Transport::new().ca_file("/etc/shop/ca.pem"))
///     .user("shop", Token::file("/run/secrets/redis-password"));
/// # let _ = shop;
/// ```
///
/// The user needs no more than to read: `ACL SETUSER shop on >… ~shop* +get +mget +hgetall +scan +type +ping +select
/// +client|tracking`, and `+role` for a replica.
pub type Redis = Remote<RedisStore>;

/// A Redis with its replicas, and what is asked of it: see [`Redis`].
pub struct RedisStore {
    settings: Arc<Settings>,
    /// Which address is tried next.
    turn: AtomicUsize,
}

#[derive(Clone)]
struct Settings {
    addresses: Result<Vec<Address>, SourceError>,
    database: u32,
    scope: Option<Scope>,
    user: Option<(Box<str>, Token)>,
    transport: Transport,
    every: Duration,
}

/// What is read.
#[derive(Clone)]
enum Scope {
    Key(Box<str>),
    Hash(Box<str>),
    Prefix(Box<str>),
}

impl Scope {
    fn name(&self) -> &str {
        let (Self::Key(name) | Self::Hash(name) | Self::Prefix(name)) = self;
        name
    }

    fn covers(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(name) | Self::Hash(name) => key == name.as_bytes(),
            Self::Prefix(prefix) => key.starts_with(prefix.as_bytes()),
        }
    }
}

impl Remote<RedisStore> {
    /// The server at `redis://host[:port][/database]`; with `rediss` it is reached by TLS. The port is 6379 where none
    /// is given. Say next what to read: [`prefix`](Self::prefix), [`hash`](Self::hash) or [`key`](Self::key).
    pub fn new(url: &str) -> Self {
        let address = Address::parse(url);
        let settings = Settings {
            database: address.as_ref().ok().and_then(|address| address.database).unwrap_or_default(),
            addresses: address.map(|address| vec![address]),
            scope: None,
            user: None,
            transport: Transport::new().past_environment(),
            every: Duration::from_secs(30),
        };
        Self::of(RedisStore { settings: Arc::new(settings), turn: AtomicUsize::new(0) })
    }

    /// Another server with the same keys, a replica of the first: after a failure of one the next is tried. One that
    /// has lost its primary is passed over.
    pub fn replica(self, url: &str) -> Self {
        let replica = Address::parse(url);
        self.set(|settings| match (&mut settings.addresses, replica) {
            (Ok(addresses), Ok(replica)) => addresses.push(replica),
            (Ok(_), Err(error)) => settings.addresses = Err(error),
            (Err(_), _) => {}
        })
    }

    /// The database of this number, whatever the address says. Default 0.
    pub fn database(self, number: u32) -> Self {
        self.set(|settings| settings.database = number)
    }

    /// Keys that begin with `prefix` are paths: with `shop:`, the key `shop:http:timeout` is `http.timeout`. A value
    /// is text that the field's type reads.
    ///
    /// The last sign of the prefix, `:`, `/` or `.`, stands between the parts of a path. Where it has none of them a
    /// colon is added, so that `shop` does not take `shopping:`; an empty prefix takes every key of the database.
    ///
    /// The keys are found by `SCAN`, which looks through all keys of the database: after each loss, at each
    /// [`resync`](Self::resync), and where nothing tells of changes [`every`](Self::every) 30 s. In a database with
    /// millions of others a [`hash`](Self::hash) costs less.
    pub fn prefix(self, prefix: &str) -> Self {
        let (prefix, separator) = match prefix.chars().next_back() {
            Some(last @ (':' | '/' | '.')) => (prefix.to_owned(), last),
            Some(_) => (format!("{prefix}:"), ':'),
            None => (String::new(), ':'),
        };
        self.keys(&prefix)
            .separated(separator)
            .set(|settings| settings.scope = Some(Scope::Prefix(prefix.into())))
    }

    /// The fields of the hash at `key` are paths: `http.timeout`, in the hash `shop`, as `HSET shop http.timeout 5s`
    /// writes it.
    pub fn hash(self, key: &str) -> Self {
        self.keys("").separated('.').set(|settings| settings.scope = Some(Scope::Hash(key.into())))
    }

    /// What stands between the parts of a path, where it is another sign than [`prefix`](Self::prefix) and
    /// [`hash`](Self::hash) say, after which it is given.
    pub fn separator(self, sign: char) -> Self {
        self.separated(sign)
    }

    /// One key, a string, is a whole document. The extension of its name tells the format; without one,
    /// [`document`](Self::document) does.
    pub fn key(self, key: &str) -> Self {
        self.set(|settings| settings.scope = Some(Scope::Key(key.into())))
    }

    /// Who we are, on a server with an ACL. The password is asked for at each connection.
    pub fn user(self, name: &str, password: impl Into<Token>) -> Self {
        self.set(|settings| settings.user = Some((name.into(), password.into())))
    }

    /// The password of a server without users: `requirepass`.
    pub fn password(self, password: impl Into<Token>) -> Self {
        self.user("default", password)
    }

    /// How the server is reached: TLS, and the proxy given to it. Those of the environment are meant for HTTP, and are
    /// passed by.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport.past_environment())
    }

    /// How often what is known is read again though nothing was heard, give or take a fifth; 10 ms at least. Default
    /// 30 s.
    pub fn every(self, every: Duration) -> Self {
        self.set(|settings| settings.every = every.max(Duration::from_millis(10)))
    }

    fn set(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| set(Arc::make_mut(&mut store.settings)))
    }
}

impl Store for RedisStore {
    type Session = RedisSession;

    fn describe(&self) -> String {
        let settings = &*self.settings;
        let mut said = match settings.addresses.as_deref() {
            Ok(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            Err(_) => "redis (no address)".to_owned(),
        };
        if settings.database != 0 {
            said = format!("{said}/{}", settings.database);
        }
        match &settings.scope {
            Some(scope) if !scope.name().is_empty() => format!("{said} {}", scope.name()),
            _ => said,
        }
    }

    fn locate(&self, key: &str, _: &Entry) -> String {
        match &self.settings.scope {
            Some(Scope::Hash(hash)) => format!("redis {hash} {key}"),
            _ => format!("redis {key}"),
        }
    }

    fn identity(&self) -> Identity {
        let Settings { addresses, database, scope, user, transport, every } = &*self.settings;
        let Ok(addresses) = addresses else { return Identity::unique() };
        let scope = match scope {
            None => String::new(),
            Some(Scope::Key(key)) => format!("key {key}"),
            Some(Scope::Hash(key)) => format!("hash {key}"),
            Some(Scope::Prefix(prefix)) => format!("prefix {prefix}"),
        };
        let (name, password) =
            user.as_ref().map_or_else(Default::default, |(name, token)| (name.clone(), token.identify()));
        let addresses = addresses.iter().map(Address::whole).collect::<Vec<_>>().join(" ");
        let identity = Identity::of(["redis".to_owned(), addresses, scope, name.into(), password]);
        transport.identify(identity).and(format!("{database} {every:?}"))
    }

    async fn connect(&self, cx: &Context, attempt: u32) -> Result<RedisSession, SourceError> {
        let addresses = self.settings.addresses.as_ref().map_err(Clone::clone)?;
        if self.settings.scope.is_none() {
            let message =
                "expected what to read: `.prefix(\"shop:\")`, `.hash(\"shop\")`, or `.key(\"shop.toml\")`";
            return Err(SourceError::invalid(message));
        }
        // The one that was well stays; after a failure it is the turn of the next.
        let step = usize::from(attempt > 0);
        let turn = self.turn.fetch_add(step, Ordering::Relaxed) + step;
        client::connect(&self.settings, &addresses[turn % addresses.len()], cx).await
    }
}
