//! Asks Vault: reads, polls, and keeps what is lent.
//!
//! Rules:
//!
//! 1. What the server lends, a token or a lease, lies in [`Held`], beyond the session: a connection that is lost loses
//!    neither. It is written there when it is whole, so that a future that is dropped leaves what was.
//! 2. A secret that is lent goes with the token that asked for it: another token asks for another secret.
//! 3. A token that is refused is forgotten, and the error says so; that one login anew follows at once, and all
//!    others slowly, is the core's doing.

use super::super::backoff::part;
use super::super::net::{Endpoint, Http1, Method, Response};
use super::super::store::{Entry, Map, Session, Step};
use super::line::{Line, Question};
use super::term::{Term, Then};
use super::wire::{self, Answer, Found, Mark, Member};
use super::{Login, Place, Settings};
use crate::race::{Either, race};
use crate::source::{Context, Cursor, SourceError};
use crate::sync::{later, lock};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// An answer that has not come after this does not come.
const ANSWER: Duration = Duration::from_secs(10);
/// A performance standby that has not seen what we were shown elsewhere (412) is asked again after a moment, twice as
/// long each time.
const LAGS: Duration = Duration::from_millis(100);
const PATIENCE: u32 = 4;

/// What the server lends us.
#[derive(Default)]
pub(super) struct Held {
    pub(super) pass: Option<Pass>,
    pub(super) lease: Option<Lease>,
    /// How many tokens there were.
    pub(super) passes: u64,
}

/// A token that we show.
#[derive(Clone)]
pub(super) struct Pass {
    pub(super) token: Arc<Zeroizing<String>>,
    pub(super) number: u64,
    /// It was given to us by a login.
    pub(super) own: bool,
    pub(super) term: Option<Term>,
}

/// A secret that is lent.
#[derive(Clone)]
pub(super) struct Lease {
    id: Arc<Zeroizing<String>>,
    entry: Entry,
    term: Term,
    /// The token that asked for it.
    pub(super) pass: u64,
}

/// A session with one server.
pub struct VaultSession {
    pub(super) line: Line,
    /// What stands in front of `/v1` in the address.
    base: Box<str>,
    /// The address up to that.
    pub(super) server: Box<str>,
    pub(super) settings: Arc<Settings>,
    pub(super) held: Arc<Mutex<Held>>,
    /// The version that was listed last.
    mark: Option<Mark>,
    /// The metadata may not be read.
    blind: bool,
    /// When the server is asked next.
    poll: Option<Instant>,
}

impl VaultSession {
    pub(super) async fn open(
        endpoint: &Endpoint,
        settings: &Arc<Settings>,
        held: &Arc<Mutex<Held>>,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        if settings.place.is_none() {
            let message = "expected what to read: `.secret(\"secret\", \"shop/db\")`";
            return Err(SourceError::invalid(message));
        }
        let mut http = Http1::new(endpoint.clone(), settings.transport.clone());
        http.open(cx).await?;
        Ok(Self {
            line: Line::Free(Box::new(http)),
            base: endpoint.path().trim_end_matches('/').into(),
            server: format!("{}://{}", endpoint.scheme(), endpoint.authority()).into(),
            settings: settings.clone(),
            held: held.clone(),
            mark: None,
            blind: false,
            poll: None,
        })
    }

    /// All that there is.
    async fn list(&mut self, cx: &Context) -> Result<Step, SourceError> {
        let pass = self.pass(cx).await?;
        let place = self.settings.place.clone().expect("it was looked at when the session was opened");
        if let Place::Leased(_) = place {
            let number = pass.as_ref().map_or(0, |pass| pass.number);
            let held = lock(&self.held).lease.clone();
            let held = held.filter(|lease| lease.pass == number && !lease.term.is_over(cx.now()));
            if let Some(lease) = held
                && self.is_good(&lease, pass.as_ref(), cx).await?
            {
                self.polled(cx);
                return Ok(listing(&place, Some(lease.entry), 0));
            }
        }
        self.fetch(&place, pass, cx).await
    }

