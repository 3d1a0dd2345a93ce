//! The session with one member of an etcd cluster: login, listing, watch. The only file here that waits.

use super::Settings;
use super::grpc::{Call, Channel, Fault, Status, authorization};
use super::history::{History, entry};
use super::refusal::{Refusal, judge};
use super::wire::{self, Header};
use crate::race::{Either, race};
use crate::source::remote::net::{Endpoint, Stream, dial};
use crate::source::remote::{Map, Session, Step};
use crate::source::{Context, Cursor, SourceError, SourceErrorKind};
use bytes::Bytes;
use http::HeaderValue;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Connecting has this time for all members, less than the core's deadline, so that one that hangs does not
/// keep us from the others.
const TURN: Duration = Duration::from_secs(9);
/// A listing comes in pages of so many keys.
const PAGE: usize = 4096;
/// What a key and its value have around them in a page, at most.
const AROUND: usize = 64;
/// An answer to a login.
const SHORT: usize = 64 << 10;

/// After so long without a word the watch is asked how far it is: once in twenty seconds.
const ASK: Duration = Duration::from_secs(20);
/// A server that does not answer that may be too old to do it: then HTTP/2 asks whether it lives.
const PING: Duration = Duration::from_secs(5);
/// Whoever has said nothing for so long is gone.
const QUIET: Duration = Duration::from_secs(30);

/// A session with one member of the cluster.
pub struct EtcdSession(Live<Stream>);

/// The session, over any stream of bytes.
pub(super) struct Live<T> {
    settings: Arc<Settings>,
    /// Which member this is, for messages.
    name: Box<str>,
    channel: Channel<T>,
    token: Option<HeaderValue>,
    watch: Option<(Call, History)>,
}

/// Opens a session with the first member that answers, beginning at `turn`. Whoever connects again has lost the
/// one that was tried last, or was given no time for more: `turn` is then already at the next.
pub(super) async fn connect(
    settings: &Arc<Settings>,
    members: &[Endpoint],
    turn: &AtomicUsize,
    cx: &Context,
) -> Result<EtcdSession, SourceError> {
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
    let share = TURN / count.max(1);
    let mut failed = Vec::new();
    for _ in members {
        let member = &members[turn.fetch_add(1, Ordering::Relaxed) % members.len()];
        match race(open(settings, member, cx), cx.sleep(share)).await {
            Either::First(Ok(session)) => return Ok(EtcdSession(session)),
            // The others would say the same.
            Either::First(Err(error)) if error.kind() == SourceErrorKind::Denied => return Err(error),
            Either::First(Err(error)) => failed.push(error.to_string()),
            Either::Second(()) => failed.push(format!("{member} did not answer within {share:?}")),
        }
    }
    Err(SourceError::down(failed.join("; ")))
}

