//! NATS: the suite, and what is its own: tombstones, batches, lost consumers, buckets made anew, rights, TLS.

mod node;

use crate::proxy::{Fault, Plan, Proxy};
use crate::rig::{App, BELOW, Rig, Watched, among_others, brisk, until};
use hotconf::remote::nats::NatsStore;
use hotconf::remote::{Remote, Token, Transport};
use hotconf::{Hot, HotConf, Inline, Nats, SourceExt, SourceState};
use node::Node;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

crate::conformance::suite!(over_nats, crate::nats::Single::start());

/// One server without TLS.
pub(crate) struct Single(Node);

impl Single {
    pub(crate) fn start() -> Option<Self> {
        Node::start().map(Self)
    }
}

fn below_shop(changes: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    changes.iter().map(|(key, value)| (format!("shop.{key}"), value.map(str::to_owned))).collect()
}

impl Rig for Single {
    type Store = NatsStore;
    const NAME: &'static str = "nats";
    /// The question for a consumer and the answer to it are long.
    const STEP: u64 = 13;

    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn source(&self, at: SocketAddr) -> Remote<NatsStore> {
        Nats::new([format!("nats://{at}")]).bucket("config").prefix("shop.")
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        self.0.change(&below_shop(changes));
    }

    fn kill(&self) {
        self.0.process().kill();
    }

    fn restart(&self) {
        self.0.process().restart();
    }

    fn freeze(&self) {
        self.0.process().freeze();
    }

    fn thaw(&self) {
        self.0.process().thaw();
    }

    fn keep(&self) {
        self.0.process().keep();
    }

    fn restore(&self) {
        self.0.process().restore();
    }
}

fn shop(node: &Node) -> Nats {
    Nats::new([format!("nats://localhost:{}", node.address().port())]).bucket("config").prefix("shop.")
}

fn number(node: &Node, n: u64) {
    node.change(&below_shop(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]));
}

fn is(n: u64) -> impl Fn(&App) -> bool {
    move |app| {
        assert_eq!(app.a * 7, app.b, "half a transaction");
        app.a == n
    }
}

/// What is said where it does not start.
fn refused(source: Nats) -> String {
    let below = Inline::toml("below", "text = \"\"");
    let short = Duration::from_secs(3);
    let started =
        Hot::<App>::builder().source(below).source(brisk(source)).startup_deadline(short).blocking_start();
    let said = format!("{:?}", started.map(drop).expect_err("it is refused"));
    assert!(!said.contains("hunter"), "{said}");
    said
}

/// How many consumers the bucket has.
fn consumers(node: &Node) -> u64 {
    node.api("STREAM.INFO.KV_config", &Value::Null)["state"]["consumer_count"].as_u64().expect("a count")
}

#[derive(Clone, Debug, HotConf)]
struct Many {
    #[hotconf(default = Default::default())]
    of: std::collections::BTreeMap<String, u64>,
}

#[test]
fn a_thousand_keys_of_one_batch_are_one_version_and_one_key_is_one() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let all =
        |n: u64| -> Vec<_> { (0..1000).map(|key| (format!("shop.of.{key}"), Some(n.to_string()))).collect() };
    rig.0.change(&all(1));
    let config =
        Hot::<Many>::builder().source(rig.source(rig.address())).blocking_start().expect("the first load");
    assert_eq!(config.load().of.len(), 1000);
    for n in 2..4 {
        rig.0.change(&all(n));
        until("the batch", || config.load().of["0"] == n);
        assert!(config.load().of.values().all(|&value| value == n), "half a batch");
        assert_eq!(config.version(), n);
    }
    let before = config.status().counters;
    rig.0.change(&[("shop.of.500".to_owned(), Some("9".to_owned()))]);
    until("the one key", || config.load().of["500"] == 9);
    let after = config.status().counters;
    assert_eq!((config.version(), after.decoded - before.decoded), (4, 1));
}

