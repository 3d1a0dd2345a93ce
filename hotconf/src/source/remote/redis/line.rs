//! One connection to a Redis: commands go out, replies and what it says unasked come in, on any stream of bytes.
//!
//! Nothing runs by itself. What is to be sent and what has come lie in the [`Line`], not in the future that waits:
//! one that is dropped leaves no half of a command behind, and replies that nobody waits for any more are passed over.

use super::wire::{Malformed, Replies, Reply};
use crate::source::SourceError;
use crate::source::remote::net::explain;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use zeroize::Zeroizing;

/// What one look at the stream takes at most.
const PIECE: usize = 16 << 10;

/// A connection.
pub(super) struct Line<T> {
    stream: T,
    /// The server, for messages.
    name: Box<str>,
    replies: Replies,
    /// The most bytes of one reply.
    most: usize,
    out: Zeroizing<Vec<u8>>,
    sent: usize,
    /// It was written, and may still lie in the stream.
    unflushed: bool,
    /// How many replies are to come, and how many of them nobody waits for.
    owed: usize,
    stale: usize,
    /// The server has answered once: it is a Redis.
    heard: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Line<T> {
    pub(super) fn new(stream: T, name: &str, most: usize) -> Self {
        Self {
            stream,
            name: name.into(),
            replies: Replies::default(),
            most,
            out: Zeroizing::default(),
            sent: 0,
            unflushed: false,
            owed: 0,
            stale: 0,
            heard: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whatever was asked so far, nobody waits for its replies.
    pub(super) fn forget(&mut self) {
        self.stale = self.owed;
    }

    /// The most bytes of one reply.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Notes what is to be sent: it goes out while an answer is waited for.
    pub(super) fn say(&mut self, command: Zeroizing<Vec<u8>>) {
        self.owed += 1;
        self.say_for_push(command);
    }

    /// The same of a command that is answered by a push.
    pub(super) fn say_for_push(&mut self, command: Zeroizing<Vec<u8>>) {
        if self.out.is_empty() {
            self.out = command;
        } else {
            self.out.extend_from_slice(&command);
        }
    }

    /// The next thing that the server says: a push, or a reply that somebody waits for.
    pub(super) async fn hear(&mut self) -> Result<Reply, SourceError> {
        loop {
            let reply = match self.replies.next(self.most) {
                Ok(Some(reply)) => reply,
                Ok(None) => {
                    self.exchange().await?;
                    continue;
                }
                Err(why) => return Err(self.lied(why)),
            };
            self.heard = true;
            if let Reply::Push(_) = reply {
                return Ok(reply);
            }
            if self.owed == 0 {
                // A server that is full, or that refuses us, says so unasked and hangs up.
                return match reply {
                    Reply::Error(_) => Ok(reply),
                    _ => {
                        Err(SourceError::down(format!("{}: found a reply that nobody asked for", self.name)))
                    }
                };
            }
            self.owed -= 1;
            if self.stale == 0 {
                return Ok(reply);
            }
            self.stale -= 1;
        }
    }

    /// What has come already, without waiting.
    pub(super) fn heard(&mut self) -> Result<Option<Reply>, SourceError> {
        // A reply that somebody waits for is left to them.
        if self.owed > 0 {
            return Ok(None);
        }
        self.replies.next(self.most).map_err(|why| self.lied(why))
    }

    fn lied(&self, why: Malformed) -> SourceError {
        match why {
            Malformed::TooLong { .. } => SourceError::invalid(format!("{why}: raise `max_document_bytes`")),
            _ if self.heard => SourceError::down(format!("{}: {why}: this is no Redis", self.name)),
            _ => SourceError::down(format!(
                "{}: {why}: is this Redis's port, and `redis` or `rediss` as it has it?",
                self.name
            )),
        }
    }

    /// Sends what is to be sent, and takes a piece of what comes.
    async fn exchange(&mut self) -> Result<(), SourceError> {
        let taken = poll_fn(|task| {
            while self.sent < self.out.len() {
                match Pin::new(&mut self.stream).poll_write(task, &self.out[self.sent..]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(sent)) => {
                        self.sent += sent;
                        self.unflushed = true;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
            if self.sent > 0 && self.sent == self.out.len() {
                self.out = Zeroizing::default();
                self.sent = 0;
            }
            if self.unflushed
                && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(task)
            {
                flushed?;
                self.unflushed = false;
            }
            let mut piece = [std::mem::MaybeUninit::uninit(); PIECE];
            let mut piece = ReadBuf::uninit(&mut piece);
            ready!(Pin::new(&mut self.stream).poll_read(task, &mut piece))?;
            self.replies.push(piece.filled());
            Poll::Ready(Ok(piece.filled().len()))
        })
        .await;
        let why = match taken {
            Ok(0) => "it closed the connection".to_owned(),
            Ok(_) => return Ok(()),
            Err(error) => explain(&error),
        };
        // A server with TLS hangs up on whoever speaks without it, and says nothing.
        let question = ": is this Redis's port, and `redis` or `rediss` as it has it?";
        let remedy = if self.heard || why.contains("alert") { "" } else { question };
        Err(SourceError::down(format!("{}: {why}{remedy}", self.name)))
    }
}
