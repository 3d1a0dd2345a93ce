//! Time, threads, watching, workers, shutdown: executes effects, decides nothing.
//!
//! One thread, `hotconf`, serves all configurations of the process. It runs a current-thread runtime
//! that nobody else sees: a task per source that pulls it ([`pull`]), a task per configuration that
//! drives it ([`driver`]): it tells control what happens, has candidates judged ([`judge`]) in the right
//! place ([`loading`]), and does what control says ([`install`]). Files that settings name are followed by one
//! task more ([`named`]). [`launch`] brings all that to life and sees
//! it end, [`first`] is the first load, [`once`] a load without any of it. Code of the user runs on
//! [`workers`]; file events come from [`watcher`]. The thread begins with the first configuration and ends
//! with the last.

mod alarm;
mod bench;
mod clock;
mod driver;
mod first;
mod held;
mod install;
mod judge;
mod launch;
mod loading;
mod named;
mod once;
mod plan;
mod pull;
mod reloads;
mod remote;
mod services;
mod teller;
mod told;
pub(crate) mod watcher;
pub(crate) mod workers;

pub(crate) use bench::{Bench, Telling};
pub(crate) use launch::{Setup, Started, launch};
pub(crate) use once::read_once;
pub(crate) use remote::Remote;
pub(crate) use services::{EngineServices, OneShot};

use crate::error::Error;
use crate::sync::lock;
use std::future::Future;
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use workers::Workers;

/// What all configurations of the process share.
pub(crate) struct Engine {
    runtime: tokio::runtime::Handle,
    pub(crate) services: Arc<EngineServices>,
    pub(crate) workers: Arc<Workers>,
    stop: CancellationToken,
    ended: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The process that the thread is in: a child of `fork` has the memory of its parent and no thread.
    process: u32,
}

static CURRENT: Mutex<Weak<Engine>> = Mutex::new(Weak::new());

impl Engine {
    /// The process's engine; begins it where none runs.
    pub(crate) fn shared() -> Result<Arc<Self>, Error> {
        let mut current = lock(&CURRENT);
        let engine = current.upgrade();
        if let Some(engine) = engine.filter(|engine| engine.process == std::process::id()) {
            return Ok(engine);
        }
        let engine = Arc::new(Self::begin()?);
        *current = Arc::downgrade(&engine);
        Ok(engine)
    }

    fn begin() -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::usage(format!("the engine's thread could not begin: {e}"));
        // Before the runtime is made, whose timer counts from then on: see `next_beat`.
        let began = Instant::now();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // Sockets cost descriptors: only where a source may have some.
        let runtime = if cfg!(feature = "remote") { runtime.enable_all() } else { runtime.enable_time() };
        let runtime = runtime.build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let workers = Workers::new();
        let services = Arc::new(EngineServices::new(handle.clone(), workers.clone(), began));
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let thread = {
            let (stop, ended, workers) = (stop.clone(), ended.clone(), workers.clone());
            std::thread::Builder::new()
                .name("hotconf".to_owned())
                .spawn(move || {
                    // Said on every way out of this thread, a panic included, and after the runtime is gone
                    // with every source that was left in it: what is bound last is dropped first.
                    let _ended = ended.drop_guard();
                    let runtime = runtime;
                    runtime.block_on(workers.tend(stop.cancelled()));
                    workers.shutdown();
                    // Idle ones go at once. One that hangs, or that waits for us, is not waited for long.
                    workers.wait_ended(Instant::now() + PARTING);
                    // So is a name that is looked up: the system has no way to give that up.
                    runtime.shutdown_timeout(PARTING);
                })
                .map_err(failed)?
        };
        Ok(Self {
            runtime: handle,
            services,
            workers,
            stop,
            ended,
            thread: Mutex::new(Some(thread)),
            process: std::process::id(),
        })
    }

    /// Runs a task on the engine's thread; it ends with the engine at the latest.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(task));
    }

    /// Gives up a handle. The last one stops the engine, and gets what is needed to see it end.
    pub(crate) fn release(engine: Arc<Self>) -> Option<Ending> {
        let engine = Arc::into_inner(engine)?;
        let thread = lock(&engine.thread).take();
        Some(Ending { ended: engine.ended.clone(), thread })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.cancel();
        self.services.close();
    }
}

/// How long the engine waits for workers that still run something when it ends.
const PARTING: Duration = Duration::from_millis(200);

/// An engine that is coming to its end.
pub(crate) struct Ending {
    ended: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Ending {
    /// Waits until the thread is about to return, and then joins it: a matter of microseconds.
    pub(crate) async fn wait(self) {
        self.ended.cancelled().await;
        if let Some(thread) = self.thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic of the engine's thread was printed by the hook; there is nothing to add here.
            let _ = thread.join();
        }
    }
}
