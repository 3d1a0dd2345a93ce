//! The life of a configuration with a remote store: starts, reloads, shutdowns, and a bad week in a few seconds.

use crate::lines::Server;
use crate::proxy::{Fault, Plan, Proxy};
use crate::rig::{App, PATIENCE, Rig, Watched, alone, among_others, brisk, lock, until};
use crate::stub::{Stub, down, listing};
use hotconf::remote::{Entry, Identity, Remote, Session, Step, Store};
use hotconf::{Context, Cursor, Event, Hot, Inline, SourceError, SourceExt, SourceState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MILLI: Duration = Duration::from_millis(1);

fn server() -> Server {
    let server = Server::start();
    server.change(&[("a", Some("1")), ("b", Some("7"))]);
    server
}

fn below() -> Inline {
    Inline::toml("below", "text = \"\"")
}

#[test]
fn a_shutdown_while_it_connects_or_lists_is_prompt_and_closes_the_connection() {
    let _beside = among_others();
    let server = server();
    for plan in [Plan::down(Fault::Mute(0)), Plan::down(Fault::Mute(9)), Plan::up(Fault::Mute(0))] {
        let proxy = Proxy::before(server.address());
        proxy.others(plan);
        let config = Hot::<App>::builder()
            .source(below())
            .source(server.source(proxy.address()).optional())
            .blocking_start()
            .expect("it may be absent");
        assert_eq!(proxy.open(), 1, "it waits for the listing");
        let begun = Instant::now();
        config.blocking_shutdown(PATIENCE).expect("calm");
        assert!(begun.elapsed() < Duration::from_secs(1), "took {:?}", begun.elapsed());
        until("the connection is closed", || proxy.open() == 0);
    }
}

#[test]
fn a_start_that_is_given_up_leaves_no_connection() {
    let _beside = among_others();
    let server = server();
    let proxy = Proxy::before(server.address());
    proxy.others(Plan::down(Fault::Mute(0)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    for after in [0, 1, 5, 50] {
        let start = Hot::<App>::builder().source(server.source(proxy.address())).start();
        let given_up = runtime.block_on(async { tokio::time::timeout(after * MILLI, start).await.is_err() });
        assert!(given_up);
        until("the connection is closed", || proxy.open() == 0);
    }
}

#[test]
fn a_required_store_may_come_late_and_one_that_does_not_is_named_with_the_reason() {
    let _beside = among_others();
    let server = server();
    server.kill();
    let source = brisk(server.source(server.address()));
    let begun = Instant::now();
    let deadline = 300 * MILLI;
    let failed =
        Hot::<App>::builder().source(below()).source(source).startup_deadline(deadline).blocking_start();
    let said = failed.expect_err("nobody is there").to_string();
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(said.contains("refused") && said.contains(&format!("lines {}", server.address())), "{said}");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(300 * MILLI);
            server.restart();
        });
        let watched = Watched::start(brisk(server.source(server.address())));
        assert_eq!(watched.config.load().a, 1);
        watched.end();
    });
}

