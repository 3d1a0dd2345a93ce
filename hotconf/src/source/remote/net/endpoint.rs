//! Where a server is: a URL that was read once, and that can be shown.
//!
//! Pure. What may hold a credential is refused (user info) or never shown (the query).

use crate::source::SourceError;
use std::fmt;

/// `http(s)://host[:port][/path][?query]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    tls: bool,
    /// Lower case; an IPv6 address without its brackets.
    host: Box<str>,
    port: u16,
    /// Path and query, from the slash on.
    target: Box<str>,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without showing what may be a credential.
    pub(crate) fn parse(url: &str) -> Result<Self, SourceError> {
        read(url.trim()).map_err(|wrong| {
            SourceError::invalid(format!("expected an address such as `https://host:port/path`, {wrong}"))
        })
    }

    /// Where `location`, an absolute or a relative reference, leads from here.
    pub(crate) fn join(&self, location: &str) -> Result<Self, SourceError> {
        let location = location.split('#').next().unwrap_or_default().trim();
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme()));
        }
        let before_path = location.split(['/', '?']).next().unwrap_or_default();
        if before_path.contains(':') {
            return Self::parse(location);
        }
        let path = self.path();
        let target = match location.chars().next() {
            None => self.target.to_string(),
            Some('/') => location.to_owned(),
            Some('?') => format!("{path}{location}"),
            Some(_) => format!("{}/{location}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
        };
        Self::parse(&format!("{}://{}{}", self.scheme(), self.authority(), without_dots(&target)))
    }

    /// The same server with another path and query, which begin with a slash.
    pub(crate) fn at(&self, target: &str) -> Self {
        Self { target: target.into(), ..self.clone() }
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    /// Without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, from the slash on, for a request line.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The path alone.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// `host` or `host:port`, as it stands in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        if self.port == default_port(self.tls) { self.bracketed() } else { self.host_and_port() }
    }

    /// `host:port` in any case, as it stands in a `CONNECT` request.
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    /// Whether credentials for one may be sent to the other.
    pub(crate) fn is_same_origin(&self, other: &Self) -> bool {
        (self.tls, &self.host, self.port) == (other.tls, &other.host, other.port)
    }

    /// All of it, the query too: for an identity, never to be shown.
    pub(crate) fn whole(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority(), self.target)
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() }
    }
}

const CREDENTIALS: &str = "found a user name or a password in it: give them as credentials, and take them out of the \
                           address, which is shown in logs";

/// Without the query, which may hold a token.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())?;
        let path = self.path();
        if path.len() > 1 {
            f.write_str(path)?;
        }
        if path.len() < self.target.len() {
            f.write_str("?…")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn read(url: &str) -> Result<Endpoint, String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("found one without a scheme".to_owned());
    };
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        other
            if other.len() <= 16
                && other.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) =>
        {
            return Err(format!("found the scheme `{other}`"));
        }
        _ => return Err("found another scheme".to_owned()),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let split = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(split);
    if authority.contains('@') {
        return Err(CREDENTIALS.to_owned());
    }
    // With an `@` behind it, what looks like a host or a port may be the beginning of a password with a slash in it.
    let strange = |what: String| Err(if url.contains('@') { CREDENTIALS.to_owned() } else { what });
    let (host, port) = match authority.strip_prefix('[') {
        Some(address) => {
            let (host, port) =
                address.split_once(']').ok_or_else(|| "found no `]` after the IPv6 address".to_owned())?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return strange(format!("found `[{host}]`, which is no IPv6 address"));
            }
            (host, port.strip_prefix(':').unwrap_or(port))
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.len() > 253 || !host.chars().all(fits) {
        return strange(format!("found the host {host:?}"));
    }
    let port = match port {
        "" => default_port(tls),
        port => match port.parse() {
            Ok(port @ 1..) => port,
            _ => return strange(format!("found the port {port:?}")),
        },
    };
    if !target.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(
            "found a space, a control character or a letter that is not ASCII in the path: write it \
             percent-encoded"
                .to_owned(),
        );
    }
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok(Endpoint { tls, host: host.to_ascii_lowercase().into(), port, target: target.into() })
}