#[test]
fn a_batch_that_ends_with_a_key_of_others_is_one_version_too() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    number(&node, 1);
    let watched = Watched::start(shop(&node));
    for n in 2..=6_u64 {
        let mut changes = below_shop(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]);
        changes.push(("other.c".to_owned(), Some("x".to_owned())));
        node.change(&changes);
        if n % 2 == 0 {
            // At once behind it: what has not ended yet is told apart by its name.
            number(&node, n * 10);
            watched.until("the next", is(n * 10));
        } else {
            watched.until("the batch", is(n));
        }
    }
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn every_operation_that_is_no_value_removes_a_key() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    number(&node, 1);
    let watched = Watched::start(shop(&node));
    let purge = [("KV-Operation", "PURGE"), ("Nats-Rollup", "sub")];
    let (del, other) = ([("KV-Operation", "DEL")], [("KV-Operation", "NEW")]);
    let all: [node::Headers<'_>; 3] = [&purge, &del, &other];
    for gone in all {
        node.write("shop.text", &[], "there");
        watched.until("the value", |app| app.text == "there");
        node.write("shop.text", gone, "");
        watched.until("the layer below", |app| app.text == BELOW);
    }
    // A new session sees tombstones too.
    let another = Watched::start(brisk(shop(&node)));
    assert_eq!(another.config.load().text, BELOW);
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    another.end();
    watched.end();
}

#[test]
fn a_key_that_runs_out_without_a_word_is_found() {
    let _beside = among_others();
    let Some(node) = Node::bare(&[], json!({})) else { return };
    node.make("config", &json!({"allow_msg_ttl": true}));
    number(&node, 1);
    let watched = Watched::start(brisk(shop(&node)));
    node.write("shop.text", &[("Nats-TTL", "3s")], "for a while");
    watched.until("it is there", |app| app.text == "for a while");
    watched.until("it has run out", |app| app.text == BELOW);
    node.write("shop.text", &[], "again");
    watched.until("it is written again", |app| app.text == "again");
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_marker_of_a_key_that_ran_out_removes_it() {
    let _beside = among_others();
    let Some(node) = Node::bare(&[], json!({})) else { return };
    node.make("config", &json!({"allow_msg_ttl": true, "subject_delete_marker_ttl": 3_600_000_000_000_u64}));
    number(&node, 1);
    let watched = Watched::start(shop(&node).resync(Duration::ZERO));
    node.write("shop.text", &[("Nats-TTL", "3s")], "for a while");
    watched.until("it is there", |app| app.text == "for a while");
    watched.until("it has run out", |app| app.text == BELOW);
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_bucket_without_keys_is_followed() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    let watched = Watched::start(shop(&node).optional());
    watched.until_it_is(SourceState::Following);
    number(&node, 1);
    watched.until("the first keys", is(1));
    watched.end();
}

#[test]
fn a_bucket_that_is_missing_is_named_and_followed_when_it_is_made() {
    let _beside = among_others();
    let Some(node) = Node::bare(&[], json!({})) else { return };
    let said = refused(shop(&node));
    assert!(said.contains("no bucket `config`") && said.contains("nats kv add config"), "{said}");
    let watched = Watched::start(brisk(shop(&node)).optional());
    assert_eq!(watched.config.load().a, 0);
    node.make("config", &json!({}));
    number(&node, 1);
    watched.until("the bucket", is(1));
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn a_bucket_that_is_made_anew_is_believed() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    for n in 1..=9 {
        number(&node, n);
    }
    node.write("shop.text", &[], "of the first");
    let watched = Watched::start(brisk(shop(&node)));
    node.api("STREAM.DELETE.KV_config", &Value::Null);
    node.make("config", &json!({}));
    number(&node, 3);
    watched.until("the new bucket", |app| is(3)(app) && app.text == BELOW);
    number(&node, 4);
    watched.until("it is followed", is(4));
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn a_consumer_that_is_taken_away_is_noticed_by_its_heartbeats() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    number(&node, 1);
    let watched = Watched::start(shop(&node).resync(Duration::ZERO));
    let name = node.api("CONSUMER.NAMES.KV_config", &Value::Null)["consumers"][0].clone();
    node.api(&format!("CONSUMER.DELETE.KV_config.{}", name.as_str().expect("a name")), &Value::Null);
    number(&node, 2);
    watched.until("the change that nobody told", is(2));
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn there_is_one_consumer_at_a_time_and_none_after_the_end() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    number(&node, 1);
    // Everything is listed anew all the time.
    let watched = Watched::start(shop(&node).resync(Duration::from_millis(50)));
    for n in 2..=20 {
        number(&node, n);
        watched.until("the change", is(n));
        assert!(consumers(&node) <= 2);
    }
    watched.end();
    until("it is taken away", || consumers(&node) == 0);
}

#[test]
fn values_of_megabytes_come_at_the_pace_of_the_reader() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    number(&node, 1);
    let proxy = Proxy::before(node.address());
    proxy.plan(0, Plan::down(Fault::Delay(Duration::from_millis(1))));
    let source = Nats::new([format!("nats://{}", proxy.address())]).bucket("config").prefix("shop.");
    let watched = Watched::start(source);
    // More than the server has under way at a time: it asks whether we are there (flow control).
    for n in 0..40_u64 {
        node.write("shop.pad", &[], &n.to_string().repeat(200_000));
    }
    number(&node, 2);
    watched.until("the last of them", |app| is(2)(app) && app.pad.starts_with("3939"));
    assert_eq!((proxy.accepted(), watched.alarms()), (1, 0), "{}", watched.story());
    watched.end();
    let another = Watched::start(shop(&node));
    assert_eq!(another.config.load().pad.len(), 400_000);
    another.end();
}

