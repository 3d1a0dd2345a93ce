//! How a content reaches its leaf, and how a load says which files it lacks.
//!
//! Serde has no way to hand over an `Arc`, or to ask for a file: both pass through this thread. A load runs
//! on one thread from its begin to its end.

use super::Held;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

thread_local! {
    static HANDED: RefCell<Option<Arc<Held>>> = const { RefCell::new(None) };
    static WANTED: RefCell<BTreeSet<PathBuf>> = const { RefCell::new(BTreeSet::new()) };
}

/// Offers a content to the leaf that `read` reads.
pub(crate) fn hand<R>(held: Arc<Held>, read: impl FnOnce() -> R) -> R {
    HANDED.set(Some(held));
    let result = read();
    HANDED.set(None);
    result
}

/// What is offered; once.
pub(super) fn take() -> Option<Arc<Held>> {
    HANDED.take()
}

/// Notes a file that is not at hand.
pub(crate) fn want(path: PathBuf) {
    WANTED.with_borrow_mut(|wanted| wanted.insert(path));
}

/// Runs a load; the files that it wanted besides.
pub(crate) fn gather<R>(load: impl FnOnce() -> R) -> (R, BTreeSet<PathBuf>) {
    // A load that panicked may have left some.
    WANTED.take();
    let result = load();
    (result, WANTED.take())
}
