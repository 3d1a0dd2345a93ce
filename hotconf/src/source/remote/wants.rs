//! What followers ask of the loop of their [`Feed`](super::feed::Feed).

use super::verdicts::Verdicts;
use crate::sync::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// What followers want of the loop.
#[derive(Default)]
pub(super) struct Wants {
    /// How often somebody asked for everything anew, and which of these requests were answered.
    pub(super) asked: AtomicU64,
    pub(super) answered: AtomicU64,
    /// What they made of what the store said, where it wants to know.
    pub(super) verdicts: Mutex<Verdicts>,
    pub(super) nudge: Notify,
}

impl Wants {
    pub(super) fn listing(&self) -> bool {
        self.asked.load(Ordering::Acquire) > self.answered.load(Ordering::Acquire)
    }

    pub(super) fn settling(&self) -> bool {
        lock(&self.verdicts).is_due()
    }

    /// Waits until somebody wants something of a session that is not yet done.
    pub(super) async fn something(&self) {
        while !self.listing() && !self.settling() {
            self.nudge.notified().await;
        }
    }

    /// Waits until somebody wants everything anew.
    pub(super) async fn anything_anew(&self) {
        while !self.listing() {
            self.nudge.notified().await;
        }
    }
}
