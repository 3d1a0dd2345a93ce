//! 6. Isolated: what a callback does is its own affair.

use crate::support::{QUIET, Small, alone, by_hand, drain, until, wait_for};
use hotconf::{Event, HotConf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

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

/// A leaf that says on which thread it goes, and takes its time if it is told to.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
struct Heavy(String);

static WENT: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Drop for Heavy {
    fn drop(&mut self) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        WENT.lock().expect("no panic").push(thread);
        if self.0 == "slow" {
            std::thread::sleep(Duration::from_secs(2));
        }
    }
}

#[derive(Clone, Debug, HotConf)]
struct Weighty {
    heavy: Heavy,
}

/// Wall time: a `Drop` that takes long must be seen to take long.
#[test]
fn a_value_that_goes_slowly_delays_no_other_configuration() {
    let (config, handle) = by_hand::<Weighty>("heavy = \"slow\"");
    let (other, others) = by_hand::<Small>("n = 1");
    handle.set("heavy = \"light\"");
    config.blocking_reload().expect("good");
    let begun = Instant::now();
    others.set("n = 2");
    other.blocking_reload().expect("good");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    config.blocking_shutdown(Duration::from_secs(10)).expect("in time");
    drop(config);
    let went = WENT.lock().expect("no panic");
    assert!(!went.is_empty() && went.iter().all(|thread| thread != "hotconf"), "{went:?}");
}

/// Wall time: that the report comes after five seconds, and not before, is what is tested. In a process of its
/// own, since all configurations of one share their workers.
#[test]
fn fifteen_callbacks_that_hang_delay_nobody_and_each_is_reported_after_five_seconds() {
    let name = "promises::isolated::fifteen_callbacks_that_hang_delay_nobody_and_each_is_reported_after_five_seconds";
    alone(name, fifteen_callbacks_that_hang);
}

fn fifteen_callbacks_that_hang() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let mut events = config.events();
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let (began, begins) = mpsc::channel();
    let last: Vec<_> = (0..15).map(|_| Arc::new(AtomicU64::new(0))).collect();
    for last in last.clone() {
        let (held, began) = (held.clone(), began.clone());
        config
            .on_change(Small::FIELDS.n, move |change| {
                if last.swap(*change.new(), Ordering::SeqCst) == 0 {
                    began.send(()).expect("the test waits");
                    let _ = held.lock().expect("no panic").recv();
                }
            })
            .detach();
    }
    let (told, heard) = mpsc::channel();
    let _keep = config.on_change(Small::FIELDS.other, move |c| told.send(*c.new()).expect("listening"));
    let first = Instant::now();
    for n in 2..6 {
        handle.set(format!("n = {n}\nother = {n}"));
        config.blocking_reload().expect("good");
        assert_eq!(heard.recv_timeout(Duration::from_secs(4)).expect("not delayed"), n);
    }
    for _ in 0..15 {
        begins.recv_timeout(Duration::from_secs(4)).expect("begun");
    }
    for _ in 0..15 {
        let report = wait_for(&mut events, "report of one that hangs", |e| matches!(e, Event::Warning(_)));
        assert!(report.to_string().contains("on_change n has been running for 5 s"), "{report}");
        assert!(first.elapsed() >= Duration::from_secs(5), "{:?}", first.elapsed());
    }
    // While they hang, and after: nobody is told twice, and whoever is let go hears of the last state.
    handle.set("n = 9\nother = 9");
    config.blocking_reload().expect("good");
    assert_eq!(heard.recv_timeout(Duration::from_secs(4)).expect("not delayed"), 9);
    assert!(drain(&mut events, QUIET).iter().all(|e| matches!(e, Event::Applied(_))));
    drop(release);
    until("the last state", || last.iter().all(|last| last.load(Ordering::SeqCst) == 9));
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
}

static CHECKS: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

#[derive(Clone, Debug, HotConf)]
struct Checked {
    #[hotconf(check = hangs_at_two)]
    n: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, clippy::unnecessary_wraps)] // the shape of a check
fn hangs_at_two(n: &u64) -> Result<(), String> {
    if *n == 2 {
        let held = CHECKS.lock().expect("no panic").take().expect("put there by the test");
        let _ = held.recv();
    }
    Ok(())
}

#[test]
fn a_check_that_hangs_delays_no_other_configuration() {
    let (config, handle) = by_hand::<Checked>("n = 1");
    let (release, held) = mpsc::channel();
    *CHECKS.lock().expect("no panic") = Some(held);
    handle.set("n = 2");
    until("the check runs", || CHECKS.lock().expect("no panic").is_none());
    let (other, other_handle) = by_hand::<Small>("n = 1");
    for n in 2..5 {
        other_handle.set(format!("n = {n}"));
        assert_eq!(other.blocking_reload().expect("good"), n);
    }
    assert_eq!(config.load().n, 1);
    drop(release);
    until("applied in the end", || config.load().n == 2);
}

/// A long document keeps a worker busy for a second or more, and nobody else waits for it.
#[test]
fn a_long_document_of_one_configuration_delays_no_other() {
    let (big, big_handle) = by_hand::<Small>("n = 1");
    let (other, handle) = by_hand::<Small>("n = 1");
    let before = big.status().counters;
    big_handle.set(format!("n = 2\nunknown = [{}]", "0,".repeat(900_000)));
    // The engine takes what was set in this order.
    for n in 2..5 {
        handle.set(format!("n = {n}"));
        assert_eq!(other.blocking_reload().expect("good"), n);
    }
    assert_eq!(big.status().counters.documents, before.documents, "it is still being read");
    assert_eq!(big.blocking_reload().expect("it is read in the end"), 2);
}
