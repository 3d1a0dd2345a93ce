//! Behaviour through the public API, a module per theme, in one binary.

mod derive;
mod events;
mod hostile;
mod layers;
mod lifecycle;
mod load;
mod promises;
mod runtimes;
mod saves;
mod shop;
mod shutdown;
mod structure;
mod support;
mod updates;
