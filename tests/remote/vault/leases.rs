//! What is lent, and what servers say that no single one on loopback says: over a stand-in that answers as Vault's
//! documentation has it.

use super::stand_in::{Answer, Asked, StandIn};
use crate::rig::{App, PATIENCE, Watched, among_others, brisk, lock, until};
use hotconf::remote::Remote;
use hotconf::remote::vault::VaultStore;
use hotconf::{SourceState, Vault};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An engine that lends numbers, one after the other.
#[derive(Default)]
struct Engine {
    /// How many it has lent.
    lent: u64,
    /// For how many seconds.
    seconds: u64,
    renewable: bool,
    /// What renewals are answered, the last one for ever; seconds, or a status.
    renewals: Vec<Result<u64, u16>>,
    /// When each was lent.
    times: Vec<Instant>,
}

impl Engine {
    fn answer(&mut self, asked: &Asked) -> Answer {
        match asked.target.split('?').next().unwrap_or_default() {
            "database/creds/shop" => {
                self.lent += 1;
                self.times.push(Instant::now());
                let n = self.lent;
                Answer::ok(
                    &json!({"lease_id": format!("database/creds/shop/{n}"), "renewable": self.renewable,
                    "lease_duration": self.seconds, "data": {"a": n, "b": n * 7, "text": "lent"}}),
                )
            }
            "sys/leases/renew" => {
                let renewal = match self.renewals.len() {
                    0 => Ok(self.seconds),
                    1 => self.renewals[0],
                    _ => self.renewals.remove(0),
                };
                let body: Value = serde_json::from_str(&asked.body).expect("JSON");
                let known = format!("database/creds/shop/{}", self.lent);
                if body["lease_id"] != known.as_str() {
                    return Answer::errors(400, "lease not found");
                }
                match renewal {
                    Ok(seconds) => {
                        Answer::ok(&json!({"lease_id": known, "renewable": true, "lease_duration": seconds}))
                    }
                    Err(status) => Answer::errors(status, "no"),
                }
            }
            "sys/leases/lookup" | "sys/health" => Answer::ok(&json!({})),
            "auth/token/lookup-self" => Answer::ok(&json!({"data": {"ttl": 0, "renewable": false}})),
            other => panic!("{other} is not asked for"),
        }
    }
}

fn lending(engine: Engine) -> (StandIn, Arc<Mutex<Engine>>) {
    let engine = Arc::new(Mutex::new(engine));
    let answers = engine.clone();
    (StandIn::start(move |asked| lock(&answers).answer(asked)), engine)
}

fn source(server: &StandIn) -> Remote<VaultStore> {
    brisk(
        Vault::new(&server.url())
            .dynamic("database/creds/shop")
            .token("s.x")
            .every(Duration::from_millis(50)),
    )
}

fn is(n: u64) -> impl Fn(&App) -> bool {
    move |app| app.a == n && app.b == n * 7
}

#[test]
fn a_lease_is_renewed_and_no_reconnect_reload_or_resync_asks_for_another() {
    let _beside = among_others();
    let (server, engine) = lending(Engine { seconds: 2, renewable: true, ..Engine::default() });
    let watched = Watched::start(source(&server));
    for _ in 0..3 {
        let (renewed, asked) = (server.count("sys/leases/renew"), server.count("sys/health"));
        until("it is renewed", || server.count("sys/leases/renew") >= renewed + 2);
        until("the server is asked whether it lives", || server.count("sys/health") > asked);
        server.sever();
        watched.config.blocking_reload().expect("it is there");
    }
    let renewal = &server.asked("sys/leases/renew")[0];
    let body: Value = serde_json::from_str(&renewal.body).expect("JSON");
    assert_eq!((renewal.method.as_str(), renewal.header("x-vault-token")), ("PUT", "s.x"));
    assert_eq!(body, json!({"lease_id": "database/creds/shop/1", "increment": 2}));
    assert_eq!(
        (lock(&engine).lent, watched.config.version(), watched.alarms()),
        (1, 1, 0),
        "{}",
        watched.story()
    );
    watched.end();
}

