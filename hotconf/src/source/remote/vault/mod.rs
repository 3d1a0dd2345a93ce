//! Secrets of `HashiCorp` Vault and of `OpenBao`: `wire` reads answers, `term` says when what is lent is renewed,
//! `client` asks, `login` has the token to show, and `line` the connection.

mod client;
mod line;
mod login;
mod term;
mod wire;

use super::follow::Remote;
use super::net::{Endpoint, Token, Transport};
use super::store::{Entry, Identity, Store};
use crate::source::{Context, SourceError};
use crate::sync::lock;
use client::Held;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use client::VaultSession;

/// A secret of `HashiCorp` Vault or `OpenBao`, whose keys are fields.
///
/// All that it brings counts as secret, whatever field it is for: no error, event, explanation or fingerprint
/// shows it, and a [`Cache`](super::Cache) keeps it only where it is sealed with a key. Let such fields be a [`Secret`](crate::Secret), so that the program's own `Debug`
/// does not show them either.
///
/// # What it says
///
/// The secret's JSON object is a document: its members are fields, an object within it is a section. Strings are
/// read by the field's type, since `vault kv put` knows nothing else: `"5432"` is a port where the field is one.
/// A dot in a name has no meaning. [`under`](crate::SourceExt::under)`("db")` puts the fields below `db`, as
/// [`at`](crate::SourceExt::at)`("db")` takes what the secret has at its member `db`. One write of the
/// secret is one version. A version that was deleted or destroyed says nothing, so that with
/// [`optional`](crate::SourceExt::optional) the layer below holds again.
///
/// # How it is followed
///
/// Of KV v2 the metadata is asked [`every`](Remote::every) 30 s, and the data only when they name another version;
/// where policies do not allow the metadata, the data is asked instead. What is lent, the token of a login and
/// the lease of a [`dynamic`](Remote::dynamic) secret, is renewed after a third of its time at the latest. What cannot be renewed
/// any further is replaced before it ends. Both outlast a connection that is lost: no reconnect logs in anew or
/// asks for another secret, as long as what we have is good.
///
/// A lease is not revoked when it is replaced or when the program ends: connections may still use what it gave, and the
/// server ends it with its time, or with that of the token which asked for it.
///
/// A server that is sealed, not initialised, or cannot be reached leaves in force what it brought last. One that refuses
/// our token is logged in to anew once, at once; then it is tried [slowly](super::Backoff::denied).
///
/// ```
/// use hotconf::remote::Token;
/// use hotconf::{Hot, HotConf, Secret, SourceExt, Vault};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(nested, default = Db { user: "shop".into(), password: Secret::default() })]
///     db: Db,
/// }
///
/// #[derive(Clone, HotConf)]
/// struct Db {
///     user: String,
///     password: Secret<String>,
/// }
///
/// let db = Vault::new("http://127.0.0.1:9") // nobody is there
///     .secret("secret", "shop/db")
///     .app_role("b6f4…", Token::file("/run/secrets/vault-secret-id"));
/// assert_eq!(hotconf::Source::describe(&db), "vault http://127.0.0.1:9 secret/shop/db");
/// let config = Hot::<App>::builder().source(db.under("db").optional()).blocking_start()?;
/// assert_eq!(config.load().db.user, "shop");
/// # Ok::<(), hotconf::Error>(())
/// ```
pub type Vault = Remote<VaultStore>;

/// The store behind [`Vault`].
pub struct VaultStore {
    settings: Arc<Settings>,
    /// Which address is next; a number beyond them until it is drawn.
    turn: AtomicUsize,
    /// What the server lends us, beyond the session in which it did.
    held: Arc<Mutex<Held>>,
}

#[derive(Clone)]
struct Settings {
    /// The address and those of its replicas, or what is wrong with one.
    addresses: Result<Vec<Endpoint>, SourceError>,
    place: Option<Place>,
    login: Login,
    /// Where the login is mounted, if elsewhere than usual.
    mount: Option<Box<str>>,
    namespace: Option<Box<str>>,
    transport: Transport,
    every: Duration,
}

/// What is read.
#[derive(Clone)]
enum Place {
    Kv2(Box<str>, Box<str>),
    Kv1(Box<str>, Box<str>),
    Leased(Box<str>),
}

/// Who we are.
#[derive(Clone)]
enum Login {
    /// What stands between us and the server knows: an agent, a proxy.
    Nobody,
    Token(Token),
    AppRole(Box<str>, Token),
    /// A role, and a token of somebody else that says who we are.
    Jwt(Box<str>, Token),
}

