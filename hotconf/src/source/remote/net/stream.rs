//! A connection, with TLS or without.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Bytes to and from a server.
pub(crate) enum Stream {
    Plain(TcpStream),
    /// Through a proxy that speaks TLS itself there is one within another.
    Tls(Box<TlsStream<Stream>>),
}

impl Stream {
    pub(super) fn tls(stream: TlsStream<Self>) -> Self {
        Self::Tls(Box::new(stream))
    }

    /// The protocol that the server chose of those offered, where TLS is spoken.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }
}

/// Why a server ended a connection that we write to, where it said so: with TLS 1.3 it refuses a client
/// certificate only after it has let us in, and its alert then lies unread.
fn said(stream: &mut TlsStream<Stream>, cx: &mut Context<'_>, error: io::Error) -> io::Error {
    let mut room = [0; 64];
    match Pin::new(stream).poll_read(cx, &mut ReadBuf::new(&mut room)) {
        Poll::Ready(Err(said)) => said,
        _ => error,
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => {
                Pin::new(&mut **stream).poll_write(cx, buf).map_err(|error| said(stream, cx, error))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => {
                Pin::new(&mut **stream).poll_flush(cx).map_err(|error| said(stream, cx, error))
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => {
                Pin::new(&mut **stream).poll_write_vectored(cx, bufs).map_err(|error| said(stream, cx, error))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
