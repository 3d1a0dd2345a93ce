//! Where a Redis is: `redis://host:port/database`.
//!
//! Pure. What may be a credential is refused and not shown.

use crate::source::SourceError;
use crate::source::remote::net::Endpoint;
use std::fmt;

const PORT: u16 = 6379;

/// A server, as it was written.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) endpoint: Endpoint,
    /// The database that stands behind the slash.
    pub(super) database: Option<u32>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn parse(url: &str) -> Result<Self, SourceError> {
        read(url.trim()).map_err(|wrong| {
            SourceError::invalid(format!("expected an address such as `redis://host:6379`, {wrong}"))
        })
    }

    /// For an identity.
    pub(super) fn whole(&self) -> String {
        self.endpoint.whole()
    }
}

fn read(url: &str) -> Result<Address, String> {
    let (scheme, rest) = url.split_once("://").ok_or("found one without a scheme")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => "http",
        "rediss" | "valkeys" => "https",
        _ => return Err("found another scheme: `redis`, or `rediss` with TLS".to_owned()),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if url.contains('@') {
        return Err("found a user name or a password in it: give them with `.user(name, password)` or \
                    `.password(password)`, and take them out of the address, which is shown in logs"
            .to_owned());
    }
    let database = match path.strip_prefix('/').unwrap_or(path) {
        "" => None,
        number => {
            let number = number
                .parse()
                .map_err(|_| "found something else than the number of a database after the host");
            Some(number?)
        }
    };
    let after = authority.rsplit_once(']').map_or(authority, |(_, after)| after);
    let port = if after.contains(':') { String::new() } else { format!(":{PORT}") };
    let endpoint = Endpoint::parse(&format!("{scheme}://{authority}{port}")).map_err(|error| {
        let said = error.to_string();
        said.split_once(", ").map_or(said.clone(), |(_, wrong)| wrong.to_owned())
    })?;
    Ok(Address { endpoint, database })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.endpoint.is_tls() { "rediss" } else { "redis" };
        write!(f, "{scheme}://{}", self.endpoint.host_and_port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_perhaps_a_database() {
        let of = |url: &str| {
            let address = Address::parse(url).unwrap();
            (address.to_string(), address.database)
        };
        assert_eq!(of("redis://h"), ("redis://h:6379".to_owned(), None));
        assert_eq!(of("redis://127.0.0.1:7000/"), ("redis://127.0.0.1:7000".to_owned(), None));
        assert_eq!(of("rediss://cache.internal/3"), ("rediss://cache.internal:6379".to_owned(), Some(3)));
        assert_eq!(of("redis://[::1]"), ("redis://[::1]:6379".to_owned(), None));
        assert_eq!(of("redis://[::1]:80"), ("redis://[::1]:80".to_owned(), None));
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_remedy_and_no_credential_is_shown() {
        let said = |url: &str| Address::parse(url).unwrap_err().to_string();
        for url in ["redis://:hunter2@h", "redis://shop:hunter2@h:1/2", "rediss://h/hunter2@x"] {
            let said = said(url);
            assert!(said.contains(".password(password)") && !said.contains("hunter2"), "{said}");
        }
        assert!(said("h:6379").contains("scheme"));
        assert!(said("http://h").contains("`rediss`"));
        assert!(said("redis://h/x").contains("number of a database"));
        assert!(said("redis://h:0").contains("port"));
        assert!(said("redis://").contains("host"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(url in "(rediss?://)?[a-z0-9.:@\\[\\]/?# %é-]{0,30}") {
            if let Ok(address) = Address::parse(&url) {
                proptest::prop_assert_eq!(Address::parse(&address.to_string()).unwrap().to_string(), address.to_string());
            }
        }
    }
}
