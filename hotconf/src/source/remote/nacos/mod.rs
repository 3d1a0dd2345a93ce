//! Nacos: one document by its id, group and namespace, followed by the long poll of version 1.
//!
//! `client` holds the session and is the only file that waits for a network; `wire` writes questions and reads
//! answers; `md5` is the digest by which both sides compare.

mod client;
mod md5;
mod wire;

use super::follow::Remote;
use super::net::{Endpoint, Token, Transport};
use super::store::{Entry, Identity, Store};
use crate::source::{Context, SourceError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wire::Place;

pub use client::NacosSession;

/// A document of a Nacos as a source.
///
/// One data id is one whole document. The extension of the id tells the format, or the type that the server has of
/// it, or [`document`](Remote::document). Several documents are several sources, the later one above: those that name
/// the same server, document and user share one connection.
///
/// The server is asked to answer when the document's MD5 is no longer the one of the bytes at hand, and holds the
/// question for up to 30 s ([`hold`](Remote::hold)): the long poll of version 1 of its interface, which versions 1, 2
/// and 3 have (in version 3 it can be turned off). The push of versions 2 and 3 over gRPC is not used. Every 5 min, give
/// or take a fifth, the document is read whatever the server says ([`resync`](Remote::resync)).
///
/// While the server says that the document is being modified (409) the last one holds. One that is removed (404) brings
/// nothing: what it brought before stays in force, and an [`optional`](crate::SourceExt::optional) source says nothing
/// any more. What a server sends to this client for a gray release is the document. One that a plugin of the server
/// has encrypted is refused.
///
/// ```
/// use hotconf::{Nacos, Source};
///
/// let shop = Nacos::new("http://10.0.0.1:8848").data("shop.toml");
/// assert_eq!(shop.describe(), "nacos http://10.0.0.1:8848 DEFAULT_GROUP/shop.toml");
/// ```
///
/// With several servers, a namespace, and a user:
///
/// ```
/// use hotconf::remote::Token;
/// use hotconf::{Format, Nacos, Source};
///
/// let shop = Nacos::new("http://10.0.0.1:8848")
///     .replica("http://10.0.0.2:8848")
///     .namespace("8c0fd2a0-2f2c-4d5c-9f5b-1f6f2f3ce0aa")
///     .group("SHOP")
///     .data("main")
///     .document(Format::Yaml)
///     .user("shop", Token::file("/run/secrets/nacos-password"));
/// assert_eq!(
///     shop.describe(),
///     "nacos http://10.0.0.1:8848 (or 1 more) 8c0fd2a0-2f2c-4d5c-9f5b-1f6f2f3ce0aa/SHOP/main"
/// );
/// ```
pub type Nacos = Remote<NacosStore>;

/// The servers, and the document that is asked of them: see [`Nacos`].
pub struct NacosStore {
    settings: Arc<Settings>,
    /// Which server is next; a number beyond them until it is drawn.
    turn: AtomicUsize,
}

#[derive(Clone)]
struct Settings {
    /// The address and those of its replicas, or what is wrong with one.
    servers: Result<Vec<Endpoint>, SourceError>,
    place: Place,
    user: Option<(Box<str>, Token)>,
    transport: Transport,
    hold: Duration,
}

impl Remote<NacosStore> {
    /// The Nacos at `url`, as `http(s)://host:port`; the path of the address is the context path, and `/nacos` where it
    /// has none. Say next what to read: [`data`](Self::data).
    pub fn new(url: &str) -> Self {
        let settings = Settings {
            servers: server(url).map(|server| vec![server]),
            place: Place { data: "".into(), group: "DEFAULT_GROUP".into(), namespace: "".into() },
            user: None,
            transport: Transport::new(),
            hold: Duration::from_secs(30),
        };
        Self::of(NacosStore { settings: Arc::new(settings), turn: AtomicUsize::new(usize::MAX) })
    }

    /// Another server of the same cluster: one of them is asked, drawn by lot, and after a failure the next.
    pub fn replica(self, url: &str) -> Self {
        let replica = server(url);
        self.set(|settings| match (&mut settings.servers, replica) {
            (Ok(servers), Ok(replica)) => servers.push(replica),
            (Ok(_), Err(error)) => settings.servers = Err(error),
            (Err(_), _) => {}
        })
    }

    /// The id of the document.
    pub fn data(self, id: &str) -> Self {
        self.set(|settings| settings.place.data = id.into())
    }

    /// The group of the document. Default `DEFAULT_GROUP`.
    pub fn group(self, group: &str) -> Self {
        self.set(|settings| settings.place.group = group.into())
    }

    /// The id of the namespace, which is not its name. Default: the public one, which is also called `public`.
    pub fn namespace(self, id: &str) -> Self {
        let id = if id == "public" { "" } else { id };
        self.set(|settings| settings.place.namespace = id.into())
    }

    /// Logs in as this user. The password is asked for at each login: when a session begins, when the server's token has
    /// a tenth of its time left, and when it is refused.
    ///
    /// The token is sent in headers, and once more as a parameter to a server that refuses it there (versions 2.2 to
    /// 2.5), of which a warning tells.
    pub fn user(self, name: &str, password: impl Into<Token>) -> Self {
        self.set(|settings| settings.user = Some((name.into(), password.into())))
    }

    /// How long the server holds a question until there is news: less than what a proxy on the way allows. 10 s, the least
    /// that a Nacos does, to 120 s; default 30 s.
    pub fn hold(self, hold: Duration) -> Self {
        let second = Duration::from_secs(1);
        self.set(|settings| settings.hold = hold.clamp(10 * second, 120 * second))
    }

    /// How the servers are reached: TLS and proxies.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport)
    }

    fn set(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| set(Arc::make_mut(&mut store.settings)))
    }
}

