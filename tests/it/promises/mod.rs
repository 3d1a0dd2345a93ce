//! The ten promises, each with tests that fail without it.
//!
//! 10, Portable, is in `runtimes` (tasks, threads, neither) and in `lifecycle` (two threads for all).

mod bounded;
mod isolated;
mod last_good;
mod off;
mod reads;
pub(crate) mod secret;
pub(crate) mod stores;
mod told;
mod valid;
mod whole;
