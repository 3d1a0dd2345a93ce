//! Locks without poisoning, and instants without overflow: neither a panic elsewhere nor a duration that
//! somebody chose must take the configuration down.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Locks, whether or not an earlier holder panicked.
///
/// No lock of this crate is held across code of the user, so a poisoned one holds whole data.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `from + after`; where no clock reaches that far, an instant that nobody lives to see.
pub(crate) fn later(from: Instant, after: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    from.checked_add(after).unwrap_or_else(|| from + NEVER)
}
