//! A timer that needs nobody: a thread of its own, for as long as somebody waits.
//!
//! A shutdown is what ends the engine, and has to come to its end even where a source holds the engine's
//! thread up; so its grace cannot be measured by the engine.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Ends after a time; dropping it ends its thread.
pub(crate) struct Alarm {
    off: Option<mpsc::Sender<()>>,
    rings: oneshot::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Alarm {
    /// An alarm that rings after `grace`; at once where no thread is to be had.
    pub(crate) fn after(grace: Duration) -> Self {
        let (off, silenced) = mpsc::channel::<()>();
        let (ring, rings) = oneshot::channel();
        let wait = move || {
            if silenced.recv_timeout(grace) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Who waited may have gone.
                let _ = ring.send(());
            }
        };
        let thread = std::thread::Builder::new().name("hotconf-grace".to_owned()).spawn(wait).ok();
        Self { off: Some(off), rings, thread }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.rings).poll(cx).map(drop)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        drop(self.off.take());
        if let Some(thread) = self.thread.take() {
            // It wakes up at once and has nothing left to do; it cannot panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Alarm;
    use crate::subscribe::blocking;
    use std::time::{Duration, Instant};

    #[test]
    fn an_alarm_rings_after_its_time_and_one_that_is_dropped_is_gone_at_once() {
        let begun = Instant::now();
        blocking::block_on(Alarm::after(Duration::from_millis(20)));
        assert!(begun.elapsed() >= Duration::from_millis(20));
        drop(Alarm::after(Duration::MAX));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
