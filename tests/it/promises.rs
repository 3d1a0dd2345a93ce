//! The ten promises, each with a test that fails without it.

use crate::support::{Dir, Pair, applied, drain, follow, pair, rejected, replace, wait_for};
use hotconf::{Event, File, Hot, HotConf, Inline, Secret, SourceState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};

const QUIET: Duration = Duration::from_millis(250);

/// A configuration that a test sets by hand.
fn by_hand<T: HotConf>(text: &str) -> (Hot<T>, hotconf::InlineHandle) {
    let (source, handle) = Inline::channel("app.toml", hotconf::Format::Toml, text);
    (Hot::builder().source(source).blocking_start().expect("the first load"), handle)
}

#[derive(Clone, Debug, HotConf)]
struct Small {
    #[hotconf(default = 1, range = "0..=1000000")]
    n: u64,
    #[hotconf(default = 1)]
    other: u64,
}

// 1. Whole.

#[test]
fn a_reader_never_sees_two_versions_mixed() {
    let (config, handle) = by_hand::<Pair>(&pair(1));
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (config, stop) = (config.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut reader = config.reader();
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert!(config.load().is_whole());
                    let now = reader.load();
                    assert!(now.is_whole() && now.a >= last, "never backwards");
                    last = now.a;
                }
            })
        })
        .collect();
    for n in 2..300 {
        handle.set(pair(n));
        if n % 10 == 0 {
            config.blocking_reload().expect("a good document");
        }
    }
    config.blocking_reload().expect("a good document");
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().expect("no torn read");
    }
    assert_eq!(config.load().a, 299);
}

#[test]
fn two_files_renamed_one_after_the_other_come_in_one_version() {
    let dir = Dir::new();
    let (low, high) = (dir.file("low.toml", "n = 1\nother = 1"), dir.file("high.toml", "n = 1"));
    let config = Hot::<Small>::builder()
        .source(File::new(&low))
        .source(File::new(&high))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    replace(&low, "n = 1\nother = 2");
    std::thread::sleep(Duration::from_millis(5));
    replace(&high, "n = 2");
    assert_eq!(applied(&mut events).paths(), ["n", "other"]);
    assert!(drain(&mut events, QUIET).is_empty());
}

// 2. Valid.

#[test]
fn a_version_outside_of_its_range_is_never_visible() {
    let (config, handle) = by_hand::<Small>("n = 1");
    handle.set("n = 1000001");
    assert!(config.blocking_reload().expect_err("out of range").is_invalid());
    assert_eq!((config.load().n, config.version()), (1, 1));
}

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = ordered)]
struct Limits {
    low: u32,
    high: u32,
}

fn ordered(limits: &Limits) -> Result<(), String> {
    assert!(limits.low <= 900, "low is {}", limits.low);
    if limits.low <= limits.high { Ok(()) } else { Err("`low` must not be above `high`".to_owned()) }
}

#[test]
fn a_check_across_fields_refuses_and_a_check_that_panics_refuses_too() {
    let (config, handle) = by_hand::<Limits>("low = 1\nhigh = 2");
    handle.set("low = 3\nhigh = 2");
    let error = config.blocking_reload().expect_err("the check refuses");
    assert!(error.to_string().contains("`low` must not be above `high`"), "{error}");
    handle.set("low = 901\nhigh = 902");
    let error = config.blocking_reload().expect_err("the check panics");
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!((config.load().low, config.version()), (1, 1));
    handle.set("low = 2\nhigh = 2");
    assert_eq!(config.blocking_reload().expect("good again"), 2);
}

// 3. Last good stays.

#[test]
fn a_refused_edit_names_file_line_and_column_and_what_stays() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "# settings\nn = 5\nother = 1\n");
    let (config, mut events) = follow::<Small>(&path);
    replace(&path, "# settings\nn = \"many\"\nother = -1\n");
    let error = rejected(&mut events);
    let text = error.to_string();
    assert_eq!(error.problems().len(), 2, "every problem at once: {error:?}");
    assert!(text.contains("app.toml:2:5") && text.contains("app.toml:3:9"), "{text}");
    assert!(text.contains("keeping version 1"), "{text}");
    assert_eq!(config.load().n, 5);
    assert_eq!(config.status().sources[0].state, SourceState::Refused);
    replace(&path, "n = 6");
    assert_eq!(applied(&mut events).paths(), ["n"]);
    assert!(config.status().is_healthy());
}

