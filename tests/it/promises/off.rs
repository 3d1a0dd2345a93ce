//! 5. Off means off: nothing starts after a drop, and nothing is left after a shutdown.
//!
//! The counting of threads, descriptors and watches is in `lifecycle`, the ways to stop in `shutdown`.

use crate::support::{Held, QUIET, Small, by_hand, drain};
use hotconf::HotConf;
use serde::Deserialize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

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

static COMPARE: Held = Held::nobody();

#[derive(Clone, Debug, HotConf)]
struct App {
    leaf: Leaf,
}

/// A leaf whose comparison with another one a test can hold up.
#[derive(Clone, Debug, Deserialize)]
struct Leaf(u32);

impl PartialEq for Leaf {
    fn eq(&self, other: &Self) -> bool {
        if self.0 != other.0 {
            COMPARE.pass();
        }
        self.0 == other.0
    }
}

/// The narrowest place: the worker has taken the change up, and is about to call.
#[test]
fn a_subscription_that_is_dropped_right_before_a_call_is_not_called() {
    let (config, handle) = by_hand::<App>("leaf = 1");
    let (first_came, first_comes) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let subscription = config.on_change(App::FIELDS.leaf, move |change| {
        first_came.send(change.new().0).expect("the test listens");
        let _ = goes.recv();
    });
    handle.set("leaf = 2");
    config.blocking_reload().expect("good");
    assert_eq!(first_comes.recv_timeout(Duration::from_secs(5)), Ok(2));
    handle.set("leaf = 3");
    config.blocking_reload().expect("good");
    let (compares, release) = COMPARE.next();
    drop(go);
    compares.recv_timeout(Duration::from_secs(5)).expect("the next change is taken up");
    drop(subscription);
    drop(release);
    let last = first_comes.recv_timeout(Duration::from_secs(5));
    assert_eq!(last, Err(mpsc::RecvTimeoutError::Disconnected), "the closure is dropped uncalled");
}
