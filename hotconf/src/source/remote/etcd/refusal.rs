//! What a refusal of etcd means, told by its words: the same ones stand in the status of a call and in the
//! reason of a watch that ends, and the codes of several of them are the same.
//!
//! Pure.

use crate::source::SourceError;
use crate::source::remote::net::words;

/// Why we did not get what we asked for.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// Our login is over: another one may help.
    Stale(SourceError),
    Error(SourceError),
}

/// The words of etcd (`api/v3rpc/rpctypes/error.go`), what to do, and what follows.
const KNOWN: [(&str, Kind, &str); 12] = [
    ("invalid auth token", Kind::Stale, "the login has run out"),
    ("revision of auth store is old", Kind::Stale, "users or roles were changed since the login"),
    ("revision in header is old", Kind::Stale, "users or roles were changed since the login"),
    (
        "user name is empty",
        Kind::Stale,
        "the store asks who we are: give a user with `.user(name, password)`",
    ),
    ("invalid user ID or password", Kind::Denied, "user or password are wrong: see `.user(name, password)`"),
    ("permission denied", Kind::Denied, "grant it: `etcdctl role grant-permission ROLE read KEY [--prefix]`"),
    ("revision has been compacted", Kind::Gap, "what followed is no longer kept"),
    ("is a future revision", Kind::Gap, "the store was restored or wiped"),
    ("no leader", Kind::Down, "this member is cut off from the others"),
    ("request timed out", Kind::Down, "the cluster has no majority, or is overloaded"),
    ("unknown service", Kind::Down, "this is no etcd v3, or not the port for clients"),
    ("too many requests", Kind::Down, "the store is overloaded"),
];

#[derive(Clone, Copy)]
enum Kind {
    Stale,
    Denied,
    Gap,
    Down,
}

/// Reads a refusal; `code` is that of gRPC where there is one, and `secrets` what we showed to the server.
pub(super) fn judge(code: Option<u32>, said: &str, secrets: &[&str]) -> Refusal {
    // 7: permission denied, 16: unauthenticated, for servers and proxies with words of their own.
    let by_code = match code {
        Some(7) => (Kind::Denied, "the store refuses us"),
        Some(16) => (Kind::Stale, "the store refuses our login"),
        _ => (Kind::Down, ""),
    };
    let known = KNOWN.iter().find(|(words, ..)| said.contains(words));
    let (kind, remedy) = known.map_or(by_code, |(_, kind, remedy)| (*kind, *remedy));
    let said = said.trim_start_matches("etcdserver: ").trim_start_matches("mvcc: ");
    let said = words(said, secrets);
    let message = if remedy.is_empty() { said } else { format!("{said}: {remedy}") };
    match kind {
        Kind::Stale => Refusal::Stale(SourceError::denied(message)),
        Kind::Denied => Refusal::Error(SourceError::denied(message)),
        Kind::Gap => Refusal::Error(SourceError::gap(message)),
        Kind::Down => Refusal::Error(SourceError::down(message)),
    }
}

impl Refusal {
    /// Where no other login is tried.
    pub(super) fn into_error(self) -> SourceError {
        match self {
            Self::Stale(error) | Self::Error(error) => error,
        }
    }
}