/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A secret of `HashiCorp` Vault or `OpenBao`.
impl Remote<VaultStore> {
    /// The server at `url`, such as `https://vault.internal:8200`. Say next what to read:
    /// [`secret`](Self::secret), [`kv1`](Self::kv1) or [`dynamic`](Self::dynamic).
    pub fn new(url: &str) -> Self {
        let settings = Settings {
            addresses: Endpoint::parse(url).map(|endpoint| vec![endpoint]),
            place: None,
            login: Login::Nobody,
            mount: None,
            namespace: None,
            transport: Transport::new(),
            every: Duration::from_secs(30),
        };
        Self::of(VaultStore {
            settings: Arc::new(settings),
            turn: AtomicUsize::new(usize::MAX),
            held: Arc::default(),
        })
        .fields()
    }

    /// Another address of the same server or cluster: one of them is asked, and after a failure the next.
    pub fn replica(self, url: &str) -> Self {
        let replica = Endpoint::parse(url);
        self.set(|settings| match (&mut settings.addresses, replica) {
            (Ok(addresses), Ok(replica)) => addresses.push(replica),
            (Ok(_), Err(error)) => settings.addresses = Err(error),
            (Err(_), _) => {}
        })
    }

    /// The latest version of the secret at `path` of a KV version 2 engine: `("secret", "shop/db")`. Needs `read` on
    /// `secret/data/shop/db`, and better on `secret/metadata/shop/db` as well.
    pub fn secret(self, mount: &str, path: &str) -> Self {
        self.place(Place::Kv2(mount.into(), path.into()))
    }

    /// The secret at `path` of a KV version 1 engine, which is read as a whole each time.
    pub fn kv1(self, mount: &str, path: &str) -> Self {
        self.place(Place::Kv1(mount.into(), path.into()))
    }

    /// A secret that is made for us and lent for a time, by any engine that answers a read so:
    /// `database/creds/shop`. While its lease lasts it is not asked for again, by no resync and no reload. One
    /// without a lease is read [`every`](Self::every) so often.
    pub fn dynamic(self, path: &str) -> Self {
        self.place(Place::Leased(path.into()))
    }

    /// Shows this token. It is renewed where that is possible, and read anew before it ends.
    pub fn token(self, token: impl Into<Token>) -> Self {
        let token = token.into();
        self.set(|settings| settings.login = Login::Token(token))
    }

    /// Logs in by the method `AppRole`; the secret id is read at each login.
    pub fn app_role(self, role_id: &str, secret_id: impl Into<Token>) -> Self {
        let secret_id = secret_id.into();
        self.set(|settings| settings.login = Login::AppRole(role_id.into(), secret_id))
    }

    /// Logs in as this role by the method of Kubernetes, with the token of the pod's service account.
    pub fn kubernetes(self, role: &str) -> Self {
        self.jwt("kubernetes", role, Token::file(SERVICE_ACCOUNT))
    }

    /// Logs in as this role by the method at `mount` that takes a JWT: `jwt`, or `kubernetes` at another mount. The
    /// token is read at each login.
    pub fn jwt(self, mount: &str, role: &str, jwt: impl Into<Token>) -> Self {
        let login = Login::Jwt(role.into(), jwt.into());
        self.set(|settings| (settings.login, settings.mount) = (login, Some(mount.into())))
    }

    /// Where the method of the login is mounted, without `auth/`. Default: `approle`, or what
    /// [`jwt`](Self::jwt) says.
    pub fn login_at(self, mount: &str) -> Self {
        self.set(|settings| settings.mount = Some(mount.into()))
    }

    /// Asks within this namespace, and logs in there.
    pub fn namespace(self, namespace: &str) -> Self {
        self.set(|settings| settings.namespace = Some(namespace.into()))
    }

    /// How often the server is asked, give or take a tenth; 10 ms at least. Default 30 s.
    pub fn every(self, every: Duration) -> Self {
        self.set(|settings| settings.every = every.max(Duration::from_millis(10)))
    }

    /// Reaches the server in this way.
    pub fn transport(self, transport: Transport) -> Self {
        self.set(|settings| settings.transport = transport)
    }

    fn place(self, place: Place) -> Self {
        self.set(|settings| settings.place = Some(place))
    }

    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.change(|store| change(Arc::make_mut(&mut store.settings)))
    }
}

