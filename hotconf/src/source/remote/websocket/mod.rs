//! A document that a server pushes over a WebSocket: `wire` reads and writes frames, `socket` carries them,
//! `client` follows.

mod client;
mod socket;
mod wire;

use super::follow::Remote;
use super::net::{Addresses, Credential, Endpoint, Token, Transport};
use super::store::{Entry, Identity, Map, Step, Store};
use crate::source::{Context, Cursor, SourceError};
use client::WebSocketSession;
use std::any::TypeId;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A document that a server pushes over a WebSocket ([RFC 6455]): each message, text or binary, is the whole document.
///
/// The format is told by [`document`](Remote::document), or else by the extension in the address. A message that is
/// empty, or blank, says that nothing is there: what it brought before stays in force, and an
/// [`optional`](crate::SourceExt::optional) source says nothing any more.
///
/// # What a server does
///
/// * It sends the document **at once**, after what a client says first ([`hello`](Remote::hello)); unless the client
///   tells what it has ([`resume`](Remote::resume)), and that is the newest.
/// * It sends the whole document each time that it changes, and answers pings.
/// * It closes with 1012 or 1013 when it restarts or has too much to do: clients come back after 5 to 30 s. 1008, 3000,
///   3003, 4401 and 4403 refuse credentials; other codes are told, and the client comes back at its own pace.
///
/// Every 5 min, give or take a fifth, the connection is opened anew, with `hello` ([`resync`](Remote::resync)). A
/// message of more bytes than a document may have is refused with 1009, text that is no UTF-8 with 1007. No extension
/// is offered, and so no compression. Up to 5 redirects are followed, never from `wss` to `ws`, and credentials are
/// sent to the server of the address alone.
///
/// ```
/// use hotconf::remote::Token;
/// use hotconf::{Hot, HotConf, SourceExt, WebSocket};
/// use std::time::Duration;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// let remote = WebSocket::new("ws://127.0.0.1:9/app.toml") // nobody is there
///     .bearer(Token::file("/var/run/secrets/config-token"))
///     .hello(r#"{"subscribe":"shop"}"#)
///     .ping(Duration::from_secs(10));
/// let config = Hot::<App>::builder().source(remote.optional()).blocking_start()?;
/// assert_eq!(config.load().retries, 3);
/// # Ok::<(), hotconf::Error>(())
/// ```
///
/// [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455
pub type WebSocket = Remote<WebSocketStore>;

/// The store behind [`WebSocket`].
pub struct WebSocketStore {
    addresses: Addresses,
    settings: Arc<Settings>,
    known: Arc<Mutex<Known>>,
}

/// How it is asked.
#[derive(Clone)]
struct Settings {
    transport: Transport,
    credentials: Vec<Credential>,
    protocol: Option<Box<str>>,
    ping: Duration,
    hello: Option<Token>,
    resume: Option<Resume>,
}

/// Makes of the last document what is said first on the next connection. The text tells two of them apart.
#[derive(Clone)]
struct Resume(Box<str>, Arc<Maker>);

type Maker = dyn Fn(&[u8]) -> String + Send + Sync;

impl Resume {
    fn of(&self, last: &[u8]) -> String {
        (self.1)(last)
    }
}

/// What the connections so far have said.
#[derive(Default)]
struct Known {
    /// The last document, or that nothing is there.
    all: Option<Map>,
}

impl Known {
    /// The last document; empty where nothing is there.
    fn last(&self) -> Option<Arc<[u8]>> {
        let entry = self.all.as_ref()?.values().next();
        Some(entry.map_or_else(Arc::default, |entry| entry.value().into()))
    }

    fn listing(&self) -> Option<Step> {
        Some(Step::Listing { all: self.all.clone()?, cursor: Cursor::default() })
    }
}

/// A document that a server pushes.
impl Remote<WebSocketStore> {
    /// The WebSocket at `url`: `ws(s)://host[:port]/path`.
    pub fn new(url: &str) -> Self {
        let settings = Settings {
            transport: Transport::new(),
            credentials: Vec::new(),
            protocol: None,
            ping: Duration::from_secs(20),
            hello: None,
            resume: None,
        };
        let addresses = Addresses::new(endpoint(url));
        Self::of(WebSocketStore { addresses, settings: Arc::new(settings), known: Arc::default() })
    }

    /// Another address of the same document: one of them is asked, and after a failure the next.
    pub fn replica(self, url: &str) -> Self {
        let replica = endpoint(url);
        self.change(|store| store.addresses.add(replica))
    }

    /// How often the server is asked whether it lives, 10 ms at least; where nothing comes for twice as long, the
    /// connection counts as lost. Default 20 s.
    pub fn ping(self, every: Duration) -> Self {
        self.set(|settings| settings.ping = every.max(Duration::from_millis(10)))
    }

