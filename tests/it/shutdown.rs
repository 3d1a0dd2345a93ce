//! Stopping: by whom, from where, and with whatever still hangs.

use crate::support::{Small, by_hand, until};
use hotconf::{Env, Event, Format, Hot, HotConf, Inline, SourceExt, SourceState, WeakHot};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(60);

/// A callback of `n` that runs until the sender is dropped, once it runs.
fn hang(config: &Hot<Small>, handle: &hotconf::InlineHandle, n: u64) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (began, begins) = mpsc::channel();
    config
        .on_change(Small::FIELDS.n, move |_| {
            began.send(()).expect("the test waits");
            let _ = held.recv();
        })
        .detach();
    handle.set(format!("n = {n}"));
    begins.recv_timeout(LONG).expect("it is called");
    release
}

#[test]
fn any_number_of_callers_may_shut_down_at_the_same_time() {
    let (config, _handle) = by_hand::<Small>("n = 1");
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let config = config.clone();
            std::thread::spawn(move || config.blocking_shutdown(LONG))
        })
        .collect();
    for caller in callers {
        caller.join().expect("no panic").expect("calm");
    }
    config.blocking_shutdown(Duration::ZERO).expect("there is nothing left to wait for");
}

#[test]
fn a_callback_that_hangs_is_named_to_every_caller_in_its_own_grace() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let release = hang(&config, &handle, 2);
    let begun = Instant::now();
    for _ in 0..2 {
        let error = config.blocking_shutdown(SHORT).expect_err("it hangs").to_string();
        assert!(error.contains("`on_change n` still runs"), "{error}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let error = runtime.block_on(config.shutdown(SHORT)).expect_err("it hangs").to_string();
    assert!(error.contains("`on_change n` still runs"), "{error}");
    assert!(begun.elapsed() < LONG / 2);
    drop(release);
    config.blocking_shutdown(LONG).expect("it has ended");
}

static CHECK: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

#[derive(Clone, Debug, HotConf)]
struct Checked {
    #[hotconf(check = slow)]
    n: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the shape of a check
#[allow(clippy::unnecessary_wraps)] // a check is of this shape
fn slow(n: &u64) -> Result<(), String> {
    if *n == 2 {
        let held = CHECK.lock().expect("no panic").take().expect("put there by the test");
        let _ = held.recv();
    }
    Ok(())
}

#[test]
fn a_check_that_hangs_is_abandoned_and_named_and_nothing_installs() {
    let (config, handle) = by_hand::<Checked>("n = 1");
    let (release, held) = mpsc::channel();
    *CHECK.lock().expect("no panic") = Some(held);
    handle.set("n = 2");
    until("the check runs", || CHECK.lock().expect("no panic").is_none());
    let error = config.blocking_shutdown(SHORT).expect_err("it hangs").to_string();
    assert!(error.contains("`loading the new configuration` still runs"), "{error}");
    drop(release);
    config.blocking_shutdown(LONG).expect("it has ended");
    assert_eq!((config.load().n, config.version()), (1, 1));
}

#[test]
fn a_listener_may_shut_down_and_shutdown_lets_it_hear_what_was_told_before() {
    let weak: Arc<OnceLock<WeakHot<Small>>> = Arc::default();
    let (told, heard) = mpsc::channel();
    let (inside, told) = (weak.clone(), Mutex::new(told));
    let (source, handle) = Inline::channel("app.toml", Format::Toml, "n = 1\nodd = 1");
    let config = Hot::<Small>::builder()
        .source(source)
        .on_event(move |event| {
            let result = if let Event::Applied(_) = event {
                let config = inside.get().and_then(WeakHot::upgrade).expect("the test holds it");
                config.blocking_shutdown(LONG).map_err(|e| e.to_string())
            } else {
                std::thread::sleep(SHORT);
                Ok(())
            };
            told.lock().expect("no panic").send((event.to_string(), result)).expect("the test listens");
        })
        .blocking_start()
        .expect("loaded");
    assert!(weak.set(config.weak()).is_ok());
    handle.set("n = 2\nodd = 1");
    let (first, _) = heard.recv_timeout(LONG).expect("the first load's warning");
    assert!(first.contains("odd"), "{first}");
    let (second, result) = heard.recv_timeout(LONG).expect("not a deadlock");
    assert!(second.contains("version 2"), "{second}");
    result.expect("calm but for the listener itself");

    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let config = Hot::<Small>::builder()
        .source(Inline::toml("app.toml", "odd = 1"))
        .on_event(move |_| {
            std::thread::sleep(SHORT);
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .blocking_start()
        .expect("loaded");
    config.blocking_shutdown(LONG).expect("calm");
    assert_eq!(count.load(Ordering::SeqCst), 1, "the warning of the first load is not lost");
}

#[test]
fn a_view_made_after_the_end_has_ended_too() {
    #[derive(Clone, Debug, HotConf)]
    struct Outer {
        #[hotconf(nested)]
        small: Small,
    }
    let (config, _handle) = by_hand::<Outer>("small.n = 3");
    let view = config.view(Outer::FIELDS.small);
    let (mut early, keep) = (view.watch(Small::FIELDS.n), view.on_change(Small::FIELDS.n, |_| ()));
    config.blocking_shutdown(LONG).expect("calm");
    assert!(keep.is_closed());
    assert_eq!(early.blocking_next().expect("a plain thread"), None);
    let late = config.view(Outer::FIELDS.small);
    assert_eq!(late.load().n, 3);
    assert_eq!(late.watch(Small::FIELDS.n).blocking_next().expect("a plain thread"), None);
    assert!(late.on_change(Small::FIELDS.n, |_| ()).is_closed());
    assert_eq!(config.watch(Outer::FIELDS.small.n).blocking_next().expect("a plain thread"), None);
    assert!(config.events().blocking_next().expect("a plain thread").is_none());
}

#[test]
fn durations_that_no_clock_reaches_are_taken_as_for_ever() {
    let config = Hot::<Small>::builder()
        .poll(Duration::MAX)
        .startup_deadline(Duration::MAX)
        .source(Inline::toml("app.toml", "n = 2"))
        .blocking_start()
        .expect("loaded");
    let mut watch = config.watch(Small::FIELDS.n);
    let other = config.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(SHORT);
        other.blocking_shutdown(Duration::MAX)
    });
    assert_eq!(watch.blocking_next_timeout(Duration::MAX).expect("a plain thread"), None);
    stopper.join().expect("no panic").expect("calm");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(config.shutdown(Duration::MAX)).expect("calm");
}

#[test]
fn the_last_handle_may_go_inside_a_callback_or_inside_a_task() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let slot = Arc::new(Mutex::new(None));
    let (done, finished) = mpsc::channel();
    let inner = slot.clone();
    config
        .on_change(Small::FIELDS.n, move |_| {
            drop(inner.lock().expect("no panic").take());
            done.send(()).expect("the test listens");
        })
        .detach();
    *slot.lock().expect("no panic") = Some(config);
    handle.set("n = 2");
    finished.recv_timeout(LONG).expect("not a deadlock");

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let config =
            Hot::<Small>::builder().source(Inline::toml("a", "n = 1")).start().await.expect("loaded");
        tokio::spawn(async move { drop(config) }).await.expect("no panic");
    });
}

