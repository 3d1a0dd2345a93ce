//! etcd: the suite, and what is etcd's own: compaction, users, members, certificates.

mod node;

use crate::proxy::{Fault, Plan, Proxy};
use crate::rig::{App, PATIENCE, Rig, Watched, among_others, brisk, until};
use crate::servers::http::base64;
use hotconf::remote::etcd::EtcdStore;
use hotconf::remote::{Remote, Token, Transport};
use hotconf::{Etcd, Hot, HotConf, SourceState};
use node::{Node, program};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

crate::conformance::suite!(over_etcd, crate::etcd::Single::start());

/// One member without TLS.
pub(crate) struct Single(Node);

impl Single {
    /// Nothing where no etcd is here.
    pub(crate) fn start() -> Option<Self> {
        program().map(|_| Self(Node::alone("http", &[])))
    }
}

fn below_shop(changes: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    changes.iter().map(|(key, value)| (format!("/shop/{key}"), value.map(str::to_owned))).collect()
}

impl Rig for Single {
    type Store = EtcdStore;
    const NAME: &'static str = "etcd";

    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn source(&self, at: SocketAddr) -> Remote<EtcdStore> {
        Etcd::new([format!("http://{at}")]).prefix("/shop/")
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

/// One member with TLS, which asks for a client certificate.
struct Sealed(Single, tempfile::TempDir);

impl Rig for Sealed {
    type Store = EtcdStore;
    const NAME: &'static str = "etcd with TLS";
    /// A handshake has thousands of bytes.
    const STEP: u64 = 23;

    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn source(&self, at: SocketAddr) -> Remote<EtcdStore> {
        let file = |name| self.1.path().join(name);
        let transport =
            Transport::new().ca_file(file("ca.pem")).client_cert(file("client.pem"), file("client.key"));
        Etcd::new([format!("https://{at}")]).prefix("/shop/").transport(transport)
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
    let folder = tempfile::tempdir().expect("a folder");
    let Some(node) = sealed(folder.path()) else { return };
    let rig = Sealed(Single(node), folder);
    crate::conformance::a_connection_that_ends_at_any_byte_loses_nothing(&rig);
    crate::conformance::a_recovery_that_ends_at_any_byte_loses_nothing(&rig);
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

#[derive(Clone, Debug, HotConf)]
struct Many {
    #[hotconf(default = Default::default())]
    of: std::collections::BTreeMap<String, u64>,
}

#[test]
fn a_thousand_keys_of_one_transaction_are_one_version() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let all = |n: u64| -> Vec<_> {
        (0..1000).map(|key| (format!("/shop/of/{key}"), Some(n.to_string()))).collect()
    };
    rig.0.change(&all(1));
    let config =
        Hot::<Many>::builder().source(rig.source(rig.address())).blocking_start().expect("the first load");
    assert_eq!(config.load().of.len(), 1000);
    for n in 2..5 {
        rig.0.change(&all(n));
        until("the transaction", || config.load().of["0"] == n);
        assert!(config.load().of.values().all(|&value| value == n), "half a transaction");
        assert_eq!(config.version(), n);
    }
    rig.0.change(&[("/shop/of/500".to_owned(), Some("9".to_owned()))]);
    until("the one key", || config.load().of["500"] == 9);
    assert_eq!(config.version(), 5);
}

#[test]
fn a_change_that_comes_in_fragments_is_one_version() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig.0, 1);
    let proxy = Proxy::before(rig.address());
    // The watch reaches the store late, and is then told of megabytes at once.
    proxy.plan(0, Plan::up(Fault::Delay(Duration::from_millis(700))));
    let watched = Watched::start(rig.source(proxy.address()));
    for n in 2..=6 {
        let pad = n.to_string().repeat(1_000_000);
        let (a, b) = (n.to_string(), (n * 7).to_string());
        rig.change(&[("a", Some(&a)), ("pad", Some(&pad)), ("b", Some(&b)), ("text", Some("last"))]);
    }
    watched.until("the last of them", is(6));
    let app = watched.config.snapshot();
    assert!(app.pad.len() == 1_000_000 && app.pad.starts_with("66") && app.text == "last");
    let (_, down) = proxy.carried();
    println!("{down} bytes, {} versions", watched.config.version());
    watched.end();
}

#[test]
fn a_key_that_is_a_whole_document_is_followed() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let write = |n: u64| {
        let text = format!("a = {n}\nb = {}\ntext = \"whole\"\n", n * 7);
        rig.0.change(&[("/app.toml".to_owned(), Some(text))]);
    };
    write(1);
    let source = Etcd::new([format!("http://{}", rig.address())]).key("/app.toml");
    let watched = Watched::start(source);
    assert_eq!(watched.config.load().text, "whole");
    let origin = watched.config.origin(App::FIELDS.text).to_string();
    assert!(origin.starts_with("etcd /app.toml @ revision 2:3:"), "{origin}");
    write(2);
    watched.until("the change", is(2));
    rig.0.change(&[("/app.toml".to_owned(), Some("a = ".to_owned()))]);
    until("it is refused", || watched.alarms() == 1);
    assert!(watched.story().contains("etcd /app.toml @ revision 4:1:"), "{}", watched.story());
    write(3);
    watched.until("it is repaired", is(3));
    watched.end();
}

