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
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            backoff: Backoff::default(),
            resync: Duration::from_secs(5 * 60),
        }
    }
}