#[test]
fn an_optional_store_applies_when_it_comes() {
    let _beside = among_others();
    let server = server();
    server.kill();
    let begun = Instant::now();
    let watched = Watched::start(brisk(server.source(server.address())).optional());
    assert_eq!(watched.remote().state, SourceState::Down, "at once");
    assert!(begun.elapsed() < Duration::from_secs(3), "took {:?}", begun.elapsed());
    assert_eq!(watched.config.load().a, 0);
    server.restart();
    watched.until("it applies", |app| app.a == 1);
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn one_look_needs_no_engine_afterwards() {
    let _alone = alone();
    let server = server();
    let proxy = Proxy::before(server.address());
    proxy.plan(0, Plan::refuse());
    let loaded = Hot::<App>::builder().source(below()).source(brisk(server.source(proxy.address()))).read();
    assert_eq!(loaded.expect("loaded").a, 1);
    until("the connection is closed", || proxy.open() == 0);
}

#[test]
fn a_reload_asks_the_store_and_many_at_once_ask_it_once_or_twice() {
    let _beside = among_others();
    let lists = Arc::new(AtomicUsize::new(0));
    let counted = lists.clone();
    let store = Stub::<false>::new(move |follows| {
        if follows {
            return None;
        }
        let order = counted.fetch_add(1, Ordering::SeqCst) as u64 + 1;
        listing(order, &[("a", &order.to_string())])
    });
    let watched = Watched::start(store.source());
    assert_eq!(watched.config.blocking_reload().expect("well"), 2);
    assert_eq!(watched.config.load().a, 2, "what the store said after the reload was asked for");
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| watched.config.blocking_reload().expect("well"));
        }
    });
    assert!(lists.load(Ordering::SeqCst) <= 2 + 16, "{lists:?}");
    store.says(|_| Some(Err(down())));
    store.connects(|| Err(down()));
    let begun = Instant::now();
    let said = watched.config.blocking_reload().expect_err("it is down").to_string();
    assert!(said.contains("refused") && begun.elapsed() < Duration::from_secs(5), "{said}");
    watched.end();
}

#[test]
fn a_history_that_goes_back_on_a_living_connection_is_believed() {
    let _beside = among_others();
    let server = server();
    let watched = Watched::start(brisk(server.source(server.address())).resync(Duration::ZERO));
    server.keep();
    for n in 2..=5 {
        server.put("a", &n.to_string());
    }
    watched.until("the newest", |app| app.a == 5);
    server.restore();
    watched.until("what was restored", |app| app.a == 1);
    server.put("a", "6");
    watched.until("a change of the new history", |app| app.a == 6);
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_refused_value_is_told_once_through_outages_and_full_listings_and_its_repair_applies() {
    let _beside = among_others();
    let server = server();
    let proxy = Proxy::before(server.address());
    let watched = Watched::start(brisk(server.source(proxy.address())).resync(50 * MILLI));
    server.put("a", "many");
    watched.until_it_is(SourceState::Refused);
    std::thread::sleep(500 * MILLI);
    for _ in 0..3 {
        proxy.sever();
        std::thread::sleep(100 * MILLI);
    }
    assert_eq!(watched.alarms(), 1, "{}", watched.story());
    server.put("a", "2");
    watched.until("the repair", |app| app.a == 2);
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn a_connection_that_is_lost_and_had_back_at_once_is_no_news_however_often() {
    let _beside = among_others();
    let server = server();
    let proxy = Proxy::before(server.address());
    let watched = Watched::start(brisk(server.source(proxy.address())));
    for n in 2..=40_u64 {
        server.change(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]);
        proxy.sever();
        watched.until("the change", |app| app.a == n && app.b == n * 7);
        until("it is had back", || proxy.accepted() as u64 == n && watched.remote().retries == n - 1);
        watched.until_it_is(SourceState::Following);
    }
    assert_eq!(watched.alarms(), 0, "every attempt worked: {}", watched.story());
    watched.end();
}

#[test]
fn a_way_that_is_cut_all_the_time_loses_nothing_and_tells_no_more_than_twice_a_loss() {
    let _beside = among_others();
    let server = server();
    let proxy = Proxy::before(server.address());
    let watched = Watched::start(brisk(server.source(proxy.address())));
    for n in 2..=100_u64 {
        server.change(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]);
        proxy.sever();
        std::thread::sleep(10 * MILLI);
    }
    watched.until("the last", |app| app.a == 100 && app.b == 700);
    watched.until_it_is(SourceState::Following);
    let lost = watched.remote().retries;
    assert!(watched.alarms() as u64 <= lost, "{lost} losses: {}", watched.story());
    watched.end();
}

