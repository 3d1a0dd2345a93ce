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
    Tls(Box<Sealed>),
}

/// A connection with TLS.
pub(crate) struct Sealed {
    stream: TlsStream<Stream>,
    /// Whether the server has said anything after the handshake.
    heard: bool,
    /// Why writing failed before it has.
    failed: Option<io::Error>,
}

impl Stream {
    pub(super) fn tls(stream: TlsStream<Self>) -> Self {
        Self::Tls(Box::new(Sealed { stream, heard: false, failed: None }))
    }

    /// The protocol that the server chose of those offered, where TLS is spoken.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(sealed) => sealed.stream.get_ref().1.alpn_protocol(),
        }
    }
}

impl Sealed {
    /// Writes. With TLS 1.3 a server refuses our certificate only after it has let us in: where writing fails
    /// before it has said anything, its alert is what there is to tell, and it lies unread or is under way.
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TlsStream<Stream>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let error = match self.failed.take() {
            Some(error) => error,
            None => match write(Pin::new(&mut self.stream), cx) {
                Poll::Ready(Err(error)) if !self.heard => error,
                written => return written,
            },
        };
        let mut room = [0; 64];
        match Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut room)) {
            Poll::Ready(Err(said)) => Poll::Ready(Err(said)),
            Poll::Ready(Ok(())) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.failed = Some(error);
                Poll::Pending
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(sealed) => {
                let before = buf.filled().len();
                let read = Pin::new(&mut sealed.stream).poll_read(cx, buf);
                sealed.heard |= buf.filled().len() > before;
                read
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(sealed) => sealed.write(cx, |stream, cx| stream.poll_write(cx, buf)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(sealed) => sealed.write(cx, |stream, cx| stream.poll_flush(cx)),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(sealed) => Pin::new(&mut sealed.stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(sealed) => sealed.write(cx, |stream, cx| stream.poll_write_vectored(cx, bufs)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(sealed) => sealed.stream.is_write_vectored(),
        }
    }
}
