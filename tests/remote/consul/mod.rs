//! Consul: the suite, and what is Consul's own: tokens and policies, indexes that go back, bounded staleness.

mod agent;

use crate::proxy::{Fault, Plan, Proxy};
use crate::rig::{App, BELOW, Rig, Watched, among_others, brisk, until};
use crate::servers::consul::{Consul as Server, ROOT};
use agent::{Agent, Answer, Question};
use hotconf::remote::consul::ConsulStore;
use hotconf::remote::{Remote, Token, Transport};
use hotconf::{Consul, Hot, HotConf, SourceState};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

crate::conformance::suite!(over_consul, crate::consul::Single::start());

/// One server, asked with the token that may do all.
pub(crate) struct Single(Server);

impl Single {
    /// Nothing where no Consul is here.
    pub(crate) fn start() -> Option<Self> {
        Server::start().map(Self)
    }
}

fn below_shop(changes: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    changes.iter().map(|(key, value)| (format!("shop/{key}"), value.map(str::to_owned))).collect()
}

fn change(server: &Server, changes: &[(String, Option<String>)]) {
    let changes: Vec<_> = changes.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
    server.change(&changes);
}

impl Rig for Single {
    type Store = ConsulStore;
    const NAME: &'static str = "consul";
    /// A write takes the server ten milliseconds: this is some two hundred runs a test.
    const STEP: u64 = 17;

    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn source(&self, at: SocketAddr) -> Remote<ConsulStore> {
        Consul::new(&format!("http://{at}")).prefix("shop/").token(ROOT)
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        change(&self.0, &below_shop(changes));
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

fn number(server: &Server, n: u64) {
    change(server, &below_shop(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]));
}

fn is(n: u64) -> impl Fn(&App) -> bool {
    move |app| {
        assert_eq!(app.a * 7, app.b, "half a transaction");
        app.a == n
    }
}

fn shop(server: &Server) -> Remote<ConsulStore> {
    Consul::new(&format!("http://{}", server.address())).prefix("shop/")
}

#[derive(Clone, Debug, HotConf)]
struct Many {
    #[hotconf(default = Default::default())]
    of: std::collections::BTreeMap<String, u64>,
}

/// As many as one transaction takes.
#[test]
fn sixty_four_keys_of_one_transaction_are_one_version() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let all = |n: u64| -> Vec<_> {
        (0..64).map(|key| (format!("shop/of/key é {key}"), Some(n.to_string()))).collect()
    };
    change(&rig.0, &all(1));
    // What Consul's pages call a folder is no value.
    change(&rig.0, &[("shop/of/".to_owned(), Some(String::new()))]);
    let config =
        Hot::<Many>::builder().source(rig.source(rig.address())).blocking_start().expect("the first load");
    assert_eq!(config.load().of.len(), 64);
    for n in 2..=6 {
        change(&rig.0, &all(n));
        until("the transaction", || config.load().of["key é 0"] == n);
        assert!(config.load().of.values().all(|&value| value == n), "half a transaction");
        assert_eq!(config.version(), n);
    }
    change(&rig.0, &[("shop/of/key é 40".to_owned(), Some("9".to_owned()))]);
    until("the one key", || config.load().of["key é 40"] == 9);
    assert_eq!(config.version(), 7);
}

#[test]
fn a_key_that_is_a_whole_document_is_followed() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let write = |n: u64| {
        let text = format!("a = {n}\nb = {}\ntext = \"whole\"\n", n * 7);
        change(&rig.0, &[("app.toml".to_owned(), Some(text))]);
    };
    write(1);
    let source = Consul::new(&format!("http://{}", rig.address())).key("/app.toml").token(ROOT);
    let watched = Watched::start(brisk(source).resync(Duration::ZERO));
    assert_eq!(watched.config.load().text, "whole");
    let origin = watched.config.origin(App::FIELDS.text).to_string();
    assert!(origin.starts_with("consul app.toml @ revision "), "{origin}");
    write(2);
    watched.until("the change", is(2));
    change(&rig.0, &[("app.toml".to_owned(), Some("a = ".to_owned()))]);
    until("it is refused", || watched.alarms() == 1);
    assert!(watched.story().contains("consul app.toml @ revision "), "{}", watched.story());
    write(3);
    watched.until("it is repaired", is(3));
    watched.end();
}

