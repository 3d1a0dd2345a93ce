//! What a handle keeps of its driver: how to ask it, how to stop it, and how to see it end.

use super::Engine;
use super::alarm::Alarm;
use super::driver::Outlets;
use super::reloads::Reloads;
use super::teller::Teller;
use crate::error::Error;
use crate::observe::{Board, Bus};
use crate::race::{Either, race};
use crate::subscribe::Report;
use crate::subscribe::blocking::{self, Wait};
use crate::sync::lock;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A handle's end of the driver.
pub(crate) struct Remote {
    token: CancellationToken,
    reloads: Arc<Reloads>,
    pub(crate) board: Arc<Board>,
    pub(crate) bus: Arc<Bus>,
    teller: Teller,
    /// The report of this configuration's jobs, by which the pool knows them.
    report: Report,
    /// Cancelled when the driver and the sources have ended: from then on no version installs.
    ended: CancellationToken,
    /// Until a shutdown takes it, to give it up.
    engine: Mutex<Option<Arc<Engine>>>,
    /// Cancelled when whoever took the engine has given it up.
    parted: CancellationToken,
}

impl Remote {
    pub(crate) fn new(
        (token, ended): (CancellationToken, CancellationToken),
        reloads: Arc<Reloads>,
        out: Outlets,
        engine: Arc<Engine>,
    ) -> Self {
        let Outlets { board, teller, report } = out;
        let (bus, parted) = (teller.bus.clone(), CancellationToken::new());
        let engine = Mutex::new(Some(engine));
        Self { token, reloads, board, bus, teller, report, ended, engine, parted }
    }

    /// Asks for a reload; cancel-safe: a dropped future leaves the reload under way.
    pub(crate) async fn reload(&self) -> Result<u64, Error> {
        self.reloads.ask().await.unwrap_or_else(|| Err(Error::usage("this configuration was shut down")))
    }

    /// Stops the driver and waits, up to `grace`, until nothing of it is left.
    ///
    /// `calm` ends when no callback runs but the caller's own.
    pub(crate) async fn shutdown(
        &self,
        grace: Duration,
        calm: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        match race(self.stop(calm), Alarm::after(grace)).await {
            Either::First(()) => Ok(()),
            Either::Second(()) => Err(self.gave_up(grace)),
        }
    }

    /// [`shutdown`](Self::shutdown) on a thread that may block, which measures the grace itself.
    pub(crate) fn blocking_shutdown(
        &self,
        grace: Duration,
        calm: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        match blocking::wait(self.stop(calm), Some(grace)) {
            Wait::Done(()) => Ok(()),
            Wait::TimedOut => Err(self.gave_up(grace)),
        }
    }

    /// Ends when nothing is left; any number of callers may wait, and give up, at the same time.
    async fn stop(&self, calm: impl Future<Output = ()>) {
        self.token.cancel();
        self.ended.cancelled().await;
        calm.await;
        // A callback that shuts the last configuration down waits for the engine, which must not wait for it
        // in turn.
        let _spared = self.teller.workers.spare_this_thread();
        let engine = lock(&self.engine).take();
        match engine {
            Some(engine) => {
                // Said even where this future is dropped in between.
                let _parted = self.parted.clone().drop_guard();
                if let Some(ending) = Engine::release(engine) {
                    ending.wait().await;
                }
            }
            None => self.parted.cancelled().await,
        }
    }

    fn gave_up(&self, grace: Duration) -> Error {
        let running = self.teller.workers.running(&self.report);
        let what = match running.as_slice() {
            [] if !self.ended.is_cancelled() => {
                "a source still holds the engine's thread, or its cache is still written".to_owned()
            }
            [] => "a callback, a listener or a check still waits for a worker".to_owned(),
            names => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("{} still {}", names.join(", "), if names.len() == 1 { "runs" } else { "run" })
            }
        };
        Error::usage(format!("shutdown gave up after {grace:?}: {what}; no version installs any more"))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.token.cancel();
        self.board.stop();
        self.bus.close();
    }
}
