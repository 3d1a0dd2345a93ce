//! How a server is reached: whom we trust, who we are, and through which proxy.

use super::endpoint::Endpoint;
use super::proxy::{Proxy, from_environment};
use super::token::fingerprint;
use crate::source::SourceError;
use crate::source::remote::Identity;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// TLS and proxies of a remote store.
///
/// By default: TLS 1.3 where the address begins with `https`, the certificates that this machine trusts, and
/// the proxy that `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` names, unless `NO_PROXY` has the host. Files are
/// read each time that a connection is opened, so that a certificate can be rotated.
///
/// ```
/// use hotconf::remote::Transport;
///
/// let transport = Transport::new()
///     .ca_file("/etc/shop/ca.pem")
///     .client_cert("/etc/shop/client.pem", "/etc/shop/client.key")
///     .no_proxy();
/// assert_eq!(
///     format!("{transport:?}"),
///     "Transport { ca: \"/etc/shop/ca.pem\", client_cert: \"/etc/shop/client.pem\", .. }",
/// );
/// ```
#[derive(Clone, Default)]
#[must_use = "a transport does nothing until it is given to a store"]
pub struct Transport {
    pub(super) trust: Trust,
    pub(super) client: Option<(Pem, Pem)>,
    pub(super) tls12: bool,
    via: Via,
}

/// Whose certificates are believed.
#[derive(Clone, Default)]
pub(super) enum Trust {
    /// Those that this machine trusts.
    #[default]
    Machine,
    /// These alone.
    Only(Pem),
}

/// PEM text, or where it stands.
#[derive(Clone)]
pub(super) enum Pem {
    File(PathBuf),
    Text(Arc<Zeroizing<Vec<u8>>>),
}

#[derive(Clone, Default)]
enum Via {
    /// What the environment says.
    #[default]
    Environment,
    Nothing,
    /// Or what was wrong with its address.
    This(Result<Proxy, SourceError>),
}

impl Transport {
    /// All defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates in this PEM file, and no other.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.trust = Trust::Only(Pem::File(path.into()));
        self
    }

    /// Trusts the certificates in this PEM text, and no other.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.trust = Trust::Only(Pem::text(pem));
        self
    }

    /// Shows the server this certificate: PEM files of the chain and of its private key.
    pub fn client_cert(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client = Some((Pem::File(chain.into()), Pem::File(key.into())));
        self
    }

    /// The same with PEM texts.
    pub fn client_cert_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.client = Some((Pem::text(chain), Pem::text(key)));
        self
    }

    /// Allows TLS 1.2 besides 1.3.
    pub fn tls12(mut self) -> Self {
        self.tls12 = true;
        self
    }

    /// Goes through this proxy, whatever the environment says: `http(s)://[user:password@]host:port`.
    pub fn proxy(mut self, url: &str) -> Self {
        self.via = Via::This(Proxy::parse(url));
        self
    }

    /// Goes through no proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.via = Via::Nothing;
        self
    }

    /// For what is no HTTP: the proxies of the environment are not meant for it, one that was given is.
    #[allow(dead_code)] // stores with a protocol of their own
    pub(crate) fn past_environment(mut self) -> Self {
        if let Via::Environment = self.via {
            self.via = Via::Nothing;
        }
        self
    }

    /// The proxy on the way to `endpoint`, as of now.
    pub(super) fn proxy_to(&self, endpoint: &Endpoint) -> Result<Option<Proxy>, SourceError> {
        match &self.via {
            Via::Nothing => Ok(None),
            Via::This(proxy) => proxy.clone().map(Some),
            Via::Environment => from_environment(endpoint, &|name| std::env::var(name).ok()),
        }
    }

    /// The same for a server that we were sent on to: our certificate is not for it.
    pub(super) fn for_others(&self) -> Self {
        Self { client: None, ..self.clone() }
    }

    /// Adds to an identity what tells this transport from others.
    pub(crate) fn identify(&self, identity: Identity) -> Identity {
        let trust = match &self.trust {
            Trust::Machine => "machine".to_owned(),
            Trust::Only(pem) => pem.identify(),
        };
        let client = self
            .client
            .as_ref()
            .map_or_else(String::new, |(chain, key)| format!("{}\n{}", chain.identify(), key.identify()));
        let via = match &self.via {
            Via::Environment => "environment".to_owned(),
            Via::Nothing => "nothing".to_owned(),
            Via::This(Ok(proxy)) => proxy.identify(),
            Via::This(Err(error)) => error.to_string(),
        };
        identity.and(trust).and(client).and(self.tls12.to_string()).and(via)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Transport");
        if let Trust::Only(pem) = &self.trust {
            f.field("ca", pem);
        }
        if let Some((chain, _)) = &self.client {
            f.field("client_cert", chain);
        }
        if let Via::This(Ok(proxy)) = &self.via {
            f.field("proxy", &proxy.endpoint.to_string());
        }
        f.finish_non_exhaustive()
    }
}

impl Pem {
    fn text(pem: impl Into<Vec<u8>>) -> Self {
        Self::Text(Arc::new(Zeroizing::new(pem.into())))
    }

    fn identify(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Text(text) => format!("text {}", fingerprint(text)),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Text(_) => f.write_str("PEM"),
        }
    }
}
