//! Behaviour through the public API, a module per theme, in one binary.

mod derive;
mod describe;
mod diff;
mod errors;
mod events;
mod fallbacks;
#[cfg(target_os = "linux")]
mod files_named;
#[cfg(target_os = "linux")]
mod files_named_secret;
mod hostile;
#[cfg(unix)]
mod in_its_place;
mod layers;
mod lifecycle;
mod limits;
mod load;
mod overlays;
#[cfg(unix)]
mod probe;
mod promises;
mod races;
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
mod tracing;
mod updates;
#[cfg(target_os = "linux")]
mod watching;
