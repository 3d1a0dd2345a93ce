//! 4. Told right: each subscriber hears of its field, in order, and of the last state always.

use crate::support::{QUIET, Small, by_hand};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};

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
