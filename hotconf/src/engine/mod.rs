//! Stub.

pub(crate) mod watcher;
