//! Opens a stream, and takes its events as they come.

use super::super::backoff::part;
use super::super::net::{Begun, Endpoint, Header, Http1, Response};
use super::super::store::{Entry, Map, Session, Step};
use super::wire::{Event, Parser};
use super::{Known, Settings};
use crate::race::{Either, race};
use crate::source::{Context, Cursor, SourceError};
use crate::sync::{later, lock};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A stream on which something comes, but no event, shows so often that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// After it said that it wants to be asked no more, a server is asked within this again, and not within half of it.
const FOR_GOOD: Duration = Duration::from_secs(60 * 60);
/// An id that is longer is not sent: heads of requests are bounded.
const LONGEST_ID: usize = 1 << 10;

/// A session with a server of events.
pub struct SseSession {
    endpoint: Endpoint,
    settings: Arc<Settings>,
    /// Survives this session.
    known: Arc<Mutex<Known>>,
    stream: Begun,
    events: Parser,
    /// When the last byte came.
    heard: Instant,
    /// The server was told what we have, and may have nothing to say.
    resumed: bool,
    /// It has listed: to list again is to ask anew.
    listed: bool,
}

impl SseSession {
    pub(super) async fn open(
        endpoint: &Endpoint,
        settings: &Arc<Settings>,
        known: &Arc<Mutex<Known>>,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let id = lock(known).id_for(endpoint);
        let stream =
            begin(endpoint, settings, id.as_deref(), cx).await.map_err(|error| paused(known, error))?;
        Ok(Self {
            endpoint: endpoint.clone(),
            settings: settings.clone(),
            known: known.clone(),
            stream,
            events: Parser::new(cx.limits.bytes),
            heard: cx.now(),
            resumed: id.is_some(),
            listed: false,
        })
    }

    /// All that there is: what the server sends first, or what we have where the server was told of that.
    async fn list(&mut self, cx: &Context) -> Result<Step, SourceError> {
        if std::mem::replace(&mut self.listed, true) {
            // A stream says nothing twice: one that is new does, if it is not told what we have.
            self.stream = begin(&self.endpoint, &self.settings, None, cx).await?;
            self.events = Parser::new(cx.limits.bytes);
            (self.heard, self.resumed) = (cx.now(), false);
        }
        if std::mem::take(&mut self.resumed)
            && let Some(listing) = lock(&self.known).listing()
        {
            return Ok(listing);
        }
        loop {
            if let Some(step) = self.wait(cx).await? {
                return Ok(step);
            }
        }
    }

    /// Waits for the next event of the document; `None`: something came, and it lives.
    async fn wait(&mut self, cx: &Context) -> Result<Option<Step>, SourceError> {
        let begun = cx.now();
        loop {
            if let Some(step) = self.event()? {
                return Ok(Some(step));
            }
            if self.heard > begun
                && cx.now().saturating_duration_since(begun) >= BEAT.min(self.settings.idle / 4)
            {
                return Ok(None);
            }
            let silent = cx.sleep_until(later(self.heard, self.settings.idle));
            match race(self.stream.read(self.events.room()), silent).await {
                Either::First(Ok(true)) => self.heard = cx.now(),
                Either::First(Ok(false)) => return Err(SourceError::down("ended the stream")),
                Either::First(Err(error)) => return Err(error),
                Either::Second(()) => {
                    let idle = self.settings.idle;
                    return Err(SourceError::down(format!(
                        "sent nothing for {idle:?}, not even a comment: the connection counts as lost (see `idle`)"
                    )));
                }
            }
        }
    }