fn server(url: &str) -> Result<Endpoint, SourceError> {
    let server = Endpoint::parse(url)?;
    if server.target() == server.path() {
        return Ok(server);
    }
    let message = format!("expected the address of a Nacos without a query, found {server}");
    Err(SourceError::invalid(message))
}

impl NacosStore {
    /// The server whose turn it is: one drawn at first, so that many programs spread over all, and after each failure
    /// the next.
    fn choose<'a>(&self, servers: &'a [Endpoint], attempt: u32, random: u64) -> &'a Endpoint {
        let count = servers.len();
        let turn = match self.turn.load(Ordering::Relaxed) {
            usize::MAX => usize::try_from(random % count as u64).unwrap_or_default(),
            turn if attempt > 0 => (turn + 1) % count,
            turn => turn % count,
        };
        self.turn.store(turn, Ordering::Relaxed);
        &servers[turn]
    }
}

impl Store for NacosStore {
    type Session = NacosSession;

    /// One server of a cluster may lag behind, and know nothing of the document yet.
    const CONFIRM_SHRINK: bool = true;

    fn describe(&self) -> String {
        let servers = match self.settings.servers.as_deref() {
            Ok([only]) => only.to_string(),
            Ok([first, others @ ..]) => format!("{first} (or {} more)", others.len()),
            Ok([]) | Err(_) => "(no address)".to_owned(),
        };
        format!("nacos {servers} {}", self.settings.place)
    }

    /// With the digest, by which Nacos shows its versions.
    fn locate(&self, _: &str, entry: &Entry) -> String {
        format!("nacos {} @ md5 {}", self.settings.place, md5::md5(entry.value()))
    }

    fn identity(&self) -> Identity {
        let Settings { servers, place, user, transport, hold } = &*self.settings;
        let Ok(servers) = servers else { return Identity::unique() };
        let servers = servers.iter().map(Endpoint::whole).collect::<Vec<_>>().join(" ");
        let (name, password) =
            user.as_ref().map_or_else(Default::default, |(name, token)| (name.clone(), token.identify()));
        let Place { data, group, namespace } = place.clone();
        let identity = Identity::of(["nacos".into(), servers.into(), namespace, group, data, name]);
        transport.identify(identity.and(password).and(format!("{hold:?}")))
    }

    async fn connect(&self, cx: &Context, attempt: u32) -> Result<NacosSession, SourceError> {
        let servers = self.settings.servers.as_ref().map_err(Clone::clone)?;
        self.settings.place.check()?;
        let server = self.choose(servers, attempt, cx.random());
        NacosSession::open(server, &self.settings, cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl Fn(Nacos) -> Nacos) -> Arc<Settings> {
        let nacos = change(Nacos::new("http://a:8848").data("shop.toml"));
        nacos.store().settings.clone()
    }

    fn identity(change: impl Fn(Nacos) -> Nacos) -> Identity {
        change(Nacos::new("http://a:8848").data("shop.toml")).store().identity()
    }

    #[test]
    fn what_differs_in_anything_is_another_store() {
        assert_eq!(identity(|nacos| nacos), identity(|nacos| nacos.namespace("public")));
        let others: [fn(Nacos) -> Nacos; 9] = [
            |nacos| nacos,
            |nacos| nacos.data("other.toml"),
            |nacos| nacos.group("SHOP"),
            |nacos| nacos.namespace("SHOP"),
            |nacos| nacos.replica("http://b:8848"),
            |nacos| nacos.user("shop", "a"),
            |nacos| nacos.user("shop", "b"),
            |nacos| nacos.hold(Duration::from_secs(11)),
            |nacos| nacos.transport(Transport::new().no_proxy()),
        ];
        let mut seen = Vec::new();
        for other in others {
            let identity = identity(other);
            assert!(!seen.contains(&identity));
            seen.push(identity);
        }
    }

    #[test]
    fn a_server_is_drawn_at_first_and_after_each_failure_the_next_is_asked() {
        let nacos = Nacos::new("http://a").replica("http://b").replica("http://c");
        let servers = nacos.store().settings.servers.clone().unwrap();
        let chosen = |attempt| nacos.store().choose(&servers, attempt, 4).host().to_owned();
        assert_eq!([chosen(0), chosen(0), chosen(1), chosen(2), chosen(0)], ["b", "b", "c", "a", "a"]);
    }

    #[test]
    fn an_address_with_a_query_or_a_password_is_refused_and_not_shown() {
        for url in ["http://a:8848/nacos?accessToken=hunter2", "http://nacos:hunter2@a:8848"] {
            let nacos = Nacos::new("http://a").replica(url).data("shop.toml");
            let error = nacos.store().settings.servers.clone().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert_eq!(nacos.store().describe(), "nacos (no address) DEFAULT_GROUP/shop.toml");
        }
    }

    #[test]
    fn a_question_is_held_no_shorter_than_a_server_does() {
        let held = |seconds| with(|nacos| nacos.hold(Duration::from_secs(seconds))).hold.as_secs();
        assert_eq!([held(0), held(20), held(999)], [10, 20, 120]);
    }
}