#[test]
fn what_stands_beside_the_keys_wakes_nobody() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig.0, 1);
    let watched = Watched::start(rig.source(rig.address()));
    for n in 0..10 {
        change(&rig.0, &[("shopping/a".to_owned(), Some(n.to_string()))]);
        change(&rig.0, &[("shop/a".to_owned(), Some("1".to_owned()))]); // what it was
    }
    number(&rig.0, 2);
    watched.until("the change", is(2));
    assert_eq!((watched.config.version(), watched.alarms()), (2, 0), "{}", watched.story());
    watched.end();
}

#[test]
fn an_empty_prefix_is_waited_for_too() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    let watched = Watched::start(hotconf::SourceExt::optional(rig.source(rig.address())));
    assert_eq!((watched.config.load().a, &*watched.config.load().text), (0, BELOW));
    number(&rig.0, 1);
    watched.until("the first keys", is(1));
    change(&rig.0, &below_shop(&[("a", None), ("b", None)]));
    watched.until("they are gone", is(0));
    number(&rig.0, 2);
    watched.until("they are back", is(2));
    assert_eq!((watched.config.version(), watched.alarms()), (4, 0), "{}", watched.story());
    watched.end();
}

/// Writes a policy of this name; it then is what `rules` say.
fn policy(server: &Server, name: &str, rules: &str) {
    let known = server.ask("GET", "/v1/acl/policies", &json!(null));
    let id = known.as_array().and_then(|all| all.iter().find(|one| one["Name"] == name));
    let (target, question) = match id.and_then(|one| one["ID"].as_str()) {
        Some(id) => (format!("/v1/acl/policy/{id}"), json!({"ID": id, "Name": name, "Rules": rules})),
        None => ("/v1/acl/policy".to_owned(), json!({"Name": name, "Rules": rules})),
    };
    server.ask("PUT", &target, &question);
}

/// A token with these policies: how it is known to us, and to the server.
fn token(server: &Server, policies: &[&str]) -> (String, String) {
    let policies: Vec<_> = policies.iter().map(|name| json!({"Name": name})).collect();
    let made = server.ask("PUT", "/v1/acl/token", &json!({"Policies": policies}));
    let word = |name: &str| made[name].as_str().expect("a word").to_owned();
    (word("SecretID"), word("AccessorID"))
}

const READ: &str = r#"key_prefix "shop/" { policy = "read" }"#;

fn refused(source: Remote<ConsulStore>, secret: &str) -> String {
    let error = Watched::try_start(brisk(source)).err().expect("it is refused");
    let said = format!("{error:?}");
    assert!(!said.contains(secret), "{said}");
    said
}

#[test]
fn a_token_reads_what_its_policy_allows_and_is_told_what_it_does_not() {
    let _beside = among_others();
    let Some(Single(server)) = Single::start() else { return };
    number(&server, 1);
    policy(&server, "reads", READ);
    let (allowed, _) = token(&server, &["reads"]);
    let watched = Watched::start(brisk(shop(&server).token(&*allowed)));
    number(&server, 2);
    watched.until("the change", is(2));
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
    let rule = r#"`key_prefix "shop/" { policy = "read" }`"#;
    let said = refused(shop(&server), "hunter2");
    assert!(said.contains("without a token") && said.contains(".token(…)") && said.contains(rule), "{said}");
    let (powerless, _) = token(&server, &[]);
    let said = refused(shop(&server).token(&*powerless), &powerless);
    assert!(said.contains("the token may not read `shop/`") && said.contains(rule), "{said}");
    let key = || Consul::new(&format!("http://{}", server.address())).key("shop/a");
    let said = refused(key().token(&*powerless), &powerless);
    assert!(said.contains("answered 403: the token may not read `shop/a`"), "{said}");
    let unknown = "b1c5a3d0-0000-4000-8000-00000000dead";
    let said = refused(shop(&server).token(unknown), unknown);
    assert!(said.contains("does not know the token"), "{said}");
}

#[test]
fn a_token_that_is_given_its_rights_later_heals() {
    let _beside = among_others();
    let Some(Single(server)) = Single::start() else { return };
    number(&server, 1);
    policy(&server, "grows", "");
    let (secret, _) = token(&server, &["grows"]);
    let source = brisk(shop(&server).token(&*secret));
    let watched = Watched::start(hotconf::SourceExt::optional(source));
    assert_eq!(watched.config.load().a, 0);
    until("it is told", || watched.alarms() > 0);
    policy(&server, "grows", READ);
    watched.until("the first keys", is(1));
    watched.until_it_is(SourceState::Following);
    number(&server, 2);
    watched.until("the change", is(2));
    watched.end();
}

