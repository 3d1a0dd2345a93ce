//! Behaviour through the public API, a module per theme, in one binary.

mod derive;
mod layers;
mod lifecycle;
mod load;
#[cfg(unix)]
mod probe;
mod promises;
mod runtimes;
mod saves;
mod shop;
mod structure;
mod support;
mod updates;
