//! `ZooKeeper`: the suite, and what is its own: expiry, transactions, ACLs, ensembles, certificates.

mod client;

use crate::etcd::certify;
use crate::proxy::Proxy;
use crate::rig::{App, Rig, Watched, among_others, brisk, lock, until};
use crate::servers::zookeeper::ZooKeeper as Server;
use client::{Acl, Change, Client};
use hotconf::remote::zookeeper::ZooKeeperStore;
use hotconf::remote::{Remote, Token, Transport};
use hotconf::{Hot, HotConf, SourceExt, SourceState, ZooKeeper};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

crate::conformance::suite!(over_zookeeper, crate::zookeeper::Single::start());

/// One server.
pub(crate) struct Single {
    server: Server,
    client: Mutex<Option<Client>>,
}

impl Single {
    /// Nothing where no `ZooKeeper` is here.
    pub(crate) fn start() -> Option<Self> {
        Server::start().map(|server| Self { server, client: Mutex::new(None) })
    }
}

/// Makes nodes be so, or be gone, in one transaction; tried until it is done, on a session that is kept.
fn write(client: &Mutex<Option<Client>>, at: SocketAddr, changes: &[(String, Option<String>)]) {
    let mut client = lock(client);
    let end = Instant::now() + crate::rig::PATIENCE;
    loop {
        let open = match client.take() {
            Some(open) => Ok(open),
            None => Client::connect(at),
        };
        let done = open.and_then(|mut open| {
            open.change(changes)?;
            Ok(open)
        });
        match done {
            Ok(open) => return *client = Some(open),
            Err(error) => assert!(Instant::now() < end, "it cannot be written: {error}"),
        }
        std::thread::sleep(Duration::from_millis(10)); // a server that is busy
    }
}

fn below_shop(changes: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    changes.iter().map(|(key, value)| (format!("/shop/{key}"), value.map(str::to_owned))).collect()
}

/// The source of what stands below `/shop/`, which notices quickly that a server is silent.
fn shop(at: SocketAddr) -> Remote<ZooKeeperStore> {
    ZooKeeper::new([at.to_string()]).prefix("/shop/").session_timeout(Duration::from_secs(3))
}

impl Rig for Single {
    type Store = ZooKeeperStore;
    const NAME: &'static str = "zookeeper";
    const STEP: u64 = 7;

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn source(&self, at: SocketAddr) -> Remote<ZooKeeperStore> {
        shop(at)
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        write(&self.client, self.address(), &below_shop(changes));
    }

    fn kill(&self) {
        self.server.process().kill();
    }

    fn restart(&self) {
        self.server.process().restart();
    }

    fn freeze(&self) {
        self.server.process().freeze();
    }

    fn thaw(&self) {
        self.server.process().thaw();
    }

    fn keep(&self) {
        self.server.process().keep();
    }

    fn restore(&self) {
        self.server.process().restore();
    }
}

fn number(rig: &Single, n: u64) {
    rig.change(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]);
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
fn a_thousand_nodes_of_one_transaction_are_one_version_and_one_of_them_is_read_alone() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let all = |n: u64| -> Vec<_> {
        (0..1000).map(|node| (format!("/shop/of/{node}"), Some(n.to_string()))).collect()
    };
    write(&rig.client, rig.address(), &all(1));
    let proxy = Proxy::before(rig.address());
    let config =
        Hot::<Many>::builder().source(shop(proxy.address())).blocking_start().expect("the first load");
    assert_eq!(config.load().of.len(), 1000);
    for n in 2..5 {
        write(&rig.client, rig.address(), &all(n));
        until("the transaction", || config.load().of["0"] == n);
        assert!(config.load().of.values().all(|&value| value == n), "half a transaction");
        assert_eq!(config.version(), n);
    }
    let (before, _) = proxy.carried();
    write(&rig.client, rig.address(), &[("/shop/of/500".to_owned(), Some("9".to_owned()))]);
    until("the one node", || config.load().of["500"] == 9);
    assert_eq!(config.version(), 5);
    // One question of 29 bytes, and a ping or two.
    let asked = proxy.carried().0 - before;
    assert!((29..100).contains(&asked), "{asked} bytes");
}

