//! What a refusal of NATS means, told by its words and codes.
//!
//! Pure.

use crate::source::SourceError;
use crate::source::remote::net::words;

/// The words of `-ERR` (nats-server, `server/errors.go`), what they mean, and what to do.
const KNOWN: [(&str, bool, &str); 9] = [
    (
        "authorization violation",
        true,
        "give `.user(name, password)`, `.token(..)` or `.credentials_file(..)` as the server knows them",
    ),
    ("authentication timeout", false, "the server did not hear who we are in time"),
    ("authentication expired", true, "the credentials have run out: put new ones in their place"),
    ("authentication revoked", true, "the credentials were taken back: put new ones in their place"),
    ("tls required", false, "write the address as `tls://`, or `.tls_first()` where the server wants that"),
    ("slow consumer", false, "what it had for us was not read in time"),
    ("stale connection", false, "we did not answer in time"),
    ("maximum connections exceeded", false, "the server has as many as it takes (`max_connections`)"),
    ("maximum account active connections", false, "the account has as many connections as it may have"),
];

/// What `-ERR` means; `None`: it is about nothing that we need. `secrets` are what we showed to the server.
pub(super) fn refused(said: &str, secrets: &[&str]) -> Option<SourceError> {
    let lower = said.to_ascii_lowercase();
    let said = words(said, secrets);
    if lower.starts_with("permissions violation") {
        // Taking a consumer away is a courtesy: the server forgets it by itself.
        if said.contains(".CONSUMER.DELETE.") {
            return None;
        }
        let to = if lower.contains("subscription") { "subscribe to" } else { "publish to" };
        let subject = said.split('"').nth(1).unwrap_or_default();
        return Some(SourceError::denied(format!(
            "{said}: allow this user to {to} `{subject}`, or what begins like it; reading a bucket needs to \
             publish to `$JS.API.CONSUMER.CREATE.>`, `$JS.API.CONSUMER.DELETE.>` and `$JS.FC.>`, and to subscribe to \
             `_INBOX.>` (see `.inbox(prefix)`)"
        )));
    }
    let known = KNOWN.iter().find(|(words, ..)| lower.contains(words));
    Some(match known {
        Some((_, true, remedy)) => SourceError::denied(format!("{said}: {remedy}")),
        Some((_, false, remedy)) => SourceError::down(format!("{said}: {remedy}")),
        None => SourceError::down(said),
    })
}

/// What a refusal of `JetStream` means; codes as in nats-server's `server/errors.json`.
pub(super) fn barred(bucket: &str, code: u64, error: u64, said: &str) -> SourceError {
    let said = words(said, &[]);
    match (code, error) {
        (_, 10059) => SourceError::invalid(format!(
            "there is no bucket `{bucket}` ({said}): make it with `nats kv add {bucket}`, or correct `.bucket(..)`"
        )),
        (_, 10039 | 10076) => {
            SourceError::down(format!("{said}: JetStream is off for this account, or on this server"))
        }
        (400, _) => SourceError::invalid(format!("the bucket `{bucket}`: {said} (error {error})")),
        _ => SourceError::down(format!("the bucket `{bucket}`: {said} (error {error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceErrorKind::{Denied, Down, Invalid};

    #[test]
    fn a_refusal_says_what_to_do() {
        let kind = |said| refused(said, &[]).unwrap().kind();
        assert_eq!(kind("Authorization Violation"), Denied);
        assert_eq!(kind("User Authentication Expired"), Denied);
        assert_eq!(kind("Slow Consumer"), Down);
        assert_eq!(kind("something new"), Down);
        let said =
            refused("Permissions Violation for Publish to \"$JS.API.CONSUMER.CREATE.KV_x\"", &[]).unwrap();
        assert!(said.to_string().contains("publish to `$JS.API.CONSUMER.CREATE.KV_x`"), "{said}");
        assert_eq!(said.kind(), Denied);
        let said = refused("Permissions Violation for Subscription to \"_INBOX.a.d.1\"", &[]).unwrap();
        assert!(said.to_string().contains("subscribe to `_INBOX.a.d.1`"), "{said}");
        assert!(
            refused("Permissions Violation for Publish to \"$JS.API.CONSUMER.DELETE.KV_x.c\"", &[]).is_none()
        );
    }

    #[test]
    fn a_bucket_that_is_missing_is_named() {
        let missing = barred("config", 404, 10059, "stream not found");
        assert_eq!(missing.kind(), Invalid);
        assert!(missing.to_string().contains("nats kv add config"), "{missing}");
        assert_eq!(barred("config", 503, 10008, "temporarily unavailable").kind(), Down);
    }
}
