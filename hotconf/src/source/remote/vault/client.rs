//! Asks Vault: logs in, reads, polls, and keeps what is lent. The only file here that waits.
//!
//! Rules:
//!
//! 1. What the server lends, a token or a lease, lies in [`Held`], beyond the session: a connection that is lost loses
//!    neither. It is written there when it is whole, so that a future that is dropped leaves what was.
//! 2. A secret that is lent goes with the token that asked for it: another token asks for another secret.
//! 3. A token that is refused is forgotten, and the error says so; that one login anew follows at once, and all
//!    others slowly, is the core's doing.

use super::super::backoff::part;
use super::super::net::{Endpoint, Header, Http1, Method, Response};
use super::super::store::{Entry, Map, Session, Step};
use super::term::{Term, Then};
use super::wire::{self, Answer, Found, Lent, Mark, Member};
use super::{Login, Place, Settings};
use crate::race::{Either, race};
use crate::source::{BoxFuture, Context, Cursor, SourceError};
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
    pass: Option<Pass>,
    lease: Option<Lease>,
    /// How many tokens there were.
    passes: u64,
}

/// A token that we show.
#[derive(Clone)]
struct Pass {
    token: Arc<Zeroizing<String>>,
    number: u64,
    /// It was given to us by a login.
    own: bool,
    term: Option<Term>,
}

/// A secret that is lent.
#[derive(Clone)]
struct Lease {
    id: Arc<Zeroizing<String>>,
    entry: Entry,
    term: Term,
    /// The token that asked for it.
    pass: u64,
}