#[test]
fn no_version_has_a_part_of_a_transaction_however_many_follow_each_other() {
    // It writes for a while: what is looked for happens by chance.
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let at = rig.address();
    let write = |n: u64| {
        let text = if n.is_multiple_of(3) { None } else { Some(n.to_string()) };
        rig.change(&[
            ("a", Some(&n.to_string())),
            ("text", text.as_deref()),
            ("b", Some(&(n * 7).to_string())),
        ]);
    };
    write(1);
    let watched = Watched::start(shop(at).resync(Duration::from_millis(200)));
    let torn = Arc::new(Mutex::new(None));
    let seen = torn.clone();
    let _each = watched.config.on_change(App::FIELDS.a, move |change| {
        let app = change.after();
        let text = if app.a.is_multiple_of(3) { crate::rig::BELOW.to_owned() } else { app.a.to_string() };
        if app.b != app.a * 7 || app.text != text {
            lock(&seen).get_or_insert_with(|| format!("{app:?}"));
        }
    });
    let end = Instant::now() + Duration::from_secs(4);
    let mut n = 1;
    while Instant::now() < end {
        n += 1;
        write(n);
    }
    watched.until("the last", is(n));
    assert_eq!(*lock(&torn), None, "half a transaction");
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    println!("{n} transactions, {} versions", watched.config.version());
    // It followed: a writer that does not rest holds nothing back for good.
    assert!(watched.config.version() > 20, "{} of {n}", watched.config.version());
    watched.end();
}

#[test]
fn a_node_that_is_a_whole_document_is_followed_also_before_it_comes() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let put = |text: Option<String>| write(&rig.client, rig.address(), &[("/app.toml".to_owned(), text)]);
    let whole = |n: u64| Some(format!("a = {n}\nb = {}\ntext = \"whole\"\n", n * 7));
    let source = ZooKeeper::new([rig.address().to_string()]).key("/app.toml");
    let watched = Watched::start(source.optional());
    assert_eq!(watched.config.load().a, 0);
    put(whole(1));
    watched.until("it has come", is(1));
    let origin = watched.config.origin(App::FIELDS.text).to_string();
    assert!(origin.starts_with("zookeeper /app.toml @ revision 0x") && origin.ends_with(":3:8"), "{origin}");
    put(Some("a = ".to_owned()));
    until("it is refused", || watched.alarms() == 1);
    assert!(watched.story().contains("zookeeper /app.toml @ revision 0x"), "{}", watched.story());
    put(whole(2));
    watched.until("it is repaired", is(2));
    put(None);
    watched.until("it is gone", |app| app.a == 0);
    put(whole(3));
    watched.until("it is back", is(3));
    // Almost as much as a server takes.
    put(Some(format!("a = 4\nb = 28\npad = \"{}\"\n", "x".repeat(1_000_000))));
    watched.until("the long one", |app| is(4)(app) && app.pad.len() == 1_000_000);
    watched.end();
}

#[test]
fn what_comes_and_goes_below_a_folder_and_a_chroot_is_followed() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let put = |path: &str, data: Option<&str>| {
        write(&rig.client, rig.address(), &[(path.to_owned(), data.map(str::to_owned))]);
    };
    let source = ZooKeeper::new([format!("{}/eu/shop", rig.address())]).prefix("/");
    let config = Hot::<Many>::builder().source(source.optional()).blocking_start().expect("the first load");
    let of = |node: &str| config.load().of.get(node).copied();
    put("/eu/shop/of/x", Some("1"));
    until("it came, with its folders", || of("x") == Some(1));
    put("/eu/other/of/y", Some("9"));
    put("/eu/shop/of/y", Some("2"));
    until("another came", || of("y") == Some(2));
    put("/eu/shop/of/x", None);
    until("one went", || of("x").is_none());
    put("/eu/shop/of/y", None);
    put("/eu/shop/of", None);
    put("/eu/shop", None);
    until("all went", || config.load().of.is_empty());
    put("/eu/shop/of/z", Some("3"));
    until("it came again", || of("z") == Some(3));
    let status = config.status();
    let remote = &status.sources[0];
    assert!(remote.name.contains("/eu/shop /"), "{}", remote.name);
}

#[test]
fn a_session_that_somebody_else_ends_is_begun_anew() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig, 1);
    let (relay, session) = overheard(rig.address());
    let watched = Watched::start(shop(relay).resync(Duration::ZERO));
    watched.until("the first read", is(1));
    let session = session.recv_timeout(crate::rig::PATIENCE).expect("a session");
    Client::resume(rig.address(), &session).and_then(Client::close).expect("it ends");
    until("the session is gone", || !sessions(&rig.server).contains(&hex(&session[..8])));
    number(&rig, 2);
    watched.until("the change, in another session", is(2));
    number(&rig, 3);
    watched.until("it is followed", is(3));
    watched.end();
    until("nothing is left of it on the server", || sessions(&rig.server).lines().count() <= 1);
}

/// The sessions that a server knows, one a line.
fn sessions(server: &Server) -> String {
    let said = server.says("dump");
    let expiring = said.lines().filter(|line| line.starts_with("\t0x"));
    expiring.fold(String::new(), |all, line| all + line.trim() + "\n")
}

