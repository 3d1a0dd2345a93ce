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

impl<T> Snapshot<T> {
    /// Stand-in.
    pub fn version(&self) -> u64 {
        self.0.1
    }

    /// Stand-in.
    pub fn origin<Out>(&self, _field: impl Select<T, Out>) -> Origin {
        Origin::default_value()
    }
}
