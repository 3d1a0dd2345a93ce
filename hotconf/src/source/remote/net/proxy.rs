//! Which proxy stands on the way to a server, as users expect it from the environment.
//!
//! Pure: variables are given.

use super::endpoint::Endpoint;
use super::token::fingerprint;
use crate::source::SourceError;
use std::net::IpAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A proxy, and how we are known to it.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) endpoint: Endpoint,
    /// `user:password`.
    pub(super) credentials: Option<Arc<Zeroizing<String>>>,
}

impl Proxy {
    /// Reads `[http(s)://][user:password@]host[:port]`.
    pub(super) fn parse(url: &str) -> Result<Self, SourceError> {
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if user.is_none() && rest.contains('@') {
            // What stands before it may be a part of a password.
            return Err(SourceError::invalid(
                "the address of the proxy: expected `http://user:password@host:port`, found an `@` behind a `/`, `?` or \
                 `#`: write these in a password as `%2F`, `%3F` and `%23`",
            ));
        }
        let endpoint = Endpoint::parse(&format!("{scheme}://{host}")).map_err(|error| {
            SourceError::invalid(format!("the address of the proxy: {error}; HTTP proxies are supported"))
        })?;
        let credentials = user.map(|user| Arc::new(Zeroizing::new(decoded(user))));
        Ok(Self { endpoint, credentials })
    }

    /// The value of a `Proxy-Authorization` header.
    pub(super) fn authorization(&self) -> Option<Zeroizing<String>> {
        let encoded = super::base64::encode(self.credentials.as_ref()?.as_bytes());
        Some(Zeroizing::new(format!("Basic {}", *encoded)))
    }

    pub(super) fn identify(&self) -> String {
        let credentials = self.credentials.as_ref().map(|known| fingerprint(known.as_bytes()));
        format!("{} {}", self.endpoint.whole(), credentials.unwrap_or_default())
    }
}

/// What the variables say of the way to `endpoint`. The lower case names win; this machine itself is never
/// reached through a proxy.
pub(super) fn from_environment(
    endpoint: &Endpoint,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, SourceError> {
    let either = |lower: &str| {
        let set = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        // In a CGI program `HTTP_PROXY` is what the client sent as the header `Proxy`.
        let forged = lower == "http_proxy" && var("REQUEST_METHOD").is_some();
        set(lower).or_else(|| if forged { None } else { set(&lower.to_ascii_uppercase()) })
    };
    let own = if endpoint.is_tls() { "https_proxy" } else { "http_proxy" };
    let Some(url) = either(own).or_else(|| either("all_proxy")) else { return Ok(None) };
    if is_this_machine(endpoint.host()) || either("no_proxy").is_some_and(|list| is_listed(endpoint, &list)) {
        return Ok(None);
    }
    Proxy::parse(&url).map(Some)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether `NO_PROXY` has the host: `*`, a name with what lies below it, an address, a network, each with a
/// port or without.
fn is_listed(endpoint: &Endpoint, list: &str) -> bool {
    let host = endpoint.host();
    let address: Option<IpAddr> = host.parse().ok();
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        if entry == "*" {
            return true;
        }
        if let Some((network, bits)) = entry.split_once('/') {
            let network = network.parse::<IpAddr>().ok().zip(bits.parse::<u32>().ok());
            return address
                .zip(network)
                .is_some_and(|(address, (network, bits))| within(address, network, bits));
        }
        let (name, port) = match entry.rsplit_once(':') {
            // An IPv6 address has colons of its own.
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
            _ => (entry.as_str(), None),
        };
        if port.is_some_and(|port| port.parse() != Ok(endpoint.port())) {
            return false;
        }
        let name = name.trim_start_matches('[').trim_end_matches(']');
        if let (Some(address), Ok(listed)) = (address, name.parse::<IpAddr>()) {
            return address == listed;
        }
        let name = name.trim_start_matches("*.").trim_start_matches('.');
        host == name || host.strip_suffix(name).is_some_and(|below| below.ends_with('.'))
    })
}

fn within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        bits <= width && (bits == 0 || a >> (width - bits) == b >> (width - bits))
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

/// With `%40` and the like read.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(url: &str, vars: &[(&str, &str)]) -> Option<String> {
        let endpoint = Endpoint::parse(url).unwrap();
        let var =
            |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        from_environment(&endpoint, &var).unwrap().map(|proxy| proxy.endpoint.to_string())
    }

    #[test]
    fn the_variable_of_the_scheme_wins_over_the_one_for_all() {
        let vars = [("https_proxy", "http://s:1"), ("HTTP_PROXY", "p:2"), ("ALL_PROXY", "http://all:3")];
        assert_eq!(via("https://h", &vars).as_deref(), Some("http://s:1"));
        assert_eq!(via("http://h", &vars).as_deref(), Some("http://p:2"));
        assert_eq!(via("http://h", &vars[2..]).as_deref(), Some("http://all:3"));
        assert_eq!(
            via("https://h", &[("https_proxy", " "), ("HTTPS_PROXY", "big:4")]).as_deref(),
            Some("http://big:4")
        );
        assert_eq!(via("https://h", &[]), None);
    }

    #[test]
    fn a_password_that_cannot_be_told_from_a_path_is_not_repeated() {
        for url in ["http://user:hunter2/x@host", "user:hunter2#x@host", "http://user:hun/ter2@host:1"] {
            let said = Proxy::parse(url).err().unwrap().to_string();
            assert!(said.contains("%2F") && !said.contains("hun"), "{said}");
        }
    }

    #[test]
    fn a_header_that_a_cgi_server_passes_on_names_no_proxy() {
        let vars = [("HTTP_PROXY", "http://evil"), ("REQUEST_METHOD", "GET")];
        assert_eq!(via("http://h", &vars), None);
    }

    #[test]
    fn this_machine_and_what_no_proxy_lists_are_reached_without() {
        let listed = |url: &str, list: &str| via(url, &[("ALL_PROXY", "p:1"), ("no_proxy", list)]).is_none();
        assert!(
            listed("http://localhost:2379", "")
                && listed("https://[::1]", "")
                && listed("http://127.0.0.9", "")
        );
        assert!(!listed("http://h", ""));
        for list in ["*", "a.b", ".b", "*.b", "x, a.b", "x a.b", "a.b:81", "B"] {
            assert!(listed("http://a.b:81", list), "{list}");
        }
        for list in ["a.b:82", "aa.b", "b.a", "a.b.c"] {
            assert!(!listed("http://a.b:81", list), "{list}");
        }
        assert!(!listed("http://ab", "b"));
        assert!(listed("http://10.1.2.3", "10.0.0.0/8") && !listed("http://11.1.2.3", "10.0.0.0/8"));
        assert!(listed("http://[fd00::1]", "fd00::/8") && listed("http://[fd00::1]:9", "[fd00::1]:9"));
        assert!(listed("http://[fd00::1]", "fd00::1") && !listed("http://10.0.0.1", "10.0.0.1/33"));
    }

    #[test]
    fn the_credentials_of_a_proxy_are_read_and_not_shown() {
        let proxy = Proxy::parse("http://me:p%40ss@proxy:3128/").unwrap();
        assert_eq!(proxy.endpoint.to_string(), "http://proxy:3128");
        assert_eq!(proxy.credentials.as_ref().map(|known| known.as_str()), Some("me:p@ss"));
        assert!(!proxy.identify().contains("p@ss"));
        let said = Proxy::parse("socks5://me:hunter2@proxy").err().unwrap().to_string();
        assert!(said.contains("socks5") && !said.contains("hunter2"), "{said}");
    }
}