#[test]
fn a_source_that_is_cancelled_closes_its_connection_and_the_rest_goes_on() {
    let _beside = among_others();
    let server = server();
    let proxy = Proxy::before(server.address());
    let token = tokio_util::sync::CancellationToken::new();
    let source = brisk(server.source(proxy.address())).cancelled_by(&token);
    let watched = Watched::start(source);
    let other = Watched::start(brisk(server.source(proxy.address())));
    assert_eq!(proxy.accepted(), 1);
    token.cancel();
    watched.until_it_is(SourceState::Stopped);
    server.put("a", "2");
    other.until("whoever shared it goes on", |app| app.a == 2);
    assert_eq!((watched.config.load().a, proxy.accepted()), (1, 1));
    other.end();
    until("the connection is closed", || proxy.open() == 0);
    watched.end();
}

#[test]
fn credentials_that_are_refused_and_then_granted_heal_by_themselves() {
    let _beside = among_others();
    let store = Stub::<false>::new(|follows| if follows { None } else { listing(1, &[("a", "1")]) });
    let watched = Watched::start(brisk(store.source()));
    store.connects(|| Err(SourceError::denied("token expired")));
    store.says(|_| Some(Err(SourceError::denied("token expired"))));
    let status = watched.until_it_is(SourceState::Stale);
    assert!(status.last_failure.is_some_and(|why| why.contains("token expired")));
    let before = store.connected();
    std::thread::sleep(Duration::from_secs(1));
    let connects = store.connected() - before;
    assert!((4..=11).contains(&connects), "{connects} in a second, with 100 to 200 ms between them");
    store.connects(|| Ok(()));
    store.says(|follows| if follows { None } else { listing(2, &[("a", "2")]) });
    watched.until("it heals", |app| app.a == 2);
    until("both are told", || watched.alarms() == 2);
    watched.end();
}

/// A store that warns whenever it is connected to, and that others share.
#[derive(Clone)]
struct Warning {
    connected: Arc<AtomicUsize>,
    ends: Arc<tokio::sync::Notify>,
}

impl Store for Warning {
    type Session = Self;

    fn describe(&self) -> String {
        "warning".into()
    }

    fn identity(&self) -> Identity {
        Identity::of([format!("{:p}", Arc::as_ptr(&self.connected))])
    }

    async fn connect(&self, cx: &Context, _: u32) -> Result<Self, SourceError> {
        cx.warn(format!("connected {} times", self.connected.fetch_add(1, Ordering::SeqCst) + 1));
        Ok(self.clone())
    }
}

impl Session for Warning {
    async fn next(&mut self, _: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        if after.is_none() {
            let all = [("a".into(), Entry::new(*b"1", 1))].into();
            return Ok(Step::Listing { all, cursor: Cursor::default() });
        }
        self.ends.notified().await;
        Err(down())
    }
}

#[test]
fn a_warning_of_a_shared_store_is_told_to_all_who_follow_it() {
    let _beside = among_others();
    let store = Warning { connected: Arc::default(), ends: Arc::default() };
    let start = || {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let hears = told.clone();
        let config = Hot::<App>::builder()
            .source(below())
            .source(brisk(Remote::of(store.clone()).keys("")))
            .on_event(move |event| {
                if let Event::Warning(warning) = event {
                    lock(&hears).push(warning.message().to_owned());
                }
            })
            .blocking_start()
            .expect("the first load");
        (config, told)
    };
    let ((first, of_first), (second, of_second)) = (start(), start());
    until("the first is told", || lock(&of_first).contains(&"connected 1 times".to_owned()));
    until("the second too", || lock(&of_second).contains(&"connected 1 times".to_owned()));
    first.blocking_shutdown(PATIENCE).expect("calm");
    store.ends.notify_one();
    until("who is left is told", || lock(&of_second).contains(&"connected 2 times".to_owned()));
    assert_eq!(lock(&of_second).len(), 2, "each once");
    second.blocking_shutdown(PATIENCE).expect("calm");
}

#[test]
fn a_store_whose_code_panics_ends_its_own_source_and_nothing_else() {
    let _beside = among_others();
    let store = Stub::<false>::new(|follows| if follows { None } else { listing(1, &[("a", "1")]) });
    let watched = Watched::start(brisk(store.source()));
    let server = server();
    let other = Watched::start(brisk(server.source(server.address())));
    store.says(|_| panic!("on purpose"));
    watched.until_it_is(SourceState::Down);
    assert!(watched.story().contains("panicked"), "{}", watched.story());
    server.put("a", "2");
    other.until("others go on", |app| app.a == 2);
    other.end();
    assert_eq!(watched.config.load().a, 1);
    watched.config.blocking_shutdown(PATIENCE).expect("calm");
}

