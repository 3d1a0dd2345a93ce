//! How a store is treated: deadlines, pace, resync.

use super::backoff::Backoff;
use std::time::Duration;

/// What can be set of the resuming core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// How long a connect, a login or a listing may take.
    pub(super) deadline: Duration,
    /// The pace of attempts.
    pub(super) backoff: Backoff,
    /// How often everything is listed anew though nothing went wrong; ± 20 %. Zero: never.
    pub(super) resync: Duration,
    /// How long it may be out of touch before that is told once more.
    pub(super) stale_after: Option<Duration>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            backoff: Backoff::default(),
            resync: Duration::from_secs(5 * 60),
            stale_after: None,
        }
    }
}
