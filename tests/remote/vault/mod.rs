//! Vault: the suite over a real server, and what is Vault's own: versions, policies, logins, the seal, namespaces; and
//! [`leases`] over a stand-in, since no engine that lends secrets runs without a server of its own.

mod leases;
mod stand_in;

use crate::rig::{App, BELOW, PATIENCE, Rig, Watched, among_others, brisk, lock, until};
use crate::servers::http::must;
use crate::servers::openbao::OpenBao;
use hotconf::remote::vault::VaultStore;
use hotconf::remote::{Cache, Remote, Token, Transport};
use hotconf::{Hot, HotConf, Inline, Secret, SourceExt, SourceState, Vault};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

crate::conformance::suite!(over_vault, crate::vault::Bao::start());

/// One secret of KV version 2, whose keys are the suite's.
pub(crate) struct Bao {
    server: OpenBao,
    said: Mutex<BTreeMap<String, String>>,
    kept: Mutex<BTreeMap<String, String>>,
}

impl Bao {
    /// Nothing where no `OpenBao` is here.
    pub(crate) fn start() -> Option<Self> {
        Some(Self { server: OpenBao::start()?, said: Mutex::default(), kept: Mutex::default() })
    }
}

impl Rig for Bao {
    type Store = VaultStore;
    const NAME: &'static str = "vault";
    /// A run has thousands of bytes, most of them heads of answers.
    const STEP: u64 = 151;

    fn address(&self) -> SocketAddr {
        self.server.address
    }

    fn source(&self, at: SocketAddr) -> Remote<VaultStore> {
        Vault::new(&format!("http://{at}"))
            .secret("kv2", "shop")
            .token(&*self.server.token)
            .every(Duration::from_millis(10))
    }

    fn place(&self, _: &str) -> String {
        format!("vault http://{} kv2/shop @ version ", self.server.address)
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        let mut said = lock(&self.said);
        for (key, value) in changes {
            match value {
                Some(value) => said.insert((*key).to_owned(), (*value).to_owned()),
                None => said.remove(*key),
            };
        }
        self.server.ask("POST", "/v1/kv2/data/shop", &json!({ "data": *said }).to_string());
    }

    fn kill(&self) {
        self.server.process.kill();
    }

    fn restart(&self) {
        self.server.process.restart();
    }

    fn freeze(&self) {
        self.server.process.freeze();
    }

    fn thaw(&self) {
        self.server.process.thaw();
    }

    fn keep(&self) {
        self.server.process.keep();
        lock(&self.kept).clone_from(&*lock(&self.said));
    }

    fn restore(&self) {
        self.server.process.restore();
        lock(&self.said).clone_from(&*lock(&self.kept));
    }
}

/// The secret of the tests below: `a`, and seven times that as `b`.
fn put(bao: &OpenBao, n: u64) {
    let data = json!({"data": {"a": n.to_string(), "b": n * 7, "text": "from the store"}});
    bao.ask("POST", "/v1/kv2/data/shop", &data.to_string());
}

fn is(n: u64) -> impl Fn(&App) -> bool {
    move |app| app.a == n && app.b == n * 7
}

fn vault(bao: &OpenBao) -> Remote<VaultStore> {
    brisk(
        Vault::new(&format!("http://{}", bao.address)).secret("kv2", "shop").every(Duration::from_millis(10)),
    )
}

/// May read what the tests read.
fn allow(bao: &OpenBao, name: &str, rules: &str) {
    bao.ask("PUT", &format!("/v1/sys/policies/acl/{name}"), &json!({ "policy": rules }).to_string());
}

const READS: &str =
    "path \"kv2/data/*\" { capabilities = [\"read\"] } path \"kv2/metadata/*\" { capabilities = [\"read\"] }";
const DATA: &str = "path \"kv2/data/*\" { capabilities = [\"read\"] }";

