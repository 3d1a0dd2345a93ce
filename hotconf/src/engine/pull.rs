//! One task per source: pulls it, hands on what it brings, and tells it what became of that.

use super::held::Held;
use crate::named::Named;
use crate::race::{Either, race};
use crate::source::{Context, Cursor, Source, SourceError, Update, Verdict};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What a source brought.
pub(crate) struct Arrival {
    pub(crate) source: usize,
    pub(crate) answer: Answer,
    /// The refresh that it answers.
    pub(crate) ticket: Option<u64>,
}

/// How a source answered.
pub(crate) enum Answer {
    Update(Update),
    /// The files that settings name, all of them.
    Files(Named),
    Failed(SourceError),
    /// Its token was cancelled, or it panicked: nothing more will come.
    Ended(Option<SourceError>),
}

/// What a source is told.
pub(crate) enum Order {
    /// Answer at once, with this ticket.
    Refresh(u64),
    Settled(Cursor, Verdict),
    /// Follow these files, and answer: at once, or when they had their time to settle.
    Follow {
        paths: BTreeSet<PathBuf>,
        at_once: bool,
    },
    /// Follow these and no others; that is no reason to answer.
    Leave(BTreeSet<PathBuf>),
}

/// A prompt answer is one that came sooner than a source that waits would bring it.
const PROMPT: Duration = Duration::from_millis(5);
/// How many prompt failures in a row are met at once; then the pauses begin.
const PATIENCE: u32 = 3;
/// How many answers of a source are taken as they come: a program may set a document in a loop.
const BURST: u32 = 100;
/// Then one in this time, as long as it goes on. Nothing is lost by it: what arrives is the state as of
/// then.
const PACE: Duration = Duration::from_millis(10);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Pulls `source` until its token is cancelled.
pub(crate) async fn pull(
    index: usize,
    source: Box<dyn Source>,
    cx: Context,
    arrivals: mpsc::Sender<Arrival>,
    orders: mpsc::UnboundedReceiver<Order>,
    token: CancellationToken,
) {
    // A task of its own, so that a panic in the source's code ends this source and nothing else.
    let inner = tokio::spawn(run(index, source, cx, arrivals.clone(), orders, token));
    let abort = AbortOnDrop(inner.abort_handle());
    let failure = match inner.await {
        Ok(()) => None,
        Err(_) => Some(SourceError::down("the source panicked; it is not read any more until a restart")),
    };
    drop(abort);
    // The driver may be gone, and then nobody asks.
    let _ = arrivals.send(Arrival { source: index, answer: Answer::Ended(failure), ticket: None }).await;
}

