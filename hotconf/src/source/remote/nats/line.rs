//! A connection as operations: bytes are read until one is whole, and what is said is sent in one piece.
//!
//! Both directions keep what is under way here, not in the future that waits: one that is dropped loses nothing.

use super::api::{self, Info};
use super::refusal;
use super::wire::{self, Op, Wrong};
use crate::source::SourceError;
use crate::source::remote::net::{Stream, explain};
use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// So much is read at once.
const PIECE: usize = 8 << 10;
/// What is kept of a buffer that was needed for more.
const KEPT: usize = 32 << 10;

pub(super) struct Line {
    stream: Stream,
    /// Which server this is, for messages.
    name: String,
    /// The most bytes of one message.
    most: usize,
    /// What came; up to `taken` it is done with.
    came: Vec<u8>,
    taken: usize,
    /// What is to be said.
    out: Vec<u8>,
}

impl Line {
    pub(super) fn new(stream: Stream, name: String, most: usize) -> Self {
        Self { stream, name, most, came: Vec::new(), taken: 0, out: Vec::new() }
    }

    /// What the server says of itself before all else.
    pub(super) async fn greeting(&mut self) -> Result<Info, SourceError> {
        self.wait().await?;
        let (op, length) = self.heard()?;
        let info = match op {
            Op::Info(json) => Ok(api::info(json)),
            Op::Refused(said) => Err(refusal::refused(&said, &[])),
            _ => Ok(None),
        };
        self.take(length);
        match info {
            Ok(Some(info)) => Ok(info),
            Err(Some(error)) => Err(error),
            Ok(None) | Err(None) => Err(self.down("its greeting cannot be read")),
        }
    }

    /// The stream below, for TLS. Nothing may have come that would then count as said under TLS.
    pub(super) fn into_stream(self) -> Result<Stream, SourceError> {
        if self.taken < self.came.len() {
            return Err(self.down("more came than a greeting before TLS"));
        }
        Ok(self.stream)
    }

    /// Says this, which is kept nowhere.
    pub(super) async fn say(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let said = self.stream.write_all(bytes).await;
        said.map_err(|error| self.down(&explain(&error)))
    }

    /// What is to be said with the next [`flush`](Self::flush) or [`wait`](Self::wait).
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub(super) async fn flush(&mut self) -> Result<(), SourceError> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out).await {
                Ok(0) => return Err(self.down("the connection takes no more")),
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) => return Err(self.down(&explain(&error))),
            }
        }
        let flushed = self.stream.flush().await;
        flushed.map_err(|error| self.down(&explain(&error)))
    }

    /// Says what is to be said as far as that can be done without waiting.
    pub(super) fn flush_now(&mut self) {
        let mut task = Task::from_waker(Waker::noop());
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(&mut task, &self.out) {
                Poll::Ready(Ok(length @ 1..)) => drop(self.out.drain(..length)),
                _ => return,
            }
        }
        let _ = Pin::new(&mut self.stream).poll_flush(&mut task);
    }

    /// Whether an operation is there.
    pub(super) fn is_whole(&self) -> Result<bool, SourceError> {
        Ok(self.decode()?.is_some())
    }

    /// Waits until an operation is there.
    pub(super) async fn wait(&mut self) -> Result<(), SourceError> {
        self.flush().await?;
        while !self.is_whole()? {
            if self.taken > 0 {
                self.came.drain(..self.taken);
                self.taken = 0;
            }
            self.came.reserve(PIECE);
            match self.stream.read_buf(&mut self.came).await {
                Ok(0) => return Err(self.down("the server closed the connection")),
                Ok(_) => {}
                Err(error) => return Err(self.down(&explain(&error))),
            }
        }
        Ok(())
    }

    /// The operation that is there, and its length: it is [`take`](Self::take)n then.
    pub(super) fn heard(&self) -> Result<(Op<'_>, usize), SourceError> {
        self.decode()?.ok_or_else(|| self.down("nothing is there"))
    }

    pub(super) fn take(&mut self, length: usize) {
        self.taken += length;
        if self.taken >= self.came.len() {
            self.came.clear();
            self.taken = 0;
            self.came.shrink_to(KEPT);
        }
    }

    fn decode(&self) -> Result<Option<(Op<'_>, usize)>, SourceError> {
        wire::decode(&self.came[self.taken..], self.most).map_err(|wrong| match wrong {
            Wrong::Strange(what) => self.down(&what),
            Wrong::TooLong(length) => SourceError::invalid(format!(
                "expected at most {} bytes, found a value of {length}: raise `max_document_bytes`",
                self.most
            )),
        })
    }

    fn down(&self, why: &str) -> SourceError {
        SourceError::down(format!("{}: {why}", self.name))
    }
}