    /// Reads the secret, and takes what is lent with it.
    async fn fetch(&mut self, place: &Place, pass: Option<Pass>, cx: &Context) -> Result<Step, SourceError> {
        let target = target(place, "data")?;
        let token = pass.as_ref().map(|pass| pass.token.clone());
        let answer =
            self.call(Method::Get, &target, token.as_deref().map(|token| &***token), b"", cx).await?;
        let found = match answer.status {
            200 | 404 => {
                let read = Self::read(&answer, cx);
                // A page may stand at an address of which the server knows nothing.
                if answer.status == 404 { read.ok() } else { Some(read?) }
            }
            401 | 403 => {
                let error = self.denied(&answer, &target, token.as_deref().map_or("", |token| token), cx);
                if let Some(pass) = &pass {
                    self.forget(pass, cx).await;
                }
                return Err(error);
            }
            _ => return Err(self.refusal(&answer, &target, token.as_deref().map_or("", |token| token), cx)),
        };
        let complaint = found.as_ref().map(Answer::complaint).unwrap_or_default();
        if matches!(place, Place::Kv1(..)) && complaint.contains("versioned") {
            let message = "this is an engine of KV version 2: say `.secret(mount, path)` in place of `.kv1`";
            return Err(SourceError::invalid(message));
        }
        let found = found.and_then(|answer| match place {
            Place::Kv2(..) => answer.version(),
            Place::Kv1(..) | Place::Leased(_) => answer.secret(),
        });
        if found.is_none() && answer.status == 200 {
            let message = format!("{} answered a read of {target} without a secret", self.server);
            return Err(SourceError::invalid(match place {
                Place::Kv2(..) => format!("{message}: is it an engine of KV version 2?"),
                _ => message,
            }));
        }
        self.polled(cx);
        let found = found.unwrap_or(Found { fields: None, mark: None, lease: None });
        let version = found.mark.as_ref().map_or(0, |mark| mark.version);
        let entry = found.fields.map(|fields| Entry::new(fields.as_slice(), version));
        let lease = found.lease.and_then(|lent| {
            let term = Term::granted(lent.duration, lent.renewable, cx.now(), cx.random())?;
            let pass = pass.as_ref().map_or(0, |pass| pass.number);
            Some(Lease { id: Arc::new(lent.what), entry: entry.clone()?, term, pass })
        });
        self.mark = found.mark;
        if matches!(place, Place::Leased(_)) {
            lock(&self.held).lease = lease;
        }
        Ok(listing(place, entry, version))
    }

    /// Whether a lease that is held is one to the server as well; it is renewed where that can be done.
    async fn is_good(
        &mut self,
        lease: &Lease,
        pass: Option<&Pass>,
        cx: &Context,
    ) -> Result<bool, SourceError> {
        let renews = lease.term.then == Then::Renew;
        let target = if renews { "sys/leases/renew" } else { "sys/leases/lookup" };
        let mut members = vec![("lease_id", Member::Text(&lease.id))];
        if renews {
            members.push(("increment", Member::Number(lease.term.asked.as_secs())));
        }
        let token = pass.map(|pass| pass.token.clone());
        let token = token.as_deref().map_or("", |token| token);
        let shown = pass.is_some().then_some(token);
        let answer = self.call(Method::Put, target, shown, &wire::body(&members), cx).await?;
        let (now, random) = (cx.now(), cx.random());
        let term = match answer.status {
            200 if renews => {
                let lent = Self::read(&answer, cx)?.renewal();
                lease.term.renewed(lent.duration, lent.renewable, now, random)
            }
            // It may not be renewed by us, but it may be good all the same.
            403 if renews => lease.term.fixed(now, random),
            200 | 204 | 403 => return Ok(true),
            400 | 404 => return Ok(false),
            _ => return Err(self.refusal(&answer, target, token, cx)),
        };
        let good = !term.is_over(now);
        if let Some(held) = &mut lock(&self.held).lease
            && held.id == lease.id
        {
            held.term = term;
        }
        Ok(good)
    }