#[test]
fn a_value_that_is_too_long_is_refused_with_a_remedy() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    node.write("shop.pad", &[], &"x".repeat(10_000));
    let started = Hot::<App>::builder()
        .source(Inline::toml("below", "text = \"\""))
        .source(brisk(shop(&node)))
        .max_document_bytes(5_000)
        .startup_deadline(Duration::from_secs(3))
        .blocking_start();
    let said = format!("{:?}", started.map(drop).expect_err("it is refused"));
    assert!(said.contains("10000") && said.contains("max_document_bytes"), "{said}");
}

#[test]
fn a_key_that_is_a_whole_document_is_followed() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    let write = |n: u64| node.write("app.toml", &[], &format!("a = {n}\nb = {}\ntext = \"whole\"\n", n * 7));
    write(1);
    let source = Nats::new([format!("nats://{}", node.address())]).bucket("config").key("app.toml");
    let watched = Watched::start(source);
    let origin = watched.config.origin(App::FIELDS.text).to_string();
    assert!(origin.starts_with("nats config app.toml @ revision 1:3:"), "{origin}");
    write(2);
    watched.until("the change", is(2));
    node.write("app.toml", &[], "a = ");
    until("it is refused", || watched.alarms() == 1);
    assert!(watched.story().contains("nats config app.toml @ revision 3:1:"), "{}", watched.story());
    write(3);
    watched.until("it is repaired", is(3));
    watched.end();
}

#[test]
fn paths_may_have_slashes() {
    let _beside = among_others();
    let Some(node) = Node::start() else { return };
    node.write("shop/of/one", &[], "1");
    node.write("shop/of/a.b", &[], "2");
    node.write("shop.of.dots", &[], "3");
    node.write("shopping/of/x", &[], "4");
    let source = Nats::new([format!("nats://{}", node.address())]).bucket("config").prefix("shop/");
    let config = Hot::<Many>::builder().source(source).blocking_start().expect("the first load");
    let of = || config.load().of.clone().into_iter().collect::<Vec<_>>();
    assert_eq!(of(), [("a.b".to_owned(), 2), ("one".to_owned(), 1)]);
    node.write("shopping/of/x", &[], "5");
    node.write("shop/of/one", &[], "6");
    until("the change", || of()[1].1 == 6);
    assert_eq!(config.version(), 2);
}

const USERS: &str = r#"authorization { users = [
    { user: root, password: r00t }
    { user: shop, password: hunter2, permissions: {
        publish: ["$JS.API.CONSUMER.CREATE.KV_config.>", "$JS.API.CONSUMER.DELETE.KV_config.>", "$JS.FC.>"]
        subscribe: ["_INBOX_shop.>"] } }
    { user: deaf, password: hunter2, permissions: { publish: ">", subscribe: ["nothing"] } }
    { user: mute, password: hunter2, permissions: { publish: ["nothing"], subscribe: ["_INBOX.>"] } }
    { user: sloppy, password: hunter2, permissions: {
        publish: ["$JS.API.CONSUMER.CREATE.>", "$JS.FC.>"], subscribe: ["_INBOX.>"] } }
    { nkey: UDVEU3DD4KOFECV66VIHWEZOYX4ZKR3WV27L464SIIPOU2IUI3JCYSJF }
] }"#;

