//! Stub.

pub(crate) mod workers;
