//! Behaviour through the public API, a module per theme, in one binary.

mod derive;
mod describe;
mod errors;
mod events;
mod hostile;
mod layers;
mod lifecycle;
mod load;
#[cfg(unix)]
mod probe;
mod promises;
mod remote_http;
mod restart;
mod runtimes;
mod saves;
mod set;
mod shop;
mod shutdown;
mod stores;
mod structure;
mod support;
mod updates;
