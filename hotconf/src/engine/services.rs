//! What sources get of the engine: its clock, its timers, its watcher and its workers.

use super::watcher::Watcher;
use super::workers::Workers;
#[cfg(feature = "remote")]
use crate::source::remote::Commons;
use crate::source::{BoxFuture, Inbox, Services, WatchFailure, Watching};
use crate::sync::{later, lock};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// The services of a running engine.
pub(crate) struct EngineServices {
    runtime: tokio::runtime::Handle,
    workers: Arc<Workers>,
    began: Instant,
    /// Made by the first source that watches; gone when the engine ends.
    watcher: Mutex<Option<Arc<Watcher>>>,
    #[cfg(feature = "remote")]
    commons: Commons,
}

impl EngineServices {
    pub(crate) fn new(runtime: tokio::runtime::Handle, workers: Arc<Workers>, began: Instant) -> Self {
        Self {
            runtime,
            workers,
            began,
            watcher: Mutex::new(None),
            #[cfg(feature = "remote")]
            commons: Commons::default(),
        }
    }

    /// Gives the watcher back; its thread ends.
    pub(crate) fn close(&self) {
        let watcher = lock(&self.watcher).take();
        drop(watcher);
    }
}

impl Services for EngineServices {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        let at = at_step(self.began, self.now(), at);
        let _inside = self.runtime.enter();
        Box::pin(tokio::time::sleep_until(at.into()))
    }

    fn watch(&self, paths: &[PathBuf], inbox: &Arc<Inbox>) -> (Watching, Vec<WatchFailure>) {
        let watcher = lock(&self.watcher).get_or_insert_with(Watcher::new).clone();
        watcher.watch(paths, inbox)
    }

    fn catch_up(&self) {
        let watcher = lock(&self.watcher).clone();
        if let Some(watcher) = watcher {
            watcher.catch_up();
        }
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let (done, finished) = tokio::sync::oneshot::channel();
        self.workers.submit(Box::new(move || {
            work();
            // The source that asked may be gone.
            let _ = done.send(());
        }));
        Box::pin(async {
            // An error means that the work panicked: it is over in any case.
            let _ = finished.await;
        })
    }

    fn next_poll(&self, every: Duration) -> Instant {
        next_beat(self.began, self.now(), every)
    }

    #[cfg(feature = "remote")]
    fn commons(&self) -> Option<&Commons> {
        Some(&self.commons)
    }
}

/// The timer's wheel turns in steps of this length, counted from when its runtime was made.
///
/// A sleep that ends within a step wakes the thread twice: at the step's start, where tokio sorts out what is
/// due in it, and when it is due. One that ends at its start wakes it once. Nothing but the number of an
/// idle process's wake-ups depends on it.
const STEP: Duration = Duration::from_millis(64);

/// The next multiple of `every` since `began`, put forward to the start of the timer's step: all sources
/// wake on the same beat, and once.
fn next_beat(began: Instant, now: Instant, every: Duration) -> Instant {
    let every = every.max(Duration::from_millis(1));
    let passed = now.saturating_duration_since(began);
    let beats = u32::try_from(passed.as_nanos() / every.as_nanos()).unwrap_or(u32::MAX - 2);
    let beat = |n: u32| {
        let at = every.saturating_mul(beats + n);
        at.saturating_sub(Duration::from_nanos(if every < STEP { 0 } else { nanos_past_step(at) }))
    };
    // The very next may have been put forward to before now.
    let at = [beat(1), beat(2)].into_iter().find(|at| *at > passed).and_then(|at| began.checked_add(at));
    at.unwrap_or_else(|| later(now, every))
}

/// A long sleep ends at the start of the timer's step after it: by less than a step later, and with one
/// wake-up.
fn at_step(began: Instant, now: Instant, at: Instant) -> Instant {
    const LONG: Duration = Duration::from_secs(2);
    let past = nanos_past_step(at.saturating_duration_since(began));
    if at.saturating_duration_since(now) < LONG || past == 0 {
        return at;
    }
    later(at, STEP.saturating_sub(Duration::from_nanos(past)))
}

fn nanos_past_step(at: Duration) -> u64 {
    // Less than a step in any case.
    u64::try_from(at.as_nanos() % STEP.as_nanos()).unwrap_or(0)
}