#[test]
fn a_bad_file_that_goes_back_to_its_exact_bytes_is_healthy_and_no_change() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let (config, mut events) = follow::<Small>(&path);
    replace(&path, "n = [");
    rejected(&mut events);
    replace(&path, "n = 5");
    wait_for(&mut events, "recovery", |e| matches!(e, Event::SourceUp(_)));
    assert!(config.status().is_healthy());
    assert_eq!(config.version(), 1);
    replace(&path, "n = 6");
    assert_eq!(applied(&mut events).version(), 2);
}

#[test]
fn a_required_file_that_is_removed_or_emptied_changes_nothing_and_says_so() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let (config, mut events) = follow::<Small>(&path);
    std::fs::remove_file(&path).expect("removed");
    let down = wait_for(&mut events, "source down", |e| matches!(e, Event::SourceDown(_)));
    assert!(down.to_string().contains("app.toml"), "{down}");
    assert_eq!(config.load().n, 5);
    std::fs::write(&path, "").expect("emptied");
    let seen = drain(&mut events, Duration::from_millis(1500));
    assert!(!seen.iter().any(|e| matches!(e, Event::Applied(_))), "{seen:#?}");
    assert_eq!(config.load().n, 5);
    std::fs::write(&path, "n = 6").expect("healed");
    assert_eq!(applied(&mut events).paths(), ["n"]);
}

#[test]
fn an_optional_file_that_is_removed_is_a_change_and_one_that_appears_is_too() {
    use hotconf::SourceExt;
    let dir = Dir::new();
    let base = dir.file("base.toml", "n = 5");
    let over = dir.file("over.toml", "n = 6");
    let config = Hot::<Small>::builder()
        .source(File::new(&base))
        .source(File::new(&over).optional())
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    assert_eq!(config.load().n, 6);
    std::fs::remove_file(&over).expect("removed");
    applied(&mut events);
    assert_eq!(config.load().n, 5);
    std::fs::write(&over, "n = 7").expect("back");
    applied(&mut events);
    assert_eq!(config.load().n, 7);
}

#[test]
fn one_broken_file_does_not_block_another_source() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let (inline, handle) = Inline::channel("over", hotconf::Format::Toml, "other = 1");
    let config =
        Hot::<Small>::builder().source(File::new(&path)).source(inline).blocking_start().expect("loaded");
    let mut events = config.events();
    replace(&path, "n = \"many\"");
    rejected(&mut events);
    handle.set("other = 2");
    assert_eq!(applied(&mut events).paths(), ["other"]);
    assert_eq!(config.load().n, 5);
}

// 4. Told right.

#[test]
fn a_callback_that_keeps_up_is_called_once_per_version_that_moved_its_field() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let (told, heard) = mpsc::channel();
    let _keep = config.on_change(Small::FIELDS.n, move |change| {
        told.send((*change.old(), *change.new(), change.version())).expect("the test listens");
    });
    for n in 2..6 {
        handle.set(format!("n = {n}\nother = {n}"));
        config.blocking_reload().expect("good");
        assert_eq!(heard.recv_timeout(Duration::from_secs(5)).expect("told"), (n - 1, n, n));
    }
    handle.set("n = 5\nother = 77");
    config.blocking_reload().expect("good");
    assert!(heard.recv_timeout(QUIET).is_err(), "another field moved");
}

#[test]
fn a_slow_callback_gets_the_fold_and_the_final_state() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let calls = Arc::new(Mutex::new(Vec::new()));
    let log = calls.clone();
    let subscription = config.on_change(Small::FIELDS.n, move |change| {
        std::thread::sleep(Duration::from_millis(30));
        log.lock().expect("no panic").push((*change.old(), *change.new()));
    });
    for n in 2..60 {
        handle.set(format!("n = {}", if n % 2 == 0 { n } else { 1 }));
        config.blocking_reload().expect("good");
    }
    handle.set("n = 1000");
    config.blocking_reload().expect("good");
    let end = Instant::now() + Duration::from_secs(5);
    while calls.lock().expect("no panic").last().is_none_or(|c| c.1 != 1000) {
        assert!(Instant::now() < end, "the final state is always delivered");
        std::thread::sleep(Duration::from_millis(5));
    }
    subscription.blocking_close().expect("not in a task");
    let calls = calls.lock().expect("no panic");
    let mut last = 1;
    for (old, new) in calls.iter() {
        assert_eq!(*old, last, "old is what was delivered last");
        assert_ne!(old, new, "never equal");
        last = *new;
    }
}