#[test]
fn configurations_come_and_go_on_many_threads() {
    let threads: Vec<_> = (0..6)
        .map(|t| {
            std::thread::spawn(move || {
                for n in 0..20 {
                    let (config, handle) = by_hand::<Small>("n = 1");
                    handle.set("n = 2");
                    assert_eq!(config.blocking_reload().expect("good"), 2);
                    if (t + n) % 2 == 0 {
                        config.blocking_shutdown(LONG).expect("calm");
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no deadlock, no panic");
    }
}

#[test]
fn cancelling_one_source_stops_exactly_that_one() {
    let token = CancellationToken::new();
    let (first, low) = Inline::channel("low.toml", Format::Toml, "n = 2");
    let (second, high) = Inline::channel("high.toml", Format::Toml, "other = 2");
    let config = Hot::<Small>::builder()
        .source(first.cancelled_by(&token))
        .source(second)
        .source(Env::prefixed("HOTCONF_TEST_NONE").cancelled_by(&token))
        .blocking_start()
        .expect("loaded");
    low.set("n = 3");
    until("followed", || config.load().n == 3);
    let state = |n: usize| config.status().sources[n].state;
    assert_eq!((state(0), state(2)), (SourceState::Following, SourceState::Fixed));
    config.blocking_reload().expect("all answer");
    assert_eq!((state(0), state(2)), (SourceState::Following, SourceState::Fixed));
    token.cancel();
    until("stopped", || state(0) == SourceState::Stopped && state(2) == SourceState::Stopped);
    low.set("n = 4");
    high.set("other = 5");
    until("the other goes on", || config.load().other == 5);
    config.blocking_reload().expect("the others answer");
    assert_eq!((config.load().n, state(1)), (3, SourceState::Following));

    let error = Hot::<Small>::builder()
        .source(Inline::toml("late.toml", "n = 1").cancelled_by(&token))
        .blocking_start()
        .expect_err("cancelled before it began");
    assert!(error.to_string().contains("late.toml"), "{error}");
    assert!(error.to_string().contains("cancelled"), "{error}");
    let read = Hot::<Small>::builder().source(Inline::toml("late.toml", "n = 1").cancelled_by(&token)).read();
    assert!(read.expect_err("cancelled").to_string().contains("cancelled"));
}

#[test]
fn what_is_set_after_the_cancelling_is_never_applied() {
    for _ in 0..50 {
        let token = CancellationToken::new();
        let (source, handle) = Inline::channel("app.toml", Format::Toml, "n = 2");
        let config =
            Hot::<Small>::builder().source(source.cancelled_by(&token)).blocking_start().expect("loaded");
        token.cancel();
        handle.set("n = 3");
        config.blocking_reload().expect("nothing is asked");
        assert_eq!((config.load().n, config.version()), (2, 1));
    }
}

#[test]
fn what_a_cancelled_source_had_set_aside_never_comes_in() {
    let token = CancellationToken::new();
    let (first, low) = Inline::channel("low.toml", Format::Toml, "n = 2");
    let (second, high) = Inline::channel("high.toml", Format::Toml, "n = 5");
    let config = Hot::<Small>::builder()
        .source(first.cancelled_by(&token))
        .source(second)
        .blocking_start()
        .expect("loaded");
    low.set("other = 7\nn = 3\nlate = ");
    config.blocking_reload().expect_err("no document");
    low.set("other = 7");
    high.set("n = -1");
    config.blocking_reload().expect_err("out of range");
    assert!(config.status().rejected.is_some());
    token.cancel();
    until("stopped", || config.status().sources[0].state == SourceState::Stopped);
    high.set("n = 6");
    until("the other goes on", || config.load().n == 6);
    assert_eq!(config.load().other, 1, "the layer of the cancelled one is as it was");
    assert!(config.status().rejected.is_none());
}

/// Shuts the last configuration of the process down inside of one of its callbacks.
#[test]
fn a_callback_may_shut_the_last_configuration_down() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let (done, finished) = mpsc::channel();
    let inner = config.clone();
    config
        .on_change(Small::FIELDS.n, move |_| {
            let begun = Instant::now();
            done.send((inner.blocking_shutdown(LONG), begun.elapsed())).expect("the test listens");
        })
        .detach();
    handle.set("n = 2");
    let (ended, _took) = finished.recv_timeout(LONG).expect("not a deadlock");
    ended.expect("all but that callback has ended");
}