    /// Waits for what is to be done next, and does it.
    async fn follow(&mut self, cx: &Context, after: &Cursor) -> Result<Step, SourceError> {
        let poll = match self.poll {
            Some(poll) => poll,
            None => self.polled(cx),
        };
        let (pass, lease) = {
            let held = lock(&self.held);
            (held.pass.clone(), held.lease.clone())
        };
        let pass_due = pass.as_ref().and_then(|pass| pass.term).map(|term| term.due);
        let lease_due = lease.as_ref().map(|lease| lease.term.due);
        let due = [Some(poll), pass_due, lease_due].into_iter().flatten().min().unwrap_or(poll);
        cx.sleep_until(due).await;
        let place = self.settings.place.clone().expect("it was looked at when the session was opened");
        if pass_due == Some(due)
            && let Some((pass, term)) = pass.as_ref().and_then(|pass| Some((pass, pass.term?)))
        {
            let fresh = self.keep_pass(pass, term, cx).await?;
            if lease.is_some() && fresh.number != pass.number {
                return self.fetch(&place, Some(fresh), cx).await;
            }
            return Ok(Step::Same { cursor: after.clone() });
        }
        let pass = self.pass(cx).await?;
        if lease_due == Some(due)
            && let Some(lease) = &lease
        {
            if lease.term.then == Then::Renew && self.is_good(lease, pass.as_ref(), cx).await? {
                return Ok(Step::Same { cursor: after.clone() });
            }
            return self.fetch(&place, pass, cx).await;
        }
        self.ask(&place, pass, lease.is_some(), cx, after).await
    }

    /// Asks whether there is anything new.
    async fn ask(
        &mut self,
        place: &Place,
        pass: Option<Pass>,
        lent: bool,
        cx: &Context,
        after: &Cursor,
    ) -> Result<Step, SourceError> {
        let same = Step::Same { cursor: after.clone() };
        if lent {
            // There is nothing new before its lease ends; the server shows that it lives.
            let target = "sys/health?standbyok=true&perfstandbyok=true";
            let answer = self.call(Method::Get, target, None, b"", cx).await?;
            wire::health(answer.status).map_err(|why| Self::away(why, &answer))?;
            self.polled(cx);
            return Ok(same);
        }
        let knows = self.mark.as_ref().is_some_and(|mark| !mark.will_end());
        if !matches!(place, Place::Kv2(..)) || self.blind || !knows {
            return self.fetch(place, pass, cx).await;
        }
        let target = target(place, "metadata")?;
        let token = pass.as_ref().map(|pass| pass.token.clone());
        let answer =
            self.call(Method::Get, &target, token.as_deref().map(|token| &***token), b"", cx).await?;
        match answer.status {
            200 => {
                let current = Self::read(&answer, cx)?.current();
                if current.is_some() && current == self.mark {
                    self.polled(cx);
                    return Ok(same);
                }
            }
            403 => self.blind = true,
            404 => {}
            _ => return Err(self.refusal(&answer, &target, token.as_deref().map_or("", |token| token), cx)),
        }
        self.fetch(place, pass, cx).await
    }

    /// The server was asked; when it is asked next.
    fn polled(&mut self, cx: &Context) -> Instant {
        let every = self.settings.every;
        let wait = every.saturating_sub(every / 10).saturating_add(part(every / 5, cx.random()));
        *self.poll.insert(later(cx.now(), wait))
    }

    // Questions and answers.

    /// Asks for `target`, which follows `/v1/`. One that lags behind what we were shown elsewhere is asked again.
    pub(super) async fn call(
        &mut self,
        method: Method,
        target: &str,
        token: Option<&str>,
        body: &[u8],
        cx: &Context,
    ) -> Result<Response, SourceError> {
        let question = Question {
            method,
            target: format!("{}/v1/{target}", self.base),
            // What a server says of itself is said in no namespace.
            namespace: self.settings.namespace.clone().filter(|_| !target.starts_with("sys/health")),
            token: token.map(|token| Zeroizing::new(token.to_owned())),
            body: Zeroizing::new(body.to_vec()),
        };
        let mut tries = 0;
        loop {
            let answer = match race(self.line.ask(question.clone(), cx), cx.sleep(ANSWER)).await {
                Either::First(answer) => answer?,
                Either::Second(()) => {
                    return Err(SourceError::down(format!("gave no answer within {ANSWER:?}")));
                }
            };
            if answer.status != 412 || tries == PATIENCE {
                return Ok(answer);
            }
            let wait = LAGS * (1 << tries);
            cx.sleep(wait / 2 + part(wait / 2, cx.random())).await;
            tries += 1;
        }
    }