/// A session with one server.
pub struct VaultSession {
    line: Line,
    /// What stands in front of `/v1` in the address.
    base: Box<str>,
    /// The address up to that.
    server: Box<str>,
    settings: Arc<Settings>,
    held: Arc<Mutex<Held>>,
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
            line: Line::Free(http),
            base: endpoint.path().trim_end_matches('/').into(),
            server: format!("{}://{}", endpoint.scheme(), endpoint.authority()).into(),
            settings: settings.clone(),
            held: held.clone(),
            mark: None,
            blind: false,
            poll: None,
        })
    }

    // The token.

    /// The token that is good now: the one that is held, or that of a login.
    async fn pass(&mut self, cx: &Context) -> Result<Option<Pass>, SourceError> {
        if matches!(self.settings.login, Login::Nobody) {
            return Ok(None);
        }
        let held = lock(&self.held).pass.clone();
        match held {
            Some(pass) if !pass.term.is_some_and(|term| term.is_over(cx.now())) => Ok(Some(pass)),
            _ => self.log_in(cx).await.map(Some),
        }
    }

    /// Gets a token, whatever is held.
    async fn log_in(&mut self, cx: &Context) -> Result<Pass, SourceError> {
        let settings = self.settings.clone();
        let (lent, own) = match &settings.login {
            Login::Nobody => return Err(SourceError::denied("there is nobody to log in as")),
            Login::Token(token) => (self.given(token.read(cx).await?, cx).await?, false),
            Login::AppRole(role, secret) => {
                let secret = secret.read(cx).await?;
                let members = [("role_id", Member::Text(role)), ("secret_id", Member::Text(&secret))];
                (self.login("approle", &members, &secret, cx).await?, true)
            }
            Login::Jwt(role, jwt) => {
                let jwt = jwt.read(cx).await?;
                let members = [("role", Member::Text(role)), ("jwt", Member::Text(&jwt))];
                (self.login("jwt", &members, &jwt, cx).await?, true)
            }
        };
        let term = Term::granted(lent.duration, lent.renewable, cx.now(), cx.random());
        let mut held = lock(&self.held);
        // A token that is read again and is the same is no other: what it asked for stays.
        let same = held.pass.as_ref().filter(|pass| *pass.token == lent.what).map(|pass| pass.number);
        if same.is_none() {
            held.passes += 1;
        }
        let number = same.unwrap_or(held.passes);
        let pass = Pass { token: Arc::new(lent.what), number, own, term };
        held.pass = Some(pass.clone());
        Ok(pass)
    }

    /// A token that was given to us, and for how long it is good, as far as that may be asked.
    async fn given(&mut self, token: Zeroizing<String>, cx: &Context) -> Result<Lent, SourceError> {
        let answer = self.call(Method::Get, "auth/token/lookup-self", Some(&token), b"", cx).await?;
        let (duration, renewable) = match answer.status {
            200 => {
                let told = self.read(&answer, cx)?.token();
                (told.duration, told.renewable)
            }
            // The read itself tells whether it is the token that is refused, or the question.
            400..=499 => (Duration::ZERO, false),
            _ => return Err(self.refusal(&answer, "auth/token/lookup-self", &token, cx)),
        };
        Ok(Lent { what: token, duration, renewable })
    }

    async fn login(
        &mut self,
        usual: &str,
        members: &[(&str, Member<'_>)],
        secret: &str,
        cx: &Context,
    ) -> Result<Lent, SourceError> {
        let mount = self.settings.mount.as_deref().unwrap_or(usual);
        let target = format!("auth/{}/login", wire::path(mount).map_err(SourceError::invalid)?);
        let answer = self.call(Method::Post, &target, None, &wire::body(members), cx).await?;
        match answer.status {
            200 => self.read(&answer, cx)?.login().ok_or_else(|| {
                SourceError::invalid(format!("{} answered a login without a token", self.server))
            }),
            // A secret id that is wrong is a bad request to it.
            400..=499 if answer.status != 429 => {
                let said = self.complaint(&answer, secret, cx);
                let status = answer.status;
                let remedy = "check the role and its secret";
                Err(SourceError::denied(format!(
                    "the login at {target} was answered {status}{said}: {remedy}"
                )))
            }
            _ => Err(self.refusal(&answer, &target, secret, cx)),
        }
    }

    /// Renews the token, or gets another.
    async fn keep_pass(&mut self, pass: &Pass, term: Term, cx: &Context) -> Result<Pass, SourceError> {
        if term.then == Then::Renew {
            let increment = format!("{}s", term.asked.as_secs());
            let body = wire::body(&[("increment", Member::Text(&increment))]);
            let target = "auth/token/renew-self";
            let answer = self.call(Method::Post, target, Some(&pass.token), &body, cx).await?;
            match answer.status {
                200 => {
                    let lent = self.read(&answer, cx)?.login();
                    let lent = lent.map_or((Duration::ZERO, false), |lent| (lent.duration, lent.renewable));
                    let term = term.renewed(lent.0, lent.1, cx.now(), cx.random());
                    let pass = Pass { term: Some(term), ..pass.clone() };
                    lock(&self.held).pass = Some(pass.clone());
                    return Ok(pass);
                }
                400..=499 if answer.status != 429 => {}
                _ => return Err(self.refusal(&answer, target, &pass.token, cx)),
            }
        }
        let fresh = self.log_in(cx).await?;
        if fresh.number == pass.number && !fresh.own {
            cx.warn("its token cannot be renewed any further, and no other is there: give it a new one before it ends");
        }
        Ok(fresh)
    }

    /// The token was refused: it is forgotten, and given back where nothing hangs on it, so that slow attempts do not
    /// leave one behind each.
    async fn forget(&mut self, pass: &Pass, cx: &Context) {
        let alone = {
            let mut held = lock(&self.held);
            if held.pass.as_ref().is_some_and(|held| held.number == pass.number) {
                held.pass = None;
            }
            held.lease.as_ref().is_none_or(|lease| lease.pass != pass.number)
        };
        if alone && pass.own {
            // Where it was the token that was refused, there is nothing to give back.
            let _ = self.call(Method::Post, "auth/token/revoke-self", Some(&pass.token), b"", cx).await;
        }
    }

    // The secret.

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
                let read = self.read(&answer, cx);
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
                let lent = self.read(&answer, cx)?.renewal();
                lease.term.renewed(lent.duration, lent.renewable, now, random)
            }
            200 | 204 => return Ok(true),
            // It may not be renewed by us, but it may be good all the same.
            403 if renews => lease.term.fixed(now, random),
            403 => return Ok(true),
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
            wire::health(answer.status).map_err(|why| self.away(why, &answer))?;
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
                let current = self.read(&answer, cx)?.current();
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
    async fn call(
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

    fn read(&self, answer: &Response, cx: &Context) -> Result<Answer, SourceError> {
        let read = Answer::read(&answer.body, &cx.limits);
        read.map_err(|why| SourceError::invalid(format!("{} {why}", answer.from)))
    }

    /// What the server says is wrong, as the end of a sentence; nothing where it repeats what is secret.
    fn complaint(&self, answer: &Response, secret: &str, cx: &Context) -> String {
        match self.read(answer, cx).map(|answer| answer.complaint()) {
            Ok(said) if !said.is_empty() && (secret.is_empty() || !said.contains(secret)) => {
                format!(" ({said})")
            }
            _ => String::new(),
        }
    }

    /// Our token does not allow it.
    fn denied(&self, answer: &Response, target: &str, token: &str, cx: &Context) -> SourceError {
        let (from, status, said) = (&answer.from, answer.status, self.complaint(answer, token, cx));
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
    fn refusal(&self, answer: &Response, target: &str, secret: &str, cx: &Context) -> SourceError {
        let said = self.complaint(answer, secret, cx);
        let (from, status) = (&answer.from, answer.status);
        match status {
            401 | 403 => self.denied(answer, target, secret, cx),
            503 if said.contains("sealed") => self.away(wire::SEALED, answer),
            472 | 501 => match wire::health(status) {
                Err(why) => self.away(why, answer),
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
    fn away(&self, why: &str, answer: &Response) -> SourceError {
        let error = SourceError::down(format!("{} {why}; what it brought last stays in force", answer.from));
        match answer.retry_after() {
            Some(delay) => error.with_retry_after(delay),
            None => error,
        }
    }
}

/// The way to the server: one question at a time.
enum Line {
    Free(Http1),
    /// A question is under way. Whoever asked may be gone: it is then answered before the next, so that the connection
    /// outlasts a future that was dropped.
    Busy(BoxFuture<'static, (Http1, Result<Response, SourceError>)>),
}

/// A question, with all that it needs.
#[derive(Clone)]
struct Question {
    method: Method,
    target: String,
    namespace: Option<Box<str>>,
    token: Option<Zeroizing<String>>,
    body: Zeroizing<Vec<u8>>,
}

impl Line {
    async fn ask(&mut self, question: Question, cx: &Context) -> Result<Response, SourceError> {
        if let Self::Busy(before) = self {
            let (http, _) = before.await;
            *self = Self::Free(http);
        }
        // Nothing waits until the question is in its place, so that no drop finds the line without its connection.
        if let Self::Free(http) = std::mem::replace(self, Self::Busy(Box::pin(std::future::pending()))) {
            *self = Self::Busy(Box::pin(question.put(http, cx.clone())));
        }
        let Self::Busy(asking) = self else { unreachable!("it was just put there") };
        let (http, answer) = asking.await;
        *self = Self::Free(http);
        answer
    }
}

impl Question {
    async fn put(self, mut http: Http1, cx: Context) -> (Http1, Result<Response, SourceError>) {
        // Agents may ask for the first, which no page in a browser can send.
        let mut headers = vec![Header::new("x-vault-request", "true")];
        if let Some(namespace) = &self.namespace {
            headers.push(Header::new("x-vault-namespace", namespace));
        }
        if let Some(token) = &self.token {
            headers.push(Header::secret("x-vault-token", token));
        }
        if !self.body.is_empty() {
            headers.push(Header::new("content-type", "application/json"));
        }
        let answer = http.request(self.method, &self.target, &headers, &self.body, &cx).await;
        (http, answer)
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

    fn quiet(&self) -> Duration {
        // A beat comes a tenth late at most; then up to three questions follow each other.
        let every = self.settings.every;
        every.saturating_add(every / 8).saturating_add(ANSWER * 3)
    }
}
