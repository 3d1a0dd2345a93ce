//! What readers share: the cell, and what is updated right behind the swap.
//!
//! A [`Core`] is one published value: the root's, or a section's for a view. Order of an install: swap
//! the cell, then the followers in the order in which they came. One thread installs at a time.

use super::cell::Cell;
use super::snapshot::Snapshot;
use crate::sync::lock;
use std::sync::{Arc, Mutex, Weak};

/// Something that is updated on the installing thread right behind the swap: a live, a view's core.
pub(crate) trait Follower<T>: Send + Sync {
    /// Takes its part of the version; called only when a leaf in its range moved.
    fn follow(&self, after: &Snapshot<T>, moved: &[u32]);
    /// The leaves of `T` that it mirrors.
    fn numbers(&self) -> std::ops::Range<u32>;
}

/// One published value and its followers.
pub(crate) struct Core<T> {
    pub(crate) cell: Cell<T>,
    followers: Mutex<Vec<Weak<dyn Follower<T>>>>,
}

impl<T> Core<T> {
    pub(crate) fn new(first: Snapshot<T>) -> Arc<Self> {
        Arc::new(Self { cell: Cell::new(first), followers: Mutex::default() })
    }

    /// Adds a follower made from the version in force, so that it misses none.
    ///
    /// `make` may run code of the user (it clones a section), so it runs without the lock, and again
    /// where a version came meanwhile. The installer swaps before it takes the lock: with an unmoved
    /// generation under the lock, the next installer is sure to find the follower in the list.
    pub(crate) fn follow<F: Follower<T> + 'static>(&self, make: impl Fn(Snapshot<T>) -> Arc<F>) -> Arc<F> {
        loop {
            let generation = self.cell.generation();
            let follower = make(self.cell.snapshot());
            let mut followers = lock(&self.followers);
            if self.cell.generation() == generation {
                // Followers that are gone would else pile up between two versions.
                if followers.len() == followers.capacity() {
                    followers.retain(|f| f.strong_count() > 0);
                }
                let as_dyn: Arc<dyn Follower<T>> = follower.clone();
                followers.push(Arc::downgrade(&as_dyn));
                return follower;
            }
        }
    }

    /// Puts a version in force: the swap, then the followers that it concerns.
    pub(crate) fn install(&self, after: &Snapshot<T>, moved: &[u32]) {
        self.cell.swap(after.clone());
        let concerned: Vec<_> = {
            let mut followers = lock(&self.followers);
            followers.retain(|f| f.strong_count() > 0);
            followers.iter().filter_map(Weak::upgrade).collect()
        };
        for follower in concerned {
            let range = follower.numbers();
            let from = moved.partition_point(|n| *n < range.start);
            let to = moved.partition_point(|n| *n < range.end);
            if from < to {
                follower.follow(after, &moved[from..to]);
            }
        }
    }
}