impl Place {
    /// What it is called in messages and origins.
    fn name(&self) -> String {
        match self {
            Self::Kv2(mount, path) | Self::Kv1(mount, path) => {
                format!("{}/{}", mount.trim_matches('/'), path.trim_matches('/'))
            }
            Self::Leased(path) => path.trim_matches('/').to_owned(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Kv2(..) => "kv2",
            Self::Kv1(..) => "kv1",
            Self::Leased(_) => "leased",
        }
    }
}

impl Login {
    fn identify(&self) -> String {
        match self {
            Self::Nobody => "nobody".to_owned(),
            Self::Token(token) => format!("token {}", token.identify()),
            Self::AppRole(role, secret) => format!("approle {role} {}", secret.identify()),
            Self::Jwt(role, jwt) => format!("jwt {role} {}", jwt.identify()),
        }
    }
}

impl VaultStore {
    /// The address whose turn it is: one drawn at first, and after each failure the next.
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

impl Store for VaultStore {
    type Session = VaultSession;

    /// A standby may lag behind, and know nothing of the secret yet.
    const CONFIRM_SHRINK: bool = true;
    const SECRET: bool = true;

    fn describe(&self) -> String {
        let server = match self.settings.addresses.as_deref() {
            Ok([only]) => only.to_string(),
            Ok([first, others @ ..]) => format!("{first} (or {} more)", others.len()),
            Ok([]) | Err(_) => "(its address cannot be read)".to_owned(),
        };
        let place = self.settings.place.as_ref().map_or_else(String::new, Place::name);
        format!("vault {server} {place}").trim_end().to_owned()
    }

    fn locate(&self, _: &str, entry: &Entry) -> String {
        match entry.revision() {
            0 => self.describe(),
            version => format!("{} @ version {version}", self.describe()),
        }
    }

    fn identity(&self) -> Identity {
        let settings = &self.settings;
        let (Ok(addresses), Some(place)) = (&settings.addresses, &settings.place) else {
            return Identity::unique();
        };
        let part = |text: &Option<Box<str>>| text.as_deref().unwrap_or_default().to_owned();
        let identity = Identity::of(addresses.iter().map(Endpoint::whole))
            .and(place.kind())
            .and(place.name())
            .and(settings.login.identify())
            .and(part(&settings.mount))
            .and(part(&settings.namespace))
            .and(format!("{:?}", settings.every));
        settings.transport.identify(identity)
    }

    async fn connect(&self, cx: &Context, attempt: u32) -> Result<VaultSession, SourceError> {
        let addresses = self.settings.addresses.as_ref().map_err(Clone::clone)?;
        let endpoint = self.choose(addresses, attempt, cx.random());
        VaultSession::open(endpoint, &self.settings, &self.held, cx).await
    }
}

impl Drop for VaultStore {
    /// What is held goes with the store, though a session may end a moment later.
    fn drop(&mut self) {
        *lock(&self.held) = Held::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(Vault) -> Vault) -> Identity {
        change(Vault::new("http://v:8200").secret("secret", "shop/db")).store().identity()
    }

    #[test]
    fn what_differs_in_anything_is_another_store() {
        let plain = with(|vault| vault);
        assert_eq!(plain, with(|vault| vault));
        let others: [fn(Vault) -> Vault; 12] = [
            |vault| vault.token("a"),
            |vault| vault.token("b"),
            |vault| vault.app_role("r", "a"),
            |vault| vault.app_role("r", "a").login_at("approle2"),
            |vault| vault.kubernetes("r"),
            |vault| vault.jwt("jwt", "r", "a"),
            |vault| vault.namespace("team"),
            |vault| vault.every(Duration::from_secs(1)),
            |vault| vault.transport(Transport::new().no_proxy()),
            |vault| vault.kv1("secret", "shop/db"),
            |vault| vault.dynamic("secret/shop/db"),
            |vault| vault.replica("http://w:8200"),
        ];
        let mut seen = vec![plain];
        for other in others {
            let identity = with(other);
            assert!(!seen.contains(&identity));
            seen.push(identity);
        }
    }

    #[test]
    fn a_place_is_named_with_its_version() {
        let vault = Vault::new("https://v:8200").secret("/secret/", "shop/db/");
        let at = |version| vault.store().locate("x", &Entry::new(*b"{}", version));
        assert_eq!(at(3), "vault https://v:8200 secret/shop/db @ version 3");
        assert_eq!(at(0), "vault https://v:8200 secret/shop/db");
    }
}
