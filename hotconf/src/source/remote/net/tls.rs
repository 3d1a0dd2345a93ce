//! TLS as a transport wants it, made anew for each connection: what lies in files may have changed.

use super::endpoint::Endpoint;
use super::explain::explain;
use super::stream::Stream;
use super::token::elsewhere;
use super::transport::{Pem, Transport, Trust};
use crate::source::file::read_small;
use crate::source::{Context, SourceError};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto, version};
use zeroize::Zeroizing;

/// Speaks TLS with `endpoint` over `inner`.
pub(crate) async fn handshake(
    inner: Stream,
    endpoint: &Endpoint,
    transport: &Transport,
    alpn: &[&[u8]],
    cx: &Context,
) -> Result<Stream, SourceError> {
    let name = ServerName::try_from(endpoint.host().to_owned()).map_err(|_| {
        SourceError::invalid(format!("expected a host name or an address, found `{}`", endpoint.host()))
    })?;
    let (wanted, alpn) = (transport.clone(), alpn.iter().map(|name| name.to_vec()).collect());
    // Files may be slow, and those of the machine are many.
    let made = elsewhere(cx, move || config(&wanted, alpn)).await;
    let config = made.unwrap_or_else(|| Err("reading certificates was cut short".to_owned()));
    let config = config
        .map_err(|why| SourceError::down(format!("cannot connect to {}: {why}", endpoint.host_and_port())))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, inner).await;
    let stream = stream.map_err(|error| {
        SourceError::down(format!("cannot connect to {}: TLS: {}", endpoint.host_and_port(), explain(&error)))
    })?;
    Ok(Stream::tls(stream))
}

fn config(transport: &Transport, alpn: Vec<Vec<u8>>) -> Result<ClientConfig, String> {
    let roots = match &transport.trust {
        Trust::Machine => machine()?,
        Trust::Only(pem) => only(pem)?,
    };
    // Named here, since a program may have another provider as its default.
    let provider = Arc::new(crypto::ring::default_provider());
    let versions: &[_] =
        if transport.tls12 { &[&version::TLS13, &version::TLS12] } else { &[&version::TLS13] };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| explain(&error))?
        .with_root_certificates(roots);
    let mut config = match &transport.client {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let name = name(chain);
            let certificates = certificates(chain, "client certificate")?;
            let key = private_key(key)?;
            config
                .with_client_auth_cert(certificates, key)
                .map_err(|error| format!("the client certificate in {name}: {}", explain(&error)))?
        }
    };
    config.alpn_protocols = alpn;
    Ok(config)
}

fn machine() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let why = found.errors.first().map_or_else(String::new, |error| format!(" ({})", explain(error)));
    Err(format!(
        "this machine trusts no certificates{why}: install them (package `ca-certificates`), or give one \
         with `Transport::ca_file`"
    ))
}

fn only(pem: &Pem) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "certificate of an authority")? {
        let added = roots.add(certificate);
        added.map_err(|error| format!("the authority in {}: {}", name(pem), explain(&error)))?;
    }
    Ok(roots)
}

fn certificates(pem: &Pem, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = text(pem)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{} has no {what}: expected `-----BEGIN CERTIFICATE-----`", name(pem))),
        // What is wrong is not repeated: a key may stand in the same file, and all of it on the line that is.
        Err(_) => Err(format!(
            "{} is no PEM: expected `-----BEGIN CERTIFICATE-----`, text in base64, and `-----END CERTIFICATE-----`, \
             each on a line of its own",
            name(pem)
        )),
    }
}

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, String> {
    let text = text(pem)?;
    if text.windows(b"ENCRYPTED".len()).any(|part| part == b"ENCRYPTED") {
        return Err(format!(
            "the key in {} is encrypted: give one that is not, readable by its owner alone",
            name(pem)
        ));
    }
    // What is wrong with a key is not repeated: it is a secret.
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| format!("{} has no private key: expected `-----BEGIN PRIVATE KEY-----`", name(pem)))
}

fn text(pem: &Pem) -> Result<Zeroizing<Vec<u8>>, String> {
    match pem {
        Pem::Text(text) => Ok((**text).clone()),
        Pem::File(path) => {
            read_small(path).map_err(|why| format!("{} cannot be read: it {why}", path.display()))
        }
    }
}

fn name(pem: &Pem) -> String {
    match pem {
        Pem::File(path) => path.display().to_string(),
        Pem::Text(_) => "the PEM text given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_named_with_its_file() {
        let missing = config(&Transport::new().ca_file("/nowhere/ca.pem"), Vec::new()).unwrap_err();
        assert!(missing.starts_with("/nowhere/ca.pem cannot be read: it does not exist"), "{missing}");
        let empty = config(&Transport::new().ca_pem("hello"), Vec::new()).unwrap_err();
        assert!(empty.contains("BEGIN CERTIFICATE"), "{empty}");
    }

    #[test]
    fn a_key_that_cannot_be_used_is_not_repeated() {
        let key =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVudGVyMg==\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let said = private_key(&Pem::Text(Arc::new(Zeroizing::new(key.into())))).unwrap_err();
        assert!(said.contains("encrypted") && !said.contains("aHVu"), "{said}");
        let said = private_key(&Pem::Text(Arc::new(Zeroizing::new("hunter2".into())))).unwrap_err();
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    fn a_key_in_a_file_of_certificates_is_not_repeated() {
        // As it comes out of a variable in which line breaks were lost.
        for text in ["-----BEGIN PRIVATE KEY----- hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2\n"] {
            let said = config(&Transport::new().ca_pem(text), Vec::new()).unwrap_err();
            let bytes = format!("{:?}", b"hunter2");
            let bytes = bytes.trim_matches(['[', ']']);
            assert!(said.contains("BEGIN CERTIFICATE"), "{said}");
            assert!(!said.contains("hunter2") && !said.contains(bytes), "{said}");
        }
    }
}