    pub(super) fn read(answer: &Response, cx: &Context) -> Result<Answer, SourceError> {
        let read = Answer::read(&answer.body, &cx.limits);
        read.map_err(|why| SourceError::invalid(format!("{} {why}", answer.from)))
    }

    /// What the server says is wrong, as the end of a sentence; nothing where it repeats what is secret.
    pub(super) fn complaint(answer: &Response, secret: &str, cx: &Context) -> String {
        match Self::read(answer, cx).map(|answer| answer.complaint()) {
            Ok(said) if !said.is_empty() && (secret.is_empty() || !said.contains(secret)) => {
                format!(" ({said})")
            }
            _ => String::new(),
        }
    }

    /// Our token does not allow it.
    fn denied(&self, answer: &Response, target: &str, token: &str, cx: &Context) -> SourceError {
        let (from, status, said) = (&answer.from, answer.status, Self::complaint(answer, token, cx));
        let remedy = match &self.settings.login {
            _ if !from.strip_prefix(&*self.server).is_some_and(|rest| rest.starts_with('/')) => {
                let there = from.split("/v1/").next().unwrap_or_default();
                format!("it is another server, to which our token is not sent: give {there} as the address")
            }
            Login::Nobody => "say who we are: `.token(token)`, or a login".to_owned(),
            _ => format!("has the token ended, or do its policies not allow `read` on `{target}`?"),
        };
        SourceError::denied(format!("{from} answered {status}{said}: {remedy}"))
    }

    /// What an answer means that brings nothing.
    pub(super) fn refusal(&self, answer: &Response, target: &str, secret: &str, cx: &Context) -> SourceError {
        let said = Self::complaint(answer, secret, cx);
        let (from, status) = (&answer.from, answer.status);
        match status {
            401 | 403 => self.denied(answer, target, secret, cx),
            503 if said.contains("sealed") => Self::away(wire::SEALED, answer),
            472 | 501 => match wire::health(status) {
                Err(why) => Self::away(why, answer),
                Ok(()) => answer.failure(),
            },
            412 => SourceError::down(format!("{from} answered 412: it lags behind the active server")),
            473 => SourceError::down(format!(
                "{from} answered 473: it is a standby that shows nothing; give the active server's address"
            )),
            400..=499 if status != 429 => SourceError::invalid(format!("{from} answered {status}{said}")),
            _ => answer.failure(),
        }
    }

    /// The server is there, and shows no secrets now.
    fn away(why: &str, answer: &Response) -> SourceError {
        let error = SourceError::down(format!("{} {why}; what it brought last stays in force", answer.from));
        match answer.retry_after() {
            Some(delay) => error.with_retry_after(delay),
            None => error,
        }
    }
}

/// What stands in a request after `/v1/`; `part` is of KV v2: `data`, or `metadata`.
fn target(place: &Place, part: &str) -> Result<String, SourceError> {
    let path = |text: &str| wire::path(text).map_err(SourceError::invalid);
    Ok(match place {
        Place::Kv2(mount, name) => format!("{}/{part}/{}", path(mount)?, path(name)?),
        Place::Kv1(mount, name) => format!("{}/{}", path(mount)?, path(name)?),
        Place::Leased(name) => path(name)?,
    })
}

fn listing(place: &Place, entry: Option<Entry>, version: u64) -> Step {
    let all: Map = entry.map(|entry| (place.name().into(), entry)).into_iter().collect();
    Step::Listing { all, cursor: Cursor { epoch: 0, order: version, token: None } }
}

impl Session for VaultSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        match after {
            None => self.list(cx).await,
            Some(cursor) => self.follow(cx, cursor).await,
        }
    }

    fn polls(&self) -> bool {
        true
    }

    fn quiet(&self) -> Duration {
        // A beat comes a tenth late at most; then up to three questions follow each other.
        let every = self.settings.every;
        every.saturating_add(every / 8).saturating_add(ANSWER * 3)
    }
}