/// Ends the inner task with the outer one.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(
    index: usize,
    mut source: Box<dyn Source>,
    cx: Context,
    arrivals: mpsc::Sender<Arrival>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    token: CancellationToken,
) {
    let mut ticket = None;
    let mut answered = false;
    let mut last_failure: Option<String> = None;
    let mut pause = Pause::default();
    let mut held = Held::default();
    loop {
        let waits = source.is_live() || !answered || ticket.is_some();
        let rest_until = pause.until.filter(|_| ticket.is_none());
        let begun = cx.now();
        let reads = cx.activity().reads.load(Ordering::Relaxed);
        let answer = async {
            if !waits {
                return std::future::pending().await;
            }
            if let Some(at) = rest_until {
                cx.sleep_until(at).await;
            }
            held.watched(&cx, source.next(&cx)).await
        };
        let Some(first) = token.run_until_cancelled(race(orders.recv(), answer)).await else { break };
        let result = match first {
            Either::First(None) => break,
            Either::First(Some(Order::Refresh(id))) => {
                source.refresh();
                ticket = Some(id);
                continue;
            }
            Either::First(Some(Order::Settled(cursor, verdict))) => {
                source.settled(&cursor, &verdict);
                continue;
            }
            // Said to the task of named files alone.
            Either::First(Some(Order::Follow { .. } | Order::Leave(_))) => continue,
            Either::Second(result) => result,
        };
        if token.is_cancelled() {
            // Both at the same time, and the answer won: what a cancelled source says does not count.
            break;
        }
        answered = true;
        if cx.activity().reads.load(Ordering::Relaxed) == reads {
            // A source that keeps no account of its own.
            cx.activity().read(cx.now());
        }
        if ticket.is_none() {
            pause.note(result.is_err(), begun, cx.now());
        }
        let answer = match result {
            Ok(update) => {
                last_failure = None;
                Answer::Update(update)
            }
            Err(error) => {
                let said = error.to_string();
                let again = last_failure.as_ref() == Some(&said);
                last_failure = Some(said);
                if again && ticket.is_none() && pause.is_failing() {
                    // It fails on and on for the same reason, without waiting: that was told.
                    continue;
                }
                Answer::Failed(error)
            }
        };
        let arrival = Arrival { source: index, answer, ticket: ticket.take() };
        match token.run_until_cancelled(arrivals.send(arrival)).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => break,
        }
        // The driver first: what a source does to be ready for the next change (a file source sets its
        // watch anew) is no part of the way from a change to its version.
        tokio::task::yield_now().await;
    }
    // What is in force of it may not have been said to it yet, and it may want to keep that.
    while let Ok(order) = orders.try_recv() {
        if let Order::Settled(cursor, verdict) = order {
            source.settled(&cursor, &verdict);
        }
    }
}

/// Slows a source down that fails, or brings something, again and again without waiting.
#[derive(Default)]
struct Pause {
    failures: u32,
    /// When the answers so far would have been through at the pace; a burst may run ahead of it.
    through: Option<Instant>,
    until: Option<Instant>,
}

impl Pause {
    fn note(&mut self, failed: bool, begun: Instant, now: Instant) {
        // A source that was made to rest did not fail promptly of its own accord: count from its rest.
        let begun = self.until.take().map_or(begun, |rested| rested.max(begun));
        let through = self.through.map_or(now, |through| through.max(now)) + PACE;
        self.through = Some(through);
        self.until = through.checked_sub(PACE * BURST).filter(|at| *at > now);
        if !failed || now.saturating_duration_since(begun) > PROMPT {
            self.failures = 0;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= PATIENCE {
            let doublings = (self.failures - PATIENCE).min(16);
            self.until = Some(now + FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE));
        }
    }
}

impl Pause {
    /// Whether the source has failed promptly more than once in a row.
    fn is_failing(&self) -> bool {
        self.failures > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_brings_something_without_end_is_paced_and_a_burst_is_not() {
        let mut now = Instant::now();
        let mut pause = Pause::default();
        for n in 1..=300 {
            pause.note(false, now, now);
            assert_eq!(pause.until.is_some(), n > BURST, "{n}");
            now = pause.until.unwrap_or(now);
        }
        now += PACE * BURST;
        for _ in 0..BURST {
            pause.note(false, now, now);
            assert_eq!(pause.until, None, "a new burst after a rest");
        }
    }

    #[test]
    fn a_source_that_fails_at_once_again_and_again_is_slowed_down() {
        let start = Instant::now();
        let mut pause = Pause::default();
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            pause.note(true, now, now);
            let until = pause.until.unwrap_or(now);
            pauses.push((until - now).as_millis());
            now = until;
        }
        assert_eq!(pauses, [0, 0, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
        pause.note(false, now, now);
        assert_eq!(pause.until, None);
    }

    #[test]
    fn a_source_that_waits_before_it_fails_is_never_slowed_down() {
        let mut now = Instant::now();
        let mut pause = Pause::default();
        for _ in 0..12 {
            pause.note(true, now, now + Duration::from_millis(20));
            now += Duration::from_millis(20);
            assert_eq!(pause.until, None);
        }
    }
}
