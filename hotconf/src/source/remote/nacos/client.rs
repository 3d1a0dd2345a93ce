//! The session with one Nacos: login, the document, and questions that the server holds until it changes.
//! The only file here that waits.

use super::super::backoff::part;
use super::super::net::{Endpoint, Header, Http1, Method, Response};
use super::super::store::{Entry, Map, Session, Step};
use super::wire::{self, Content, Head, Told};
use super::{Settings, wire::Place};
use crate::race::{Either, race};
use crate::source::{Context, Cursor, SourceError, SourceErrorKind};
use crate::sync::later;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// An answer that the server does not hold.
const ANSWER: Duration = Duration::from_secs(10);
/// A held answer without news that comes sooner than this was not held.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Questions follow each other at this pace, but for the first few after a rest.
const PACE: Duration = Duration::from_millis(100);
const AT_REST: u32 = 4;
/// So many answers in a row that bring nothing are taken as they come; the rests after that double up to this.
const IMPATIENT: u32 = 3;
const LONGEST_REST: Duration = Duration::from_secs(10);
/// The first rest after the server said that the document is being written, and the longest.
const BUSY: Duration = Duration::from_millis(100);
const BUSIEST: Duration = Duration::from_secs(2);
/// So often a listing asks again that found it so.
const BUSY_LISTING: u32 = 4;

/// A session with one server.
pub struct NacosSession {
    http: Http1,
    /// The path in front of the interface.
    base: Box<str>,
    settings: Arc<Settings>,
    access: Option<Access>,
    /// Whether the server finds the token in headers, or only among parameters; not known before it took one.
    way: Option<Way>,
    /// What was read last; `None`: there was nothing.
    held: Option<Content>,
    /// The server's digest is not that of the bytes, and it answers by its own.
    adopted: bool,
    /// Nothing was asked of the listener since the last listing.
    fresh: bool,
    /// How many answers in a row brought nothing that they could have brought later.
    futile: u32,
    /// How often in a row the document was being written.
    busy: u32,
    /// When the next question may follow, at the pace.
    paced: Option<Instant>,
    /// How long the server asks to be left alone.
    floor: Duration,
}

/// How a token is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Headers,
    Parameter,
}

/// That the server knows us, and until when.
struct Access {
    token: Zeroizing<String>,
    /// A new login is due before the token runs out.
    renew: Option<Instant>,
}

impl NacosSession {
    pub(super) async fn open(
        endpoint: &Endpoint,
        settings: &Arc<Settings>,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let mut http = Http1::new(endpoint.clone(), settings.transport.clone());
        http.open(cx).await?;
        let mut session = Self {
            http,
            base: base(endpoint).into(),
            settings: settings.clone(),
            access: None,
            way: None,
            held: None,
            adopted: false,
            fresh: true,
            futile: 0,
            busy: 0,
            paced: None,
            floor: Duration::ZERO,
        };
        session.log_in(cx).await?;
        Ok(session)
    }

    /// Gets a token for the user, where there is one.
    async fn log_in(&mut self, cx: &Context) -> Result<(), SourceError> {
        let Some((name, password)) = &self.settings.user else { return Ok(()) };
        let body = wire::login(name, &password.read(cx).await?);
        let mut answer = None;
        // The second is where version 3 has moved it.
        for path in ["/v1/auth/login", "/v3/auth/user/login"] {
            let target = format!("{}{path}", self.base);
            let headers = [Header::new("content-type", FORM)];
            let said = self.http.request(Method::Post, &target, &headers, body.as_bytes(), cx).await?;
            let moved = matches!(said.status, 404 | 405 | 410 | 501);
            answer = Some(said);
            if !moved {
                break;
            }
        }
        let mut answer = answer.expect("it was asked");
        let said = Zeroizing::new(std::mem::take(&mut answer.body));
        let from = &answer.from;
        match answer.status {
            200 => {}
            status @ (400 | 401 | 403) => {
                return Err(SourceError::denied(format!(
                    "{from} answered the login with {status}: user `{name}` or its password are wrong"
                )));
            }
            _ => return Err(answer.failure()),
        }
        let admitted = wire::admission(&said).map_err(|why| {
            SourceError::invalid(format!(
                "{from} answered the login with something that {why}: does a proxy answer in its place?"
            ))
        })?;
        // As the official clients do: a tenth before it runs out.
        let renew = admitted.ttl.map(|ttl| later(cx.now(), ttl.saturating_sub(ttl / 10)));
        self.access = Some(Access { token: admitted.token, renew });
        Ok(())
    }

