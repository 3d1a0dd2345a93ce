//! An answer of which the head alone was read: its body comes piece by piece, or the connection is taken over.

use super::explain::explain;
use super::http1::Response;
use super::open::Open;
use super::stream::Stream;
use crate::source::SourceError;
use hyper::body::{Body, Incoming};
use std::future::poll_fn;
use std::pin::Pin;

/// An answer that has begun. Dropping it closes the connection.
pub(crate) struct Begun {
    pub(super) head: Response,
    pub(super) body: Incoming,
    pub(super) open: Open,
}

impl Begun {
    /// Status and headers; the body is empty.
    pub(crate) fn head(&self) -> &Response {
        &self.head
    }

    /// Appends to `read` what comes next, a piece of the connection's buffer at most; `false`: the body has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(crate) async fn read(&mut self, read: &mut Vec<u8>) -> Result<bool, SourceError> {
        let body = &mut self.body;
        let next = poll_fn(|task| Pin::new(&mut *body).poll_frame(task));
        match self.open.beside(next).await {
            None => Ok(false),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    read.extend_from_slice(&data);
                }
                Ok(true)
            }
            Some(Err(error)) => {
                let (from, why) = (&self.head.from, explain(&error));
                Err(SourceError::down(format!("{from} sent an answer that was cut: {why}")))
            }
        }
    }

    /// The connection itself, once the answer was 101, with what has come on it already.
    pub(crate) async fn take_over(self) -> Result<(Stream, Vec<u8>), SourceError> {
        let Self { head, body, open } = self;
        drop(body);
        open.take_over()
            .await
            .ok_or_else(|| SourceError::down(format!("{} closed the connection", head.from)))
    }
}