    /// What is said first on each connection, as one text message. It may be a secret, and is treated as one: a
    /// [`Token`] is read each time anew.
    pub fn hello(self, text: impl Into<Token>) -> Self {
        let text = text.into();
        self.set(|settings| settings.hello = Some(text))
    }

    /// What is said first instead, after a loss: `make` is given the document that came last (nothing, where it was
    /// empty), and may take a version out of it. Once the server has answered the ping that follows, what came last
    /// counts as what there is until the server sends something else. `make` is called on the engine's thread, and
    /// has to be short.
    ///
    /// ```
    /// use hotconf::WebSocket;
    ///
    /// // The first line of each document is `# version N`.
    /// let remote = WebSocket::new("wss://config.internal/app.toml").hello("all").resume(|last| {
    ///     let text = String::from_utf8_lossy(last);
    ///     format!("since {}", text.lines().next().unwrap_or_default())
    /// });
    /// assert!(format!("{remote:?}").contains("wss://config.internal/app.toml"));
    /// ```
    pub fn resume<F>(self, make: F) -> Self
    where
        F: Fn(&[u8]) -> String + Send + Sync + 'static,
    {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // What holds nothing is the same wherever it has the same type.
        let id = match size_of::<F>() {
            0 => format!("{:?}", TypeId::of::<F>()),
            _ => NEXT.fetch_add(1, Ordering::Relaxed).to_string(),
        };
        let resume = Resume(id.into(), Arc::new(make));
        self.set(|settings| settings.resume = Some(resume))
    }

    /// Asks for this subprotocol; a server that does not speak it is refused.
    pub fn protocol(self, name: &str) -> Self {
        self.set(|settings| settings.protocol = Some(name.into()))
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

    /// Reaches the server in this way. Past a proxy a tunnel leads, without TLS too.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport)
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| change(Arc::make_mut(&mut store.settings)))
    }
}

/// A WebSocket begins as HTTP: `ws` is `http`, and `wss` is `https`.
fn endpoint(url: &str) -> Result<Endpoint, SourceError> {
    let url = url.trim();
    match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => {
            Endpoint::parse(&format!("http://{rest}"))
        }
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => {
            Endpoint::parse(&format!("https://{rest}"))
        }
        _ => Err(SourceError::invalid(
            "expected an address such as `wss://host:port/path`, found one with another scheme or none",
        )),
    }
}

impl Store for WebSocketStore {
    type Session = WebSocketSession;

    fn describe(&self) -> String {
        let place = self.addresses.describe("websocket");
        match place.strip_prefix("http") {
            Some(rest) => format!("ws{rest}"),
            None => place,
        }
    }

    fn locate(&self, _: &str, _: &Entry) -> String {
        self.describe()
    }

    fn identity(&self) -> Identity {
        let Some(identity) = self.addresses.identity() else { return Identity::unique() };
        let settings = &self.settings;
        let identity = Credential::identify(&settings.credentials, identity);
        let hello = settings.hello.as_ref().map(Token::identify).unwrap_or_default();
        let resume = settings.resume.as_ref().map(|resume| &*resume.0);
        let rest = format!("{:?} {:?} {resume:?}", settings.protocol, settings.ping);
        settings.transport.identify(identity).and(hello).and(rest)
    }

    async fn connect(&self, cx: &Context, attempt: u32) -> Result<WebSocketSession, SourceError> {
        let endpoint = self.addresses.choose(attempt, cx.random())?;
        WebSocketSession::open(endpoint, &self.settings, &self.known, cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_anything_is_another_store() {
        let with =
            |change: fn(WebSocket) -> WebSocket| change(WebSocket::new("ws://a/x.toml")).store().identity();
        let plain = with(|socket| socket);
        assert_eq!(plain, with(|socket| socket));
        let others: [fn(WebSocket) -> WebSocket; 8] = [
            |socket| socket.bearer("a"),
            |socket| socket.hello("a"),
            |socket| socket.hello("b"),
            |socket| socket.resume(|_| String::new()),
            |socket| socket.protocol("shop"),
            |socket| socket.ping(Duration::from_secs(1)),
            |socket| socket.replica("ws://b"),
            |socket| socket.transport(Transport::new().no_proxy()),
        ];
        let mut seen = vec![plain];
        for other in others {
            let identity = with(other);
            assert!(!seen.contains(&identity));
            seen.push(identity);
        }
    }

    #[test]
    fn an_address_is_shown_as_it_was_given_without_its_query() {
        assert_eq!(WebSocket::new("WSS://h:8443/a?token=x").store().describe(), "wss://h:8443/a?…");
        assert_eq!(WebSocket::new("ws://h/a").replica("ws://i").store().describe(), "ws://h/a (or 1 more)");
        for url in ["https://h", "h/a", "ftp://h"] {
            assert_eq!(WebSocket::new(url).store().describe(), "websocket (its address cannot be read)");
        }
    }
}
