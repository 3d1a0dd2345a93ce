//! The resuming loop: connect, list, follow; after any failure begin again, and never believe a resume.
//!
//! One feed serves all configurations of the process that follow the same store. Nobody owns its loop:
//! whoever of its followers is polled first drives it, and the others wait for news. The rules:
//!
//! 1. What is under way lies in the feed, not in the future that polls it: a follower that is dropped
//!    loses nothing, and the next one goes on where it left off.
//! 2. A new session always lists. A place in a history is good on the session that gave it, and nowhere
//!    else: a store that was wiped may have the same identity and a lower, equal or higher revision.
//! 3. Every wait has an end: connects and listings a deadline, a session the time in which it must say
//!    something, and beyond that everything is listed anew once in a while.
//! 4. What is told is the state as of now: followers see the newest, and nothing in between.

use super::backoff::{Attempts, part};
use super::news::{Link, News};
use super::store::{Map, Session, Step, Store};
use super::tuning::Tuning;
use super::wants::Wants;
use crate::race::{Either, race};
use crate::source::{BoxFuture, Context, Cursor, SourceError, SourceErrorKind, Verdict};
use crate::sync::{later, lock};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A listing that lacks keys is read again after this.
const CONFIRM: Duration = Duration::from_secs(1);
/// After so many steps of the loop, others have their turn: a store may have something to say at all times.
const BREATH: u32 = 64;
/// How many steps in a row that bring nothing are taken as they come; then one in this time.
const PATIENCE: u32 = 100;
const PACE: Duration = Duration::from_millis(10);

/// Who was in touch and waits no longer than this for the next attempt has not lost anything yet.
const SOON: Duration = Duration::from_secs(5);

/// A store that is followed, by one or by many.
pub(super) struct Feed<S: Store> {
    news: watch::Sender<News>,
    wants: Arc<Wants>,
    /// When the store last showed that it lives.
    life: Arc<Mutex<Option<Instant>>>,
    driver: tokio::sync::Mutex<Driver<S>>,
}

