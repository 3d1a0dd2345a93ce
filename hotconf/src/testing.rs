//! For tests of programs that use hotconf: a configuration whose content a test sets by hand.
//!
//! [`Hot::fixed`](crate::Hot::fixed) and [`View::fixed`](crate::View::fixed) serve code that only
//! reads. Where a test is about a change, an [`Inline`](crate::Inline) source with a handle brings it, and
//! [`settle`] waits until it is in force.

use crate::error::Error;
use crate::hot::Hot;
use crate::load::HotConf;

/// Waits until everything that sources hold by now is in force or refused; returns the version.
///
/// # Errors
///
/// What was refused: [`Error::is_invalid`].
pub fn settle<T: HotConf>(config: &Hot<T>) -> Result<u64, Error> {
    config.blocking_reload()
}