#[test]
fn keys_that_a_policy_hides_are_not_deleted() {
    let _beside = among_others();
    let Some(Single(server)) = Single::start() else { return };
    number(&server, 1);
    server.change(&[("shop/text", Some("from the store"))]);
    policy(&server, "shrinks", READ);
    let (secret, _) = token(&server, &["shrinks"]);
    let watched = Watched::start(brisk(shop(&server).token(&*secret)));
    for hidden in [r#"key_prefix "shop/" { policy = "read" } key "shop/text" { policy = "deny" }"#, ""] {
        watched.forget();
        policy(&server, "shrinks", hidden);
        watched.until_it_is(SourceState::Stale);
        let says = |error: hotconf::Error| {
            error.to_string().contains("is left out of what is listed: the token may not read")
        };
        until("it says why", || watched.remote().error.is_some_and(says));
        // Longer than it takes to be sure that keys are gone.
        std::thread::sleep(Duration::from_millis(1800));
        let app = watched.config.snapshot();
        assert_eq!((app.a, &*app.text), (1, "from the store"), "{}", watched.story());
        policy(&server, "shrinks", READ);
        watched.until_it_is(SourceState::Following);
        until("it is told", || watched.alarms() >= 2);
        assert_eq!((watched.alarms(), watched.versions()), (2, 0), "{}", watched.story());
    }
    server.change(&[("shop/text", None)]);
    watched.until("a key that is truly gone", |app| app.text == BELOW);
    watched.end();
}

#[test]
fn a_token_that_is_replaced_is_read_from_its_file_again() {
    let _beside = among_others();
    let Some(Single(server)) = Single::start() else { return };
    number(&server, 1);
    policy(&server, "reads", READ);
    let (first, accessor) = token(&server, &["reads"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, first).expect("a file");
    let watched = Watched::start(brisk(shop(&server).token(Token::file(&file))));
    let (second, _) = token(&server, &["reads"]);
    std::fs::write(&file, second).expect("a file");
    server.ask("DELETE", &format!("/v1/acl/token/{accessor}"), &json!(null));
    for n in 2..=3 {
        number(&server, n);
        watched.until("the change", is(n));
        std::thread::sleep(Duration::from_millis(1300)); // until everything was listed anew
    }
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn certificates_are_checked_and_shown() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["first", "second"] {
        crate::etcd::certify(folder.path(), name);
    }
    let file = |name: &str| folder.path().join(name);
    let [https] = crate::servers::free();
    let settings = format!(
        "ports {{ https = {} }}\nca_file = {:?}\ncert_file = {:?}\nkey_file = {:?}\n\
         verify_incoming_https = true\ntls_min_version = \"tls12\"\n",
        https.port(),
        file("first-ca.pem"),
        file("first-server.pem"),
        file("first-server.key"),
    );
    let Some(server) = Server::with(&settings) else { return };
    number(&server, 1);
    let source = |transport: Transport| {
        Consul::new(&format!("https://{https}")).prefix("shop").token(ROOT).transport(transport)
    };
    let ours = || Transport::new().ca_file(file("first-ca.pem"));
    let client = |name: &str| {
        ours().client_cert(file(&format!("{name}-client.pem")), file(&format!("{name}-client.key")))
    };
    let watched = Watched::start(brisk(source(client("first"))));
    number(&server, 2);
    watched.until("the change", is(2));
    watched.end();
    let said = each_refused([source(Transport::new()), source(ours()), source(client("second"))]);
    assert!(said[0].contains("UnknownIssuer") && said[0].contains("Transport::ca_file"), "{}", said[0]);
    assert!(said[1].contains("client certificate"), "{}", said[1]);
    assert!(said[2].contains("certificate"), "{}", said[2]);
}

/// What first loads say that do not succeed within two seconds, all at a time.
fn each_refused<const N: usize>(sources: [Remote<ConsulStore>; N]) -> [String; N] {
    let short = Duration::from_secs(2);
    let starting = sources.map(|source| {
        std::thread::spawn(move || {
            let config = Hot::<App>::builder().source(brisk(source)).startup_deadline(short);
            format!("{:?}", config.blocking_start().map(drop).expect_err("it is refused"))
        })
    });
    starting.map(|starting| starting.join().expect("it is refused"))
}

#[test]
fn an_agent_that_is_frozen_or_gone_is_left_for_another() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig.0, 1);
    let proxy = Proxy::before(rig.address());
    proxy.others(Plan::down(Fault::Mute(0)));
    let [nobody] = crate::servers::free();
    // Which one is asked first is drawn by lot.
    for n in 2..=5 {
        let source = rig.source(proxy.address());
        let source =
            source.replica(&format!("http://{nobody}")).replica(&format!("http://{}", rig.address()));
        let watched = Watched::start(brisk(source));
        number(&rig.0, n);
        watched.until("a change", is(n));
        watched.end();
    }
}

