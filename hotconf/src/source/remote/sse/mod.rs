//! A document that a server pushes as server-sent events: `wire` reads the stream, `client` opens it.

mod client;
mod wire;

use super::follow::Remote;
use super::net::{Addresses, Credential, Endpoint, Token, Transport};
use super::store::{Entry, Identity, Map, Step, Store};
use crate::source::{Context, Cursor, SourceError};
use client::SseSession;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A document that a server pushes: a stream of [server-sent events][standard], each of which is the whole document.
///
/// The format is told by [`document`](Remote::document), or else by the extension in the address. The lines `data:`
/// of an event are those of the document; an event that is empty, or blank, says that nothing is there: what it
/// brought before stays in force, and an [`optional`](crate::SourceExt::optional) source says nothing any more. Only
/// events of one type count ([`event`](Remote::event)).
///
/// # What a server does
///
/// * It answers 200 with `Content-Type: text/event-stream`, and sends the document **at once**, unless the request's
///   `Last-Event-ID` says that the client has it. Then it may be silent until there is news.
/// * It sends the whole document each time that it changes. Where it sends an `id:`, this stands for exactly this
///   document: after a restore an id of the lost history must not be taken for one of the new.
/// * It sends a comment (a line `:`) at least every 20 s, so that a connection that is lost is noticed
///   ([`idle`](Remote::idle)).
/// * `retry:` is the least time, in milliseconds and up to an hour, before a client comes back.
/// * 204 asks a client to stay away: that is told as any failure, and it comes back after 30 to 60 min, or on a
///   [`reload`](crate::Hot::reload).
///
/// After a loss the newest id is sent to the address that gave it, and to no other. Every 5 min, give or take a
/// fifth, the stream is opened anew without an id ([`resync`](Remote::resync)), since ids can lie. Up to 5 redirects
/// are followed, never from `https` to `http`, and credentials are sent to the server of the address alone. An event
/// of more bytes than a document may have is refused.
///
/// ```
/// use hotconf::remote::Token;
/// use hotconf::{Hot, HotConf, SourceExt, Sse};
/// use std::time::Duration;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// let remote = Sse::new("http://127.0.0.1:9/app.toml") // nobody is there
///     .bearer(Token::file("/var/run/secrets/config-token"))
///     .event("config")
///     .idle(Duration::from_secs(60));
/// let config = Hot::<App>::builder().source(remote.optional()).blocking_start()?;
/// assert_eq!(config.load().retries, 3);
/// # Ok::<(), hotconf::Error>(())
/// ```
///
/// [standard]: https://html.spec.whatwg.org/multipage/server-sent-events.html
pub type Sse = Remote<SseStore>;

/// The store behind [`Sse`].
pub struct SseStore {
    addresses: Addresses,
    settings: Arc<Settings>,
    known: Arc<Mutex<Known>>,
}

/// How it is asked.
#[derive(Clone)]
struct Settings {
    transport: Transport,
    credentials: Vec<Credential>,
    event: Box<str>,
    idle: Duration,
}

/// What the streams so far have said.
#[derive(Default)]
struct Known {
    /// The last document, or that nothing is there.
    all: Option<Map>,
    /// By what the server knows how far it was read.
    id: Option<Box<str>>,
    /// Who said so.
    from: Option<Endpoint>,
    /// How long the server asks to be left alone once a stream has ended.
    retry: Option<Duration>,
}

/// A document that a server pushes.
impl Remote<SseStore> {
    /// The stream at `url`, an `http` or `https` address.
    pub fn new(url: &str) -> Self {
        let settings = Settings {
            transport: Transport::new(),
            credentials: Vec::new(),
            event: "message".into(),
            idle: Duration::from_secs(45),
        };
        let addresses = Addresses::new(Endpoint::parse(url));
        Self::of(SseStore { addresses, settings: Arc::new(settings), known: Arc::default() })
    }

    /// Another address of the same document: one of them is asked, and after a failure the next.
    pub fn replica(self, url: &str) -> Self {
        let replica = Endpoint::parse(url);
        self.change(|store| store.addresses.add(replica))
    }

    /// Takes events of this type, and no other. Default `message`, which is the type of an event without `event:`.
    pub fn event(self, name: &str) -> Self {
        self.set(|settings| settings.event = name.into())
    }

    /// How long nothing may come, not even a comment, until the connection counts as lost; 10 ms at least. Default
    /// 45 s. Take two to three times of what the server leaves between two comments.
    pub fn idle(self, idle: Duration) -> Self {
        self.set(|settings| settings.idle = idle.max(Duration::from_millis(10)))
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

impl Known {
    /// What `endpoint` is told that we have. Without a document there is nothing to go on from.
    fn id_for(&self, endpoint: &Endpoint) -> Option<Box<str>> {
        self.id.clone().filter(|_| self.all.is_some() && self.from.as_ref() == Some(endpoint))
    }

    fn listing(&self) -> Option<Step> {
        let cursor = Cursor { epoch: 0, order: 0, token: self.id.as_deref().map(Into::into) };
        Some(Step::Listing { all: self.all.clone()?, cursor })
    }
}

impl Store for SseStore {
    type Session = SseSession;

    fn describe(&self) -> String {
        self.addresses.describe("sse")
    }

    fn locate(&self, _: &str, _: &Entry) -> String {
        self.describe()
    }

    fn identity(&self) -> Identity {
        let Some(identity) = self.addresses.identity() else { return Identity::unique() };
        let settings = &self.settings;
        let identity = Credential::identify(&settings.credentials, identity);
        settings.transport.identify(identity).and(&*settings.event).and(format!("{:?}", settings.idle))
    }

    async fn connect(&self, cx: &Context, attempt: u32) -> Result<SseSession, SourceError> {
        let endpoint = self.addresses.choose(attempt, cx.random())?;
        SseSession::open(endpoint, &self.settings, &self.known, cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_anything_is_another_store() {
        let with = |change: fn(Sse) -> Sse| change(Sse::new("http://a/x.toml")).store().identity();
        let plain = with(|sse| sse);
        assert_eq!(plain, with(|sse| sse));
        let others: [fn(Sse) -> Sse; 7] = [
            |sse| sse.bearer("a"),
            |sse| sse.bearer("b"),
            |sse| sse.basic("a", "b"),
            |sse| sse.event("config"),
            |sse| sse.idle(Duration::from_secs(1)),
            |sse| sse.replica("http://b"),
            |sse| sse.transport(Transport::new().no_proxy()),
        ];
        let mut seen = vec![plain];
        for other in others {
            let identity = with(other);
            assert!(!seen.contains(&identity));
            seen.push(identity);
        }
    }

    #[test]
    fn an_id_goes_to_the_address_that_gave_it_and_only_beside_a_document() {
        let (a, b) = (Endpoint::parse("http://a").unwrap(), Endpoint::parse("http://b").unwrap());
        let mut known = Known { id: Some("7".into()), from: Some(a.clone()), ..Known::default() };
        assert_eq!(known.id_for(&a), None);
        known.all = Some(Map::new());
        assert_eq!(known.id_for(&a).as_deref(), Some("7"));
        assert_eq!(known.id_for(&b), None);
    }
}
