//! What stores over TCP share: where a server is, how to reach it, who we are, and one HTTP/1.1 connection.
//!
//! The only folder that names `hyper`, `rustls` and `socket2`. Nothing here spawns or decides when to try
//! again: what has to run beside a request is polled with it, and the resuming core owns every deadline.

mod addresses;
mod base64;
mod begun;
mod connect;
mod credential;
#[cfg(any(feature = "nats", feature = "websocket"))]
pub(super) mod crypto;
mod date;
mod dial;
mod endpoint;
mod explain;
mod http1;
mod open;
mod proxy;
mod stream;
mod tls;
mod token;
mod transport;
mod words;

pub(super) use addresses::Addresses;
pub(super) use base64::{decode as from_base64, encode as base64};
pub(super) use begun::Begun;
pub(super) use credential::Credential;
pub(super) use date::date;
pub(super) use dial::dial;
pub(super) use endpoint::Endpoint;
pub(super) use explain::explain;
pub(super) use http1::{Header, Http1, Method, Response};
pub(super) use stream::Stream;
pub(super) use tls::handshake;
pub use token::Token;
pub(super) use token::elsewhere;
pub use transport::Transport;
pub(super) use words::words;
