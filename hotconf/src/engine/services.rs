//! What sources get of the engine: its clock, its timers, its watcher and its workers.

use super::watcher::Watcher;
use super::workers::Workers;
#[cfg(feature = "remote")]
use crate::source::remote::Commons;
use crate::source::{BoxFuture, Inbox, Services, WatchFailure, Watching};
use crate::sync::{later, lock};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
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

/// The next multiple of `every` since `began`: all sources wake on the same beat.
fn next_beat(began: Instant, now: Instant, every: Duration) -> Instant {
    let every = every.max(Duration::from_millis(1));
    let passed = now.saturating_duration_since(began).as_nanos() / every.as_nanos();
    let beats = u32::try_from(passed + 1).unwrap_or(u32::MAX);
    began.checked_add(every.saturating_mul(beats)).filter(|at| *at > now).unwrap_or_else(|| later(now, every))
}

/// The services of `read()`: no thread, no watching; whoever waits, waits in place. A remote store needs
/// sockets and their timers, and has the engine for as long as it is read.
#[derive(Default)]
pub(crate) struct OneShot {
    #[cfg(feature = "remote")]
    engine: Mutex<Option<Arc<super::Engine>>>,
}

impl OneShot {
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
        // Polled by the calling thread alone, which has nothing else to do until then.
        Box::pin(async move { std::thread::sleep(at.saturating_duration_since(Instant::now())) })
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
