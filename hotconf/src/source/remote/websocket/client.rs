//! A session over a WebSocket: what is said first, documents, and signs of life.

use super::super::backoff::part;
use super::super::net::Endpoint;
use super::super::store::{Entry, Map, Session, Step};
use super::socket::{Moved, Socket};
use super::wire::{Fault, Incoming, Outgoing};
use super::{Known, Settings};
use crate::race::{Either, race};
use crate::source::{Context, Cursor, SourceError};
use crate::sync::{later, lock};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A connection on which something comes, but no document, shows so often that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// A server that restarts is come back to after this at least, and after six times of it at most: the 5 to 30 s of
/// the registry of close codes.
const RESTART: Duration = Duration::from_secs(5);

/// A session with a server that pushes a document.
pub struct WebSocketSession {
    endpoint: Endpoint,
    settings: Arc<Settings>,
    /// Survives this session.
    known: Arc<Mutex<Known>>,
    socket: Socket,
    /// When the last byte came.
    heard: Instant,
    /// When the next ping goes out.
    ping: Instant,
    /// The server was told what we have, and may have nothing to say.
    resumed: bool,
    /// It has listed: to list again is to ask anew.
    listed: bool,
}

impl WebSocketSession {
    pub(super) async fn open(
        endpoint: &Endpoint,
        settings: &Arc<Settings>,
        known: &Arc<Mutex<Known>>,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let socket = Socket::open(endpoint, settings, cx).await?;
        let mut session = Self {
            endpoint: endpoint.clone(),
            settings: settings.clone(),
            known: known.clone(),
            socket,
            heard: cx.now(),
            ping: later(cx.now(), settings.ping),
            resumed: false,
            listed: false,
        };
        let resume = match &settings.resume {
            Some(resume) => lock(known).last().map(|last| resume.of(&last)),
            None => None,
        };
        match resume {
            Some(text) => {
                session.resumed = true;
                session.socket.send(Outgoing::Text(&text))?;
                // Its answer shows that the server has read what stands before it.
                session.socket.send(Outgoing::Ping)?;
            }
            None => session.hello(cx).await?,
        }
        Ok(session)
    }

    async fn hello(&mut self, cx: &Context) -> Result<(), SourceError> {
        if let Some(hello) = &self.settings.hello {
            let text = hello.read(cx).await?;
            self.socket.send(Outgoing::Text(&text))?;
        }
        Ok(())
    }

    /// All that there is: what the server sends first, or what we have where it was told of that and has nothing
    /// to say but that it lives.
    async fn list(&mut self, cx: &Context) -> Result<Step, SourceError> {
        if std::mem::replace(&mut self.listed, true) {
            // A server says nothing twice: on a connection that is new it does, if it is not told what we have.
            self.socket = Socket::open(&self.endpoint, &self.settings, cx).await?;
            self.heard = cx.now();
            self.ping = later(self.heard, self.settings.ping);
            self.resumed = false;
            self.hello(cx).await?;
        }
        loop {
            if let Some(step) = self.wait(cx).await? {
                return Ok(step);
            }
        }
    }

    /// Waits for the next document; `None`: something came, and it lives.
    async fn wait(&mut self, cx: &Context) -> Result<Option<Step>, SourceError> {
        let (begun, every) = (cx.now(), self.settings.ping);
        loop {
            match self.socket.next() {
                Ok(Some(Incoming::Message(document))) => return Ok(self.take(document)),
                Ok(Some(Incoming::Close(code))) => {
                    self.socket.leave(code.unwrap_or(1000), cx).await;
                    return Err(closed(code, cx));
                }
                Ok(Some(Incoming::Pong)) if std::mem::take(&mut self.resumed) => {
                    return Ok(lock(&self.known).listing());
                }
                Ok(Some(Incoming::Ping(_) | Incoming::Pong)) => continue,
                Ok(None) => {}
                Err(fault) => {
                    self.socket.leave(fault.code(), cx).await;
                    return Err(faulty(fault, self.socket.most()));
                }
            }
            let now = cx.now();
            if self.heard > begun && now.saturating_duration_since(begun) >= BEAT.min(every / 4) {
                return Ok(None);
            }
            if now >= self.ping && !self.socket.is_sending() {
                self.socket.send(Outgoing::Ping)?;
                self.ping = later(now, every);
            }
            let lost = later(self.heard, every.saturating_mul(2));
            let wake = if self.socket.is_sending() { lost } else { lost.min(self.ping) };
            match race(self.socket.moves(), cx.sleep_until(wake)).await {
                Either::First(moved) => {
                    if let Moved::Heard = moved? {
                        self.heard = cx.now();
                    }
                }
                Either::Second(()) if cx.now() >= lost => {
                    let limit = every.saturating_mul(2);
                    return Err(SourceError::down(format!(
                        "answered no ping and sent nothing for {limit:?}: the connection counts as lost (see `ping`)"
                    )));
                }
                Either::Second(()) => {}
            }
        }
    }

    fn take(&mut self, document: Vec<u8>) -> Option<Step> {
        self.resumed = false;
        let mut all = Map::new();
        if !document.trim_ascii().is_empty() {
            all.insert(self.endpoint.path().into(), Entry::new(document, 0));
        }
        let mut known = lock(&self.known);
        known.all = Some(all);
        known.listing()
    }
}

impl Session for WebSocketSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        match after {
            None => self.list(cx).await,
            Some(cursor) => {
                let step = self.wait(cx).await?;
                Ok(step.unwrap_or_else(|| Step::Same { cursor: cursor.clone() }))
            }
        }
    }

    fn quiet(&self) -> Duration {
        // Silence is counted here, from byte to byte.
        self.settings.ping.saturating_mul(4)
    }
}

fn faulty(fault: Fault, most: usize) -> SourceError {
    match fault {
        Fault::Protocol(what) => SourceError::down(format!("{what}: it breaks the WebSocket protocol")),
        Fault::TooLong => SourceError::invalid(format!(
            "sent a message of more than {most} bytes: raise `max_document_bytes`"
        )),
        Fault::NoText => SourceError::invalid("sent a text that is no UTF-8"),
    }
}

/// What it means that a server closes. Its reason is not shown: it may repeat what was said first.
fn closed(code: Option<u16>, cx: &Context) -> SourceError {
    let Some(code) = code else { return SourceError::down("closed the connection without a code") };
    let why = match code {
        1000 => "it has nothing more to say",
        1001 => "it goes away",
        1002 | 1003 | 1007 => "it does not understand what it was sent",
        1008 | 3000 | 4401 => return denied(code, "it does not accept our credentials"),
        3003 | 4403 => return denied(code, "our credentials do not allow this"),
        1009 => "what it was sent is too long",
        1011 => "it has trouble of its own",
        1012 | 1013 => {
            let why = if code == 1012 { "it restarts" } else { "it has too much to do" };
            let after = RESTART + part(RESTART * 5, cx.random());
            return SourceError::down(format!("closed the connection with code {code}: {why}"))
                .with_retry_after(after);
        }
        4000..=4999 => "a code of its own",
        _ => "it does not say why",
    };
    SourceError::down(format!("closed the connection with code {code}: {why}"))
}

fn denied(code: u16, why: &str) -> SourceError {
    SourceError::denied(format!("closed the connection with code {code}: {why}"))
}
