//! Consul KV: a prefix whose keys are paths, or one key that is a whole document.
//!
//! `client` holds the session and is the only file that waits for a network; `wire` writes questions and
//! reads answers; `refusal` says what an answer that is no listing means.

mod client;
mod refusal;
mod wire;

use super::net::{Endpoint, Token, Transport};
use super::{Entry, Identity, Map, Remote, Store};
use crate::source::{Context, SourceError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wire::Scope;

pub use client::ConsulSession;

/// Consul KV as a source: keys below a prefix, or one key with a whole document.
///
/// It is followed by blocking queries: the agent holds each question until something changes, for 55 s at most
/// ([`wait`](Remote::wait)). One transaction of the store is one change, and each value knows its key and its
/// `ModifyIndex`. Changes that follow each other closely are asked for about every 125 ms, and the newest wins.
///
/// Consul leaves out what a token may not read, and says nothing of it. So a key that is gone counts as deleted
/// only once a second listing, a second later, lacks it too; if the token may no longer read it, that is an
/// error, and what the key brought last stays in force. Where nothing is listed at all, and the token may not
/// read the prefix, that is an error as well. With `key_prefix "shop/" { policy = "read" }` a token reads all
/// keys below `shop/`.
///
/// ```
/// use hotconf::{Consul, Source};
///
/// let shop = Consul::new("http://127.0.0.1:8500").prefix("shop/");
/// assert_eq!(shop.describe(), "consul http://127.0.0.1:8500 shop/");
/// let whole = Consul::new("http://127.0.0.1:8500").datacenter("dc2").key("shop.toml");
/// assert_eq!(whole.describe(), "consul http://127.0.0.1:8500 shop.toml in dc2");
/// ```
///
/// With access control and TLS:
///
/// ```
/// use hotconf::remote::{Token, Transport};
/// use hotconf::Consul;
///
/// let shop = Consul::new("https://consul.internal:8501")
///     .prefix("shop/")
///     .token(Token::file("/run/secrets/consul-token"))
///     .transport(Transport::new().ca_file("/etc/shop/ca.pem"));
/// # let _ = shop;
/// ```
///
/// The rules are those of Consul's documentation of blocking queries, consistency modes and the KV store.
pub type Consul = Remote<ConsulStore>;

/// The agents of a Consul datacentre, and what is asked of them: see [`Consul`].
pub struct ConsulStore {
    /// The agents, or what is wrong with the address of one.
    agents: Result<Vec<Endpoint>, SourceError>,
    settings: Arc<Settings>,
    /// Which agent is next; a number beyond them until it is drawn.
    turn: AtomicUsize,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone)]
struct Settings {
    scope: Option<Scope>,
    token: Option<Token>,
    datacenter: Option<Box<str>>,
    namespace: Option<Box<str>>,
    partition: Option<Box<str>>,
    stale: Option<Duration>,
    wait: Duration,
    transport: Transport,
}

/// What was listed last, by whichever session: against it a listing that lacks keys is held, and one that any
/// server gives. No session resumes from it.
#[derive(Default)]
struct Seen {
    index: u64,
    all: Map,
}

/// Consul asks for no more.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

impl Remote<ConsulStore> {
    /// An agent, as `http(s)://host:port`. Say next what to read: [`prefix`](Self::prefix) or
    /// [`key`](Self::key).
    pub fn new(agent: &str) -> Self {
        let settings = Settings {
            scope: None,
            token: None,
            datacenter: None,
            namespace: None,
            partition: None,
            stale: None,
            wait: Duration::from_secs(55),
            transport: Transport::new(),
        };
        Self::of(ConsulStore {
            agents: address(agent).map(|agent| vec![agent]),
            settings: Arc::new(settings),
            turn: AtomicUsize::new(usize::MAX),
            seen: Arc::default(),
        })
    }

    /// Another agent of the same datacentre: one of them is asked, drawn by lot, and after a failure the next.
    pub fn replica(self, agent: &str) -> Self {
        let replica = address(agent);
        self.change(|store| match (&mut store.agents, replica) {
            (Ok(agents), Ok(replica)) => agents.push(replica),
            (Ok(_), Err(error)) => store.agents = Err(error),
            (Err(_), _) => {}
        })
    }