fn hex(bytes: &[u8]) -> String {
    let number = u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    format!("{number:#x}")
}

/// A way to a server on which the number and the password of the first session are read off.
fn overheard(server: SocketAddr) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let at = listener.local_addr().expect("bound");
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten().take(2) {
            let Ok(mut upstream) = TcpStream::connect(server) else { return };
            let (mut up, mut down) = (client.try_clone().expect("a copy"), client);
            let mut sink = upstream.try_clone().expect("a copy");
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut up, &mut sink);
                let _ = sink.shutdown(std::net::Shutdown::Both);
            });
            let mut welcome = [0; 41];
            if upstream.read_exact(&mut welcome).is_ok() {
                let _ = tell.send([&welcome[12..20], &welcome[24..40]].concat());
                let _ = down.write_all(&welcome);
            }
            std::thread::spawn(move || std::io::copy(&mut upstream, &mut down));
        }
    });
    (at, told)
}

#[test]
fn a_server_that_was_frozen_for_longer_than_a_session_lives_is_followed_again() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig, 1);
    let watched = Watched::start(shop(rig.address()).session_timeout(Duration::from_secs(1)));
    watched.until("the first read", is(1));
    rig.freeze();
    watched.until_it_is(SourceState::Stale);
    std::thread::sleep(Duration::from_secs(2)); // the session's own clock
    rig.thaw();
    number(&rig, 2);
    watched.until("the change", is(2));
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn a_dropped_configuration_leaves_no_session_on_the_server() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig, 1);
    let own = sessions(&rig.server).lines().count();
    let watched = Watched::start(shop(rig.address()).session_timeout(Duration::from_secs(600)));
    assert_eq!(sessions(&rig.server).lines().count(), own + 1);
    watched.end();
    until("it is ended", || sessions(&rig.server).lines().count() == own);
}

const ALL: i32 = 31;

#[test]
fn a_user_reads_what_each_node_allows_and_is_told_what_it_does_not() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig, 1);
    let mut owner = Client::connect(rig.address()).expect("a session");
    owner.log_in("shop", "hunter2").expect("a login");
    // Only the one node is guarded: those above and beside it are open.
    owner.set_acl("/shop/b", Acl::Only(ALL, "auth", "")).expect("an ACL");
    let guarded = |n: u64, owner: &mut Client| {
        let (a, b) = (n.to_string(), (n * 7).to_string());
        let changes = [Change::Set("/shop/a", a.as_bytes()), Change::Set("/shop/b", b.as_bytes())];
        owner.transact(&changes).expect("a transaction");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").expect("a file");
    let watched = Watched::start(brisk(shop(rig.address()).digest("shop", Token::file(&file))));
    guarded(2, &mut owner);
    watched.until("the change", is(2));
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    let refused = |source: Remote<ZooKeeperStore>| {
        let error = Watched::try_start(brisk(source)).err().expect("it is refused");
        let said = format!("{error:?}");
        assert!(!said.contains("hunter"), "{said}");
        said
    };
    for source in [shop(rig.address()), shop(rig.address()).digest("shop", "hunter3")] {
        let said = refused(source);
        assert!(
            said.contains("/shop/b") && said.contains("grant READ") && said.contains(".digest("),
            "{said}"
        );
    }
    // The password becomes another, and the file has it a moment later.
    let mut next = Client::connect(rig.address()).expect("a session");
    next.log_in("shop", "hunter4").expect("a login");
    owner.set_acl("/shop/b", Acl::Open).expect("an ACL");
    next.set_acl("/shop/b", Acl::Only(ALL, "auth", "")).expect("an ACL");
    watched.until_it_is(SourceState::Stale);
    std::fs::write(&file, "hunter4\n").expect("a file");
    guarded(3, &mut next);
    watched.until("the change, with the new password", is(3));
    watched.end();
}

#[test]
fn rights_that_are_taken_away_are_told_and_heal_when_they_are_back() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig, 1);
    let watched = Watched::start(brisk(shop(rig.address())));
    let mut owner = Client::connect(rig.address()).expect("a session");
    owner.log_in("root", "r00t").expect("a login");
    owner.set_acl("/shop/a", Acl::Only(ALL, "auth", "")).expect("an ACL");
    let status = watched.until_it_is(SourceState::Stale);
    let said = status.error.expect("it says why").to_string();
    assert!(said.contains("/shop/a"), "{said}");
    assert_eq!(watched.config.load().a, 1, "what is in force stays");
    owner.set_acl("/shop/a", Acl::Open).expect("an ACL");
    watched.until_it_is(SourceState::Following);
    number(&rig, 2);
    watched.until("the change", is(2));
    watched.end();
}

