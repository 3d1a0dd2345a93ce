//! Stub.

mod workers;