#[test]
fn what_was_compacted_before_it_could_be_followed_is_listed() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig.0, 1);
    let proxy = Proxy::before(rig.address());
    // The watch reaches the store late: what it begins with is gone by then.
    proxy.plan(0, Plan::up(Fault::Delay(Duration::from_millis(500))));
    let watched = Watched::start(rig.source(proxy.address()));
    watched.until("the first read", is(1));
    for n in 2..=9 {
        number(&rig.0, n);
    }
    rig.0.ask("/v3/kv/compaction", &json!({"revision": 9, "physical": true}));
    watched.until("the newest", is(9));
    assert_eq!((proxy.accepted(), watched.alarms()), (1, 0), "{}", watched.story());
    number(&rig.0, 10);
    watched.until("it is followed", is(10));
    watched.end();
}

/// A store with a root, and a user `shop` that may read `/shop/`.
fn guarded(more: &[&str]) -> Option<Node> {
    program()?;
    let node = Node::alone("http", more);
    let allowed = json!({"permType": "READ", "key": base64(b"/shop/"), "range_end": base64(b"/shop0")});
    for (what, question) in [
        ("user/add", json!({"name": "root", "password": "r00t"})),
        ("role/add", json!({"name": "root"})),
        ("user/grant", json!({"user": "root", "role": "root"})),
        ("user/add", json!({"name": "shop", "password": "hunter2"})),
        ("role/add", json!({"name": "shop"})),
        ("role/grant", json!({"name": "shop", "perm": allowed})),
        ("user/grant", json!({"user": "shop", "role": "shop"})),
    ] {
        node.ask(&format!("/v3/auth/{what}"), &question);
    }
    number(&node, 1);
    node.ask("/v3/auth/enable", &json!({}));
    node.log_in("root", "r00t");
    Some(node)
}

fn shop(node: &Node) -> Remote<EtcdStore> {
    Etcd::new([node.url()]).prefix("/shop/")
}

#[test]
fn a_user_reads_what_its_role_allows_and_is_told_what_it_does_not() {
    let _beside = among_others();
    let Some(node) = guarded(&[]) else { return };
    let watched = Watched::start(brisk(shop(&node).user("shop", "hunter2")));
    number(&node, 2);
    watched.until("the change", is(2));
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
    let refused = |source: Remote<EtcdStore>| {
        let error = Watched::try_start(brisk(source)).err().expect("it is refused");
        let said = format!("{error:?}");
        assert!(!said.contains("hunter"), "{said}");
        said
    };
    let said = refused(shop(&node).user("shop", "hunter3"));
    assert!(said.contains("user or password are wrong"), "{said}");
    let said = refused(shop(&node));
    assert!(said.contains(".user(name, password)"), "{said}");
    let said = refused(Etcd::new([node.url()]).prefix("/secret/").user("shop", "hunter2"));
    assert!(said.contains("permission denied") && said.contains("grant-permission"), "{said}");
}