impl<S: Store> Feed<S> {
    pub(super) fn new(store: Arc<S>, cx: &Context, tuning: Tuning) -> Self {
        let news = watch::Sender::new(News::default());
        // By the news, so that all hear of it who follow the store, and as long as anybody does.
        let warn = news.clone();
        let cx = cx.apart(move |text| {
            warn.send_if_modified(|news| news.warnings.add(text));
        });
        let (wants, life) = (Arc::new(Wants::default()), Arc::default());
        let driver = Driver {
            store,
            cx,
            tuning,
            wants: Arc::clone(&wants),
            life: Arc::clone(&life),
            phase: Phase::Apart,
            attempts: Attempts::default(),
            gap: false,
            denied: false,
            doubted: None,
            idle: None,
            resync: None,
        };
        let driver = tokio::sync::Mutex::new(driver);
        Self { news, wants, life, driver }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<News> {
        let mut news = self.news.subscribe();
        news.mark_changed();
        news
    }

    /// When the store last showed that it lives, kept up to date.
    pub(super) fn life(&self) -> &Arc<Mutex<Option<Instant>>> {
        &self.life
    }

    /// Asks for everything anew; the number that [`News::answered`] will reach.
    pub(super) fn list_anew(&self) -> u64 {
        let asked = self.wants.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.wants.nudge.notify_one();
        asked
    }

    /// One more follows; its number, with which it leaves.
    pub(super) fn join(&self) -> u64 {
        lock(&self.wants.verdicts).join()
    }

    pub(super) fn leave(&self, follower: u64) {
        lock(&self.wants.verdicts).leave(follower);
        self.wants.nudge.notify_one();
    }

    /// What a follower made of a content that the store said, where it wants to know.
    pub(super) fn settle(&self, follower: u64, content: u64, verdict: &Verdict) {
        if S::Session::ACKS {
            lock(&self.wants.verdicts).decide(follower, content, verdict);
            self.wants.nudge.notify_one();
        }
    }

    /// Drives the loop, or waits for whoever drives it. Never ends; dropping it loses nothing.
    pub(super) async fn drive(&self) -> std::convert::Infallible {
        let mut driver = self.driver.lock().await;
        loop {
            for _ in 0..BREATH {
                driver.advance(self).await;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The loop, as far as it has come.
struct Driver<S: Store> {
    store: Arc<S>,
    cx: Context,
    tuning: Tuning,
    wants: Arc<Wants>,
    life: Arc<Mutex<Option<Instant>>>,
    phase: Phase<S::Session>,
    attempts: Attempts,
    /// The history was lost since the session last went on well: the next loss is a failure.
    gap: bool,
    /// The store refused our credentials since all was last well.
    denied: bool,
    /// A listing that lacks keys, until a second one confirms it.
    doubted: Option<Map>,
    /// When the steps so far that brought nothing would have been through at their pace.
    idle: Option<Instant>,
    /// When everything is listed anew.
    resync: Option<Instant>,
}

/// What is under way.
enum Phase<S> {
    /// Nothing.
    Apart,
    /// Waiting for the next attempt.
    Resting(BoxFuture<'static, ()>),
    /// Connecting; the request to list that it will answer.
    Connecting(u64, BoxFuture<'static, Result<S, SourceError>>),
    /// A session that is to do something.
    Ready(S, Task),
    /// A session at work: the future owns it, and gives it back.
    Working(u64, Task, BoxFuture<'static, (S, Outcome)>),
}

/// What a session is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Say everything.
    List,
    /// The same, a moment later.
    Confirm,
    /// Wait for what follows.
    Follow,
    /// Tell the store what became of what it said, and go on.
    Settle,
}

/// How it went.
enum Outcome {
    Said(Result<Step, SourceError>),
    /// Somebody wants something, or it is time to list anew.
    Nudged,
    Settled(Result<(), SourceError>),
}

impl<S: Store> Driver<S> {
    /// Takes one step. All that is waited for lies in `self.phase`.
    async fn advance(&mut self, feed: &Feed<S>) {
        match &mut self.phase {
            Phase::Apart => {
                let (store, cx, attempt) = (self.store.clone(), self.cx.clone(), self.attempts.next());
                let deadline = self.tuning.deadline;
                let opening =
                    async move { within(&cx, deadline, "connecting", store.connect(&cx, attempt)).await };
                self.phase = Phase::Connecting(self.wants.asked.load(Ordering::Acquire), Box::pin(opening));
            }
            Phase::Resting(rest) => {
                // Somebody who asks is answered by an attempt at once. What became of what the last session
                // said is no reason for one: it would be there again after each that fails.
                race(rest, self.wants.anything_anew()).await;
                self.phase = Phase::Apart;
            }
            Phase::Connecting(asked, opening) => {
                let (asked, opened) = (*asked, opening.await);
                match opened {
                    Ok(session) => {
                        // What was said by the session before is no business of this one.
                        lock(&self.wants.verdicts).begin();
                        self.phase = Phase::Ready(session, Task::List);
                    }
                    Err(error) => self.failed(feed, asked, error),
                }
            }
            Phase::Ready(..) => {
                let Phase::Ready(session, task) = std::mem::replace(&mut self.phase, Phase::Apart) else {
                    unreachable!("it was just seen")
                };
                let asked = self.wants.asked.load(Ordering::Acquire);
                self.phase = Phase::Working(asked, task, self.set_to(feed, session, task));
            }
            Phase::Working(asked, task, work) => {
                let (asked, task) = (*asked, *task);
                let (session, outcome) = work.await;
                self.phase = Phase::Apart;
                self.worked(feed, asked, task, session, outcome);
            }
        }
    }

    /// Sets a session to a task; the future owns all it needs.
    fn set_to(
        &self,
        feed: &Feed<S>,
        mut session: S::Session,
        task: Task,
    ) -> BoxFuture<'static, (S::Session, Outcome)> {
        let (cx, deadline) = (self.cx.clone(), self.tuning.deadline);
        match task {
            Task::List | Task::Confirm => Box::pin(async move {
                if task == Task::Confirm {
                    cx.sleep(CONFIRM).await;
                }
                let said = within(&cx, deadline, "listing", session.next(&cx, None)).await;
                (session, Outcome::Said(said))
            }),
            Task::Follow => {
                let cursor = feed.news.borrow().cursor.clone();
                let (wants, resync) = (self.wants.clone(), self.resync);
                let ahead = self.idle.and_then(|through| through.checked_sub(PACE * PATIENCE));
                let rest = ahead.filter(|until| *until > cx.now());
                Box::pin(async move {
                    let outcome = {
                        let interrupted = async {
                            match resync {
                                Some(at) => {
                                    race(wants.something(), cx.sleep_until(at)).await;
                                }
                                None => wants.something().await,
                            }
                        };
                        let quiet = session.quiet();
                        let next = async {
                            if let Some(until) = rest {
                                cx.sleep_until(until).await;
                            }
                            within(&cx, quiet, "", session.next(&cx, Some(&cursor))).await
                        };
                        match race(next, interrupted).await {
                            Either::First(said) => Outcome::Said(said),
                            Either::Second(()) => Outcome::Nudged,
                        }
                    };
                    (session, outcome)
                })
            }
            Task::Settle => {
                let due = lock(&self.wants.verdicts).take();
                Box::pin(async move {
                    let settled = match &due {
                        Some((cursor, verdict)) => {
                            let telling = session.settle(cursor, verdict);
                            within(&cx, deadline, "acknowledging", telling).await
                        }
                        None => Ok(()),
                    };
                    (session, Outcome::Settled(settled))
                })
            }
        }
    }

    /// Takes what a session brought back from a task.
    fn worked(&mut self, feed: &Feed<S>, asked: u64, task: Task, session: S::Session, outcome: Outcome) {
        let said = match outcome {
            Outcome::Said(said) => said,
            Outcome::Settled(Ok(())) => {
                self.phase = Phase::Ready(session, Task::Follow);
                return;
            }
            Outcome::Settled(Err(error)) => return self.failed(feed, asked, error),
            Outcome::Nudged => {
                let due = self.resync.is_some_and(|at| at <= self.cx.now());
                let settle = !due && !self.wants.listing();
                self.phase = Phase::Ready(session, if settle { Task::Settle } else { Task::List });
                return;
            }
        };
        let polled = session.polls();
        let error = match said.and_then(|step| self.take(feed, asked, (task, polled), step)) {
            Ok(task) => {
                self.phase = Phase::Ready(session, task);
                return;
            }
            Err(error) => error,
        };
        if error.kind() == SourceErrorKind::Gap && !self.gap {
            // The first one lists again at once, on the same session.
            self.gap = true;
            self.phase = Phase::Ready(session, Task::List);
            return;
        }
        drop(session);
        self.failed(feed, asked, error);
    }

    /// Takes a step of the store, and says what the session is to do next.
    fn take(
        &mut self,
        feed: &Feed<S>,
        asked: u64,
        (task, polled): (Task, bool),
        step: Step,
    ) -> Result<Task, SourceError> {
        let (known, before) = {
            let news = feed.news.borrow();
            (news.map.clone(), news.cursor.clone())
        };
        let follows = task == Task::Follow;
        let heartbeat = matches!(step, Step::Same { .. });
        let (map, cursor) = match (step, known) {
            (Step::Listing { all, cursor }, known) => {
                check_size(&all, &self.cx)?;
                let mut gone =
                    known.iter().flat_map(|known| known.keys()).filter(|key| !all.contains_key(*key));
                // Confirmed is what both listings lack; what else moved between them is no matter.
                let doubtful =
                    |key: &Arc<str>| self.doubted.as_ref().is_none_or(|doubted| doubted.contains_key(key));
                if S::CONFIRM_SHRINK && gone.any(doubtful) {
                    self.doubted = Some(all);
                    return Ok(Task::Confirm);
                }
                self.doubted = None;
                let same = known.filter(|known| **known == all);
                (same.unwrap_or_else(|| Arc::new(all)), cursor)
            }
            (Step::Delta { changes, cursor }, Some(known)) if follows => {
                // A place that does not lie behind the last one is of a history that we do not know.
                if cursor.epoch != before.epoch || (cursor.order != 0 && cursor.order <= before.order) {
                    return Err(went_back(&before, &cursor));
                }
                let mut map = (*known).clone();
                for (key, entry) in changes {
                    match entry {
                        Some(entry) => map.insert(key, entry),
                        None => map.remove(&key),
                    };
                }
                check_size(&map, &self.cx)?;
                (if map == *known { known } else { Arc::new(map) }, cursor)
            }
            (Step::Same { cursor }, Some(known)) if follows => {
                if cursor.epoch != before.epoch || (cursor.order != 0 && cursor.order < before.order) {
                    return Err(went_back(&before, &cursor));
                }
                (known, cursor)
            }
            _ => return Err(SourceError::gap("the store answered with a change before it listed anything")),
        };
        let now = self.cx.now();
        *lock(&self.life) = Some(now);
        if !follows || self.resync.is_none() {
            self.resync = self.next_resync(now);
        }
        self.attempts.well(now);
        let (known, content) = {
            let news = feed.news.borrow();
            let known = news.map.as_ref().is_some_and(|known| Arc::ptr_eq(known, &map));
            (known, news.content + u64::from(!known))
        };
        if S::Session::ACKS {
            lock(&self.wants.verdicts).said(content, &cursor, !heartbeat);
        }
        if known {
            self.idle = Some(self.idle.map_or(now, |through| through.max(now)) + PACE);
        }
        if follows {
            // Only now: a session that lists, and then may not or cannot follow, is not well.
            (self.gap, self.denied) = (false, false);
        } else {
            self.wants.answered.fetch_max(asked, Ordering::AcqRel);
        }
        feed.news.send_if_modified(|news| {
            let moved = news.map.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &map))
                || news.cursor != cursor
                || news.polled != polled
                || news.link != Link::Live;
            let answers = !follows && news.answered < asked;
            (news.map, news.content) = (Some(map), content);
            news.cursor = cursor;
            (news.link, news.polled) = (Link::Live, polled);
            news.error = None;
            if answers {
                news.answered = asked;
            }
            moved || answers
        });
        Ok(Task::Follow)
    }

    /// The session is lost, or an attempt failed: tell it, and rest.
    fn failed(&mut self, feed: &Feed<S>, asked: u64, error: SourceError) {
        let now = self.cx.now();
        self.doubted = None;
        let random = self.cx.random();
        let (pace, floor) = (self.tuning.backoff, error.retry_after());
        let mut delay = self.attempts.failed(&pace, now, random, floor);
        let denied = error.kind() == SourceErrorKind::Denied;
        // What was well for long may ask anew, though it never said so since the last refusal.
        self.denied &= self.attempts.next() > 1;
        if denied && self.denied {
            delay = delay.max(pace.denied.saturating_add(part(pace.denied, random)));
        } else if denied && floor.is_none() {
            // One login anew, at once: a token may have run out.
            delay = Duration::ZERO;
        }
        self.denied |= denied;
        self.wants.answered.fetch_max(asked, Ordering::AcqRel);
        feed.news.send_modify(|news| {
            news.retries += 1;
            news.answered = news.answered.max(asked);
            // What was live gets one attempt before anything is said of it: a store that closes a
            // connection now and then is not down. Where that attempt is far, what is in force may be out of
            // date by then.
            let first = news.link == Link::Live && error.kind() != SourceErrorKind::Invalid && delay <= SOON;
            let link = if first { Link::Connecting } else { Link::Failing };
            if link == Link::Failing && news.link != Link::Failing {
                news.outage += 1;
            }
            (news.link, news.error) = (link, Some(error));
        });
        self.gap = false;
        self.phase = Phase::Resting(self.cx.sleep(delay));
    }

    /// The next full listing: the interval, give or take a fifth, so that a fleet does not march in step.
    fn next_resync(&self, now: Instant) -> Option<Instant> {
        let every = self.tuning.resync;
        let spread = part(every / 5 * 2, self.cx.random());
        (!every.is_zero()).then(|| later(now, every.saturating_sub(every / 5).saturating_add(spread)))
    }
}

/// A store answers within `limit`, or it counts as gone. `what` is what it was asked; empty: nothing, and it
/// should have shown that it lives.
async fn within<T>(
    cx: &Context,
    limit: Duration,
    what: &str,
    answer: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    match race(answer, cx.sleep(limit)).await {
        Either::First(answer) => answer,
        Either::Second(()) if what.is_empty() => Err(SourceError::down(format!(
            "was silent for {limit:?}; a store that lives says something within that"
        ))),
        Either::Second(()) => Err(SourceError::down(format!("{what} took longer than {limit:?}"))),
    }
}

fn went_back(before: &Cursor, now: &Cursor) -> SourceError {
    let (before, now) = (before.order, now.order);
    SourceError::gap(format!("expected a revision after {before}, found {now}: this is another history"))
}

fn check_size(map: &Map, cx: &Context) -> Result<(), SourceError> {
    let bytes: usize = map.iter().map(|(key, entry)| key.len() + entry.value().len()).sum();
    if bytes <= cx.limits.bytes {
        return Ok(());
    }
    let most = cx.limits.bytes;
    Err(SourceError::invalid(format!(
        "expected at most {most} bytes, found {bytes}: raise `max_document_bytes`"
    )))
}