/// A server with this configuration, and a bucket.
fn configured(folder: &Path, text: &str, login: Value) -> Option<Node> {
    let file = folder.join("server.conf");
    std::fs::write(&file, text).expect("a file");
    let node = Node::bare(&["-c", file.to_str().expect("a path")], login)?;
    node.make("config", &json!({}));
    number(&node, 1);
    Some(node)
}

#[test]
fn a_user_reads_what_it_may_and_is_told_what_it_may_not() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let login = json!({"user": "root", "pass": "r00t"});
    let Some(node) = configured(folder.path(), USERS, login) else { return };
    let watched = Watched::start(brisk(shop(&node).user("shop", "hunter2").inbox("_INBOX_shop")));
    number(&node, 2);
    watched.until("the change", is(2));
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();

    let said = refused(shop(&node).user("shop", "hunter3"));
    assert!(said.contains("Authorization Violation") && said.contains(".user(name, password)"), "{said}");
    let said = refused(shop(&node));
    assert!(said.contains(".credentials_file"), "{said}");
    let said = refused(shop(&node).user("deaf", "hunter2"));
    assert!(said.contains("subscribe to `_INBOX."), "{said}");
    let said = refused(shop(&node).user("mute", "hunter2"));
    assert!(said.contains("publish to `$JS.API.CONSUMER.CREATE.KV_config."), "{said}");

    // Whoever may not take consumers away leaves them to the server.
    let watched = Watched::start(brisk(shop(&node).user("sloppy", "hunter2")));
    for n in 3..=5 {
        std::thread::sleep(Duration::from_millis(600)); // until everything was listed anew
        number(&node, n);
        watched.until("the change", is(n));
    }
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();

    let seed = folder.path().join("user.nk");
    std::fs::write(&seed, "SUAAOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYHA4DQOBZ5FE\n").expect("a file");
    let watched = Watched::start(brisk(shop(&node).credentials_file(&seed)));
    assert_eq!(watched.config.load().a, 5);
    watched.end();
}

#[test]
fn a_password_that_is_repaired_in_its_file_heals_by_itself() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let login = json!({"user": "root", "pass": "r00t"});
    let Some(node) = configured(folder.path(), USERS, login) else { return };
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").expect("a file");
    let source = shop(&node).user("shop", Token::file(&file)).inbox("_INBOX_shop");
    let watched = Watched::start(brisk(source));
    std::fs::write(&file, "hunter3\n").expect("a file");
    node.process().kill();
    node.process().restart();
    let status = watched.until_it_is(SourceState::Stale);
    assert!(status.retries > 0, "{status:?}");
    until("it says why", || watched.story().contains("Authorization Violation"));
    std::fs::write(&file, "hunter2\n").expect("a file");
    number(&node, 2);
    watched.until("the change", is(2));
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn a_token_and_a_file_of_credentials_let_us_in() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let token = "authorization { token: hunter2 }";
    let Some(node) = configured(folder.path(), token, json!({"auth_token": "hunter2"})) else { return };
    let watched = Watched::start(brisk(shop(&node).token("hunter2")));
    number(&node, 2);
    watched.until("the change", is(2));
    watched.end();
    let said = refused(shop(&node).token("hunter3"));
    assert!(said.contains(".token(..)"), "{said}");

    let writer = json!({"jwt": include_str!("writer.jwt")});
    let Some(node) = configured(folder.path(), include_str!("operator.conf"), writer) else { return };
    let file = folder.path().join("user.creds");
    std::fs::write(&file, include_str!("user.creds")).expect("a file");
    let watched = Watched::start(brisk(shop(&node).credentials_file(&file)));
    number(&node, 2);
    watched.until("the change", is(2));
    watched.end();
    std::fs::write(&file, "hunter2").expect("a file");
    let said = refused(shop(&node).credentials_file(&file));
    assert!(said.contains("user.creds has no seed"), "{said}");
}

/// Certificates of a new authority: `NAME-ca.pem`, `NAME-server.pem` and `NAME-server.key`.
fn certify(folder: &Path, name: &str) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    let write = |file: &str, text: String| {
        std::fs::write(folder.join(format!("{name}-{file}")), text).expect("a file");
    };
    let key = || KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, format!("{name} authority"));
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    write("ca.pem", authority.pem());
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = key();
    let signed = CertificateParams::new(names).expect("names").signed_by(&key, &authority);
    write("server.pem", signed.expect("a certificate").pem());
    write("server.key", key.serialize_pem());
}