#[test]
fn bind_has_no_gap_between_the_first_value_and_the_changes() {
    for _ in 0..50 {
        let (config, handle) = by_hand::<Small>("n = 1");
        let barrier = Arc::new(Barrier::new(2));
        let setter = {
            let barrier = barrier.clone();
            std::thread::spawn(move || {
                barrier.wait();
                handle.set("n = 2");
                handle
            })
        };
        let last = Arc::new(AtomicU64::new(0));
        let seen = last.clone();
        barrier.wait();
        let _keep = config.bind(Small::FIELDS.n, move |n| seen.store(*n, Ordering::SeqCst));
        let _handle = setter.join().expect("set");
        config.blocking_reload().expect("good");
        let end = Instant::now() + Duration::from_secs(5);
        while last.load(Ordering::SeqCst) != 2 {
            assert!(Instant::now() < end, "saw {} only", last.load(Ordering::SeqCst));
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_watch_gives_the_latest_value_and_ends_after_the_last() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let mut watch = config.watch(Small::FIELDS.n);
    let mut sums = config.watch_with(|c| c.n + c.other);
    assert_eq!(watch.current(), 1);
    handle.set("n = 2");
    config.blocking_reload().expect("good");
    handle.set("n = 3");
    config.blocking_reload().expect("good");
    assert_eq!(watch.blocking_next().expect("outside of async code"), Some(3), "coalesced");
    assert_eq!(sums.blocking_next().expect("outside of async code"), Some(4));
    handle.set("n = 4");
    config.blocking_reload().expect("good");
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    assert_eq!(watch.blocking_next().expect("outside of async code"), Some(4), "the last value");
    assert_eq!(watch.blocking_next().expect("outside of async code"), None);
    assert_eq!(watch.current(), 4, "stays readable");
}

// 5. Off means off.

#[test]
fn no_call_starts_after_a_subscription_was_dropped() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let calls = Arc::new(AtomicUsize::new(0));
    for n in 2..40 {
        let off = Arc::new(AtomicBool::new(false));
        let (counted, dropped) = (calls.clone(), off.clone());
        let subscription = config.on_change(Small::FIELDS.n, move |_| {
            assert!(!dropped.load(Ordering::SeqCst), "called after the drop");
            counted.fetch_add(1, Ordering::SeqCst);
        });
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
        // Waits for a call that runs; afterwards none may start.
        subscription.blocking_close().expect("not in a task");
        off.store(true, Ordering::SeqCst);
        handle.set(format!("n = {}", n + 1000));
        config.blocking_reload().expect("good");
    }
    assert!(drain(&mut config.events(), QUIET).is_empty(), "no panic was reported");
}

#[test]
fn nothing_installs_after_shutdown() {
    let (config, handle) = by_hand::<Small>("n = 1");
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    handle.set("n = 2");
    assert!(config.blocking_reload().expect_err("stopped").is_usage());
    assert_eq!((config.load().n, config.version()), (1, 1));
    assert!(config.status().stopped);
}

#[test]
fn a_callback_may_shut_its_own_configuration_down() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let (done, finished) = mpsc::channel();
    let weak = config.weak();
    let _keep = config.on_change(Small::FIELDS.n, move |_| {
        let config = weak.upgrade().expect("the test holds it");
        let result = config.blocking_shutdown(Duration::from_secs(5));
        done.send(result.is_ok()).expect("the test listens");
    });
    handle.set("n = 2");
    // The reload may be cut short by the shutdown that it causes.
    let _ = config.blocking_reload();
    assert!(finished.recv_timeout(Duration::from_secs(4)).expect("not a deadlock"));
}

// 6. Isolated.

#[test]
fn a_callback_that_hangs_delays_neither_the_next_version_nor_other_callbacks() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let _hangs = config.on_change(Small::FIELDS.n, move |_| {
        let _ = held.lock().expect("no panic").recv();
    });
    let (told, heard) = mpsc::channel();
    let _other =
        config.on_change(Small::FIELDS.n, move |change| told.send(*change.new()).expect("listening"));
    for n in 2..5 {
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
        assert_eq!(heard.recv_timeout(Duration::from_secs(2)).expect("told"), n);
    }
    drop(release);
}