#[test]
fn what_is_asked_of_the_wrong_place_says_so() {
    let _beside = among_others();
    let Some(rig) = Single::start() else { return };
    number(&rig.0, 1);
    let source = || rig.source(rig.address());
    let other = Consul::new(&format!("http://{}/v1/status", rig.address())).prefix("shop");
    let said = each_refused([
        source().datacenter("dc9"),
        source().namespace("team"),
        source().prefix("shop//x"),
        other,
    ]);
    assert!(said[0].contains("no way to the datacentre") && said[0].contains("in dc9"), "{}", said[0]);
    assert!(said[1].contains("Consul Enterprise"), "{}", said[1]);
    assert!(said[2].contains("without empty parts"), "{}", said[2]);
    assert!(said[3].contains("is this the address of a Consul agent?"), "{}", said[3]);
}

/// What a server says of itself beside the index.
const LEADS: &str = "X-Consul-Knownleader: true\r\nX-Consul-Lastcontact: 0\r\n";

fn listed(n: u64, index: u64, more: &str) -> Answer {
    let pair = |key: &str, value: u64| {
        use crate::servers::http::base64;
        let value = base64(value.to_string().as_bytes());
        json!({"LockIndex": 0, "Key": key, "Flags": 0, "Value": value, "CreateIndex": 1, "ModifyIndex": index})
    };
    let body = json!([pair("shop/a", n), pair("shop/b", n * 7)]).to_string();
    Answer::new(200, &format!("X-Consul-Index: {index}\r\n{more}"), &body)
}

fn follow(agent: &Agent) -> Remote<ConsulStore> {
    Consul::new(&format!("http://{}", agent.address())).prefix("shop/").resync(Duration::ZERO)
}

#[test]
fn an_index_that_went_back_begins_anew_without_one() {
    let _beside = among_others();
    let agent = Agent::new(|question: &Question, _| match question.index() {
        None if question.number() == 0 => listed(1, 40, LEADS),
        None => listed(3, 12, LEADS),
        Some(40) => listed(2, 10, LEADS),
        Some(_) => Answer::Held,
    });
    let watched = Watched::start(follow(&agent));
    watched.until("what is there now", is(3));
    until("it is followed", || agent.asked().len() == 4);
    let asked: Vec<_> = agent.asked().iter().map(Question::index).collect();
    assert_eq!(asked, [None, Some(40), None, Some(12)]);
    // On the same connection, and nobody heard of it.
    assert_eq!(
        (agent.accepted(), watched.alarms(), watched.remote().retries),
        (1, 0, 0),
        "{}",
        watched.story()
    );
    watched.end();
}

#[test]
fn an_index_of_zero_is_waited_behind_as_one() {
    let _beside = among_others();
    let agent = Agent::new(|question: &Question, _| match question.index() {
        None => listed(1, 0, LEADS),
        Some(_) => Answer::Held,
    });
    let watched = Watched::start(follow(&agent).wait(Duration::from_secs(20)).datacenter("dc1"));
    until("it is followed", || agent.asked().len() == 2);
    let target = &agent.asked()[1].target;
    assert_eq!(target, "/v1/kv/shop/?recurse&dc=dc1&index=1&wait=20000ms");
    watched.end();
}

#[test]
fn an_answer_that_brings_nothing_new_is_no_change_and_is_not_asked_for_without_end() {
    let _beside = among_others();
    // Whatever is asked, it answers at once, and the index moves.
    let agent = Agent::new(|question: &Question, _| listed(1, 10 + question.number(), LEADS));
    let watched = Watched::start(follow(&agent));
    until("it is asked again", || agent.asked().len() >= 10);
    assert_eq!((watched.config.version(), watched.alarms()), (1, 0), "{}", watched.story());
    let asked = agent.asked();
    // The first lists; two may follow at once, the others at their pace.
    for pair in asked[3..].windows(2) {
        let between = pair[1].at.duration_since(pair[0].at);
        assert!(between > Duration::from_millis(60), "{between:?}");
    }
    watched.end();
}

