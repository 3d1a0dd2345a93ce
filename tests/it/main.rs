//! Behaviour through the public API, a module per theme, in one binary.

mod derive;
mod describe;
mod layers;
mod lifecycle;
mod load;
mod promises;
mod restart;
mod runtimes;
mod saves;
mod set;
mod shop;
mod structure;
mod support;
mod updates;
