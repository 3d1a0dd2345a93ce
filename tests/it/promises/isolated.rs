//! 6. Isolated: what a callback does is its own affair.

use crate::support::{Small, by_hand, wait_for};
use hotconf::Event;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

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
