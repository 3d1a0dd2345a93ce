//! Behaviour through the public API, a module per theme, in one binary.

mod derive;
mod errors;
mod lifecycle;
mod promises;
mod runtimes;
mod saves;
mod shop;
mod structure;
mod support;
