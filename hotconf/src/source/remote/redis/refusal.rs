//! What an error of a Redis means, told by its first word, and what to do.
//!
//! Pure.

use crate::source::remote::net::words;
use crate::source::{SourceError, SourceErrorKind};

/// The beginnings of errors, what they mean to us, and what to do.
const KNOWN: [(&str, SourceErrorKind, &str); 20] = [
    (
        "NOAUTH",
        SourceErrorKind::Denied,
        "the store asks who we are: give `.password(password)`, or `.user(name, password)`",
    ),
    (
        "WRONGPASS",
        SourceErrorKind::Denied,
        "user or password are wrong: see `.password(password)` and `.user(name, password)`",
    ),
    ("ERR invalid password", SourceErrorKind::Denied, "see `.password(password)`"),
    ("NOPERM", SourceErrorKind::Denied, "grant it: `ACL SETUSER NAME +@read +@connection ~PREFIX*`"),
    (
        "DENIED",
        SourceErrorKind::Denied,
        "the server lets in this machine alone until it has a password: set `requirepass`",
    ),
    ("WRONGTYPE", SourceErrorKind::Invalid, ""),
    ("ERR DB index", SourceErrorKind::Invalid, "see `.database(number)`"),
    ("ERR invalid DB index", SourceErrorKind::Invalid, "see `.database(number)`"),
    ("ERR SELECT is not allowed in cluster mode", SourceErrorKind::Invalid, "a cluster has database 0 alone"),
    ("LOADING", SourceErrorKind::Down, "the server has just started"),
    ("BUSY", SourceErrorKind::Down, "a script holds the server up: `SCRIPT KILL` ends it"),
    ("MASTERDOWN", SourceErrorKind::Down, "this replica has lost its primary"),
    ("READONLY", SourceErrorKind::Down, "this replica allows no such command"),
    ("CLUSTERDOWN", SourceErrorKind::Down, "the cluster has lost a part of its keys"),
    ("TRYAGAIN", SourceErrorKind::Down, "the cluster moves these keys just now"),
    ("MOVED", SourceErrorKind::Down, MOVED),
    ("ASK", SourceErrorKind::Down, MOVED),
    ("CROSSSLOT", SourceErrorKind::Down, MOVED),
    ("ERR max number of clients", SourceErrorKind::Down, "raise the server's `maxclients`"),
    ("OOM", SourceErrorKind::Down, "the server is out of memory"),
];

const MOVED: &str = "this is one node of a cluster, and redirections are not followed: give the address of the node \
                     that has the key, with the others as `.replica(address)`";

/// What `said` means.
pub(super) fn judge(said: &str) -> SourceError {
    judge_without(said, "")
}

/// The same of what may repeat a password.
pub(super) fn judge_without(said: &str, password: &str) -> SourceError {
    // The words of a command that is not known are repeated by the server, a password among them.
    let said = said.split(", with args").next().unwrap_or_default();
    let mut short = words(said, &[password]);
    let known = KNOWN.iter().find(|(begin, ..)| said.starts_with(begin));
    let (kind, remedy) = known.map_or((SourceErrorKind::Down, ""), |&(_, kind, remedy)| (kind, remedy));
    if !remedy.is_empty() {
        short = format!("{short}: {remedy}");
    }
    match kind {
        SourceErrorKind::Denied => SourceError::denied(short),
        SourceErrorKind::Invalid => SourceError::invalid(short),
        _ => SourceError::down(short),
    }
}

/// Whether the server does not let us, or cannot: another way may be open.
pub(super) fn is_refused(said: &str) -> bool {
    said.starts_with("NOPERM") || said.starts_with("ERR")
}

/// There is something else at a key.
pub(super) fn wrong_type(key: &[u8], expected: &str, found: &[u8]) -> SourceError {
    let (key, found) = (key.escape_ascii(), found.escape_ascii());
    SourceError::invalid(format!("{key}: expected {expected}, found a key of the type `{found}`"))
}

/// Whether the server does not know the command, or not in this form.
pub(super) fn is_unknown(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.starts_with("noproto") || said.contains("unknown command") || said.contains("unknown subcommand")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_of_its_kind_and_says_what_to_do() {
        let of = |said: &str| (judge(said).kind(), judge(said).to_string());
        let (kind, said) = of("NOAUTH Authentication required.");
        assert!(kind == SourceErrorKind::Denied && said.contains(".password("), "{said}");
        let (kind, said) = of("NOPERM this user has no permissions to run the 'mget' command");
        assert!(
            kind == SourceErrorKind::Denied && said.contains("'mget'") && said.contains("ACL SETUSER"),
            "{said}"
        );
        let (kind, said) = of("MOVED 3999 127.0.0.1:6381");
        assert!(kind == SourceErrorKind::Down && said.contains("cluster") && said.contains("6381"), "{said}");
        assert_eq!(of("LOADING Redis is loading the dataset in memory").0, SourceErrorKind::Down);
        assert_eq!(of("ERR DB index is out of range").0, SourceErrorKind::Invalid);
        assert_eq!(of("SOMETHING else"), (SourceErrorKind::Down, "SOMETHING else".to_owned()));
    }

    #[test]
    fn what_the_server_repeats_of_a_command_is_not_shown() {
        let said =
            judge("ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `shop`, `hunter2`, ");
        assert_eq!(said.to_string(), "ERR unknown command `HELLO`");
        let said = judge_without("WRONGPASS no user has the password hunter2", "hunter2").to_string();
        assert!(said.contains(".password(password)") && !said.contains("hunter2"), "{said}");
    }
}