    /// The next event of the document that was read.
    fn event(&mut self) -> Result<Option<Step>, SourceError> {
        loop {
            let event = self.events.next();
            if let Some(retry) = self.events.take_retry() {
                lock(&self.known).retry = Some(Duration::from_millis(retry));
            }
            let most = self.events.most();
            let event = event.map_err(|_| {
                SourceError::invalid(format!(
                    "sent an event of more than {most} bytes: raise `max_document_bytes`"
                ))
            })?;
            let Some(event) = event else { return Ok(None) };
            let ours = event.kind == self.settings.event.as_bytes();
            let id = sendable(self.events.last_id());
            let mut known = lock(&self.known);
            // Whatever its kind: an id says how far the stream was read.
            known.id = id;
            known.from = Some(self.endpoint.clone());
            if ours {
                known.all = Some(self.all(event));
                return Ok(known.listing());
            }
        }
    }

    fn all(&self, event: Event) -> Map {
        let mut all = Map::new();
        if !event.data.trim_ascii().is_empty() {
            all.insert(self.endpoint.path().into(), Entry::new(event.data, 0));
        }
        all
    }
}

impl Session for SseSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        let step = match after {
            None => self.list(cx).await,
            Some(cursor) => {
                let step = self.wait(cx).await;
                step.map(|step| step.unwrap_or_else(|| Step::Same { cursor: cursor.clone() }))
            }
        };
        step.map_err(|error| paused(&self.known, error))
    }

    fn quiet(&self) -> Duration {
        // The silence of the stream is counted here, from byte to byte.
        self.settings.idle.saturating_mul(2)
    }
}

/// Asks for the stream.
async fn begin(
    endpoint: &Endpoint,
    settings: &Settings,
    id: Option<&str>,
    cx: &Context,
) -> Result<Begun, SourceError> {
    let mut credentials = Vec::with_capacity(settings.credentials.len());
    for credential in &settings.credentials {
        credentials.push((credential.name(), credential.read(cx).await?));
    }
    let mut headers: Vec<_> = credentials.iter().map(|(name, value)| Header::secret(name, value)).collect();
    headers.push(Header::new("accept", "text/event-stream"));
    headers.push(Header::new("cache-control", "no-store"));
    if let Some(id) = id {
        headers.push(Header::new("last-event-id", id));
    }
    let http = Http1::new(endpoint.clone(), settings.transport.clone());
    let stream = http.begin(&headers, false, cx).await?;
    check(stream.head(), cx)?;
    Ok(stream)
}

/// Whether an answer is a stream of events.
fn check(head: &Response, cx: &Context) -> Result<(), SourceError> {
    let from = &head.from;
    match head.status {
        200 => {}
        204 => {
            let after = FOR_GOOD / 2 + part(FOR_GOOD / 2, cx.random());
            let message = format!(
                "{from} answered 204: it asks not to be asked again; it will be within the hour, and on a reload"
            );
            return Err(SourceError::down(message).with_retry_after(after));
        }
        _ => return Err(head.failure()),
    }
    let kind = head.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("text/event-stream") {
        return Ok(());
    }
    let found: String = kind.chars().take(64).collect();
    let found = if found.is_empty() { "none".to_owned() } else { format!("`{found}`") };
    Err(SourceError::invalid(format!(
        "{from} answered with the content type {found}, expected `text/event-stream`: is this the address of a stream of \
         events, and does no proxy or login answer in its place?"
    )))
}

/// An id as it may stand in a header.
fn sendable(id: &[u8]) -> Option<Box<str>> {
    let id = std::str::from_utf8(id).ok()?;
    let fits = !id.is_empty() && id.len() <= LONGEST_ID && !id.chars().any(char::is_control);
    fits.then(|| id.into())
}

/// The same error, with what the server asked for last.
fn paused(known: &Mutex<Known>, error: SourceError) -> SourceError {
    match lock(known).retry {
        Some(retry) if error.retry_after().is_none_or(|after| after < retry) => error.with_retry_after(retry),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_fits_no_header_is_not_sent() {
        assert_eq!(sendable("é 7".as_bytes()).as_deref(), Some("é 7"));
        for id in [&b""[..], b"a\x01b", b"\x7f", b"\xff", "\u{85}".as_bytes(), &[b'x'; 1025]] {
            assert_eq!(sendable(id), None, "{id:?}");
        }
    }
}
