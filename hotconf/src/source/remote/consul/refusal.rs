//! What an answer of Consul means that is no listing, and what to do about it.
//!
//! Pure. Consul's own words are looked at and never shown: what answers may be anything.

use super::super::net::Response;
use crate::source::SourceError;

/// The failure that an answer means; `name` is the key or the prefix that was asked for, `token` whether one was
/// sent.
pub(super) fn judge(answer: &Response, name: &str, token: bool) -> SourceError {
    let (from, status) = (&answer.from, answer.status);
    let said = |words: &[u8]| answer.body.windows(words.len()).any(|window| window == words);
    let error = match status {
        403 if said(b"ACL not found") => SourceError::denied(format!(
            "{from} answered 403: it does not know the token; it was deleted, has expired, or is of another Consul"
        )),
        403 => SourceError::denied(format!("{from} answered 403: {}", remedy(name, token))),
        400 => SourceError::down(format!(
            "{from} answered 400: it does not take the question; namespaces and partitions are of Consul Enterprise"
        )),
        404 | 200..=299 => SourceError::down(format!(
            "{from} answered {status} without `X-Consul-Index`: is this the address of a Consul agent?"
        )),
        500 if said(b"No path to datacenter") => SourceError::down(format!(
            "{from} answered 500: it knows no way to the datacentre, see `.datacenter(name)`"
        )),
        500 if said(b"No cluster leader") => {
            SourceError::down(format!("{from} answered 500: its servers have no leader"))
        }
        // What is common to all servers of HTTP.
        _ => return answer.failure(),
    };
    match answer.retry_after() {
        Some(delay) => error.with_retry_after(delay),
        None => error,
    }
}

/// What lets us read `name`.
pub(super) fn remedy(name: &str, token: bool) -> String {
    let rule = format!("`key_prefix \"{name}\" {{ policy = \"read\" }}`");
    if token {
        format!("the token may not read `{name}`; give it a policy with {rule}")
    } else {
        format!("nobody may read `{name}` without a token; give one with `.token(…)` that has {rule}")
    }
}