/// A role of the method `AppRole`; its id and a secret id.
fn role(bao: &OpenBao, settings: &Value) -> (String, String) {
    bao.ask("POST", "/v1/sys/auth/approle", r#"{"type": "approle"}"#);
    allow(bao, "reads", READS);
    bao.ask("POST", "/v1/auth/approle/role/shop", &settings.to_string());
    (id(bao, "GET", "role-id", "role_id"), id(bao, "POST", "secret-id", "secret_id"))
}

fn id(bao: &OpenBao, method: &str, what: &str, name: &str) -> String {
    let answer = bao.ask(method, &format!("/v1/auth/approle/role/shop/{what}"), "");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["data"][name].as_str().expect("an id").to_owned()
}

fn revoke_all(bao: &OpenBao) {
    bao.ask("PUT", "/v1/sys/leases/revoke-prefix/auth/approle/login", "");
}

fn refused(source: Remote<VaultStore>) -> String {
    let started =
        Hot::<App>::builder().source(source).startup_deadline(Duration::from_secs(2)).blocking_start();
    format!("{:?}", started.map(drop).expect_err("it is refused"))
}

#[test]
fn a_version_that_was_deleted_or_destroyed_says_nothing_until_there_is_another() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    put(&bao, 1);
    let watched = Watched::start(vault(&bao).token(&*bao.token).optional());
    let below = |app: &App| app.a == 0 && app.text == BELOW;
    assert!(is(1)(&watched.config.load()));
    bao.ask("DELETE", "/v1/kv2/data/shop", "");
    watched.until("the deleted one is gone", below);
    bao.ask("POST", "/v1/kv2/undelete/shop", r#"{"versions": [1]}"#);
    watched.until("it is there again", is(1));
    bao.ask("PUT", "/v1/kv2/destroy/shop", r#"{"versions": [1]}"#);
    watched.until("the destroyed one is gone", below);
    put(&bao, 2);
    watched.until("another", is(2));
    // Written anew from its first version on: the numbers are those of before.
    bao.ask("DELETE", "/v1/kv2/metadata/shop", "");
    put(&bao, 3);
    put(&bao, 4);
    watched.until("the version 2 of another history", is(4));
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_required_secret_that_is_deleted_stays_in_force_and_that_is_told() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    put(&bao, 1);
    let watched = Watched::start(vault(&bao).token(&*bao.token));
    bao.ask("DELETE", "/v1/kv2/data/shop", "");
    until("it is told", || watched.alarms() > 0);
    assert!(is(1)(&watched.config.load()));
    put(&bao, 2);
    watched.until("another", is(2));
    watched.end();
}

#[test]
fn where_metadata_may_not_be_read_the_data_is_polled() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    put(&bao, 1);
    allow(&bao, "data", DATA);
    let answer = bao.ask("POST", "/v1/auth/token/create", r#"{"policies": ["data"], "ttl": "1h"}"#);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let token = answer["auth"]["client_token"].as_str().expect("a token");
    // Were it listed anew all the time, that would find the changes too.
    let watched = Watched::start(vault(&bao).resync(Duration::ZERO).token(token));
    for n in 2..=4 {
        put(&bao, n);
        watched.until("the change", is(n));
    }
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_token_of_a_login_is_renewed_and_replaced_before_it_ends() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    put(&bao, 1);
    let (role, secret) =
        role(&bao, &json!({"token_policies": ["reads"], "token_ttl": "2s", "token_max_ttl": "4s"}));
    let watched = Watched::start(vault(&bao).app_role(&role, &*secret));
    let mut n = 1;
    // Wall time: the server's clock runs by itself, and two tokens have to end.
    let end = std::time::Instant::now() + Duration::from_secs(9);
    while std::time::Instant::now() < end {
        n += 1;
        put(&bao, n);
        watched.until("the change", is(n));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_token_that_was_revoked_costs_one_login_and_no_event() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    put(&bao, 1);
    let (role, secret) = role(&bao, &json!({"token_policies": ["reads"], "token_ttl": "1h"}));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret-id");
    std::fs::write(&file, &secret).expect("a file");
    let watched = Watched::start(vault(&bao).app_role(&role, Token::file(&file)));
    for n in 2..=3 {
        revoke_all(&bao);
        put(&bao, n);
        watched.until("the change", is(n));
    }
    watched.until_it_is(SourceState::Following);
    assert_eq!(watched.alarms(), 0, "{}", watched.story());

    // Without a good secret id there is no login: that is told, once, and heals with the file.
    std::fs::write(&file, "hunter2-7f3a").expect("a file");
    revoke_all(&bao);
    let status = watched.until_it_is(SourceState::Stale);
    put(&bao, 4);
    until("it is told", || watched.story().contains("auth/approle/login"));
    let said = format!("{} {status:?}", watched.story());
    assert!(said.contains("check the role") && !said.contains("hunter2"), "{said}");
    assert!(is(3)(&watched.config.load()));
    std::fs::write(&file, id(&bao, "POST", "secret-id", "secret_id")).expect("a file");
    watched.until("the change", is(4));
    watched.end();
}

#[test]
fn who_may_not_read_is_told_what_to_do_and_let_in_once_the_policy_allows_it() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    put(&bao, 1);
    let (role, secret) = role(&bao, &json!({"token_policies": ["reads"]}));
    let said = refused(vault(&bao).token("s.hunter2-7f3a"));
    assert!(said.contains("403") && said.contains("`read` on `kv2/data/shop`"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    let said = refused(vault(&bao).app_role(&role, "hunter2-7f3a"));
    assert!(said.contains("auth/approle/login was answered 400") && !said.contains("hunter2"), "{said}");
    let said = refused(vault(&bao));
    assert!(said.contains(".token("), "{said}");
    let said = refused(vault(&bao).kv1("kv2", "shop").token(&*bao.token));
    assert!(said.contains("say `.secret(mount, path)`"), "{said}");

    let watched = Watched::start(vault(&bao).app_role(&role, &*secret));
    allow(&bao, "reads", "path \"kv1/*\" { capabilities = [\"read\"] }");
    watched.until_it_is(SourceState::Stale);
    put(&bao, 2);
    until("it is told", || watched.alarms() > 0);
    allow(&bao, "reads", READS);
    watched.until("the change", is(2));
    watched.until_it_is(SourceState::Following);
    assert!(watched.alarms() <= 2, "{}", watched.story());
    watched.end();
}

#[test]
fn what_is_sealed_leaves_all_in_force_and_says_how_to_open_it() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    put(&bao, 1);
    let watched = Watched::start(vault(&bao).token(&*bao.token));
    bao.seal();
    watched.until_it_is(SourceState::Stale);
    until("it is told why", || {
        watched.remote().error.is_some_and(|error| format!("{error:?}").contains("unseal"))
    });
    assert!(is(1)(&watched.config.load()));
    assert!(watched.story().contains("sealed") || watched.alarms() <= 1, "{}", watched.story());
    // This opens it.
    bao.process.wait_ready();
    put(&bao, 2);
    watched.until("the change", is(2));
    assert!(watched.alarms() <= 2, "{}", watched.story());
    watched.end();
}

#[test]
fn a_namespace_has_secrets_of_its_own() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    bao.ask("POST", "/v1/sys/namespaces/team", "");
    let headers = [("x-vault-token", &*bao.token), ("x-vault-namespace", "team")];
    let ask = |target: &str, body: &Value| must(bao.address, "POST", target, &headers, &body.to_string());
    ask("/v1/sys/mounts/kv1", &json!({"type": "kv", "options": {"version": "1"}}));
    ask("/v1/kv1/shop", &json!({"a": 1, "b": 7, "text": ""}));
    let source = || vault(&bao).kv1("kv1", "shop").token(&*bao.token);
    let watched = Watched::start(source().namespace("team"));
    assert!(is(1)(&watched.config.load()));
    ask("/v1/kv1/shop", &json!({"a": 2, "b": 14, "text": ""}));
    watched.until("the change", is(2));
    watched.end();
    let elsewhere = Watched::start(source().optional());
    assert_eq!(elsewhere.config.load().a, 0);
    elsewhere.end();
}

#[test]
fn the_keys_of_a_secret_are_fields_and_its_strings_are_read_by_their_types() {
    #[derive(Clone, Debug, HotConf)]
    struct Shop {
        #[hotconf(nested)]
        db: Db,
    }
    #[derive(Clone, Debug, HotConf)]
    struct Db {
        port: u16,
        #[hotconf(default = "1s")]
        timeout: Duration,
        hosts: Vec<String>,
        more: Vec<u32>,
        password: Secret<String>,
        #[hotconf(nested)]
        pool: Pool,
    }
    #[derive(Clone, Debug, HotConf)]
    struct Pool {
        size: u32,
    }
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    let data = json!({"data": {"port": "5432", "timeout": "250ms", "hosts": ["a", "b"], "more": "[1, 2]",
        "password": "00123", "pool": {"size": 5}, "pool.size": "6"}});
    bao.ask("POST", "/v1/kv2/data/team%20a/db", &data.to_string());
    let config = Hot::<Shop>::builder()
        .source(vault(&bao).secret("kv2", "team a/db").token(&*bao.token).under("db"))
        .blocking_start()
        .expect("the first load");
    let db = config.load().db.clone();
    assert_eq!(
        (db.port, db.timeout, db.hosts, db.more),
        (5432, Duration::from_millis(250), vec!["a".into(), "b".into()], vec![1, 2])
    );
    assert_eq!((db.password.expose().as_str(), db.pool.size), ("00123", 5));
    let warned = format!("{:?}", config.status());
    assert!(warned.contains("pool.size"), "a name with a dot is that name: {warned}");
    let origin = config.origin(Shop::FIELDS.db.port).to_string();
    assert!(origin.ends_with("kv2/team a/db @ version 1"), "{origin}");
    config.blocking_shutdown(PATIENCE).expect("nothing hangs");
}

const CANARY: &str = "cAnArY-7f3a";

#[test]
fn no_secret_is_told_or_kept_unless_it_is_sealed() {
    let _beside = among_others();
    let Some(bao) = OpenBao::start() else { return };
    let write = |a: &str, text: &str| {
        bao.ask("POST", "/v1/kv2/data/shop", &json!({"data": {"a": a, "text": text}}).to_string());
    };
    let folder = tempfile::tempdir().expect("a folder");
    let key = Secret::from([0x2a; 32]);
    for sealed in [false, true] {
        let dir = folder.path().join(sealed.to_string());
        let cache = || {
            let cache = Cache::in_dir(&dir);
            if sealed { cache.sealed_with(key.clone()) } else { cache }
        };
        write("1", &format!("{CANARY}-1"));
        let heard = Arc::new(Mutex::new(String::new()));
        let story = heard.clone();
        let source = || vault(&bao).token(&*bao.token).cached(cache());
        let start = |text: &str| {
            let story = story.clone();
            Hot::<App>::builder()
                .source(Inline::toml("below", text))
                .source(source())
                .on_event(move |event| lock(&story).push_str(&format!("{event}\n{event:?}\n")))
                .blocking_start()
        };
        let config = start("").expect("the first load");
        write(CANARY, &format!("{CANARY}-2"));
        until("it is refused", || lock(&heard).contains("rejected") || config.status().rejected.is_some());
        write("3", &format!("{CANARY}-3"));
        until("it is applied", || config.load().a == 3);
        let told = format!("{:?} {} {:?}", config.status(), config.explain(), config.explain());
        lock(&heard).push_str(&told);
        config.blocking_shutdown(PATIENCE).expect("nothing hangs");
        assert!(!lock(&heard).contains("cAnArY"), "{}", lock(&heard));
        assert!(told.contains("(secret)"), "{told}");

        until("it is kept", || std::fs::read_dir(&dir).is_ok_and(|files| files.count() > 0));
        for file in std::fs::read_dir(&dir).expect("a folder") {
            let path = file.expect("an entry").path();
            if path.is_file() {
                let bytes = std::fs::read(path).expect("a file");
                assert!(!bytes.windows(6).any(|part| part == b"cAnArY"));
            }
        }
        // A start without the server has what was sealed, and it is as secret as before.
        bao.process.freeze();
        let started = start(if sealed { "" } else { "text = 'below'" }).expect("the cache");
        assert_eq!(started.load().text.contains(CANARY), sealed);
        let told = format!("{} {:?}", started.explain(), started.status());
        assert!(!told.contains("cAnArY"), "{told}");
        started.blocking_shutdown(PATIENCE).expect("nothing hangs");
        bao.process.thaw();
    }
}

#[test]
fn a_server_with_a_certificate_of_its_own_is_reached_by_tls() {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let key = || KeyPair::generate().expect("a key");
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        std::fs::write(folder.path().join(name), authority.pem()).expect("a file");
        authority
    };
    let (ours, _theirs) = (authority("ca.pem"), authority("other.pem"));
    let server = key();
    let signed = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
        .and_then(|params| params.signed_by(&server, &ours))
        .expect("a certificate");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("server.pem"), signed.pem()).expect("a file");
    std::fs::write(file("server.key"), server.serialize_pem()).expect("a file");
    let Some(bao) = OpenBao::with(Some((file("server.pem"), file("server.key")))) else { return };
    put(&bao, 1);
    let source = |ca: &str| {
        let source = Vault::new(&format!("https://localhost:{}", bao.tls.port())).secret("kv2", "shop");
        let source = source.token(&*bao.token).every(Duration::from_millis(10));
        brisk(source.transport(Transport::new().ca_file(file(ca))))
    };
    let said = refused(source("other.pem"));
    assert!(said.contains("certificate"), "{said}");
    let watched = Watched::start(source("ca.pem"));
    put(&bao, 2);
    watched.until("the change", is(2));
    watched.end();
}