#[test]
fn a_lease_whose_renewal_brings_less_is_replaced_before_it_ends() {
    let _beside = among_others();
    let renewals = vec![Ok(6), Ok(6), Ok(2)];
    let (server, engine) = lending(Engine { seconds: 6, renewable: true, renewals, ..Engine::default() });
    let watched = Watched::start(source(&server).resync(Duration::ZERO));
    until("it brings less", || server.count("sys/leases/renew") >= 3);
    let short = Instant::now();
    watched.until("another", is(2));
    let at = lock(&engine).times[1];
    assert!(at < short + Duration::from_secs(2), "while the one before was good: {:?}", at - short);
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_lease_that_cannot_be_renewed_is_replaced_before_it_ends() {
    let _beside = among_others();
    for renewable in [false, true] {
        // Or it may, and our policy does not allow it.
        let renewals = vec![Err(403)];
        let (server, engine) = lending(Engine { seconds: 3, renewable, renewals, ..Engine::default() });
        let watched = Watched::start(source(&server));
        watched.until("another", is(2));
        watched.until("a third", is(3));
        let times = lock(&engine).times.clone();
        for pair in times.windows(2) {
            let lasted = pair[1] - pair[0];
            assert!(lasted > Duration::from_secs(2), "it is used for most of its time: {lasted:?}");
        }
        assert_eq!(watched.alarms(), 0, "{}", watched.story());
        watched.end();
    }
}

#[test]
fn a_lease_that_the_server_does_not_know_any_more_is_replaced_at_once() {
    let _beside = among_others();
    let (server, engine) = lending(Engine { seconds: 3, renewable: true, ..Engine::default() });
    let watched = Watched::start(source(&server));
    lock(&engine).renewals = vec![Err(400), Ok(3)];
    watched.until("another", is(2));
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

/// A secret of KV version 2 that never moves.
fn fixed(asked: &Asked) -> Answer {
    let metadata = json!({"created_time": "x", "deletion_time": "", "destroyed": false, "version": 1});
    match &*asked.target {
        "kv/data/shop" => {
            Answer::ok(&json!({"data": {"data": {"a": 1, "b": 7, "text": "x"}, "metadata": metadata}}))
        }
        "kv/metadata/shop" => {
            Answer::ok(&json!({"data": {"current_version": 1, "versions": {"1": metadata}}}))
        }
        "auth/approle/login" => {
            Answer::ok(&json!({"auth": {"client_token": "s.y", "lease_duration": 3600, "renewable": true}}))
        }
        "auth/token/revoke-self" => Answer(204, "", String::new()),
        other => panic!("{other} is not asked for"),
    }
}

fn kv(server: &StandIn) -> Remote<VaultStore> {
    let source = Vault::new(&server.url()).secret("kv", "shop").app_role("r", "hunter2");
    brisk(source.every(Duration::from_millis(20)))
}

#[test]
fn metadata_is_polled_and_data_is_read_only_when_it_moved() {
    let _beside = among_others();
    let server = StandIn::start(fixed);
    let watched = Watched::start(kv(&server).resync(Duration::ZERO).namespace("team/a"));
    until("it is polled", || server.count("kv/metadata/shop") > 10);
    assert_eq!((server.count("kv/data/shop"), server.count("auth/approle/login")), (1, 1));
    for asked in server.asked("kv/") {
        assert_eq!((asked.header("x-vault-token"), asked.header("x-vault-namespace")), ("s.y", "team/a"));
        assert_eq!(asked.header("x-vault-request"), "true");
    }
    let login = &server.asked("auth/approle/login")[0];
    assert_eq!(login.body, r#"{"role_id":"r","secret_id":"hunter2"}"#);
    assert_eq!((login.header("x-vault-token"), login.header("x-vault-namespace")), ("", "team/a"));
    watched.end();
}

#[test]
fn what_a_server_says_of_itself_is_told_with_what_to_do_and_heals() {
    let _beside = among_others();
    for (status, said, words) in [
        (429, "too many", ["asked too often", ""]),
        (472, "x", ["disaster recovery", "primary"]),
        (473, "x", ["standby", "active server"]),
        (501, "x", ["not initialised", "operator init"]),
        (503, "Vault is sealed", ["sealed", "unseal"]),
        (500, "x", ["trouble of its own", ""]),
        (412, "required index state not present", ["412", "lags behind"]),
    ] {
        let server = StandIn::start(fixed);
        let watched = Watched::start(kv(&server).deadline(PATIENCE));
        server.says(move |_| Answer(status, "", json!({"errors": [said]}).to_string()));
        watched.until_it_is(SourceState::Stale);
        let told = || watched.remote().error.map(|error| format!("{error:?}")).unwrap_or_default();
        until(&format!("{status} is told"), || words.iter().all(|word| told().contains(word)));
        assert_eq!(watched.config.load().a, 1);
        server.says(fixed);
        watched.until_it_is(SourceState::Following);
        assert!(watched.alarms() <= 2, "{}", watched.story());
        assert_eq!(server.count("auth/approle/login"), 1, "the token outlasts it");
        watched.end();
    }
}

#[test]
fn a_standby_that_lags_behind_is_asked_again() {
    let _beside = among_others();
    let server = StandIn::start(fixed);
    let watched = Watched::start(kv(&server));
    let mut lags = 2;
    server.says(move |asked| {
        if lags > 0 {
            lags -= 1;
            return Answer::errors(412, "required index state not present");
        }
        fixed(asked)
    });
    let asked = server.count("kv/");
    until("it is asked again", || server.count("kv/") > asked + 10);
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn who_is_refused_logs_in_once_and_then_slowly_and_leaves_no_token_behind() {
    let _beside = among_others();
    let server = StandIn::start(fixed);
    let watched = Watched::start(kv(&server));
    server.says(|asked| {
        if asked.target.starts_with("kv/") { Answer::errors(403, "permission denied") } else { fixed(asked) }
    });
    watched.until_it_is(SourceState::Stale);
    let before = server.count("auth/approle/login");
    std::thread::sleep(Duration::from_millis(500));
    let logins = server.count("auth/approle/login") - before;
    // Each waits for 100 ms at least.
    assert!(logins <= 6, "{logins} logins in half a second");
    until("tokens are given back", || {
        server.count("auth/token/revoke-self") + 1 >= server.count("auth/approle/login")
    });
    until("it is told", || watched.alarms() > 0);
    assert!(watched.story().contains("permission denied"), "{}", watched.story());
    server.says(fixed);
    watched.until_it_is(SourceState::Following);
    assert!(watched.alarms() <= 2, "{}", watched.story());
    watched.end();
}

#[test]
fn a_server_that_sends_us_on_to_another_is_not_given_our_token_there() {
    let _beside = among_others();
    let other = StandIn::start(|_| Answer::errors(403, "permission denied"));
    let (there, server) = (other.url(), StandIn::start(fixed));
    let watched = Watched::start(kv(&server));
    let head: &'static str = Box::leak(format!("location: {there}/v1/kv/metadata/shop\r\n").into_boxed_str());
    server.says(move |asked| {
        if asked.target.starts_with("kv/") { Answer(307, head, String::new()) } else { fixed(asked) }
    });
    watched.until_it_is(SourceState::Stale);
    until("it is told", || watched.story().contains("to which our token is not sent"));
    assert!(other.asked("").iter().all(|asked| asked.header("x-vault-token").is_empty()));
    watched.end();
}

#[test]
fn an_answer_that_is_no_vaults_is_not_repeated() {
    let _beside = among_others();
    for body in ["<html>hunter2", "{\"data\": \"hunter2\"}", "", "[]"] {
        let server = StandIn::start(fixed);
        let watched = Watched::start(kv(&server));
        server.says(move |_| Answer(200, "", body.to_owned()));
        until("it is told", || watched.alarms() > 0 && watched.remote().error.is_some());
        let told = format!("{} {:?}", watched.story(), watched.remote());
        assert!(!told.contains("hunter2"), "{told}");
        server.says(fixed);
        watched.until_it_is(SourceState::Following);
        watched.end();
    }
}