/// The path with `.` and `..` resolved; the query as it is.
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(url: &str) -> String {
        Endpoint::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn an_address_is_read_and_shown_without_its_query() {
        let end = Endpoint::parse("HTTPS://Config.Example:8443/a/b?token=hunter2#x").unwrap();
        assert_eq!(end.to_string(), "https://config.example:8443/a/b?…");
        assert_eq!(format!("{end:?}"), "Endpoint(https://config.example:8443/a/b?…)");
        assert_eq!((end.host(), end.port(), end.target()), ("config.example", 8443, "/a/b?token=hunter2"));
        let plain = Endpoint::parse("http://h").unwrap();
        assert_eq!((plain.to_string().as_str(), plain.authority().as_str()), ("http://h", "h"));
        assert_eq!((plain.target(), plain.host_and_port().as_str()), ("/", "h:80"));
        let six = Endpoint::parse("http://[::1]:2379").unwrap();
        assert_eq!((six.host(), six.authority().as_str()), ("::1", "[::1]:2379"));
    }

    #[test]
    fn what_cannot_be_an_address_is_refused_and_no_credential_is_repeated() {
        assert!(said("ftp://host/x").contains("scheme `ftp`"));
        assert!(said("host:2379").contains("without a scheme"));
        let info = said("https://user:hunter2@host/x");
        assert!(info.contains("user name") && !info.contains("hunter2") && !info.contains("user:"), "{info}");
        for url in ["https://user:hunter2/x@host", "https://user:hunter2?x@host", "http://[hunter2]/x@host"] {
            assert!(said(url).contains("user name") && !said(url).contains("hunter2"), "{}", said(url));
        }
        for url in [
            "http://",
            "http://:80",
            "http://h:0",
            "http://h:x",
            "http://h:70000",
            "http://[::1",
            "http://[x]",
        ] {
            assert!(said(url).starts_with("expected an address"), "{url}");
        }
        assert!(said("http://h/a b").contains("percent-encoded"));
        assert!(said("http://h/\r\nX: y").contains("percent-encoded"));
    }

    #[test]
    fn a_reference_leads_on_from_where_it_stands() {
        let from = Endpoint::parse("https://h:1/a/b/c?x=1").unwrap();
        let to = |location: &str| from.join(location).unwrap().whole();
        assert_eq!(to("/d"), "https://h:1/d");
        assert_eq!(to("d?y=2"), "https://h:1/a/b/d?y=2");
        assert_eq!(to("../d/./e"), "https://h:1/a/d/e");
        assert_eq!(to("../../../.."), "https://h:1/");
        assert_eq!(to("?z"), "https://h:1/a/b/c?z");
        assert_eq!(to("//other/q"), "https://other/q");
        assert_eq!(to("http://other:81"), "http://other:81/");
        assert_eq!(to(""), from.whole());
        assert_eq!(to("/p?u=http://x"), "https://h:1/p?u=http://x");
        assert!(from.join("ftp://x").is_err() && from.join("https://u:p@x").is_err());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let end = |url| Endpoint::parse(url).unwrap();
        assert!(end("https://h/a").is_same_origin(&end("https://H:443/b")));
        for other in ["http://h/a", "https://h:444/a", "https://h.x/a"] {
            assert!(!end("https://h/a").is_same_origin(&end(other)), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_read_again_as_the_same(url in "(https?://)?[a-z0-9.:@\\[\\]/?# %-]{0,30}", to in ".{0,20}") {
            if let Ok(end) = Endpoint::parse(&url) {
                proptest::prop_assert_eq!(&Endpoint::parse(&end.whole()).unwrap(), &end);
                proptest::prop_assert!(!end.to_string().contains('@') || end.path().contains('@'));
                if let Ok(next) = end.join(&to) {
                    proptest::prop_assert!(next.target().starts_with('/'));
                }
            }
        }
    }
}
