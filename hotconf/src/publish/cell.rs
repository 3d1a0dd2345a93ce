//! The one place where a version is swapped: the sole user of `arc-swap`.
//!
//! Rule: the swap comes first, then the generation. Who sees a generation finds at least that version.
//!
//! Why that holds: the generation is raised by a release after the store, and looked at by an acquire. A
//! reader that sees generation `n` therefore sees every store before the raise to `n`, and the slot it then
//! reads holds that version or a later one. A reader that sees `n - 1` may find version `n` all the same:
//! it then looks once more than it had to. [`refresh`](Cell::refresh) raises nothing, since the value is the
//! same; a reader may keep the older origins until the next version. One thread swaps at a time.

use super::snapshot::{Snapshot, Version};
use crate::origin::Origin;
use crate::schema::Select;
use arc_swap::ArcSwap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Holds the version in force.
pub(crate) struct Cell<T> {
    current: ArcSwap<Version<T>>,
    /// Grows with each swap that readers must see. On a line of its own, or a reader that looks at it
    /// would share the line with the reference counts that `load` moves.
    generation: Line,
}

/// An atomic alone on its cache line (128 bytes: adjacent lines are fetched in pairs).
#[repr(align(128))]
struct Line(AtomicU64);

impl<T> Cell<T> {
    pub(crate) fn new(first: Snapshot<T>) -> Self {
        Self { current: ArcSwap::new(first.0), generation: Line(AtomicU64::new(1)) }
    }

    /// Reads the version in force: no lock, no allocation after a thread's first read.
    #[inline]
    pub(crate) fn load(&self) -> Guard<T> {
        Guard(self.current.load())
    }

    /// The version in force, owned.
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot<T> {
        Snapshot(self.current.load_full())
    }

    /// Counts the swaps that readers must see.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.0.load(Ordering::Acquire)
    }

    /// Puts a new version in force.
    pub(crate) fn swap(&self, next: Snapshot<T>) {
        self.current.store(next.0);
        self.generation.0.fetch_add(1, Ordering::Release);
    }

    /// Replaces the version by one that has the same value and number and newer origins.
    pub(crate) fn refresh(&self, same: Snapshot<T>) {
        self.current.store(same.0);
    }
}

/// One version of every field, borrowed from the cell for a piece of work.
///
/// Cheap to take and meant to be short-lived: a thread that holds many at a time falls back to
/// counting references. To keep a version, take a [`Snapshot`].
///
/// ```
/// use hotconf::{Hot, HotConf};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::fixed(App { retries: 3 });
/// let now = config.load();
/// assert_eq!((now.retries, now.version()), (3, 1));
/// ```
pub struct Guard<T>(arc_swap::Guard<Arc<Version<T>>>);

impl<T> Guard<T> {
    /// The version: see [`Snapshot::version`].
    pub fn version(&self) -> u64 {
        self.0.meta.number
    }

    /// Where the field's value was set: see [`Snapshot::origin`].
    pub fn origin<Out>(&self, field: impl Select<T, Out>) -> Origin {
        self.to_snapshot().origin(field)
    }

    /// The same version, owned.
    pub fn to_snapshot(&self) -> Snapshot<T> {
        Snapshot(Arc::clone(&self.0))
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("version", &self.version()).field("value", &**self).finish()
    }
}