#[test]
fn a_callback_that_panics_is_reported_and_stays_subscribed() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let mut events = config.events();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let _keep = config.on_change(Small::FIELDS.n, move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        panic!("a hostile callback");
    });
    for n in 2..4 {
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
        let warning = wait_for(&mut events, "report of the panic", |e| matches!(e, Event::Warning(_)));
        assert!(warning.to_string().contains("panicked"), "{warning}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_callback_may_reload_subscribe_and_drop_from_inside() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let (told, heard) = mpsc::channel();
    let weak = config.weak();
    let inner = Arc::new(Mutex::new(None));
    let _keep = config.on_change(Small::FIELDS.n, move |change| {
        let config = weak.upgrade().expect("the test holds it");
        assert_eq!(config.load().n, *change.new());
        config.blocking_reload().expect("good");
        let told = told.clone();
        let new = *change.new();
        *inner.lock().expect("no panic") = Some(config.on_change(Small::FIELDS.n, move |_| ()));
        told.send(new).expect("listening");
    });
    for n in 2..5 {
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
        assert_eq!(heard.recv_timeout(Duration::from_secs(5)).expect("no deadlock"), n);
    }
}

// 7. Bounded.

#[test]
fn a_slow_event_reader_is_told_how_much_it_lost() {
    let (source, handle) = Inline::channel("app.toml", hotconf::Format::Toml, "n = 1");
    let config =
        Hot::<Small>::builder().event_capacity(4).source(source).blocking_start().expect("the first load");
    let mut events = config.events();
    for n in 2..12 {
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
    }
    assert!(matches!(events.try_next(), Some(Event::Lagged(6))));
    let rest: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(rest.len(), 4);
}

#[test]
fn a_document_over_its_size_is_refused_and_the_next_one_is_followed() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let config = Hot::<Small>::builder()
        .max_document_bytes(1000)
        .source(File::new(&path))
        .blocking_start()
        .expect("the first load");
    let mut events = config.events();
    replace(&path, &format!("n = 6\n# {}", "x".repeat(2000)));
    let event = wait_for(&mut events, "refusal", |e| matches!(e, Event::Rejected(_) | Event::SourceDown(_)));
    assert!(event.to_string().contains("1000"), "{event}");
    replace(&path, "n = 7");
    applied(&mut events);
    assert_eq!(config.load().n, 7);
}

// 8. Secret.

#[derive(Clone, Debug, HotConf)]
struct Vault {
    password: Secret<String>,
    #[hotconf(default = "")]
    user: String,
}

const CANARY: &str = "cAnArY-7f3a";

#[test]
fn a_secret_is_found_nowhere() {
    let (source, handle) =
        Inline::channel("app.toml", hotconf::Format::Toml, format!("user = \"u\"\npassword = \"{CANARY}1\""));
    let log = Arc::new(Mutex::new(String::new()));
    let heard = log.clone();
    let config = Hot::<Vault>::builder()
        .on_event(move |event| {
            use std::fmt::Write;
            let _ = write!(heard.lock().expect("no panic"), "{event} {event:?}");
        })
        .source(source)
        .blocking_start()
        .expect("the first load");
    let mut events = config.events();
    let mut story = String::new();
    for text in [
        format!("user = \"u\"\npassword = \"{CANARY}2\""),
        format!("user = \"u\"\npassword = [\"{CANARY}3\"]"),
        format!("user = \"u\"\npassword = {{ a = \"{CANARY}4\" }}"),
        format!("user = \"u\"\npassword = \"{CANARY}5"),
        format!("user = \"u\"\npasswort = \"{CANARY}6\"\npassword = \"{CANARY}6\""),
        format!("user = 5\npassword = \"{CANARY}7\""),
        format!("user = \"u\"\npassword = \"{CANARY}8\"\npassword = \"{CANARY}8\""),
    ] {
        handle.set(text);
        if let Err(error) = config.blocking_reload() {
            story += &format!("{error} {error:?}");
        }
    }
    for event in std::iter::from_fn(|| events.try_next()) {
        story += &format!("{event} {event:?}");
    }
    story += &format!("{:?} {:?} {:?}", config, config.snapshot(), config.status());
    story += &format!("{} {:?}", config.explain(), config.explain_field(Vault::FIELDS.password));
    story += config.snapshot().fingerprint();
    story += &log.lock().expect("no panic");
    assert!(story.contains("password"), "the story is told");
    assert!(!story.contains("cAnArY"), "{story}");
    assert!(config.load().password.expose().starts_with(CANARY));
}

