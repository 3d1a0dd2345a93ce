//! Remote stores: what each must hold, through every fault that a network and a server can have.
//!
//! [`conformance`] is one suite for all stores. It runs here over a store of lines whose server lives in this
//! process, and over the real servers that [`servers`] finds; `tests/servers/fetch` fetches them.

mod conformance;
mod consul;
mod etcd;
mod http;
mod killed;
mod lines;
mod living;
mod nacos;
mod nats;
mod proxy;
mod pushed;
mod redis;
mod resuming;
mod rig;
mod scripted;
mod servers;
mod sse;
mod stub;
mod vault;
mod websocket;
mod zookeeper;

conformance::suite!(over_lines, Some(crate::lines::Server::start()));
