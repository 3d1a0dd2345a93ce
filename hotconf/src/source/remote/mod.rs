//! Remote stores: one resuming core, and a folder per store that holds only what differs.
//!
//! `store` is the contract of a store; `feed` follows one, through every failure; `assemble` makes
//! documents of its keys; `cache` keeps what was applied; `follow` is the source that a configuration sees, and
//! `follower` what it knows.

mod assemble;
mod backoff;
mod cache;
mod commons;
#[cfg(feature = "etcd")]
pub(crate) mod etcd;
mod feed;
mod follow;
mod follower;
#[cfg(feature = "http")]
mod http;
mod making;
#[cfg(feature = "_net")]
#[allow(dead_code, unused_imports)] // each store uses a part of it
mod net;
mod store;
mod tuning;
mod wants;
mod warnings;

#[cfg(all(test, feature = "toml"))]
mod tests;

pub use backoff::Backoff;
pub use cache::Cache;
pub(crate) use commons::Commons;
#[cfg(feature = "etcd")]
pub use etcd::{EtcdSession, EtcdStore};
pub use follow::Remote;
#[cfg(feature = "http")]
pub use http::{Http, HttpStore};
#[cfg(feature = "_net")]
pub use net::{Token, Transport};
pub use store::{Entry, Identity, Map, Session, Step, Store};
