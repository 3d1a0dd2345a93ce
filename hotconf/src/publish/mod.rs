//! Stand-in: replaced in the merge.

use crate::origin::Origin;
use crate::schema::Select;
use std::ops::Deref;
use std::sync::Arc;

/// Stand-in.
pub struct Snapshot<T>(pub(crate) Arc<(T, u64)>);

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.0
    }
}

/// Stand-in.
pub(crate) struct Core<T> {
    pub(crate) cell: Cell<T>,
}

/// Stand-in.
pub(crate) struct Cell<T>(pub(crate) std::sync::Mutex<Snapshot<T>>);

impl<T> Cell<T> {
    pub(crate) fn snapshot(&self) -> Snapshot<T> {
        crate::sync::lock(&self.0).clone()
    }
}

impl<T> Snapshot<T> {
    /// Stand-in.
    pub(crate) fn path_of<Out>(&self, field: &impl Select<T, Out>) -> String {
        format!("{:?}", field.__numbers())
    }

    /// Stand-in.
    pub fn version(&self) -> u64 {
        self.0.1
    }

    /// Stand-in.
    pub fn origin<Out>(&self, _field: impl Select<T, Out>) -> Origin {
        Origin::default_value()
    }
}

impl<T> Core<T> {
    pub(crate) fn new(first: Snapshot<T>) -> Self {
        Self { cell: Cell(std::sync::Mutex::new(first)) }
    }
}

impl<T> Cell<T> {
    pub(crate) fn swap(&self, next: Snapshot<T>) {
        *crate::sync::lock(&self.0) = next;
    }
}

#[cfg(test)]
pub(crate) fn snapshot_for_test<T>(value: T, number: u64) -> Snapshot<T> {
    Snapshot(Arc::new((value, number)))
}