#[test]
fn an_answer_without_an_index_is_refused() {
    let _beside = among_others();
    let agent = Agent::new(|_: &Question, _| Answer::new(200, "Content-Type: text/html\r\n", "<html>"));
    let [said] = each_refused([follow(&agent)]);
    assert!(said.contains("without `X-Consul-Index`") && said.contains("Consul agent"), "{said}");
}

#[test]
fn a_trouble_of_the_server_leaves_all_in_force_and_its_wish_is_kept() {
    let _beside = among_others();
    let agent = Agent::new(|question: &Question, _| match (question.number(), question.index()) {
        (0, _) => listed(1, 10, LEADS),
        (1..=2, _) => Answer::new(429, "Retry-After: 1\r\n", ""),
        (_, None) => listed(2, 11, LEADS),
        _ => Answer::Held,
    });
    let watched = Watched::start(brisk(follow(&agent)).resync(Duration::ZERO));
    watched.until("the change", is(2));
    let asked = agent.asked();
    for pair in asked[1..4].windows(2) {
        let between = pair[1].at.duration_since(pair[0].at);
        assert!(between > Duration::from_millis(900), "{between:?}");
    }
    watched.end();
}

#[test]
fn a_stale_answer_within_the_bound_is_taken_and_one_beyond_it_is_asked_for_again() {
    let _beside = among_others();
    let agent = Agent::new(|question: &Question, turn| match (question.is_stale(), question.index(), turn) {
        // Whoever is cut off tells of an old state.
        (true, _, 1) => listed(9, 50, "X-Consul-Knownleader: true\r\nX-Consul-Lastcontact: 5001\r\n"),
        (true, _, 2) => listed(9, 50, "X-Consul-Knownleader: false\r\nX-Consul-Lastcontact: 10\r\n"),
        // One that lags, of which the index tells.
        (true, _, 3) => listed(9, 5, LEADS),
        (true, _, 4) => listed(14, 60, "X-Consul-Knownleader: true\r\nX-Consul-Lastcontact: 4999\r\n"),
        (true, None, _) => listed(1, 20, "X-Consul-Knownleader: true\r\nX-Consul-Lastcontact: 4999\r\n"),
        (true, ..) => Answer::Held,
        (false, _, turn) => listed(10 + turn, 30 + turn, LEADS),
    });
    let of_leader = || agent.asked().iter().filter(|question| !question.is_stale()).count();
    let watched = Watched::start(follow(&agent).stale(Duration::from_secs(5)));
    watched.until("a stale answer", is(1));
    assert_eq!(of_leader(), 0);
    for turn in 1..=3 {
        agent.turn(turn);
        watched.until("what the leader says", is(10 + turn));
    }
    agent.turn(0);
    until("a question is held", || agent.asked().last().is_some_and(Question::is_stale));
    let before = of_leader();
    agent.turn(4);
    watched.until("a stale answer", is(14));
    assert_eq!((of_leader(), watched.alarms()), (before, 0), "{}", watched.story());
    watched.end();
}

#[test]
fn a_question_that_breaks_off_is_not_asked_again_of_another_history() {
    let _beside = among_others();
    // The second connection leads to a server that knows less, and would hold the question.
    let agent = Agent::new(|question: &Question, _| match (question.connection, question.index()) {
        (0, None) => listed(1, 1000, LEADS),
        (0, Some(_)) => Answer::Closed,
        (_, None) => listed(2, 10, LEADS),
        (_, Some(_)) => Answer::Held,
    });
    let watched = Watched::start(brisk(follow(&agent)).resync(Duration::ZERO));
    watched.until("the other history", is(2));
    assert_eq!(agent.asked().iter().map(Question::index).collect::<Vec<_>>()[..3], [None, Some(1000), None]);
    watched.end();
}

#[test]
fn keys_that_an_agent_says_it_hides_are_warned_of() {
    let _beside = among_others();
    let hides = format!("{LEADS}X-Consul-Results-Filtered-By-ACLs: true\r\n");
    let agent = Agent::new(move |question: &Question, _| match question.index() {
        None => listed(1, 10, &hides),
        Some(_) => Answer::Held,
    });
    let watched = Watched::start(follow(&agent));
    until("it is told", || watched.alarms() == 1);
    assert!(watched.story().contains("left out of what Consul lists"), "{}", watched.story());
    watched.end();
}