    /// Keys below `prefix` are paths: with `shop/`, the key `shop/http/timeout` is `http.timeout`. A value is
    /// text that the field's type reads; the folders that Consul's own pages make are left out. The prefix ends
    /// with a slash, which is added where it is missing, so that `shop` does not take `shopping/`, and does not
    /// begin with one, as no key of Consul does; an empty one takes every key.
    pub fn prefix(self, prefix: &str) -> Self {
        let prefix = prefix.trim_start_matches('/');
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        let prefix = format!("{prefix}{slash}");
        self.keys(&prefix).set(|settings| settings.scope = Some(Scope::Prefix(prefix.into())))
    }

    /// One key is a whole document. The extension of its name tells the format; without one,
    /// [`document`](Self::document) does.
    pub fn key(self, key: &str) -> Self {
        let key = key.trim_start_matches('/');
        self.set(|settings| settings.scope = Some(Scope::Key(key.into())))
    }

    /// Sends this token of Consul's access control, in the header `X-Consul-Token`. It is read anew for each
    /// question.
    pub fn token(self, token: impl Into<Token>) -> Self {
        let token = token.into();
        self.set(|settings| settings.token = Some(token))
    }

    /// The datacentre whose keys are read. Default: the agent's own.
    pub fn datacenter(self, name: &str) -> Self {
        self.set(|settings| settings.datacenter = Some(name.into()))
    }

    /// The namespace whose keys are read (Consul Enterprise). Default: the token's own.
    pub fn namespace(self, name: &str) -> Self {
        self.set(|settings| settings.namespace = Some(name.into()))
    }

    /// The admin partition whose keys are read (Consul Enterprise). Default: the agent's own.
    pub fn partition(self, name: &str) -> Self {
        self.set(|settings| settings.partition = Some(name.into()))
    }

    /// Lets any server answer, not the leader alone, as long as it heard of the leader no longer than `max`
    /// ago. An answer that is older, that knows no leader, or that lies behind what was seen before, is asked
    /// for again, of the leader. Default: the leader answers.
    ///
    /// The bound is held when an answer comes; a server that is cut off while it holds a question is noticed
    /// after [`wait`](Self::wait).
    pub fn stale(self, max: Duration) -> Self {
        self.set(|settings| settings.stale = Some(max))
    }

    /// How long a question is held when nothing changes; Consul adds up to a sixteenth. 1 s to 10 min; default
    /// 55 s.
    pub fn wait(self, wait: Duration) -> Self {
        self.set(|settings| settings.wait = wait.clamp(Duration::from_secs(1), LONGEST_WAIT))
    }

    /// How the agents are reached: TLS and proxies.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport)
    }

    fn set(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| set(Arc::make_mut(&mut store.settings)))
    }
}

fn address(url: &str) -> Result<Endpoint, SourceError> {
    let agent = Endpoint::parse(url)?;
    if agent.path() == agent.target() {
        return Ok(agent);
    }
    let message = "expected the address of a Consul agent without a query: a token is given with `.token(…)`";
    Err(SourceError::invalid(format!("{message}, found {agent}")))
}

impl ConsulStore {
    /// The agent whose turn it is: one drawn at first, so that many programs spread over all, and after each
    /// failure the next.
    fn choose<'a>(&self, agents: &'a [Endpoint], attempt: u32, random: u64) -> &'a Endpoint {
        let count = agents.len();
        let turn = match self.turn.load(Ordering::Relaxed) {
            usize::MAX => usize::try_from(random % count as u64).unwrap_or_default(),
            turn if attempt > 0 => (turn + 1) % count,
            turn => turn % count,
        };
        self.turn.store(turn, Ordering::Relaxed);
        &agents[turn]
    }
}

impl Store for ConsulStore {
    type Session = ConsulSession;

    /// What the reader may not see is left out of a listing.
    const CONFIRM_SHRINK: bool = true;

