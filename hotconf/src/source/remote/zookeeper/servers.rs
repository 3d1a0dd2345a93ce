//! A connection string: servers with commas between them, and the path below which all is meant.
//!
//! Pure. `10.0.0.1:2181,10.0.0.2/app` names two servers, the second with the usual port, and the chroot `/app`.

use crate::source::SourceError;
use crate::source::remote::net::Endpoint;

/// The usual port for clients.
const PORT: &str = "2181";

/// Where an ensemble is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Servers {
    /// `host:port` each.
    pub(super) hosts: Vec<Box<str>>,
    /// Empty, or a path without a slash at its end.
    pub(super) chroot: Box<str>,
}

impl Servers {
    /// Reads connection strings, one for all servers or one for each. A chroot stands at the end of the last, or of
    /// each, and is then the same.
    pub(super) fn parse<'a>(strings: impl IntoIterator<Item = &'a str>) -> Result<Self, SourceError> {
        let (mut hosts, mut chroots) = (Vec::new(), Vec::new());
        for string in strings {
            let string = string.trim();
            // What is wrong with these is not repeated: there may be a password in it.
            let strange = || {
                SourceError::invalid(
                    "expected servers such as `10.0.0.1:2181,10.0.0.2/app`, found a scheme or a user: say who we are by \
                     `.digest(user, password)`",
                )
            };
            if string.contains("://") {
                return Err(strange());
            }
            let (servers, chroot) = string.split_at(string.find('/').unwrap_or(string.len()));
            for server in servers.split(',').map(str::trim).filter(|server| !server.is_empty()) {
                let host = host(server);
                // What is no host is told now, with what was found.
                endpoint(&host, false)
                    .map_err(|error| if string.contains('@') { strange() } else { error })?;
                hosts.push(host);
            }
            let chroot = chroot.trim_end_matches('/');
            if !chroot.is_empty() {
                check_path(chroot)?;
                chroots.push(chroot);
            }
        }
        chroots.dedup();
        match &chroots[..] {
            [] => Ok(Self { hosts, chroot: "".into() }),
            [chroot] => Ok(Self { hosts, chroot: (*chroot).into() }),
            [first, second, ..] => Err(SourceError::invalid(format!(
                "expected one chroot for all servers, found `{first}` and `{second}`"
            ))),
        }
    }
}

fn host(server: &str) -> Box<str> {
    // The colons of an IPv6 address lie in brackets.
    let after = server.rsplit_once(']').map_or(server, |(_, after)| after);
    if after.contains(':') { server.into() } else { format!("{server}:{PORT}").into() }
}

/// Where a server listens.
pub(super) fn endpoint(host: &str, tls: bool) -> Result<Endpoint, SourceError> {
    let scheme = if tls { "https" } else { "http" };
    Endpoint::parse(&format!("{scheme}://{host}")).map_err(|error| {
        let said = error.to_string();
        // Its words are of URLs, but for what was found.
        let found = said.split_once("found ").map_or("another", |(_, found)| found);
        SourceError::invalid(format!("expected a server such as `10.0.0.1:2181`, found {found}"))
    })
}

/// Whether a path is one that `ZooKeeper` can have: `PathUtils.validatePath`.
pub(super) fn check_path(path: &str) -> Result<(), SourceError> {
    let wrong = |part: &str| part.is_empty() || part == "." || part == "..";
    let fits = |c: char| !c.is_control() && !matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}');
    let parts = path.strip_prefix('/').ok_or(());
    if parts == Ok("") || parts.is_ok_and(|parts| !parts.split('/').any(wrong) && parts.chars().all(fits)) {
        return Ok(());
    }
    Err(SourceError::invalid(format!("expected a path such as `/shop/http`, found {path:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(strings: &[&str]) -> Result<(String, String), String> {
        Servers::parse(strings.iter().copied())
            .map(|servers| (servers.hosts.join(" "), servers.chroot.into()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn servers_are_listed_or_stand_in_one_connection_string() {
        let two = Ok(("a:1 b:2181".to_owned(), String::new()));
        assert_eq!(read(&["a:1", "b"]), two);
        assert_eq!(read(&["a:1, b"]), two);
        assert_eq!(read(&["a:1,b/"]), two);
        assert_eq!(read(&["a,[::1],[::2]:3/x/y"]), Ok(("a:2181 [::1]:2181 [::2]:3".into(), "/x/y".into())));
        assert_eq!(read(&["a/x", "b/x"]), Ok(("a:2181 b:2181".into(), "/x".into())));
        assert_eq!(read(&[]), Ok((String::new(), String::new())));
    }

    #[test]
    fn what_is_no_server_or_no_path_is_told() {
        assert!(read(&["a/x", "b/y"]).unwrap_err().contains("`/x` and `/y`"));
        assert!(read(&["a:port"]).unwrap_err().contains("10.0.0.1:2181"));
        assert!(read(&["a//x"]).unwrap_err().contains("\"//x\""));
        for url in ["zookeeper://user:hunter2@a", "user:hunter2/x@a", "user:hunter2@a:1"] {
            let said = read(&[url]).unwrap_err();
            assert!(said.contains("digest") && !said.contains("hunter2"), "{said}");
        }
        let said = read(&["user:hunter2@a:1"]).unwrap_err();
        assert!(!said.contains("hunter2"), "{said}");
        for path in ["shop", "/shop/", "//", "/a/../b", "/a/./b", "/a\nb", "/a\0", ""] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        for path in ["/", "/a", "/a/b.c", "/ü/..."] {
            check_path(path).unwrap();
        }
    }
}