    /// Asks once, with a token that is good.
    async fn ask(
        &mut self,
        method: Method,
        headers: &[Header<'_>],
        question: impl Fn(&Place, Option<&str>) -> Zeroizing<String>,
        cx: &Context,
    ) -> Result<Response, SourceError> {
        let renew = self.access.as_ref().and_then(|access| access.renew);
        if renew.is_some_and(|at| at <= cx.now()) {
            self.log_in(cx).await?;
        }
        let way = self.way.unwrap_or(Way::Headers);
        let mut answer = self.ask_by(way, method, headers, &question, cx).await?;
        if self.access.is_some() && self.way.is_none() {
            let mut way = way;
            if is_denial(&answer) {
                // Versions 2.2 to 2.5 compare the names of headers letter by letter with what has come in lower case.
                way = Way::Parameter;
                answer = self.ask_by(way, method, headers, &question, cx).await?;
            }
            if !is_denial(&answer) {
                self.way = Some(way);
                if way == Way::Parameter {
                    cx.warn(
                        "takes its access token only as a parameter of the address, where its own access log shows it; \
                         version 3 takes it in a header",
                    );
                }
            }
        }
        self.admitted(answer)
    }

    async fn ask_by(
        &mut self,
        way: Way,
        method: Method,
        headers: &[Header<'_>],
        question: impl Fn(&Place, Option<&str>) -> Zeroizing<String>,
        cx: &Context,
    ) -> Result<Response, SourceError> {
        let settings = self.settings.clone();
        let token = self.access.as_ref().map(|access| &**access.token);
        let bearer = token.map(|token| Zeroizing::new(format!("Bearer {token}")));
        let mut headers = headers.to_vec();
        if let (Some(token), Some(bearer)) = (token, &bearer) {
            headers.extend([Header::secret("authorization", bearer), Header::secret("accesstoken", token)]);
        }
        let question = question(&settings.place, token.filter(|_| way == Way::Parameter));
        if method == Method::Get {
            return self.http.request(method, &question, &headers, b"", cx).await;
        }
        let target = format!("{}/v1/cs/configs/listener", self.base);
        self.http.request(method, &target, &headers, question.as_bytes(), cx).await
    }

    /// Passes on what is no refusal of who we are.
    fn admitted(&self, answer: Response) -> Result<Response, SourceError> {
        if !is_denial(&answer) {
            return Ok(answer);
        }
        let (from, status) = (&answer.from, answer.status);
        let place = &self.settings.place;
        let message = match &self.settings.user {
            None => format!("{from} answered {status}: it asks who we are, give `.user(name, password)`"),
            Some((name, _)) => format!(
                "{from} answered {status}: the login of user `{name}` has run out, or its role may not read {place}: \
                 grant it `r` on that namespace"
            ),
        };
        Err(SourceError::denied(message))
    }

    /// Asks for the document; the digest and all else that it is known by are noted.
    async fn read(&mut self, cx: &Context) -> Result<Found, SourceError> {
        let base = self.base.clone();
        let question = |place: &Place, token: Option<&str>| place.target(&base, token);
        let asked = self.ask(Method::Get, &[], question, cx);
        let answer = match race(asked, cx.sleep(ANSWER)).await {
            Either::First(answer) => answer?,
            Either::Second(()) => {
                return Err(SourceError::down(format!("gave no document within {ANSWER:?}")));
            }
        };
        let told = wire::read(&head(&answer), &answer.body, &self.settings.place);
        let content = match told.map_err(|error| named(&answer.from, &error))? {
            Told::Document(content) => Some(content),
            Told::Nothing => None,
            Told::Busy => {
                self.busy = self.busy.saturating_add(1);
                return Ok(Found::Busy);
            }
            Told::Refusal => return Err(answer.failure()),
        };
        self.busy = 0;
        let same = self.held == content;
        let differs = content.as_ref().is_some_and(|content| content.claimed.is_some());
        // Only what is said twice of the same bytes is no snapshot of a change.
        self.adopted = differs && same;
        if self.adopted {
            cx.warn(format!(
                "says of {} by `Content-MD5` that it is another text than the one that it sends: something changes it \
                 on the way, or the server stores it in an encoding other than UTF-8",
                self.settings.place
            ));
        }
        self.held = content;
        let Some(content) = &self.held else { return Ok(Found::All(Map::new(), same)) };
        let key = Arc::from(&*content.name);
        let mut all = Map::new();
        // What is there and empty is as good as nothing: a Nacos takes no empty document.
        if !answer.body.trim_ascii().is_empty() {
            all.insert(key, Entry::new(answer.body, 0));
        }
        Ok(Found::All(all, same))
    }

    fn cursor(&self) -> Cursor {
        let token = self.held.as_ref().map(|content| content.digest.clone());
        Cursor { epoch: 0, order: 0, token }
    }

    async fn list(&mut self, cx: &Context) -> Result<Step, SourceError> {
        self.fresh = true;
        for turn in 0..=BUSY_LISTING {
            if let Found::All(all, _) = self.read(cx).await? {
                return Ok(Step::Listing { all, cursor: self.cursor() });
            }
            if turn < BUSY_LISTING {
                cx.sleep(BUSY * (1 << turn)).await;
            }
        }
        let place = &self.settings.place;
        Err(SourceError::down(format!("answered 409 again and again: {place} is being modified")))
    }

    async fn follow(&mut self, cx: &Context, after: &Cursor) -> Result<Step, SourceError> {
        self.pace(cx).await;
        let began = cx.now();
        let news = self.listen(cx).await?;
        let fresh = std::mem::take(&mut self.fresh);
        let mut step = Step::Same { cursor: after.clone() };
        if news == News::None {
            // Whoever sees no change sees what was there before it was being written.
            self.busy = 0;
        } else {
            match self.read(cx).await? {
                // It will say again that it changed.
                Found::Busy => return Ok(step),
                Found::All(all, same) => {
                    let cursor = self.cursor();
                    step = if same { Step::Same { cursor } } else { Step::Listing { all, cursor } };
                }
            }
        }
        let brings = matches!(step, Step::Listing { .. }) && news == News::Some;
        let held = cx.now().saturating_duration_since(began) >= AT_ONCE;
        if brings || (news == News::None && held) {
            self.futile = 0;
        } else if news != News::None || !fresh {
            self.futile = self.futile.saturating_add(1);
            if self.futile == IMPATIENT {
                complain(news, cx);
            }
        }
        Ok(step)
    }

    /// Asks whether there is news, and lets the server hold the question until there is; the first one after a
    /// listing it answers at once, so that it is known to answer any.
    async fn listen(&mut self, cx: &Context) -> Result<News, SourceError> {
        let digest = match &self.held {
            None => "".into(),
            Some(Content { claimed: Some(claimed), .. }) if self.adopted => claimed.clone(),
            Some(content) => content.digest.clone(),
        };
        let hold = self.settings.hold;
        let millis = hold.as_millis().to_string();
        let mut headers =
            vec![Header::new("content-type", FORM), Header::new("long-pulling-timeout", &millis)];
        if self.fresh {
            headers.push(Header::new("long-pulling-timeout-no-hangup", "true"));
        }
        let question = |place: &Place, token: Option<&str>| place.listen(&digest, token);
        let answer = self.ask(Method::Post, &headers, question, cx).await?;
        self.floor = Duration::ZERO;
        if answer.status != 200 {
            self.floor = answer.retry_after().unwrap_or_default().min(hold);
            return Ok(News::Unheld(answer.status));
        }
        let changed = self.settings.place.is_changed(&answer.body);
        let changed = changed.map_err(|error| named(&answer.from, &error))?;
        Ok(if changed { News::Some } else { News::None })
    }

    /// Waits until the next question may be asked: a document that changes all the time is not asked for without end,
    /// and a server that has nothing to say all the time still less.
    async fn pace(&mut self, cx: &Context) {
        let now = cx.now();
        let earliest = now.checked_sub(PACE * AT_REST).unwrap_or(now);
        let mut at = self.paced.map_or(earliest, |at| at.max(earliest));
        if let Some(rest) = self.rest() {
            // The lesser half is drawn: many that are answered so do not ask all at once.
            let rest = (rest / 2 + part(rest / 2, cx.random())).max(self.floor);
            at = at.max(later(now, rest));
        }
        self.paced = Some(later(at, PACE));
        if at > now {
            cx.sleep_until(at).await;
        }
    }

    /// How long the server is left alone after what it said.
    fn rest(&self) -> Option<Duration> {
        if let Some(turn) = self.busy.checked_sub(1) {
            return Some(BUSY.saturating_mul(1 << turn.min(16)).min(BUSIEST));
        }
        let turn = self.futile.checked_sub(IMPATIENT);
        let rest = turn.map(|turn| AT_ONCE.saturating_mul(1 << turn.min(16)).min(LONGEST_REST));
        rest.or_else(|| (!self.floor.is_zero()).then_some(Duration::ZERO))
    }
}

/// What the listener said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// The document is the one that we have.
    None,
    /// It is another.
    Some,
    /// It held no question, and answered with this status: only the document itself tells.
    Unheld(u16),
}

/// Tells that the server brings nothing by being asked.
fn complain(news: News, cx: &Context) {
    let what = match news {
        News::None => {
            "answers at once though it is asked to hold the question until there is news".to_owned()
        }
        News::Some => "says again and again that there is news, and there is none".to_owned(),
        News::Unheld(503) => {
            "answers 503 where it is to hold a question until there is news: it may hold as many as it can"
                .to_owned()
        }
        News::Unheld(status) => {
            format!("answers {status} where it is to hold a question until there is news")
        }
    };
    cx.warn(format!("{what}; it is now asked more and more seldom, down to every {LONGEST_REST:?}"));
}

/// What was found in place of the document.
enum Found {
    /// All that there is, and whether it is what was there before.
    All(Map, bool),
    /// It is being written.
    Busy,
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The path in front of the interface, without a slash at its end.
fn base(endpoint: &Endpoint) -> &str {
    match endpoint.path().trim_end_matches('/') {
        "" => "/nacos",
        path => path,
    }
}

fn is_denial(answer: &Response) -> bool {
    matches!(answer.status, 401 | 403)
}

fn head(answer: &Response) -> Head<'_> {
    Head {
        status: answer.status,
        digest: answer.header("content-md5"),
        kind: answer.header("config-type"),
        content_type: answer.header("content-type"),
        cipher: answer.header("encrypted-data-key"),
    }
}

/// The same error with who answered so.
fn named(from: &str, error: &SourceError) -> SourceError {
    let message = format!("{from} {error}");
    match error.kind() {
        SourceErrorKind::Invalid => SourceError::invalid(message),
        _ => SourceError::down(message),
    }
}

impl Session for NacosSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        match after {
            None => self.list(cx).await,
            Some(cursor) => self.follow(cx, cursor).await,
        }
    }

    fn polls(&self) -> bool {
        self.futile >= IMPATIENT
    }

    fn quiet(&self) -> Duration {
        // As the official clients do: a server is busy with many, and may be late by a half.
        let hold = self.settings.hold;
        hold.saturating_add(hold / 2).saturating_add(LONGEST_REST.max(self.floor)).saturating_add(ANSWER)
    }
}
