//! A document behind a URL: `wire` reads answers, `client` asks.

mod client;
mod wire;

use super::follow::Remote;
use super::net::{Endpoint, Token, Transport, base64};
use super::store::{Entry, Identity, Store};
use crate::format::Format;
use crate::source::{Context, SourceError};
use client::HttpSession;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

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
    /// The address and those of its replicas, or what is wrong with one.
    addresses: Result<Vec<Endpoint>, SourceError>,
    settings: Arc<Settings>,
    /// Which address is next; a number beyond them until it is drawn.
    turn: AtomicUsize,
}

/// How it is asked.
#[derive(Clone)]
struct Settings {
    transport: Transport,
    credentials: Vec<Credential>,
    every: Duration,
    hold: Option<Duration>,
}

/// What goes into a header of each request.
#[derive(Clone)]
enum Credential {
    Bearer(Token),
    Basic(Box<str>, Token),
    Header(Box<str>, Token),
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
        let addresses = Endpoint::parse(url).map(|endpoint| vec![endpoint]);
        Self::of(HttpStore { addresses, settings: Arc::new(settings), turn: AtomicUsize::new(usize::MAX) })
    }

    /// Another address of the same document: one of them is asked, and after a failure the next.
    pub fn replica(self, url: &str) -> Self {
        let replica = Endpoint::parse(url);
        self.change(|store| match (&mut store.addresses, replica) {
            (Ok(addresses), Ok(replica)) => addresses.push(replica),
            (Ok(_), Err(error)) => store.addresses = Err(error),
            (Err(_), _) => {}
        })
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
        let password = password.into();
        self.set(|settings| settings.credentials.push(Credential::Basic(user.into(), password)))
    }

    /// Sends this header; its value is treated as a secret.
    pub fn header(self, name: &str, value: impl Into<Token>) -> Self {
        let header = Credential::Header(name.to_ascii_lowercase().into(), value.into());
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

impl HttpStore {
    /// The address whose turn it is: one drawn at first, so that many programs spread over all, and after each
    /// failure the next.
    fn choose<'a>(&self, addresses: &'a [Endpoint], attempt: u32, random: u64) -> &'a Endpoint {
        let count = addresses.len();
        let turn = match self.turn.load(Ordering::Relaxed) {
            usize::MAX => usize::try_from(random % count as u64).unwrap_or_default(),
            turn if attempt > 0 => (turn + 1) % count,
            turn => turn % count,
        };
        self.turn.store(turn, Ordering::Relaxed);
        &addresses[turn]
    }
}

impl Store for HttpStore {
    type Session = HttpSession;

    /// One replica of many may lag behind, and know nothing of the document yet.
    const CONFIRM_SHRINK: bool = true;

    fn describe(&self) -> String {
        match self.addresses.as_deref() {
            Ok([only]) => only.to_string(),
            Ok([first, others @ ..]) => format!("{first} (or {} more)", others.len()),
            Ok([]) | Err(_) => "http (its address cannot be read)".to_owned(),
        }
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
        let Ok(addresses) = &self.addresses else { return Identity::unique() };
        let settings = &self.settings;
        let identity = Identity::of(addresses.iter().map(Endpoint::whole));
        let credentials = settings.credentials.iter();
        let identity = credentials.fold(identity, |identity, credential| identity.and(credential.identify()));
        settings.transport.identify(identity).and(format!("{:?} {:?}", settings.every, settings.hold))
    }

    async fn connect(&self, cx: &Context, attempt: u32) -> Result<HttpSession, SourceError> {
        let addresses = self.addresses.as_ref().map_err(Clone::clone)?;
        let endpoint = self.choose(addresses, attempt, cx.random());
        HttpSession::open(endpoint, &self.settings, cx).await
    }
}

impl Credential {
    fn token(&self) -> &Token {
        let (Self::Bearer(token) | Self::Basic(_, token) | Self::Header(_, token)) = self;
        token
    }

    fn header(&self) -> &str {
        match self {
            Self::Bearer(_) | Self::Basic(..) => "authorization",
            Self::Header(name, _) => name,
        }
    }

    /// What stands in the header.
    fn value(&self, token: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Bearer(_) => format!("Bearer {token}"),
            Self::Basic(user, _) => {
                let pair = Zeroizing::new(format!("{user}:{token}"));
                format!("Basic {}", *base64(pair.as_bytes()))
            }
            Self::Header(..) => token.to_owned(),
        })
    }

    fn identify(&self) -> String {
        let kind = match self {
            Self::Bearer(_) => "bearer",
            Self::Basic(user, _) => user,
            Self::Header(name, _) => name,
        };
        format!("{} {kind} {}", self.header(), self.token().identify())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(urls: &[&str]) -> HttpStore {
        let addresses = urls.iter().map(|url| Endpoint::parse(url)).collect();
        let settings = Settings {
            transport: Transport::new(),
            credentials: Vec::new(),
            every: Duration::from_secs(30),
            hold: None,
        };
        HttpStore { addresses, settings: Arc::new(settings), turn: AtomicUsize::new(usize::MAX) }
    }

    #[test]
    fn an_address_is_drawn_at_first_and_after_each_failure_the_next_is_asked() {
        let store = store(&["http://a", "http://b", "http://c"]);
        let addresses = store.addresses.clone().unwrap();
        let chosen = |attempt| store.choose(&addresses, attempt, 4).host().to_owned();
        assert_eq!([chosen(0), chosen(0), chosen(1), chosen(2), chosen(0)], ["b", "b", "c", "a", "a"]);
    }

    #[test]
    fn a_password_stands_in_its_header_and_nowhere_else() {
        let basic = Credential::Basic("Aladdin".into(), Token::value("open sesame"));
        assert_eq!(basic.value("open sesame").as_str(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!basic.identify().contains("sesame"));
    }

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
