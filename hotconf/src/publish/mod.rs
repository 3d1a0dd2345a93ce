//! The value in force: one atomic swap, and the ways to read it without a lock.
//!
//! A [`Cell`] holds the current [`Snapshot`]; a [`Reader`] keeps one at hand and looks only whether a
//! newer one came; a [`Live`] mirrors one small field in an atomic. Nothing here waits, and nothing
//! here decides: the engine says what is swapped in.

mod cell;
mod core;
mod live;
mod reader;
mod snapshot;

pub use cell::Guard;
pub(crate) use core::{Core, Follower};
pub(crate) use live::Slot;
pub use live::{Live, LiveValue};
pub use reader::Reader;
pub use snapshot::Snapshot;
pub(crate) use snapshot::{Meta, Scope, Version};

/// A version of a value that needs no schema: for tests of what is told.
#[cfg(test)]
pub(crate) fn snapshot_for_test<T>(value: T, number: u64) -> Snapshot<T> {
    let fixed = Snapshot::fixed(value, crate::schema::meta::Schema::EMPTY);
    let version = std::sync::Arc::into_inner(fixed.0).expect("nobody else holds it");
    let meta = Meta { number, ..std::sync::Arc::into_inner(version.meta).expect("nobody else holds it") };
    Snapshot(std::sync::Arc::new(Version { meta: std::sync::Arc::new(meta), ..version }))
}