/// The source over all members.
fn ensemble(members: &[Server]) -> Remote<ZooKeeperStore> {
    ZooKeeper::new(members.iter().map(|member| member.address().to_string()))
        .prefix("/shop/")
        .session_timeout(Duration::from_secs(3))
}

fn number_by(member: &Server, n: u64) {
    let changes = [("a", Some(n.to_string())), ("b", Some((n * 7).to_string()))];
    let changes = changes.map(|(node, data)| (format!("/shop/{node}"), data));
    write(&Mutex::new(None), member.address(), &changes);
}

#[test]
fn an_ensemble_that_loses_its_leader_is_followed_and_one_without_a_majority_only_on_request() {
    let _beside = among_others();
    let Some(members) = Server::ensemble() else { return };
    number_by(&members[0], 1);
    let settings = |source: Remote<ZooKeeperStore>| brisk(source).deadline(Duration::from_secs(5));
    let watched = Watched::start(settings(ensemble(&members)));
    let mut n = 1;
    for _ in 0..2 {
        until("somebody leads", || members.iter().any(Server::leads));
        let leader = members.iter().position(Server::leads).expect("just seen");
        members[leader].process().kill();
        for _ in 0..3 {
            n += 1;
            number_by(&members[(leader + 1) % 3], n);
            watched.until("a change without the old leader", is(n));
        }
        members[leader].process().restart();
    }
    watched.until_it_is(SourceState::Following);
    for member in &members[..2] {
        member.process().kill();
    }
    let status = watched.until_it_is(SourceState::Stale);
    assert!(status.last_failure.is_some(), "{status:?}");
    assert_eq!(watched.config.load().a, n, "what is in force stays");
    let cautious = Hot::<App>::builder()
        .source(settings(ensemble(&members)))
        .startup_deadline(Duration::from_secs(2))
        .blocking_start();
    assert!(cautious.is_err(), "nobody but a server that has lost the others is there");
    let watching = Watched::start(settings(ensemble(&members).read_only()));
    watching.until("what the one that is left knows", is(n));
    members[0].process().restart();
    number_by(&members[0], n + 1);
    for watched in [watched, watching] {
        watched.until("a majority again", is(n + 1));
        watched.until_it_is(SourceState::Following);
        watched.end();
    }
}

#[test]
fn certificates_are_shown_and_checked() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let text = |name: &str| std::fs::read_to_string(file(name)).expect("a file");
    certify(folder.path(), "first");
    certify(folder.path(), "second");
    std::fs::write(file("keys.pem"), text("first-server.key") + &text("first-server.pem")).expect("a file");
    let [secure] = crate::servers::free();
    let settings = format!(
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\nsecureClientPort={}\n\
         secureClientPortAddress=127.0.0.1\nssl.keyStore.location={}\n\
         ssl.keyStore.type=PEM\nssl.trustStore.location={}\nssl.trustStore.type=PEM\n\
         ssl.hostnameVerification=false\n",
        secure.port(),
        file("keys.pem").display(),
        file("first-ca.pem").display(),
    );
    let Some(server) = Server::start_with(settings) else { return };
    number_by(&server, 1);
    // It speaks TLS 1.2 alone, as it comes.
    let ours = || Transport::new().ca_file(file("first-ca.pem")).tls12();
    let both = |name: &str| {
        ours().client_cert(file(&format!("{name}-client.pem")), file(&format!("{name}-client.key")))
    };
    let watched = Watched::start(brisk(shop(secure).tls().transport(both("first"))));
    number_by(&server, 2);
    watched.until("the change", is(2));
    watched.end();
    let refused = |source: Remote<ZooKeeperStore>| {
        let short = Duration::from_secs(2);
        let started = Hot::<App>::builder().source(brisk(source)).startup_deadline(short).blocking_start();
        format!("{:?}", started.map(drop).expect_err("it is refused"))
    };
    let said = refused(shop(secure).tls().transport(Transport::new().ca_file(file("first-ca.pem"))));
    assert!(said.contains("Transport::tls12"), "{said}");
    let said = refused(shop(secure).tls().transport(Transport::new().tls12()));
    assert!(said.contains("UnknownIssuer") && said.contains("Transport::ca_file"), "{said}");
    let said = refused(shop(secure).tls().transport(ours()));
    assert!(said.contains("ertificate"), "{said}");
    let said = refused(shop(secure).tls().transport(both("second")));
    assert!(said.contains("ertificate"), "{said}");
    let said = refused(shop(secure).transport(both("first")));
    assert!(said.contains(".tls()"), "{said}");
}
