//! What a handle keeps of its driver: how to ask it, how to stop it, and how to see it end.

use super::Engine;
use super::race::{Either, race};
use crate::error::Error;
use crate::observe::{Board, Bus};
use crate::sync::lock;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// What a handle asks of the driver.
pub(crate) enum Command {
    /// Read every source anew; the answer is the version in force afterwards, or the refusal.
    Reload(oneshot::Sender<Result<u64, Error>>),
}

/// A handle's end of the driver.
pub(crate) struct Remote {
    pub(crate) token: CancellationToken,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) board: Arc<Board>,
    pub(crate) bus: Arc<Bus>,
    /// Cancelled when the driver has ended: from then on no version installs.
    pub(crate) ended: CancellationToken,
    engine: Mutex<Option<Arc<Engine>>>,
}

impl Remote {
    pub(crate) fn new(
        token: CancellationToken,
        commands: mpsc::UnboundedSender<Command>,
        board: Arc<Board>,
        bus: Arc<Bus>,
        ended: CancellationToken,
        engine: Arc<Engine>,
    ) -> Self {
        Self { token, commands, board, bus, ended, engine: Mutex::new(Some(engine)) }
    }

    /// Asks for a reload; cancel-safe: a dropped future leaves the reload under way.
    pub(crate) async fn reload(&self) -> Result<u64, Error> {
        let (answer, answered) = oneshot::channel();
        if self.commands.send(Command::Reload(answer)).is_err() {
            return Err(stopped());
        }
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Stops the driver and waits, up to `grace`, until nothing of it is left.
    ///
    /// `calm` ends when no callback runs but the caller's own.
    pub(crate) async fn shutdown(
        &self,
        grace: Duration,
        calm: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        self.token.cancel();
        // Taken out now: a second caller finds nothing to release, and waits for the rest like us.
        let engine = lock(&self.engine).take();
        let timer = engine.as_ref().map(|e| e.timer(Instant::now() + grace));
        let ended = self.ended.clone();
        let whole = async {
            ended.cancelled().await;
            calm.await;
        };
        let in_time = if let Some(timer) = timer {
            matches!(race(whole, timer).await, Either::First(()))
        } else {
            whole.await;
            true
        };
        if let Some(ending) = engine.and_then(Engine::release)
            && in_time
        {
            ending.wait().await;
        }
        if in_time {
            Ok(())
        } else {
            Err(Error::usage(format!(
                "shutdown gave up after {grace:?}: a callback or a check still runs; no version installs any more"
            )))
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.token.cancel();
        self.board.stop();
        self.bus.close();
    }
}

fn stopped() -> Error {
    Error::usage("this configuration was shut down")
}
