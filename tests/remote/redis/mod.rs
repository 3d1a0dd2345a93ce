//! Redis: the suite over its three shapes and two ways of hearing, and what is Redis's own.

use crate::proxy::{Fault, Plan, Proxy};
use crate::rig::{App, BELOW, PATIENCE, Rig, Watched, among_others, brisk, until};
use crate::servers::redis::Redis as Server;
use hotconf::remote::redis::RedisStore;
use hotconf::remote::{Remote, Token, Transport};
use hotconf::{Hot, HotConf, Inline, Redis, SourceState};
use std::net::SocketAddr;
use std::time::Duration;

crate::conformance::suite!(over_redis, crate::redis::Keys::start());

/// Keys with a prefix.
pub(crate) struct Keys(Server);

impl Keys {
    /// Nothing where no Redis is here.
    pub(crate) fn start() -> Option<Self> {
        Server::start().map(Self)
    }
}

fn below_shop(changes: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    changes.iter().map(|(key, value)| (format!("shop:{key}"), value.map(str::to_owned))).collect()
}

fn url(at: SocketAddr) -> String {
    format!("redis://{at}")
}

impl Rig for Keys {
    type Store = RedisStore;
    const NAME: &'static str = "redis";
    /// Each run takes some 20 ms, and a greeting has hundreds of bytes.
    const STEP: u64 = 5;

    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn source(&self, at: SocketAddr) -> Remote<RedisStore> {
        Redis::new(&url(at)).prefix("shop:")
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

fn shop(server: &Server) -> Remote<RedisStore> {
    Redis::new(&url(server.address())).prefix("shop:")
}

fn number(server: &Server, n: u64) {
    server.change(&below_shop(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]));
}

fn is(n: u64) -> impl Fn(&App) -> bool {
    move |app| {
        assert_eq!(app.a * 7, app.b, "half a transaction");
        app.a == n
    }
}

/// What a start that fails says; nothing of any password.
fn refusal(source: Remote<RedisStore>) -> String {
    let short = Duration::from_secs(3);
    let started = Hot::<App>::builder()
        .source(Inline::toml("below", "text = \"\""))
        .source(brisk(source))
        .startup_deadline(short)
        .blocking_start();
    let said = format!("{:?}", started.map(drop).expect_err("it is refused"));
    assert!(!said.contains("hunter"), "{said}");
    said
}

/// Whether changes come by themselves: nothing is read again by a timer within the test.
fn is_told(watched: &Watched, server: &Server, from: u64) {
    for n in from..from + 5 {
        number(server, n);
        watched.until("the change", is(n));
    }
}

/// Nothing is read again but what is told of.
fn unhurried(source: Remote<RedisStore>) -> Remote<RedisStore> {
    source.every(Duration::from_secs(3600)).resync(Duration::ZERO)
}

#[test]
fn the_fields_of_a_hash_are_paths_and_one_command_is_one_version() {
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    server.run(&[&["HSET", "shop", "a", "1", "b", "7", "text", "from the hash"]]);
    let watched = Watched::start(unhurried(Redis::new(&url(server.address())).hash("shop")));
    assert_eq!((watched.config.load().a, watched.config.load().text.as_str()), (1, "from the hash"));
    assert_eq!(watched.config.origin(App::FIELDS.text).to_string(), "redis shop text");
    for n in 2..=5_u64 {
        server.run(&[&["HSET", "shop", "a", &n.to_string(), "b", &(n * 7).to_string()]]);
        watched.until("the change", is(n));
    }
    server.run(&[&["HDEL", "shop", "text"]]);
    watched.until("the layer below", |app| app.text == BELOW);
    assert_eq!((watched.config.version(), watched.alarms()), (6, 0), "{}", watched.story());
    server.run(&[&["DEL", "shop"]]);
    until("it is told", || watched.alarms() == 1);
    assert!(watched.story().contains("nothing is there"), "{}", watched.story());
    assert_eq!(watched.config.load().a, 5);
    watched.end();
}

#[test]
fn a_key_that_is_a_whole_document_is_followed() {
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    let write = |n: u64| {
        let text = format!("a = {n}\nb = {}\ntext = \"whole\"\n", n * 7);
        server.run(&[&["SELECT", "3"], &["SET", "shop.toml", &text]]);
    };
    write(1);
    let source = Redis::new(&format!("{}/3", url(server.address()))).key("shop.toml");
    let watched = Watched::start(unhurried(source));
    assert_eq!(watched.config.origin(App::FIELDS.text).to_string(), "redis shop.toml:3:8");
    // Another key that begins with the same letters, and the same key elsewhere.
    server.run(&[
        &["SELECT", "3"],
        &["SET", "shop.toml.bak", "x"],
        &["SELECT", "0"],
        &["SET", "shop.toml", "a = 9"],
    ]);
    write(2);
    watched.until("the change", is(2));
    server.run(&[&["SELECT", "3"], &["SET", "shop.toml", "a = "]]);
    until("it is refused", || watched.alarms() == 1);
    assert!(watched.story().contains("redis shop.toml:1:"), "{}", watched.story());
    write(3);
    watched.until("it is repaired", is(3));
    assert_eq!(watched.config.version(), 3);
    watched.end();
}

#[derive(Clone, Debug, HotConf)]
struct Many {
    #[hotconf(default = Default::default())]
    of: std::collections::BTreeMap<String, u64>,
}

#[test]
fn a_thousand_keys_of_one_transaction_are_one_version() {
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    let all =
        |n: u64| -> Vec<_> { (0..1000).map(|key| (format!("shop:of:{key}"), Some(n.to_string()))).collect() };
    server.change(&all(1));
    let config =
        Hot::<Many>::builder().source(unhurried(shop(&server))).blocking_start().expect("the first load");
    assert_eq!(config.load().of.len(), 1000);
    for n in 2..5 {
        server.change(&all(n));
        until("the transaction", || config.load().of["0"] == n);
        assert!(config.load().of.values().all(|&value| value == n), "half a transaction");
        assert_eq!(config.version(), n);
    }
    server.run(&[&["SET", "shop:of:500", "9"]]);
    until("the one key", || config.load().of["500"] == 9);
    assert_eq!(config.version(), 5);
}

/// Transactions over and over, on keys that come and go, while they are followed: none is seen torn.
fn never_torn(server: &Server, source: Remote<RedisStore>) {
    number(server, 1);
    let watched = Watched::start(source);
    let writer = |from: u64| {
        for n in from..from + 200 {
            let (a, b) = (n.to_string(), (n * 7).to_string());
            match n % 4 {
                // One key alone, and right behind it both.
                0 => server.run(&[
                    &["SET", "shop:text", &a],
                    &["MULTI"],
                    &["SET", "shop:a", &a],
                    &["SET", "shop:b", &b],
                    &["EXEC"],
                ]),
                1 => server.run(&[&["MULTI"], &["DEL", "shop:a"], &["DEL", "shop:b"], &["EXEC"]]),
                _ => server.run(&[&["MULTI"], &["SET", "shop:b", &b], &["SET", "shop:a", &a], &["EXEC"]]),
            };
        }
    };
    std::thread::scope(|scope| {
        let writers = [scope.spawn(|| writer(1000)), scope.spawn(|| writer(2000))];
        while writers.iter().any(|writer| !writer.is_finished()) {
            let app = watched.config.snapshot();
            assert_eq!(app.a * 7, app.b, "half a transaction");
        }
    });
    number(server, 9000);
    watched.until("the last", is(9000));
    println!("{} versions", watched.config.version());
    watched.end();
}

#[test]
fn no_transaction_is_seen_torn_however_many_come() {
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    never_torn(&server, unhurried(shop(&server)));
}

#[test]
fn a_key_that_expires_falls_back_and_an_emptied_database_is_told() {
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    server.run(&[&["SET", "shop:text", "for a while", "PX", "300"]]);
    number(&server, 1);
    let watched = Watched::start(unhurried(shop(&server)));
    watched.until("the end of its time", |app| app.text == BELOW);
    server.run(&[&["FLUSHALL"]]);
    until("it is told", || watched.alarms() == 1);
    assert!(watched.story().contains("nothing is there"), "{}", watched.story());
    assert_eq!(watched.config.load().a, 1, "what was in force stays");
    number(&server, 2);
    watched.until("it is filled again", is(2));
    watched.end();
}

#[test]
fn what_nobody_tells_of_is_found_by_the_timer() {
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    number(&server, 1);
    server.run(&[&["SELECT", "1"], &["MSET", "shop:a", "2", "shop:b", "14"]]);
    let every = Duration::from_millis(100);
    let watched = Watched::start(shop(&server).resync(Duration::ZERO).every(every));
    server.run(&[&["SWAPDB", "0", "1"]]);
    watched.until("the other database", is(2));
    assert_eq!((watched.config.version(), watched.alarms()), (2, 0), "{}", watched.story());
    watched.end();
}

#[test]
fn a_key_of_another_type_is_named_with_what_was_expected_and_repaired() {
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    number(&server, 1);
    let watched = Watched::start(brisk(shop(&server)));
    server.run(&[&["DEL", "shop:b"], &["LPUSH", "shop:b", "x"]]);
    until("it is told", || {
        watched.story().contains("shop:b: expected a string, found a key of the type `list`")
    });
    server.run(&[&["DEL", "shop:b"]]);
    number(&server, 2);
    watched.until("it is repaired", is(2));
    watched.end();
    server.run(&[&["LPUSH", "list", "x"]]);
    let at = url(server.address());
    let said = refusal(Redis::new(&at).hash("list"));
    assert!(said.contains("list: expected a hash, found a key of the type `list`"), "{said}");
    let said = refusal(Redis::new(&at).key("list").document(hotconf::Format::Toml));
    assert!(said.contains("list: expected a string"), "{said}");
    let said = refusal(Redis::new(&at).database(99).prefix("shop:"));
    assert!(said.contains(".database(number)"), "{said}");
}

/// A server with users, and what tells the one that reads.
fn with_user(rules: &[&str], more: &[&str]) -> Option<(Server, Remote<RedisStore>)> {
    let server = Server::start_with(more)?;
    let reads = ["+get", "+mget", "+hgetall", "+scan", "+type", "+ping", "+select"];
    let user = ["ACL", "SETUSER", "shop", "on", ">hunter2", "~shop:*"];
    server.run(&[&[&user[..], &reads[..], rules].concat()]);
    number(&server, 1);
    let source = shop(&server).user("shop", "hunter2");
    Some((server, source))
}

fn warnings(watched: &Watched) -> String {
    watched.config.status().warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_user_needs_no_more_than_to_read() {
    let _beside = among_others();
    let Some((server, source)) = with_user(&["+client|tracking"], &[]) else { return };
    let watched = Watched::start(unhurried(source));
    is_told(&watched, &server, 2);
    assert_eq!((warnings(&watched), watched.alarms()), (String::new(), 0));
    watched.end();
    let said = refusal(shop(&server).user("shop", "hunter3"));
    assert!(said.contains("WRONGPASS") && said.contains(".user(name, password)"), "{said}");
    server.run(&[&["ACL", "SETUSER", "shop", "-mget"]]);
    let said = refusal(shop(&server).user("shop", "hunter2"));
    assert!(said.contains("'mget'") && said.contains("ACL SETUSER"), "{said}");
}

#[test]
fn keyspace_events_tell_where_tracking_is_not_allowed() {
    let _beside = among_others();
    let events = ["--notify-keyspace-events", "KA"];
    let Some((server, source)) = with_user(&["+config|get", "+psubscribe", "allchannels"], &events) else {
        return;
    };
    never_torn(&server, unhurried(source));
    // Where the settings cannot be seen, events may come all the same.
    let Some((server, source)) = with_user(&["+psubscribe", "allchannels"], &events) else { return };
    let watched = Watched::start(unhurried(source));
    is_told(&watched, &server, 2);
    let said = warnings(&watched);
    assert!(said.contains("client|tracking") && said.contains("cannot be seen"), "{said}");
    watched.end();
}

#[test]
fn where_nothing_tells_of_changes_the_timer_finds_them_and_the_setting_is_named() {
    let _beside = among_others();
    for rules in [&["+config|get"][..], &[]] {
        let Some((server, source)) = with_user(rules, &[]) else { return };
        let every = Duration::from_millis(50);
        let watched = Watched::start(source.every(every).resync(Duration::ZERO));
        is_told(&watched, &server, 2);
        server.change(&below_shop(&[("text", Some("new"))]));
        watched.until("a key that was not there", |app| app.text == "new");
        let said = warnings(&watched);
        assert!(said.contains("50ms alone") && said.contains("notify-keyspace-events"), "{said}");
        assert_eq!(watched.alarms(), 1, "one warning: {}", watched.story());
        watched.end();
    }
}

#[test]
fn a_server_that_knows_no_resp3_is_read_by_the_timer() {
    let _beside = among_others();
    let more = ["--rename-command", "HELLO", "", "--requirepass", "hunter2"];
    let Some(server) = Server::start_with(&more) else { return };
    server.log_in("hunter2");
    number(&server, 1);
    let watched = Watched::start(brisk(shop(&server).password("hunter2")).every(Duration::from_millis(50)));
    is_told(&watched, &server, 2);
    assert!(warnings(&watched).contains("does not speak RESP3"), "{}", watched.story());
    watched.end();
    let said = refusal(shop(&server).password("hunter3"));
    assert!(said.contains("WRONGPASS"), "{said}");
    let said = refusal(shop(&server));
    assert!(said.contains("NOAUTH") && said.contains(".password(password)"), "{said}");
}

#[test]
fn a_password_that_is_changed_is_read_from_its_file_again() {
    let _beside = among_others();
    let Some(server) = Server::start_with(&["--requirepass", "hunter2"]) else { return };
    server.log_in("hunter2");
    number(&server, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").expect("a file");
    let watched = Watched::start(brisk(shop(&server).password(Token::file(&file))));
    for (n, password) in [(2, "hunter3"), (3, "hunter4")] {
        server.run(&[&["CONFIG", "SET", "requirepass", password]]);
        server.log_in(password);
        server.run(&[&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]]);
        until("it is refused", || watched.remote().state == SourceState::Stale);
        std::fs::write(&file, format!("{password}\n")).expect("a file");
        number(&server, n);
        watched.until("the change", is(n));
        watched.until_it_is(SourceState::Following);
    }
    assert!(
        watched.story().contains("WRONGPASS") && !watched.story().contains("hunter"),
        "{}",
        watched.story()
    );
    watched.end();
    let said = refusal(shop(&server));
    assert!(said.contains("NOAUTH") && said.contains(".password(password)"), "{said}");
}

#[test]
fn a_replica_is_followed_until_it_has_lost_its_primary() {
    let _beside = among_others();
    let Some(primary) = Server::start() else { return };
    number(&primary, 1);
    let port = primary.address().port().to_string();
    let Some(replica) = Server::start_with(&["--replicaof", &format!("127.0.0.1 {port}")]) else { return };
    until("it follows", || replica.run(&[&["ROLE"]])[0].contains("connected"));
    let both = || Redis::new(&url(replica.address())).replica(&url(primary.address())).prefix("shop:");
    let watched = Watched::start(brisk(Redis::new(&url(replica.address())).prefix("shop:")));
    is_told(&watched, &primary, 2);
    watched.end();
    // One that has lost its primary would tell old news for good.
    primary.process().freeze();
    replica.run(&[&["CONFIG", "SET", "repl-timeout", "1"]]);
    until("it has lost it", || !replica.run(&[&["ROLE"]])[0].contains("connected"));
    let said = refusal(Redis::new(&url(replica.address())).prefix("shop:"));
    assert!(said.contains("has lost its primary"), "{said}");
    primary.process().thaw();
    replica.run(&[&["REPLICAOF", "127.0.0.1", "1"]]);
    number(&primary, 20);
    let watched = Watched::start(brisk(both()));
    watched.until("the primary's", is(20));
    // Whoever is lost, the other is asked.
    replica.run(&[&["REPLICAOF", "127.0.0.1", &port]]);
    until("it follows again", || replica.run(&[&["ROLE"]])[0].contains("connected"));
    primary.process().kill();
    replica.run(&[&["REPLICAOF", "NO", "ONE"]]);
    number(&replica, 21);
    watched.until("the replica's", is(21));
    watched.end();
}

#[test]
fn a_cluster_is_refused_for_a_prefix_and_read_for_one_key() {
    let _beside = among_others();
    let Some(server) = Server::start_with(&["--cluster-enabled", "yes"]) else { return };
    let slots: Vec<String> = (0..16384).map(|slot: u32| slot.to_string()).collect();
    let add: Vec<&str> =
        ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
    server.run(&[&add]);
    until("it is whole", || server.run(&[&["CLUSTER", "INFO"]])[0].contains("cluster_state:ok"));
    server.run(&[&["HSET", "shop", "a", "1", "b", "7"]]);
    let said = refusal(shop(&server));
    assert!(said.contains("all nodes of a cluster") && said.contains(".hash"), "{said}");
    let watched = Watched::start(brisk(Redis::new(&url(server.address())).hash("shop")));
    watched.until("the hash", is(1));
    watched.end();
}

#[test]
fn what_is_larger_than_allowed_is_refused_with_the_remedy() {
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    number(&server, 1);
    let start = |source: Remote<RedisStore>| {
        Hot::<App>::builder()
            .source(Inline::toml("below", "text = \"\""))
            .source(brisk(source))
            .max_document_bytes(100_000)
            .startup_deadline(Duration::from_secs(3))
            .blocking_start()
    };
    let config = start(shop(&server)).expect("the first load");
    server.run(&[&["SET", "shop:pad", &"x".repeat(2_000_000)]]);
    let status = || config.status().sources[1].clone();
    until("it is told", || {
        status().error.is_some_and(|error| error.to_string().contains("max_document_bytes"))
    });
    server.run(&[&["DEL", "shop:pad"]]);
    number(&server, 2);
    until("it is repaired", || config.load().a == 2);
    server.run(&[&["HSET", "hash", "pad", &"x".repeat(2_000_000)]]);
    let said =
        format!("{:?}", start(Redis::new(&url(server.address())).hash("hash")).expect_err("too large"));
    assert!(said.contains("max_document_bytes"), "{said}");
}

#[test]
fn a_connection_that_hangs_while_all_is_quiet_is_given_up() {
    // Without any timer of ours within the test, the heartbeat alone can find it: 15 s and 5 s.
    let _beside = among_others();
    let Some(server) = Server::start() else { return };
    number(&server, 1);
    let proxy = Proxy::before(server.address());
    let watched = Watched::start(unhurried(Redis::new(&url(proxy.address())).prefix("shop:")));
    server.process().freeze();
    let end = std::time::Instant::now() + Duration::from_secs(30) + PATIENCE;
    while watched.remote().last_failure.is_none() {
        assert!(std::time::Instant::now() < end, "{:?}", watched.remote());
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = watched.remote();
    assert!(format!("{status:?}").contains("did not answer a PING"), "{status:?}");
    server.process().thaw();
    number(&server, 2);
    watched.until("the change", is(2));
    watched.end();
}

/// A server with TLS, an authority of its own, and its folder.
fn sealed(more: &[&str]) -> Option<(Server, tempfile::TempDir)> {
    let folder = tempfile::tempdir().expect("a folder");
    crate::etcd::certify(folder.path(), "first");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (cert, key, ca) = (file("first-server.pem"), file("first-server.key"), file("first-ca.pem"));
    let tls = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let server = Server::start_sealed(&[&tls[..], more].concat())?;
    number(&server, 1);
    Some((server, folder))
}

/// The source by way of `at`, with TLS and our certificate.
fn by_tls(at: SocketAddr, folder: &tempfile::TempDir) -> Remote<RedisStore> {
    let file = |name| folder.path().join(name);
    let transport = Transport::new()
        .ca_file(file("first-ca.pem"))
        .client_cert(file("first-client.pem"), file("first-client.key"));
    Redis::new(&format!("rediss://localhost:{}", at.port())).prefix("shop:").transport(transport)
}

#[test]
fn certificates_are_shown_and_checked() {
    let _beside = among_others();
    let Some((server, folder)) = sealed(&[]) else { return };
    let watched = Watched::start(unhurried(by_tls(server.address(), &folder)));
    is_told(&watched, &server, 2);
    watched.end();
    let at = format!("rediss://localhost:{}", server.address().port());
    let said = refusal(Redis::new(&at).prefix("shop:"));
    assert!(said.contains("UnknownIssuer") && said.contains("Transport::ca_file"), "{said}");
    let ours = Transport::new().ca_file(folder.path().join("first-ca.pem"));
    let said = refusal(Redis::new(&at).prefix("shop:").transport(ours));
    assert!(said.contains("CertificateRequired") && said.contains("Transport::client_cert"), "{said}");
    let said = refusal(Redis::new(&at.replace("rediss", "redis")).prefix("shop:"));
    assert!(said.contains("`redis` or `rediss`"), "{said}");
}

#[test]
fn a_connection_with_tls_that_ends_anywhere_loses_nothing() {
    let _beside = among_others();
    let Some((server, folder)) = sealed(&[]) else { return };
    for place in (0..6000).step_by(250) {
        let proxy = Proxy::before(server.address());
        proxy.plan(0, Plan { up: Fault::Reset(place), ..Plan::down(Fault::Cut(place)) });
        number(&server, 1);
        let watched = Watched::start(brisk(by_tls(proxy.address(), &folder)));
        for n in 2..4 {
            number(&server, n);
            watched.until("the change", is(n));
        }
        watched.end();
    }
}