async fn open(
    settings: &Arc<Settings>,
    member: &Endpoint,
    cx: &Context,
) -> Result<Live<Stream>, SourceError> {
    let stream = dial(member, &settings.transport, &[b"h2"], cx).await?;
    let origin = format!("{}://{}", member.scheme(), member.authority());
    Live::begin(settings.clone(), stream, &origin, cx).await
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Live<T> {
    /// Begins a session on an open stream, and logs in.
    pub(super) async fn begin(
        settings: Arc<Settings>,
        stream: T,
        origin: &str,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let failed = |fault: Fault| {
            let why = words(&fault);
            // With TLS 1.3 a server refuses our certificate only after it has let us in.
            let question = ": is this etcd's port for clients, and `http` or `https` as it has it?";
            let remedy = if why.contains("alert") { "" } else { question };
            SourceError::down(format!("{origin}: {why}{remedy}"))
        };
        let mut channel = Channel::open(stream, origin).await.map_err(failed)?;
        // A process that is frozen accepts connections, too.
        channel.pong().await.map_err(failed)?;
        let mut live = Self { settings, name: origin.into(), channel, token: None, watch: None };
        live.login(cx).await?;
        Ok(live)
    }

    /// Gets a token for the user, where there is one.
    async fn login(&mut self, cx: &Context) -> Result<(), SourceError> {
        let Some((name, password)) = &self.settings.user else { return Ok(()) };
        let password = password.read(cx).await?;
        let question = wire::authenticate(name, &password);
        match self.channel.unary("/etcdserverpb.Auth/Authenticate", None, &question, SHORT).await {
            Ok(answer) => {
                let token = wire::token(answer).map_err(|why| self.refused(why.into()).into_error())?;
                self.token = authorization(&token);
                Ok(())
            }
            // Nobody asks who we are: a password that is not needed is no mistake.
            Err(Fault::Status(status)) if status.message.contains("authentication is not enabled") => {
                self.token = None;
                Ok(())
            }
            Err(fault) => Err(self.refused_without(fault, &password).into_error()),
        }
    }

    /// Everything, as of one revision; and from there on the watch.
    async fn list(&mut self, cx: &Context) -> Result<Step, SourceError> {
        self.watch = None;
        let span = self.settings.span();
        let (mut all, mut bytes, mut rest) = (Map::new(), 0, span.clone());
        let mut first: Option<Header> = None;
        loop {
            let page = self.page(&rest, first.map_or(0, |header| header.revision), cx).await?;
            let listed = *first.get_or_insert(page.header);
            if listed.cluster == 0 || listed.revision == 0 || i64::try_from(listed.revision).is_err() {
                return Err(self.lied("an answer does not say of which cluster and revision it is"));
            }
            if page.header.cluster != listed.cluster || page.header.revision < listed.revision {
                return Err(SourceError::gap("the store became another one while it was listed"));
            }
            for pair in &page.pairs {
                if !rest.contains(&pair.key) || pair.revision > listed.revision {
                    return Err(self.lied("found a key that was not asked for, or of a later revision"));
                }
                bytes += pair.key.len() + pair.value.len();
                all.extend([entry(pair)]);
            }
            if bytes > cx.limits.bytes {
                return Err(too_long(&format!("expected at most {} bytes, found more", cx.limits.bytes)));
            }
            match page.pairs.last() {
                Some(last) if page.more => rest = span.after(&last.key),
                None if page.more => {
                    return Err(self.lied("an answer says that there is more, and brings nothing"));
                }
                _ => break,
            }
        }
        let listed = first.expect("there is one page at least");
        // Each revision after the listing is told by the watch, whenever it begins: no change falls in between.
        let question = wire::watch(&span, listed.revision + 1);
        let most = most(cx) + (1 << 20);
        let call = self.channel.call("/etcdserverpb.Watch/Watch", self.token.as_ref(), &question, most).await;
        let call = call.map_err(|fault| self.refused(fault).into_error())?;
        let history = History::new(span, listed, most);
        let cursor = history.cursor();
        self.watch = Some((call, history));
        Ok(Step::Listing { all, cursor })
    }

    /// One page of the listing, as of `revision`, with one more login where the last one has run out.
    async fn page(
        &mut self,
        span: &wire::Span,
        revision: u64,
        cx: &Context,
    ) -> Result<wire::Page, SourceError> {
        let question = wire::range(span, PAGE as u64, revision);
        let mut fresh = false;
        loop {
            let token = self.token.as_ref();
            let answer = self.channel.unary("/etcdserverpb.KV/Range", token, &question, most(cx)).await;
            let page = answer.and_then(|answer: Bytes| Ok(wire::page(answer, PAGE)?));
            match page.map_err(|fault| self.refused(fault)) {
                Ok(page) => return Ok(page),
                Err(Refusal::Stale(_)) if !fresh && self.settings.user.is_some() => {
                    fresh = true;
                    self.login(cx).await?;
                }
                Err(refusal) => return Err(refusal.into_error()),
            }
        }
    }

    /// The next answer of the watch that says something.
    async fn follow(&mut self, cx: &Context) -> Result<Step, SourceError> {
        let Some((mut call, mut history)) = self.watch.take() else {
            return Err(SourceError::gap("there is no watch to follow"));
        };
        let step = self.hear(&mut call, &mut history, cx).await?;
        self.watch = Some((call, history));
        Ok(step)
    }

    async fn hear(
        &mut self,
        call: &mut Call,
        history: &mut History,
        cx: &Context,
    ) -> Result<Step, SourceError> {
        let mut asked = false;
        loop {
            let patience = if asked { PING } else { ASK };
            let message = match race(self.channel.message(call), cx.sleep(patience)).await {
                Either::First(message) => message.map(Some),
                Either::Second(()) if asked => self.channel.message_or_pong(call).await,
                Either::Second(()) => {
                    asked = true;
                    call.say(&wire::progress()).map_err(|fault| self.refused(fault).into_error())?;
                    continue;
                }
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(Step::Same { cursor: history.cursor() }),
                // Less may be there than has changed: a listing tells.
                Err(Fault::TooLong(why)) => return Err(SourceError::gap(why)),
                Err(fault) => return Err(self.refused(fault).into_error()),
            };
            let said = wire::watched(message).map_err(|why| self.refused(why.into()).into_error())?;
            if let Some(step) = history.hear(said).map_err(Refusal::into_error)? {
                return Ok(step);
            }
        }
    }

    /// What a fault means here.
    fn refused(&self, fault: Fault) -> Refusal {
        self.refused_without(fault, "")
    }

    /// The same of a server that was shown a password.
    fn refused_without(&self, fault: Fault, password: &str) -> Refusal {
        let token = self.token.as_ref().and_then(|token| token.to_str().ok()).unwrap_or_default();
        let secrets = [token, password];
        match fault {
            Fault::Status(Status { code: 0, .. }) => {
                Refusal::Error(self.lied("the answer ended before all of it was there"))
            }
            Fault::Status(status) if status.message.is_empty() => {
                judge(Some(status.code), &status.to_string(), &[])
            }
            Fault::Status(Status { code, message }) => judge(Some(code), &message, &secrets),
            Fault::TooLong(why) => Refusal::Error(too_long(&why)),
            fault @ Fault::Broken(_) => {
                Refusal::Error(SourceError::down(format!("{}: {}", self.name, words(&fault))))
            }
        }
    }

    fn lied(&self, what: &str) -> SourceError {
        SourceError::down(format!("{}: {what}", self.name))
    }
}

/// The most bytes of one answer.
fn most(cx: &Context) -> usize {
    cx.limits.bytes + PAGE * AROUND
}

fn too_long(why: &str) -> SourceError {
    SourceError::invalid(format!("{why}: raise `max_document_bytes`"))
}

fn words(fault: &Fault) -> String {
    match fault {
        Fault::Status(status) => status.to_string(),
        Fault::Broken(why) | Fault::TooLong(why) => why.clone(),
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Session for Live<T> {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        match after {
            None => self.list(cx).await,
            Some(_) => self.follow(cx).await,
        }
    }

    fn quiet(&self) -> Duration {
        QUIET
    }
}

impl Session for EtcdSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        self.0.next(cx, after).await
    }

    fn quiet(&self) -> Duration {
        QUIET
    }
}
