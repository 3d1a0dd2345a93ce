//! The session with one agent: a listing, then blocking queries. The only file here that waits.
//!
//! What must hold, beside what the core does:
//!
//! 1. That a question returns is no proof of change: what it brought is held against what was there.
//! 2. An index that went back begins anew: everything is asked for, without an index.
//! 3. A question that is held is never asked again on another connection: who is there now may have been wiped,
//!    and would hold it until the index that we know is reached again.

use super::refusal::{judge, remedy};
use super::wire::{self, Asked, Head, Scope};
use super::{Seen, Settings};
use crate::source::remote::backoff::part;
use crate::source::remote::net::{Endpoint, Header, Http1, Method, Response};
use crate::source::remote::{Map, Session, Step};
use crate::source::{Context, Cursor, SourceError};
use crate::sync::{later, lock};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Questions follow each other at this pace, and up to half as much later, so that a fleet does not march in
/// step; after a rest, two follow at once. These are the numbers of consul-template.
const PACE: Duration = Duration::from_millis(100);
/// What an answer may take beyond the time for which it is held.
const ANSWER: Duration = Duration::from_secs(10);
/// Base64 and the names around a value make a listing longer than what it lists.
const AROUND: usize = 1 << 20;
/// So many of the keys that a listing lacks are asked for one by one: a policy hides by prefixes, mostly.
const PROBES: usize = 8;

/// A session with one agent.
pub struct ConsulSession {
    http: Http1,
    /// What stands in the agent's address in front of `/v1`.
    base: Box<str>,
    scope: Scope,
    settings: Arc<Settings>,
    seen: Arc<Mutex<Seen>>,
    /// When the next question may follow, at the pace.
    paced: Option<Instant>,
}

/// An answer that is a listing.
struct Told {
    head: Head,
    all: Map,
}

impl ConsulSession {
    pub(super) async fn open(
        agent: &Endpoint,
        scope: &Scope,
        settings: &Arc<Settings>,
        seen: &Arc<Mutex<Seen>>,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let most = cx.limits.bytes.saturating_mul(2).saturating_add(AROUND);
        let mut http = Http1::new(agent.clone(), settings.transport.clone()).cap(most).asks_once();
        http.open(cx).await?;
        let (settings, seen) = (settings.clone(), seen.clone());
        Ok(Self { http, base: agent.path().into(), scope: scope.clone(), settings, seen, paced: None })
    }

    /// Everything, as of now.
    async fn list(&mut self, cx: &Context) -> Result<Step, SourceError> {
        if let Some(bound) = self.settings.stale {
            let told = self.ask(true, None, cx).await?;
            let known = lock(&self.seen).index;
            if !told.head.is_too_old(bound, known) {
                return self.listing(told, cx).await;
            }
        }
        self.list_led(cx).await
    }

    /// Everything, from the leader.
    async fn list_led(&mut self, cx: &Context) -> Result<Step, SourceError> {
        let told = self.ask(false, None, cx).await?;
        if told.head.led == Some(false) {
            return Err(SourceError::down(
                "answers though its servers have no leader: it may be out of date",
            ));
        }
        self.listing(told, cx).await
    }

    /// What follows `index`.
    async fn follow(&mut self, index: u64, cx: &Context) -> Result<Step, SourceError> {
        self.pace(cx).await;
        let stale = self.settings.stale;
        let told = self.ask(stale.is_some(), Some(index), cx).await?;
        let doubtful = match stale {
            Some(bound) => told.head.is_too_old(bound, index),
            None => told.head.led == Some(false) || told.head.index < index,
        };
        if doubtful {
            return self.list_led(cx).await;
        }
        if lock(&self.seen).all == told.all {
            lock(&self.seen).index = told.head.index;
            return Ok(Step::Same { cursor: cursor(&told.head) });
        }
        self.listing(told, cx).await
    }

