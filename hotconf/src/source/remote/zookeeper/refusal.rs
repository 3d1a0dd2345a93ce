//! What the error codes of `ZooKeeper` mean (`KeeperException.Code`), and what to do.
//!
//! Pure.

use crate::source::SourceError;

pub(super) const UNIMPLEMENTED: i32 = -6;
pub(super) const NO_NODE: i32 = -101;
const AUTH_FAILED: i32 = -115;

/// What an error means that came instead of what was asked of `path`.
pub(super) fn judge(code: i32, path: &str) -> SourceError {
    match code {
        -102 => SourceError::denied(format!(
            "we may not read {path}: grant READ on it (`setAcl {path} …`; ACLs are not inherited, each node has its \
             own), or log in as who may with `.digest(user, password)`"
        )),
        AUTH_FAILED => SourceError::denied(
            "the login is refused: see `.digest(user, password)`, and the server's providers",
        ),
        -124 => SourceError::denied("the server lets in only who logs in by SASL or a certificate"),
        -112 => SourceError::down("the session has expired"),
        -118 => SourceError::down("the session was moved to another server"),
        -4 => SourceError::down("the server has lost the others"),
        -119 => SourceError::down(
            "the server has lost the others, serves reads alone, and begins sessions only with `localSessionsEnabled`",
        ),
        code => SourceError::down(format!("the server answered with error {code}, asked for {path}")),
    }
}
