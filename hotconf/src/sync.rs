//! Locks without poisoning: a panic elsewhere must not take the configuration down with it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whether or not an earlier holder panicked.
///
/// No lock of this crate is held across code of the user, so a poisoned one holds whole data.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