    /// Takes a listing, once it is sure that it hides nothing of what was there.
    async fn listing(&mut self, told: Told, cx: &Context) -> Result<Step, SourceError> {
        let Told { head, all } = told;
        if let Scope::Prefix(prefix) = &self.scope {
            let mut doubtful: Vec<Box<str>> = {
                let seen = lock(&self.seen);
                let gone = seen.all.keys().filter(|key| !all.contains_key(*key));
                gone.take(PROBES).map(|key| (**key).into()).collect()
            };
            // A token that may read nothing is given an empty listing, not a refusal.
            if all.is_empty() && !prefix.is_empty() {
                doubtful.push(prefix.clone());
            }
            for key in doubtful {
                self.probe(key, cx).await?;
            }
        }
        let cursor = cursor(&head);
        *lock(&self.seen) = Seen { index: head.index, all: all.clone() };
        Ok(Step::Listing { all, cursor })
    }

    /// Asks for one key that is not listed, and tells whether we may not read it.
    async fn probe(&mut self, key: Box<str>, cx: &Context) -> Result<(), SourceError> {
        let scope = Scope::Key(key);
        let answer = self.get(&scope, false, None, cx).await?;
        match answer.status {
            200..=299 | 404 => Ok(()),
            403 => Err(SourceError::denied(format!(
                "`{}` is left out of what is listed: {}",
                scope.name(),
                remedy(self.scope.name(), self.settings.token.is_some())
            ))),
            _ => Err(self.judge(&answer)),
        }
    }

    fn judge(&self, answer: &Response) -> SourceError {
        judge(answer, self.scope.name(), self.settings.token.is_some())
    }

    /// Waits until the next question may be asked: a store that changes all the time is not asked without end.
    async fn pace(&mut self, cx: &Context) {
        let pace = PACE + part(PACE / 2, cx.random());
        let now = cx.now();
        let rested = now.checked_sub(pace).unwrap_or(now);
        let at = self.paced.map_or(rested, |at| at.max(rested));
        self.paced = Some(later(at, pace));
        if at > now {
            cx.sleep_until(at).await;
        }
    }

    /// Asks for everything: as of now, or once there is something behind an index.
    async fn ask(&mut self, stale: bool, behind: Option<u64>, cx: &Context) -> Result<Told, SourceError> {
        let scope = self.scope.clone();
        let answer = self.get(&scope, stale, behind, cx).await?;
        let head = Head::read(|name| answer.header(name));
        let (Some(head), 200 | 404) = (head, answer.status) else { return Err(self.judge(&answer)) };
        // Nothing is there, and what comes can be waited for all the same.
        if answer.status == 404 {
            return Ok(Told { head, all: Map::new() });
        }
        if answer
            .header("x-consul-results-filtered-by-acls")
            .is_some_and(|filtered| filtered.trim() == "true")
        {
            let remedy = remedy(self.scope.name(), self.settings.token.is_some());
            cx.warn(format!("keys are left out of what Consul lists: {remedy}"));
        }
        let all = wire::listing(&answer.body, &scope);
        let all = all.map_err(|why| SourceError::down(format!("{} gives no listing: {why}", answer.from)))?;
        Ok(Told { head, all })
    }

    async fn get(
        &mut self,
        scope: &Scope,
        stale: bool,
        behind: Option<u64>,
        cx: &Context,
    ) -> Result<Response, SourceError> {
        let settings = &self.settings;
        let token = match &settings.token {
            Some(token) => Some(token.read(cx).await?),
            None => None,
        };
        let headers: Vec<_> =
            token.iter().map(|token| Header::secret("x-consul-token", token.as_str())).collect();
        let asked = Asked {
            datacenter: settings.datacenter.as_deref(),
            namespace: settings.namespace.as_deref(),
            partition: settings.partition.as_deref(),
            stale,
            behind: behind.map(|index| (index, settings.wait)),
        };
        let target = wire::target(&self.base, scope, &asked);
        self.http.request(Method::Get, &target, &headers, b"", cx).await
    }
}

fn cursor(head: &Head) -> Cursor {
    Cursor { epoch: 0, order: head.index, token: None }
}

impl Session for ConsulSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        match after {
            None => self.list(cx).await,
            Some(cursor) => self.follow(cursor.order, cx).await,
        }
    }

    fn quiet(&self) -> Duration {
        let wait = self.settings.wait;
        wait + wait / 16 + ANSWER
    }
}
