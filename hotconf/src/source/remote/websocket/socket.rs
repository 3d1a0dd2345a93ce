//! One open WebSocket: the handshake, and bytes both ways at once.

use super::super::net::crypto::random;
use super::super::net::{Endpoint, Header, Http1, Response, Stream, base64, explain};
use super::Settings;
use super::wire::{Fault, Incoming, Outgoing, Reader, accept, write};
use crate::race::race;
use crate::source::{Context, SourceError};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is told a server that breaks the protocol is under way for this long at most.
const FAREWELL: Duration = Duration::from_millis(500);

/// A connection on which messages come. Dropping it closes the connection.
pub(super) struct Socket {
    stream: Stream,
    reader: Reader,
    /// What has yet to be sent.
    out: Vec<u8>,
    /// Something was written since all was last sent.
    unsent: bool,
    /// The last ping that has no answer yet: it stands for those before (RFC 6455, section 5.5.3).
    pong: Option<Vec<u8>>,
}

/// What has happened on a connection.
pub(super) enum Moved {
    /// Something came.
    Heard,
    /// All that was to be sent is on its way.
    Sent,
}

impl Socket {
    /// Asks for a WebSocket.
    pub(super) async fn open(
        endpoint: &Endpoint,
        settings: &Settings,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let mut credentials = Vec::with_capacity(settings.credentials.len());
        for credential in &settings.credentials {
            credentials.push((credential.name(), credential.read(cx).await?));
        }
        let mut headers: Vec<_> =
            credentials.iter().map(|(name, value)| Header::secret(name, value)).collect();
        let key = base64(&random::<16>()?);
        headers.push(Header::new("connection", "Upgrade"));
        headers.push(Header::new("upgrade", "websocket"));
        headers.push(Header::new("sec-websocket-version", "13"));
        headers.push(Header::new("sec-websocket-key", &key));
        if let Some(protocol) = &settings.protocol {
            headers.push(Header::new("sec-websocket-protocol", protocol));
        }
        let http = Http1::new(endpoint.clone(), settings.transport.clone());
        let begun = http.begin(&headers, true, cx).await?;
        check(begun.head(), &accept(&key), settings.protocol.as_deref())?;
        let (stream, read) = begun.take_over().await?;
        let mut reader = Reader::new(cx.limits.bytes);
        reader.room().extend_from_slice(&read);
        Ok(Self { stream, reader, out: Vec::new(), unsent: false, pong: None })
    }

    /// The next that has come whole.
    pub(super) fn next(&mut self) -> Result<Option<Incoming>, Fault> {
        let next = self.reader.next()?;
        if let Some(Incoming::Ping(payload)) = &next {
            self.pong = Some(payload.clone());
        }
        Ok(next)
    }

    /// How long a message may be.
    pub(super) fn most(&self) -> usize {
        self.reader.most()
    }

    /// Notes that this is to be sent.
    pub(super) fn send(&mut self, what: Outgoing<'_>) -> Result<(), SourceError> {
        write(&mut self.out, what, random()?);
        Ok(())
    }

    /// Whether something has yet to be sent.
    pub(super) fn is_sending(&self) -> bool {
        !self.out.is_empty() || self.unsent
    }

    /// Sends and reads, whichever moves first.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(super) async fn moves(&mut self) -> Result<Moved, SourceError> {
        if self.out.is_empty()
            && let Some(payload) = self.pong.take()
        {
            self.send(Outgoing::Pong(&payload))?;
        }
        let moved = poll_fn(|task| self.advance(task)).await;
        moved.map_err(|error| SourceError::down(format!("the connection failed: {}", explain(&error))))
    }

    /// Tells the server why it is left, as far as that is possible at once.
    pub(super) async fn leave(&mut self, code: u16, cx: &Context) {
        if self.send(Outgoing::Close(code)).is_ok() {
            let sending = async { while self.is_sending() && self.moves().await.is_ok() {} };
            race(sending, cx.sleep(FAREWELL)).await;
        }
    }

    fn advance(&mut self, task: &mut Task<'_>) -> Poll<io::Result<Moved>> {
        if self.is_sending()
            && let Poll::Ready(sent) = self.push(task)
        {
            return Poll::Ready(sent.map(|()| Moved::Sent));
        }
        let mut space = [0; 8 << 10];
        let mut read = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(task, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.reader.room().extend_from_slice(read.filled());
        Poll::Ready(Ok(Moved::Heard))
    }

    fn push(&mut self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(task, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.drain(..written);
            self.unsent = true;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(task))?;
        self.unsent = false;
        Poll::Ready(Ok(()))
    }
}

/// Whether a server agrees to speak WebSocket (RFC 6455, section 4.1).
fn check(head: &Response, accept: &str, protocol: Option<&str>) -> Result<(), SourceError> {
    let from = &head.from;
    match head.status {
        101 => {}
        200..=299 | 426 => {
            let status = head.status;
            return Err(SourceError::invalid(format!(
                "{from} answered {status}, expected 101: is this the address of a WebSocket (version 13), and does no \
                 proxy or login answer in its place?"
            )));
        }
        _ => return Err(head.failure()),
    }
    let wrong = |what: &str| Err(SourceError::invalid(format!("{from} answered 101 {what}")));
    let has = |name, word: &str| {
        let value = head.header(name).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !has("upgrade", "websocket") || !has("connection", "upgrade") {
        return wrong("and changes to another protocol than WebSocket");
    }
    if head.header("sec-websocket-accept").map(str::trim) != Some(accept) {
        return wrong("to another question: its `Sec-WebSocket-Accept` is not that of our key");
    }
    if head.header("sec-websocket-extensions").is_some_and(|extensions| !extensions.trim().is_empty()) {
        return wrong("with an extension, though none was offered");
    }
    match (protocol, head.header("sec-websocket-protocol").map(str::trim)) {
        (None, None) => Ok(()),
        (Some(asked), Some(chosen)) if asked == chosen => Ok(()),
        (Some(asked), _) => wrong(&format!("and does not speak the protocol `{asked}`")),
        (None, Some(_)) => {
            wrong("and wants to speak a protocol that was not asked for: name it with `protocol`")
        }
    }
}
