//! Frames to and from a server, over any stream of bytes.
//!
//! Nothing runs by itself: what is to be sent is sent while somebody waits for an answer. Waiting may be given up at any
//! time; what was read or written in part goes on with the next wait.

use super::wire::{Frame, Frames};
use crate::source::remote::net::explain;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one read may bring.
const PIECE: usize = 16 << 10;

/// Why nothing more comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The server has closed the connection.
    Closed,
    /// The connection broke, or what came is no message.
    Error(String),
}

/// A connection. When it is dropped it ends the session, where there is one.
pub(super) struct Line<T: AsyncRead + AsyncWrite + Unpin> {
    stream: T,
    frames: Frames,
    /// What is to be sent; the first one may be sent in part.
    out: VecDeque<Frame>,
    sent: usize,
    flushed: bool,
    /// A message is at most so long.
    most: usize,
    farewell: Option<Frame>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Line<T> {
    pub(super) fn new(stream: T, most: usize) -> Self {
        let (frames, out) = (Frames::default(), VecDeque::new());
        Self { stream, frames, out, sent: 0, flushed: true, most, farewell: None }
    }

    /// Queues a frame.
    pub(super) fn say(&mut self, frame: Frame) {
        self.out.push_back(frame);
    }

    /// From now on there is a session, which ends with these words.
    pub(super) fn ends_with(&mut self, farewell: Frame) {
        self.farewell = Some(farewell);
    }

    /// The next message that is here already.
    pub(super) fn ready(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        self.frames.next(self.most).map_err(|why| Broken::Error(why.to_string()))
    }

    /// The next message; meanwhile everything that was queued is sent.
    pub(super) async fn hear(&mut self) -> Result<Vec<u8>, Broken> {
        poll_fn(|task| {
            loop {
                // What we say is sent first: the answer may be all that there is to wait for.
                let written = self.poll_send(task);
                if let Some(message) = self.ready()? {
                    return Poll::Ready(Ok(message));
                }
                let mut room = [0; PIECE];
                let mut piece = ReadBuf::new(&mut room);
                match Pin::new(&mut self.stream).poll_read(task, &mut piece) {
                    Poll::Ready(Ok(())) if piece.filled().is_empty() => {
                        return Poll::Ready(Err(Broken::Closed));
                    }
                    Poll::Ready(Ok(())) => self.frames.push(piece.filled()),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(&error))),
                    Poll::Pending => {
                        // Only now: what the server said last tells more than that it no longer listens.
                        return match written {
                            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(&error))),
                            _ => Poll::Pending,
                        };
                    }
                }
            }
        })
        .await
    }

    fn poll_send(&mut self, task: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while let Some(frame) = self.out.front() {
            match Pin::new(&mut self.stream).poll_write(task, &frame[self.sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.flushed = false;
                    self.sent += written;
                    if self.sent == frame.len() {
                        self.out.pop_front();
                        self.sent = 0;
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if !self.flushed {
            match Pin::new(&mut self.stream).poll_flush(task) {
                Poll::Ready(Ok(())) => self.flushed = true,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Drop for Line<T> {
    /// Ends the session, where that can be said without waiting: else the server keeps it until its time is over.
    fn drop(&mut self) {
        if let Some(farewell) = self.farewell.take() {
            self.out.truncate(usize::from(self.sent > 0));
            self.out.push_back(farewell);
            let _ = self.poll_send(&mut Context::from_waker(Waker::noop()));
        }
    }
}

fn broken(error: &std::io::Error) -> Broken {
    match error.kind() {
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => Broken::Closed,
        _ => Broken::Error(explain(error)),
    }
}
