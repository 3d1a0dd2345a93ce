//! A document behind a URL: `wire` reads answers, `client` asks.

mod client;
mod wire;

use super::follow::Remote;
use super::net::{Addresses, Credential, Endpoint, Token, Transport};
use super::store::{Entry, Identity, Store};
use crate::format::Format;
use crate::source::{Context, SourceError};
use client::HttpSession;
use std::sync::Arc;
use std::time::Duration;

/// A document behind an `http` or `https` address, asked for again and again.
///
/// Every 30 s, give or take a tenth, the server is asked whether there is another document than the one that
/// is known by its `ETag`, or its `Last-Modified`; every 5 min, give or take a fifth, the whole document is asked
/// for ([`resync`](Remote::resync)), since tags can lie. With [`long_poll`](Remote::long_poll) a change comes
/// when it happens.
///
/// The format is told by [`document`](Remote::document), or else by `Content-Type`, or else by the extension in
/// the address. An address at which nothing is (404, 410, 204, an empty body) brings nothing: what it brought
/// before stays in force, and an [`optional`](crate::SourceExt::optional) source says nothing any more.
///
/// `Retry-After` is kept to, up to an hour. Up to 5 redirects are followed, never from `https` to `http`, and
/// credentials are sent to the server of the address alone.
///
/// ```
/// use hotconf::remote::Token;
/// use hotconf::{Hot, HotConf, Http, SourceExt};
/// use std::time::Duration;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// let remote = Http::new("http://127.0.0.1:9/app.toml") // nobody is there
///     .bearer(Token::file("/var/run/secrets/config-token"))
///     .every(Duration::from_secs(10));
/// let config = Hot::<App>::builder().source(remote.optional()).blocking_start()?;
/// assert_eq!(config.load().retries, 3);
/// # Ok::<(), hotconf::Error>(())
/// ```
pub type Http = Remote<HttpStore>;

/// The store behind [`Http`].
pub struct HttpStore {
    addresses: Addresses,
    settings: Arc<Settings>,
}

/// How it is asked.
#[derive(Clone)]
struct Settings {
    transport: Transport,
    credentials: Vec<Credential>,
    every: Duration,
    hold: Option<Duration>,
}

/// A document behind an address.
impl Remote<HttpStore> {
    /// The document at `url`.
    pub fn new(url: &str) -> Self {
        let settings = Settings {
            transport: Transport::new(),
            credentials: Vec::new(),
            every: Duration::from_secs(30),
            hold: None,
        };
        let addresses = Addresses::new(Endpoint::parse(url));
        Self::of(HttpStore { addresses, settings: Arc::new(settings) })
    }

    /// Another address of the same document: one of them is asked, and after a failure the next.
    pub fn replica(self, url: &str) -> Self {
        let replica = Endpoint::parse(url);
        self.change(|store| store.addresses.add(replica))
    }

    /// How often the server is asked, give or take a tenth; 10 ms at least. Default 30 s.
    pub fn every(self, every: Duration) -> Self {
        self.set(|settings| settings.every = every.max(Duration::from_millis(10)))
    }

    /// Lets the server hold each question until there is news, for `hold` at most; the next one follows at
    /// once. It is told of this by `Prefer: wait` and `If-None-Match`. One that answers at once all the same is
    /// asked [`every`](Self::every) so often.
    pub fn long_poll(self, hold: Duration) -> Self {
        self.set(|settings| settings.hold = Some(hold.max(Duration::from_secs(1))))
    }

    /// Sends `Authorization: Bearer` with this token.
    pub fn bearer(self, token: impl Into<Token>) -> Self {
        let token = token.into();
        self.set(|settings| settings.credentials.push(Credential::Bearer(token)))
    }

    /// Sends `Authorization: Basic` with this name and password.
    pub fn basic(self, user: &str, password: impl Into<Token>) -> Self {
        let basic = Credential::basic(user, password);
        self.set(|settings| settings.credentials.push(basic))
    }

    /// Sends this header; its value is treated as a secret.
    pub fn header(self, name: &str, value: impl Into<Token>) -> Self {
        let header = Credential::header(name, value);
        self.set(|settings| settings.credentials.push(header))
    }

    /// Reaches the server in this way.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport)
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| change(Arc::make_mut(&mut store.settings)))
    }
}

impl Store for HttpStore {
    type Session = HttpSession;

    /// One replica of many may lag behind, and know nothing of the document yet.
    const CONFIRM_SHRINK: bool = true;

    fn describe(&self) -> String {
        self.addresses.describe("http")
    }

    fn locate(&self, key: &str, _: &Entry) -> String {
        let place = self.describe();
        // Nothing tells the format: the key is the content type, or that there is none.
        if Format::from_path(key).is_none() && !matches!(key, "text/plain" | "application/octet-stream") {
            return format!("{place} (content type {key})");
        }
        place
    }

    fn identity(&self) -> Identity {
        let Some(identity) = self.addresses.identity() else { return Identity::unique() };
        let settings = &self.settings;
        let identity = Credential::identify(&settings.credentials, identity);
        settings.transport.identify(identity).and(format!("{:?} {:?}", settings.every, settings.hold))
    }

    async fn connect(&self, cx: &Context, attempt: u32) -> Result<HttpSession, SourceError> {
        let endpoint = self.addresses.choose(attempt, cx.random())?;
        HttpSession::open(endpoint, &self.settings, cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_anything_is_another_store() {
        let with = |change: fn(Http) -> Http| {
            let mut identity = None;
            let _http = change(Http::new("http://a/x")).change(|store| identity = Some(store.identity()));
            identity.unwrap()
        };
        let plain = with(|http| http);
        assert_eq!(plain, with(|http| http));
        let others: [fn(Http) -> Http; 6] = [
            |http| http.bearer("a"),
            |http| http.bearer("b"),
            |http| http.header("x-token", "a"),
            |http| http.every(Duration::from_secs(1)),
            |http| http.long_poll(Duration::from_secs(1)),
            |http| http.transport(Transport::new().no_proxy()),
        ];
        let mut seen = vec![plain];
        for other in others {
            let identity = with(other);
            assert!(!seen.contains(&identity));
            seen.push(identity);
        }
    }
}
