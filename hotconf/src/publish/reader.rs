//! A reader for the hottest loops: one acquire load and a compare.

use super::core::Core;
use super::snapshot::Snapshot;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Reads the configuration in a hot loop: while nothing changed, a read is one atomic load and a compare.
///
/// Each thread has its own (`Clone`). It keeps the version that it read last alive until its next read.
///
/// ```
/// # use hotconf::{Hot, HotConf};
/// # #[derive(Clone, HotConf)]
/// # struct App { #[hotconf(default = 2)] workers: u32 }
/// let config = Hot::fixed(App { workers: 4 });
/// let mut fast = config.reader();
/// assert_eq!(fast.load().workers, 4);
/// ```
pub struct Reader<T> {
    core: Arc<Core<T>>,
    /// Holds the engine, as every handle that promises news does.
    keep: Option<Arc<dyn Any + Send + Sync>>,
    seen: u64,
    current: Snapshot<T>,
}

impl<T> Reader<T> {
    pub(crate) fn new(core: Arc<Core<T>>, keep: Option<Arc<dyn Any + Send + Sync>>) -> Self {
        // The generation first: a swap in between costs one more look and loses nothing.
        let seen = core.cell.generation();
        let current = core.cell.snapshot();
        Self { core, keep, seen, current }
    }

    /// The version in force, for this piece of work.
    #[inline]
    pub fn load(&mut self) -> &T {
        let generation = self.core.cell.generation();
        if generation != self.seen {
            self.renew(generation);
        }
        &self.current
    }

    /// The version that [`load`](Self::load) returned last, owned.
    pub fn snapshot(&self) -> Snapshot<T> {
        self.current.clone()
    }

    #[cold]
    #[inline(never)]
    fn renew(&mut self, generation: u64) {
        self.seen = generation;
        self.current = self.core.cell.snapshot();
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            keep: self.keep.clone(),
            seen: self.seen,
            current: self.current.clone(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("current", &self.current).finish_non_exhaustive()
    }
}