/// The services of `read()`: no thread, no watching; whoever waits, waits in place. A remote store needs
/// sockets and their timers, and has the engine for as long as it is read.
pub(crate) struct OneShot {
    /// Until when a source is waited for.
    deadline: Instant,
    #[cfg(feature = "remote")]
    engine: Mutex<Option<Arc<super::Engine>>>,
}

impl OneShot {
    pub(crate) fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            #[cfg(feature = "remote")]
            engine: Mutex::new(None),
        }
    }

    /// Nothing of it is left when it returns.
    #[cfg(feature = "remote")]
    pub(crate) fn close(&self) {
        let engine = lock(&self.engine).take();
        if let Some(ending) = engine.and_then(super::Engine::release) {
            crate::subscribe::blocking::wait(ending.wait(), None);
        }
    }
}

impl Services for OneShot {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        #[cfg(feature = "remote")]
        if let Some(engine) = &*lock(&self.engine) {
            return engine.services.sleep_until(at);
        }
        let deadline = self.deadline;
        // Polled by the calling thread alone, which has nothing else to do until then; but it looks at the
        // deadline, so it gets a turn after each sleep, and none goes on beyond it.
        let mut slept = false;
        Box::pin(std::future::poll_fn(move |cx| {
            if slept {
                return Poll::Ready(());
            }
            std::thread::sleep(at.min(deadline).saturating_duration_since(Instant::now()));
            slept = at <= deadline;
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    fn watch(&self, _: &[PathBuf], _: &Arc<Inbox>) -> (Watching, Vec<WatchFailure>) {
        (Watching(Box::new(())), Vec::new())
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        // A name that is looked up, or a token that is made, must not hold up the deadline of a store.
        #[cfg(feature = "remote")]
        if let Some(engine) = &*lock(&self.engine) {
            return engine.services.offload(work);
        }
        Box::pin(async move { work() })
    }

    fn next_poll(&self, every: Duration) -> Instant {
        later(self.now(), every)
    }

    #[cfg(feature = "remote")]
    fn reactor(&self) -> Option<tokio::runtime::Handle> {
        let mut engine = lock(&self.engine);
        if engine.is_none() {
            // Without a thread there is no engine, and the store cannot be reached: its client says so.
            *engine = super::Engine::shared().ok();
        }
        engine.as_ref().map(|engine| engine.runtime.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(every: Duration, now_ms: u64) -> u64 {
        let began = Instant::now();
        let beat = next_beat(began, began + Duration::from_millis(now_ms), every);
        u64::try_from((beat - began).as_millis()).unwrap()
    }

    #[test]
    fn a_long_sleep_ends_where_the_timer_looks_and_a_short_one_when_it_should() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(at_step(began, at(0), at(1_999)), at(1_999));
        assert_eq!(at_step(began, at(0), at(20_000)), at(20_032));
        assert_eq!(at_step(began, at(0), at(64 * 40)), at(64 * 40));
    }

    #[test]
    fn all_sources_wake_on_the_same_beat_and_at_the_start_of_a_step_of_the_timer() {
        let every = Duration::from_secs(2);
        assert_eq!(beat(every, 0), 31 * 64);
        assert_eq!(beat(every, 1983), 31 * 64);
        // Behind the beat that was put forward, the one after it is next.
        assert_eq!([beat(every, 1984), beat(every, 1999), beat(every, 2000)], [62 * 64; 3]);
        assert_eq!(beat(every, 86_400_001), 86_402_000 / 64 * 64);
    }

    #[test]
    fn beats_come_as_often_as_was_asked_for() {
        for every in [1, 20, 63, 64, 65, 100, 2000, 3600] {
            let (mut now, mut beats) = (0, 0);
            while now < 72_000 {
                let next = beat(Duration::from_millis(every), now);
                assert!(next > now && next <= now + every + 63, "{every} at {now}: {next}");
                (now, beats) = (next, beats + 1);
            }
            assert!((72_000 / every).abs_diff(beats) <= 1, "{every}: {beats}");
        }
    }

    #[test]
    fn a_beat_that_no_clock_reaches_is_later_than_now() {
        let now = Instant::now();
        assert!(next_beat(now, now, Duration::MAX) > now);
    }
}
