//! Opens a connection to a server: name, TCP, proxy, TLS.

use super::connect::connect;
use super::endpoint::Endpoint;
use super::explain::explain;
use super::proxy::Proxy;
use super::stream::Stream;
use super::tls::handshake;
use super::transport::Transport;
use crate::source::{Context, SourceError};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

/// The longest answer of a proxy to `CONNECT` that is read.
const LONGEST_HEAD: usize = 16 << 10;

/// Connects to `endpoint`, through the proxy that `transport` says, with TLS where the address asks for it;
/// `alpn` are the protocols offered, the best first. The deadline is the caller's.
///
/// # Cancel safety
///
/// Dropping it closes what was opened.
pub(crate) async fn dial(
    endpoint: &Endpoint,
    transport: &Transport,
    alpn: &[&[u8]],
    cx: &Context,
) -> Result<Stream, SourceError> {
    let stream = match transport.proxy_to(endpoint)? {
        None => Stream::Plain(connect(endpoint, cx).await?),
        Some(proxy) => tunnel(dial_proxy(&proxy, transport, cx).await?, &proxy, endpoint).await?,
    };
    if !endpoint.is_tls() {
        return Ok(stream);
    }
    handshake(stream, endpoint, transport, alpn, cx).await
}

/// Connects to a proxy itself: plain HTTP/1.1 is asked of it with whole addresses, and needs no tunnel.
pub(super) async fn dial_proxy(
    proxy: &Proxy,
    transport: &Transport,
    cx: &Context,
) -> Result<Stream, SourceError> {
    let of_proxy = |error: SourceError| {
        SourceError::down(format!("the proxy {} does not answer: {error}", proxy.endpoint))
    };
    let stream = Stream::Plain(connect(&proxy.endpoint, cx).await.map_err(of_proxy)?);
    if !proxy.endpoint.is_tls() {
        return Ok(stream);
    }
    handshake(stream, &proxy.endpoint, transport, &[b"http/1.1"], cx).await.map_err(of_proxy)
}

/// Asks a proxy for a way through to `endpoint`.
async fn tunnel(mut stream: Stream, proxy: &Proxy, endpoint: &Endpoint) -> Result<Stream, SourceError> {
    let failed = |why: &str| {
        SourceError::down(format!("the proxy {} gives no way to {}: {why}", proxy.endpoint, endpoint))
    };
    let to = endpoint.host_and_port();
    let mut asked = Zeroizing::new(format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n"));
    if let Some(authorization) = proxy.authorization() {
        asked.push_str("Proxy-Authorization: ");
        asked.push_str(&authorization);
        asked.push_str("\r\n");
    }
    asked.push_str("\r\n");
    stream.write_all(asked.as_bytes()).await.map_err(|error| failed(&explain(&error)))?;
    stream.flush().await.map_err(|error| failed(&explain(&error)))?;
    let head = head(&mut stream).await.map_err(|error| failed(&explain(&error)))?;
    match status(&head) {
        Some(200..=299) => Ok(stream),
        Some(407) => Err(SourceError::denied(format!(
            "the proxy {} asks who we are: write its address as `http://user:password@host:port`",
            proxy.endpoint
        ))),
        Some(status) => Err(failed(&format!("it answered {status}"))),
        None => Err(failed("it does not speak HTTP/1.1")),
    }
}

/// Reads up to the empty line and no byte more: what follows is the server's.
async fn head(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= LONGEST_HEAD {
            return Err(io::Error::other("its answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|&b| b == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_proxy_is_read_from_its_first_line() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\nX: y\r\n\r\n"), Some(407));
        for head in [&b""[..], b"220 smtp\r\n\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 x\r\n", b"\xff\r\n"] {
            assert_eq!(status(head), None, "{head:?}");
        }
    }
}