#[test]
fn a_login_that_runs_out_is_renewed_and_nobody_hears_of_it() {
    let _beside = among_others();
    let Some(node) = guarded(&["--auth-token-ttl", "1"]) else { return };
    // Everything is listed anew every two seconds, with a token that lives for one.
    let watched = Watched::start(shop(&node).user("shop", "hunter2").resync(Duration::from_secs(2)));
    for n in 2..=4 {
        std::thread::sleep(Duration::from_secs(2)); // the token's own clock
        node.log_in("root", "r00t");
        number(&node, n);
        watched.until("the change", is(n));
    }
    assert_eq!((watched.alarms(), watched.remote().retries), (0, 0), "{}", watched.story());
    watched.end();
}

#[test]
fn a_password_that_is_changed_is_read_from_its_file_again() {
    let _beside = among_others();
    let Some(node) = guarded(&[]) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").expect("a file");
    let watched = Watched::start(brisk(shop(&node).user("shop", Token::file(&file))));
    std::fs::write(&file, "hunter3\n").expect("a file");
    node.ask("/v3/auth/user/changepw", &json!({"name": "shop", "password": "hunter3"}));
    node.log_in("root", "r00t");
    for n in 2..=3 {
        number(&node, n);
        watched.until("the change", is(n));
        std::thread::sleep(Duration::from_millis(1300)); // until everything was listed anew
    }
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_cluster_that_loses_its_leader_is_followed_through_the_others() {
    let _beside = among_others();
    if program().is_none() {
        return;
    }
    let nodes = Node::three();
    number(&nodes[0], 1);
    let source = Etcd::new(nodes.each_ref().map(Node::url)).prefix("/shop/");
    let watched = Watched::start(brisk(source));
    let mut n = 1;
    for _ in 0..3 {
        until("somebody leads", || nodes.iter().any(Node::leads));
        let leader = nodes.iter().position(Node::leads).expect("just seen");
        nodes[leader].process().kill();
        let other = &nodes[(leader + 1) % 3];
        for _ in 0..3 {
            n += 1;
            number(other, n);
            watched.until("a change without the old leader", is(n));
        }
        nodes[leader].process().restart();
    }
    watched.until_it_is(SourceState::Following);
    // Without a majority there is no leader: what is in force stays, and it is said.
    nodes[0].process().kill();
    nodes[1].process().kill();
    let status = watched.until_it_is(SourceState::Stale);
    assert!(status.last_failure.is_some(), "{status:?}");
    nodes[0].process().restart();
    number(&nodes[0], n + 1);
    watched.until("a majority again", is(n + 1));
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn a_member_that_is_frozen_keeps_nobody_from_the_others() {
    let _beside = among_others();
    if program().is_none() {
        return;
    }
    let nodes = Node::three();
    number(&nodes[0], 1);
    nodes[0].process().freeze();
    until("somebody else leads", || nodes[1].leads() || nodes[2].leads());
    // Which one is tried first is drawn by lot.
    for n in 2..=6 {
        let source = Etcd::new(nodes.each_ref().map(Node::url)).prefix("/shop/");
        let watched = Watched::start(brisk(source));
        number(&nodes[1], n);
        watched.until("a change", is(n));
        watched.end();
    }
}

#[test]
fn a_member_that_is_cut_off_from_the_others_is_left() {
    let _beside = among_others();
    if program().is_none() {
        return;
    }
    let nodes = Node::three();
    number(&nodes[0], 1);
    // One member alone is asked: nothing but its own word tells that it has lost the others.
    let watched = Watched::start(Etcd::new([nodes[0].url()]).prefix("/shop/").resync(Duration::ZERO));
    nodes[1].process().freeze();
    nodes[2].process().freeze();
    let status = watched.until_it_is(SourceState::Stale);
    assert!(status.last_failure.is_some(), "{status:?}");
    nodes[1].process().thaw();
    nodes[2].process().thaw();
    number(&nodes[1], 2);
    watched.until("the others are back", is(2));
    watched.end();
}

/// Certificates of a new authority of this name: `NAME-ca.pem`, and `NAME-HOLDER.{pem,key}`.
pub(crate) fn certify(folder: &Path, name: &str) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    let write = |file: String, text: String| std::fs::write(folder.join(file), text).expect("a file");
    let key = || KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, format!("{name} authority"));
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    write(format!("{name}-ca.pem"), authority.pem());
    for holder in ["server", "client"] {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, holder);
        let key = key();
        let signed = params.signed_by(&key, &authority).expect("a certificate");
        write(format!("{name}-{holder}.pem"), signed.pem());
        write(format!("{name}-{holder}.key"), key.serialize_pem());
    }
}