    fn describe(&self) -> String {
        let agents = match &self.agents {
            Ok(agents) => agents.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            Err(_) => "(no address)".to_owned(),
        };
        let mut name = format!("consul {agents}");
        if let Some(scope) = &self.settings.scope {
            name = format!("{name} {}", scope.name());
        }
        let Settings { datacenter, namespace, partition, .. } = &*self.settings;
        let parts = [("", datacenter), ("namespace ", namespace), ("partition ", partition)];
        let parts = parts.map(|(what, part)| part.as_ref().map(|part| format!("{what}{part}")));
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { name } else { format!("{name} in {}", parts.join(", ")) }
    }

    fn locate(&self, key: &str, entry: &Entry) -> String {
        format!("consul {key} @ revision {}", entry.revision())
    }

    fn identity(&self) -> Identity {
        let Ok(agents) = &self.agents else { return Identity::unique() };
        let settings = &self.settings;
        let mut identity =
            Identity::of(["consul"]).and(agents.iter().map(Endpoint::whole).collect::<Vec<_>>().join(" "));
        for part in [&settings.datacenter, &settings.namespace, &settings.partition] {
            identity = identity.and(format!("{part:?}"));
        }
        let token = settings.token.as_ref().map(Token::identify).unwrap_or_default();
        let how = format!("{:?} {:?} {:?}", settings.scope, settings.stale, settings.wait);
        settings.transport.identify(identity.and(token).and(how))
    }

    async fn connect(&self, cx: &Context, attempt: u32) -> Result<ConsulSession, SourceError> {
        let agents = self.agents.as_ref().map_err(Clone::clone)?;
        let scope = match &self.settings.scope {
            Some(Scope::Key(key)) if key.is_empty() => None,
            scope => scope.as_ref(),
        };
        let scope = scope.ok_or_else(|| {
            SourceError::invalid("expected what to read: `.prefix(\"shop/\")`, or `.key(\"shop.toml\")`")
        })?;
        if !scope.can_be_asked_for() {
            return Err(SourceError::invalid(format!(
                "expected a path without empty parts, `.` and `..`, which HTTP takes out of it; found `{}`",
                scope.name()
            )));
        }
        let agent = self.choose(agents, attempt, cx.random());
        ConsulSession::open(agent, scope, &self.settings, &self.seen, cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(change: impl Fn(Consul) -> Consul) -> Identity {
        change(Consul::new("http://a:8500").prefix("shop")).store().identity()
    }

    #[test]
    fn what_differs_in_anything_is_another_store() {
        let second = Duration::from_secs(1);
        let changes: [fn(Consul) -> Consul; 11] = [
            |consul| consul,
            |consul| consul.prefix("other"),
            |consul| consul.key("shop/"),
            |consul| consul.token("a"),
            |consul| consul.token("b"),
            |consul| consul.datacenter("a"),
            |consul| consul.namespace("a"),
            |consul| consul.partition("a"),
            |consul| consul.replica("http://b:8500"),
            |consul| consul.stale(Duration::from_secs(1)),
            |consul| consul.transport(Transport::new().no_proxy()),
        ];
        let mut seen = vec![identity(|consul| consul.wait(second))];
        for change in changes {
            let identity = identity(change);
            assert!(!seen.contains(&identity));
            seen.push(identity);
        }
        assert_eq!(identity(|consul| consul.prefix("/shop/")), seen[1]);
    }

    #[test]
    fn a_token_in_an_address_is_refused_and_not_repeated() {
        let store = Consul::new("http://a:8500").replica("http://b:8500/?token=hunter2");
        let error = store.store().agents.clone().unwrap_err().to_string();
        assert!(error.contains(".token(…)") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn one_agent_after_the_other_is_tried() {
        let store = Consul::new("http://a").replica("http://b").replica("http://c");
        let store = store.store();
        let agents = store.agents.clone().unwrap();
        let chosen = |attempt| store.choose(&agents, attempt, 4).host().to_owned();
        assert_eq!([chosen(0), chosen(0), chosen(1), chosen(2), chosen(0)], ["b", "b", "c", "a", "a"]);
    }

    #[test]
    fn a_description_names_what_is_read() {
        let consul = Consul::new("http://a:8500").replica("http://b:8500").prefix("/shop");
        let consul = consul.datacenter("dc2").namespace("team").partition("eu");
        let expected = "consul http://a:8500,http://b:8500 shop/ in dc2, namespace team, partition eu";
        assert_eq!(consul.store().describe(), expected);
    }
}