/// A server with TLS, by which tests without it may write too unless it wants TLS first.
fn sealed(folder: &Path, first: bool) -> Option<Node> {
    certify(folder, "one");
    let file = |name: &str| folder.join(name).display().to_string();
    let (cert, key) = (file("one-server.pem"), file("one-server.key"));
    let (how, conf) = if first {
        ("handshake_first: \"100ms\"", folder.join("first.conf"))
    } else {
        ("", folder.join("server.conf"))
    };
    let text = format!("allow_non_tls: true\ntls {{ cert_file: \"{cert}\", key_file: \"{key}\", {how} }}\n");
    std::fs::write(&conf, text).expect("a file");
    let node = Node::bare(&["-c", conf.to_str().expect("a path")], json!({}))?;
    node.make("config", &json!({}));
    number(&node, 1);
    Some(node)
}

fn secured(node: &Node) -> Nats {
    Nats::new([format!("tls://localhost:{}", node.address().port())]).bucket("config").prefix("shop.")
}

#[test]
fn certificates_are_checked_and_tls_is_not_left_out() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let Some(node) = sealed(folder, false) else { return };
    let ours = || Transport::new().ca_file(folder.join("one-ca.pem"));
    let watched = Watched::start(brisk(secured(&node).transport(ours())));
    number(&node, 2);
    watched.until("the change", is(2));
    watched.end();
    let said = refused(secured(&node));
    assert!(said.contains("UnknownIssuer") && said.contains("Transport::ca_file"), "{said}");
    certify(folder, "two");
    let said = refused(secured(&node).transport(Transport::new().ca_file(folder.join("two-ca.pem"))));
    assert!(said.contains("TLS"), "{said}");
    let Some(plain) = Node::start() else { return };
    let said = refused(secured(&plain).transport(ours()));
    assert!(said.contains("speaks no TLS"), "{said}");
}

#[test]
fn a_server_that_wants_tls_first_gets_it() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let Some(node) = sealed(folder.path(), true) else { return };
    let ours = || Transport::new().ca_file(folder.path().join("one-ca.pem"));
    let watched = Watched::start(brisk(secured(&node).transport(ours()).tls_first()));
    number(&node, 2);
    watched.until("the change", is(2));
    watched.end();
}

/// The same under TLS.
struct Sealed(Single, tempfile::TempDir);

impl Rig for Sealed {
    type Store = NatsStore;
    const NAME: &'static str = "nats with TLS";
    /// A handshake has thousands of bytes.
    const STEP: u64 = 97;

    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn source(&self, at: SocketAddr) -> Remote<NatsStore> {
        let transport = Transport::new().ca_file(self.1.path().join("one-ca.pem"));
        Nats::new([format!("tls://{at}")]).bucket("config").prefix("shop.").transport(transport)
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        self.0.change(changes);
    }

    fn kill(&self) {
        self.0.kill();
    }

    fn restart(&self) {
        self.0.restart();
    }

    fn freeze(&self) {
        self.0.freeze();
    }

    fn thaw(&self) {
        self.0.thaw();
    }

    fn keep(&self) {
        self.0.keep();
    }

    fn restore(&self) {
        self.0.restore();
    }
}

#[test]
fn a_connection_with_tls_that_ends_anywhere_loses_nothing() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let Some(node) = sealed(folder.path(), false) else { return };
    let rig = Sealed(Single(node), folder);
    crate::conformance::a_connection_that_ends_at_any_byte_loses_nothing(&rig);
    crate::conformance::a_recovery_that_ends_at_any_byte_loses_nothing(&rig);
}

#[test]
fn a_server_that_is_frozen_keeps_nobody_from_the_others() {
    let _beside = among_others();
    let (Some(frozen), Some(node)) = (Node::start(), Node::start()) else { return };
    number(&node, 1);
    frozen.process().freeze();
    // Which one is tried first is drawn by lot.
    for n in 2..=5 {
        let servers = [frozen.address(), node.address()].map(|at| format!("nats://{at}"));
        let watched = Watched::start(brisk(Nats::new(servers).bucket("config").prefix("shop.")));
        number(&node, n);
        watched.until("the change", is(n));
        watched.end();
    }
}
