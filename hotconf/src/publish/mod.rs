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

pub(crate) use cell::Cell;
pub use cell::Guard;
pub(crate) use core::{Core, Follower};
pub(crate) use live::Slot;
pub use live::{Live, LiveValue};
pub use reader::Reader;
pub use snapshot::Snapshot;
pub(crate) use snapshot::{Meta, Scope, Version};