// 9. Never blocks readers, and 10. Portable: see `lifecycle` and the benches.

#[test]
fn a_snapshot_says_which_version_it_is_and_stays_as_it_was() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let before = config.snapshot();
    handle.set("n = 2");
    config.blocking_reload().expect("good");
    let after = config.snapshot();
    assert_eq!((before.version(), before.n), (1, 1));
    assert_eq!((after.version(), after.n), (2, 2));
    assert_ne!(before.fingerprint(), after.fingerprint());
    handle.set("n = 1");
    config.blocking_reload().expect("good");
    assert_eq!(config.snapshot().fingerprint(), before.fingerprint());
}

#[derive(Clone, Debug, HotConf)]
struct Server {
    #[hotconf(default = 80, restart)]
    port: u16,
    #[hotconf(default = 1)]
    n: u64,
}

#[test]
fn a_restart_field_keeps_its_running_value_and_is_told_once() {
    let (config, handle) = by_hand::<Server>("port = 80");
    let mut events = config.events();
    handle.set("port = 81");
    config.blocking_reload().expect("good");
    let told = drain(&mut events, QUIET);
    assert!(matches!(told.as_slice(), [Event::RestartRequired(r)] if r.paths() == ["port"]), "{told:#?}");
    assert_eq!((config.load().port, config.version()), (80, 1));
    assert_eq!(config.pending(), ["port"]);
    handle.set("port = 81\nn = 2");
    config.blocking_reload().expect("good");
    let told = drain(&mut events, QUIET);
    assert!(matches!(told.as_slice(), [Event::Applied(a)] if a.paths() == ["n"]), "{told:#?}");
    handle.set("port = 80\nn = 2");
    config.blocking_reload().expect("good");
    assert!(config.pending().is_empty());
    assert!(drain(&mut events, QUIET).is_empty());
}

#[test]
fn while_a_restart_field_waits_the_snapshot_speaks_of_the_value_that_runs() {
    let (config, handle) = by_hand::<Server>("port = 80");
    let before = config.snapshot();
    handle.set("\nport = 81");
    config.blocking_reload().expect("good");
    assert_eq!(config.load().port, 80);
    assert_eq!(config.origin(Server::FIELDS.port).to_string(), "app.toml:1:8");
    assert_eq!(config.snapshot().fingerprint(), before.fingerprint());
    assert!(config.explain().to_string().contains("81   app.toml:2:8   (waits for a restart)"));
    for n in 2..40 {
        handle.set(format!("port = {}\nn = {n}", 80 + n));
        config.blocking_reload().expect("good");
        assert_eq!((config.load().port, config.load().n), (80, n));
        assert_eq!(config.origin(Server::FIELDS.port).to_string(), "app.toml:1:8");
    }
}

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = room)]
struct Pool {
    #[hotconf(restart)]
    size: u32,
    used: u32,
}

fn room(pool: &Pool) -> Result<(), &'static str> {
    if pool.used <= pool.size { Ok(()) } else { Err("`used` must not be above `size`") }
}

#[test]
fn a_change_that_the_running_restart_fields_do_not_allow_waits_as_a_whole() {
    let (config, handle) = by_hand::<Pool>("size = 4\nused = 4");
    let mut events = config.events();
    handle.set("size = 9\nused = 9");
    config.blocking_reload().expect("what is desired is valid");
    assert_eq!((config.load().size, config.load().used, config.version()), (4, 4, 1));
    assert_eq!(config.pending(), ["size", "used"]);
    assert!(matches!(events.try_next(), Some(Event::RestartRequired(_))));
    handle.set("size = 4\nused = 3");
    config.blocking_reload().expect("good");
    let change = applied(&mut events).changes().remove(0);
    assert_eq!((change.old.as_deref(), change.new.as_deref()), (Some("4"), Some("3")));
    assert!(config.pending().is_empty());
}

#[test]
fn only_what_moved_is_decoded() {
    let (config, handle) = by_hand::<Small>("n = 1\nother = 1");
    let before = config.status().counters.decoded;
    handle.set("n = 2\nother = 1");
    config.blocking_reload().expect("good");
    assert_eq!(config.status().counters.decoded, before + 1);
}
