//! Remote stores: one resuming core, and a folder per store that holds only what differs.
//!
//! `store` is the contract of a store; `feed` follows one, through every failure; `assemble` makes
//! documents of its keys; `cache` keeps what was applied; `follow` is the source that a configuration sees, and
//! `follower` what it knows.

mod assemble;
mod backoff;
mod cache;
mod commons;
mod feed;
mod follow;
mod follower;
mod making;
#[cfg(feature = "_net")]
#[allow(dead_code, unused_imports)] // each store uses a part of it
mod net;
mod news;
mod offers;
mod store;
mod tuning;
mod verdicts;
mod wants;
mod warnings;

#[cfg(all(test, feature = "toml"))]
mod tests;

// The stores, a folder each.
#[cfg(feature = "consul")]
pub mod consul;
#[cfg(feature = "etcd")]
pub mod etcd;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "nacos")]
pub mod nacos;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sse")]
pub mod sse;
#[cfg(feature = "vault")]
pub mod vault;
#[cfg(feature = "websocket")]
pub mod websocket;
#[cfg(feature = "zookeeper")]
pub mod zookeeper;

/// The stores as sources, by the names that they have at the root of the crate.
pub(crate) mod sources {
    #[cfg(feature = "consul")]
    pub use super::consul::Consul;
    #[cfg(feature = "etcd")]
    pub use super::etcd::Etcd;
    #[cfg(feature = "http")]
    pub use super::http::Http;
    #[cfg(feature = "nacos")]
    pub use super::nacos::Nacos;
    #[cfg(feature = "nats")]
    pub use super::nats::Nats;
    #[cfg(feature = "redis")]
    pub use super::redis::Redis;
    #[cfg(feature = "sse")]
    pub use super::sse::Sse;
    #[cfg(feature = "vault")]
    pub use super::vault::Vault;
    #[cfg(feature = "websocket")]
    pub use super::websocket::WebSocket;
    #[cfg(feature = "zookeeper")]
    pub use super::zookeeper::ZooKeeper;
}

pub use backoff::Backoff;
pub use cache::Cache;
pub(crate) use commons::Commons;
pub use follow::Remote;
#[cfg(feature = "_net")]
pub use net::{Token, Transport};
pub use store::{Entry, Identity, Map, Session, Step, Store};
