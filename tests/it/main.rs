//! Behaviour through the public API, a module per theme, in one binary.

mod derive;
mod lifecycle;
mod load;
mod promises;
mod runtimes;
mod saves;
mod structure;
mod support;