/// A member with TLS that wants a client certificate, with files that can be replaced.
fn sealed(folder: &Path) -> Option<Node> {
    program()?;
    certify(folder, "first");
    install(folder, "first");
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (cert, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let node = Node::alone(
        "https",
        &["--cert-file", &cert, "--key-file", &key, "--trusted-ca-file", &ca, "--client-cert-auth"],
    );
    number(&node, 1);
    Some(node)
}

/// Makes these certificates the ones in use.
fn install(folder: &Path, name: &str) {
    for file in ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"] {
        std::fs::copy(folder.join(format!("{name}-{file}")), folder.join(file)).expect("a copy");
    }
}

#[test]
fn certificates_are_shown_and_checked_and_rotated() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let Some(node) = sealed(folder) else { return };
    let ours = || Transport::new().ca_file(folder.join("ca.pem"));
    let both = || ours().client_cert(folder.join("client.pem"), folder.join("client.key"));
    let watched = Watched::start(brisk(shop(&node).transport(both())));
    number(&node, 2);
    watched.until("the change", is(2));

    let refused = |source: Remote<EtcdStore>| {
        let short = Duration::from_secs(2);
        let started = Hot::<App>::builder().source(brisk(source)).startup_deadline(short).blocking_start();
        format!("{:?}", started.map(drop).expect_err("it is refused"))
    };
    let said = refused(shop(&node));
    assert!(said.contains("UnknownIssuer") && said.contains("Transport::ca_file"), "{said}");
    let said = refused(shop(&node).transport(ours()));
    assert!(said.contains("CertificateRequired") && said.contains("Transport::client_cert"), "{said}");
    certify(folder, "second");
    let wrong = ours().client_cert(folder.join("second-client.pem"), folder.join("second-client.key"));
    let said = refused(shop(&node).transport(wrong));
    assert!(said.contains("client certificate") || said.contains("UnknownCA"), "{said}");
    let said = refused(Etcd::new([node.url().replace("https", "http")]).prefix("/shop/"));
    assert!(said.contains("`http` or `https`"), "{said}");

    // All certificates are replaced, authority and all: the server is started anew, and we read ours again.
    install(folder, "second");
    node.process().kill();
    watched.until_it_is(SourceState::Stale);
    node.process().restart();
    number(&node, 3);
    watched.until("the change, with new certificates on both sides", is(3));
    watched.end();
    let config = Hot::<App>::builder()
        .source(brisk(shop(&node).transport(both())))
        .source(hotconf::Inline::toml("below", "text = \"\""))
        .startup_deadline(PATIENCE)
        .blocking_start();
    config.expect("the first load");
}
