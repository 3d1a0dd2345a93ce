//! What sources get of the engine: its clock, its timers, its watcher and its workers.

use super::watcher::Watcher;
use super::workers::Workers;
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
}

impl EngineServices {
    pub(crate) fn new(runtime: tokio::runtime::Handle, workers: Arc<Workers>, began: Instant) -> Self {
        Self { runtime, workers, began, watcher: Mutex::new(None) }
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
}

/// The next multiple of `every` since `began`: all sources wake on the same beat.
fn next_beat(began: Instant, now: Instant, every: Duration) -> Instant {
    let every = every.max(Duration::from_millis(1));
    let passed = now.saturating_duration_since(began).as_nanos() / every.as_nanos();
    let beats = u32::try_from(passed + 1).unwrap_or(u32::MAX);
    began.checked_add(every.saturating_mul(beats)).filter(|at| *at > now).unwrap_or_else(|| later(now, every))
}

/// The services of `read()`: no thread, no watching; whoever waits, waits in place.
pub(crate) struct OneShot {
    /// Until when a source is waited for.
    pub(crate) deadline: Instant,
}

impl Services for OneShot {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
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
        Box::pin(async move { work() })
    }

    fn next_poll(&self, every: Duration) -> Instant {
        later(self.now(), every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sources_wake_on_the_same_beat() {
        let began = Instant::now();
        let every = Duration::from_secs(2);
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(next_beat(began, at(0), every), at(2000));
        assert_eq!(next_beat(began, at(1999), every), at(2000));
        assert_eq!(next_beat(began, at(2000), every), at(4000));
        assert_eq!(next_beat(began, at(86_400_001), every), at(86_402_000));
    }
}
