//! Asks for one document again and again: by a beat, or with questions that the server holds.

use super::super::backoff::part;
use super::super::net::{Endpoint, Header, Http1, Method, Response};
use super::super::store::{Entry, Map, Session, Step};
use super::Settings;
use super::wire::{self, Head, Told, Validator};
use crate::race::{Either, race};
use crate::source::{Context, Cursor, SourceError, SourceErrorKind};
use crate::sync::later;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an answer may take beyond the time that it is waited for anyway.
const ANSWER: Duration = Duration::from_secs(10);
/// However seldom it is asked: an answer that has not come after this does not come.
const LONGEST: Duration = Duration::from_secs(60);
/// A server that has nothing new and answers sooner than this does not hold a question.
const AT_ONCE: Duration = Duration::from_secs(1);
/// So often in a row, and it is asked by a beat instead.
const IMPATIENT: u32 = 3;
/// Held questions follow each other at this pace, but for the first few after a rest.
const PACE: Duration = Duration::from_millis(100);
const AT_REST: u32 = 4;

/// A session with the server of one document.
pub struct HttpSession {
    http: Http1,
    endpoint: Endpoint,
    settings: Arc<Settings>,
    /// By what the document is known that was listed last.
    validator: Option<Validator>,
    /// How often in a row it answered a held question at once, without news.
    impatient: u32,
    /// When the next held question may follow, at the pace.
    paced: Option<Instant>,
}

impl HttpSession {
    pub(super) async fn open(
        endpoint: &Endpoint,
        settings: &Arc<Settings>,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let mut http = Http1::new(endpoint.clone(), settings.transport.clone());
        http.open(cx).await?;
        let (endpoint, settings) = (endpoint.clone(), settings.clone());
        Ok(Self { http, endpoint, settings, validator: None, impatient: 0, paced: None })
    }

    /// How long the server is asked to hold a question; `None`: it is asked by a beat.
    fn hold(&self) -> Option<Duration> {
        self.settings.hold.filter(|_| self.impatient < IMPATIENT)
    }

    async fn follow(&mut self, cx: &Context, after: &Cursor) -> Result<Step, SourceError> {
        let Some(hold) = self.hold() else {
            let every = self.settings.every;
            cx.sleep(every.saturating_sub(every / 10) + part(every / 5, cx.random())).await;
            return self.ask(cx, self.validator.clone(), None, after).await;
        };
        self.pace(cx).await;
        let began = cx.now();
        let step = self.ask(cx, self.validator.clone(), Some(hold), after).await?;
        let took = cx.now().saturating_duration_since(began);
        if matches!(step, Step::Same { .. }) && took < AT_ONCE.min(hold / 2) {
            self.impatient += 1;
            if self.impatient == IMPATIENT {
                let every = self.settings.every;
                let message = "answers at once though it is asked to hold the question until there is news";
                cx.warn(format!("{} {message}; it is now asked every {every:?}", self.endpoint));
            }
        } else {
            self.impatient = 0;
        }
        Ok(step)
    }

    /// Waits until the next question may be asked: a store that changes all the time is not asked without end.
    async fn pace(&mut self, cx: &Context) {
        let now = cx.now();
        let earliest = now.checked_sub(PACE * AT_REST).unwrap_or(now);
        let at = self.paced.map_or(earliest, |at| at.max(earliest));
        self.paced = Some(later(at, PACE));
        if at > now {
            cx.sleep_until(at).await;
        }
    }

    /// Asks once: for everything, or for what is not known by the validator.
    async fn ask(
        &mut self,
        cx: &Context,
        validator: Option<Validator>,
        hold: Option<Duration>,
        after: &Cursor,
    ) -> Result<Step, SourceError> {
        let limit = LONGEST.saturating_add(hold.unwrap_or_default());
        let answer = match race(self.get(cx, validator.as_ref(), hold), cx.sleep(limit)).await {
            Either::First(answer) => answer?,
            Either::Second(()) => return Err(SourceError::down(format!("gave no answer within {limit:?}"))),
        };
        let head = head(&answer);
        let told = wire::read(&head, &answer.body, self.endpoint.path(), validator.is_some());
        match told.map_err(|error| named(&answer.from, &error))? {
            Told::Same if validator.is_some_and(|validator| validator.is_meant(&head)) => {
                Ok(Step::Same { cursor: after.clone() })
            }
            // A cache on the way speaks of another document: ask for ours.
            Told::Same => {
                self.validator = None;
                let answer = self.get(cx, None, None).await?;
                self.listing(answer)
            }
            _ => self.listing(answer),
        }
    }

    /// What an answer lists, and by what it is known from now on.
    fn listing(&mut self, answer: Response) -> Result<Step, SourceError> {
        let head = head(&answer);
        let told = wire::read(&head, &answer.body, self.endpoint.path(), false);
        let told = told.map_err(|error| named(&answer.from, &error))?;
        if told == Told::Refusal {
            return Err(answer.failure());
        }
        let validator = Validator::of(&head);
        let token = validator.as_ref().map(|validator| validator.text().into());
        self.validator = validator.filter(|_| matches!(told, Told::Document(_)));
        let mut all = Map::new();
        if let Told::Document(name) = told {
            all.insert(name.into(), Entry::new(answer.body, 0));
        }
        Ok(Step::Listing { all, cursor: Cursor { epoch: 0, order: 0, token } })
    }

    async fn get(
        &mut self,
        cx: &Context,
        validator: Option<&Validator>,
        hold: Option<Duration>,
    ) -> Result<Response, SourceError> {
        let mut credentials = Vec::with_capacity(self.settings.credentials.len());
        for credential in &self.settings.credentials {
            credentials.push((credential.name(), credential.read(cx).await?));
        }
        let mut headers: Vec<_> =
            credentials.iter().map(|(name, value)| Header::secret(name, value)).collect();
        if let Some((name, value)) = validator.map(Validator::condition) {
            headers.push(Header::new(name, value));
        }
        let wait = hold.map(|hold| format!("wait={}", hold.as_secs().max(1)));
        if let Some(wait) = &wait {
            headers.push(Header::new("prefer", wait));
        }
        let target = self.endpoint.target().to_owned();
        self.http.request(Method::Get, &target, &headers, b"", cx).await
    }
}

impl Session for HttpSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        match after {
            None => {
                let answer = self.get(cx, None, None).await?;
                self.listing(answer)
            }
            Some(cursor) => self.follow(cx, cursor).await,
        }
    }

    fn polls(&self) -> bool {
        self.hold().is_none()
    }

    fn quiet(&self) -> Duration {
        let wait = self.hold().unwrap_or(self.settings.every);
        // A beat comes a tenth late at most; a server that holds a question may take its time too.
        wait.saturating_add(wait / 8).saturating_add(ANSWER)
    }
}

fn head(answer: &Response) -> Head<'_> {
    Head {
        status: answer.status,
        content_type: answer.header("content-type"),
        etag: answer.header("etag"),
        last_modified: answer.header("last-modified"),
        date: answer.header("date"),
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
