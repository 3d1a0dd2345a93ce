//! The ten promises, each with tests that fail without it.

mod bounded;
mod isolated;
mod last_good;
mod off;
mod reads;
mod secret;
mod told;
mod valid;
mod whole;