/// A sequence that is the same for the same seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        // SplitMix64, from the paper of Steele, Lea and Flood.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

#[test]
fn whatever_happens_in_whatever_order_the_end_is_what_the_store_says() {
    let _beside = among_others();
    for seed in 0..6 {
        let (server, mut dice) = (server(), Dice(seed));
        let proxy = Proxy::before(server.address());
        let watched: Vec<_> = (0..3).map(|_| Watched::start(brisk(server.source(proxy.address())))).collect();
        let (mut n, mut runs) = (1_u64, true);
        for _ in 0..120 {
            match dice.throw(12) {
                0 if runs => {
                    server.kill();
                    runs = false;
                }
                1 | 2 if !runs => {
                    if dice.throw(3) == 0 {
                        server.restore();
                    }
                    server.restart();
                    runs = true;
                }
                3 => server.freeze(),
                4 | 5 => server.thaw(),
                6 => proxy.sever(),
                7 => {
                    let place = dice.throw(80);
                    let faults = [Fault::Cut(place), Fault::Reset(place), Fault::Mute(place), Fault::None];
                    let fault = faults[usize::try_from(dice.throw(4)).expect("small")].clone();
                    proxy.others(if dice.throw(2) == 0 { Plan::up(fault) } else { Plan::down(fault) });
                }
                8 => server.keep(),
                _ => {
                    n += 1;
                    let (a, b) = (n.to_string(), (n * 7).to_string());
                    let text = (dice.throw(3) != 0).then_some("here");
                    server.change(&[("a", Some(&a)), ("b", Some(&b)), ("text", text)]);
                }
            }
            for config in &watched {
                let app = config.config.load();
                assert_eq!(app.a * 7, app.b, "half a transaction, seed {seed}");
            }
            std::thread::sleep(Duration::from_millis(dice.throw(12)));
        }
        if !runs {
            server.restart();
        }
        server.thaw();
        proxy.others(Plan::default());
        n += 1;
        server.change(&[
            ("a", Some(&n.to_string())),
            ("b", Some(&(n * 7).to_string())),
            ("text", Some("end")),
        ]);
        for config in watched {
            config.until(&format!("the end, seed {seed}"), |app| app.a == n && app.text == "end");
            config.until_it_is(SourceState::Following);
            config.end();
        }
        until("the connection is closed", || proxy.open() == 0);
    }
}

#[test]
fn an_optional_prefix_that_is_emptied_and_filled_again_is_changes_and_no_alarms() {
    let _beside = among_others();
    let server = server();
    let watched = Watched::start(brisk(server.source(server.address())).optional());
    for n in 2..=5 {
        server.change(&[("a", None), ("b", None)]);
        watched.until("emptied", |app| app.a == 0);
        server.put("a", &n.to_string());
        watched.until("filled", |app| app.a == n);
    }
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn an_optional_prefix_that_is_empty_from_the_start_on_is_changes_and_no_alarms() {
    let _beside = among_others();
    let server = Server::start();
    let watched = Watched::start(brisk(server.source(server.address())).optional());
    watched.until_it_is(SourceState::Following);
    server.put("a", "2");
    watched.until("filled", |app| app.a == 2);
    server.delete("a");
    watched.until("emptied", |app| app.a == 0);
    server.kill();
    watched.until_it_is(SourceState::Stale);
    server.restart();
    watched.until_it_is(SourceState::Following);
    server.put("a", "3");
    watched.until("filled", |app| app.a == 3);
    until("both are told", || watched.alarms() == 2);
    let story = watched.story();
    assert!(story.find("down").unwrap_or(usize::MAX) < story.rfind("up").unwrap_or(0), "{story}");
    watched.end();
}
