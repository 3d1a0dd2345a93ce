//! What the pool knows: the queue, the threads, what each of them runs, and when something is due.
//!
//! Pure: it reads no clock and starts nothing; the pool's lock guards it.

use super::Limits;
use crate::subscribe::{Job, Report};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};
use std::time::Instant;

/// Everything, under one lock.
#[derive(Default)]
pub(super) struct State {
    pub(super) queue: VecDeque<(Instant, Job)>,
    /// By number, from 1. A thread is in here from before its start until it is about to end.
    pub(super) threads: BTreeMap<usize, Thread>,
    pub(super) idle: usize,
    pub(super) last_start: Option<Instant>,
    /// What the engine was told last; it will ask again by then.
    pub(super) announced: Option<Instant>,
    pub(super) stopped: bool,
    /// Threads that have left their loop and are about to be gone.
    pub(super) leaving: Vec<JoinHandle<()>>,
    /// Threads whose job waits for the end of the pool: nobody waits for them.
    pub(super) spared: Vec<ThreadId>,
}

/// A thread of the pool.
#[derive(Default)]
pub(super) struct Thread {
    pub(super) handle: Option<JoinHandle<()>>,
    pub(super) running: Option<Running>,
}

/// A job that runs.
pub(super) struct Running {
    pub(super) name: Arc<str>,
    pub(super) report: Report,
    pub(super) since: Instant,
    pub(super) told: bool,
}

impl State {
    /// Counts a thread in before it exists, under the smallest free number.
    pub(super) fn enrol(&mut self, now: Instant) -> usize {
        let number =
            (1..=self.threads.len() + 1).find(|n| !self.threads.contains_key(n)).expect("one is free");
        self.threads.insert(number, Thread::default());
        self.last_start = Some(now);
        number
    }

    /// Notes that something is due; `true` where the engine has to hear of it.
    pub(super) fn announce(&mut self, due: Instant) -> bool {
        let news = self.announced.is_none_or(|known| known > due);
        if news {
            self.announced = Some(due);
        }
        news
    }

    /// A thread that is known to be there.
    pub(super) fn thread(&mut self, number: usize) -> &mut Thread {
        self.threads.get_mut(&number).expect("a thread is enrolled until its loop ends")
    }

    /// When something is due next.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let growth = (self.threads.len() < limits.threads && self.idle < self.queue.len())
            .then(|| self.queue.front().map(|(since, _)| *since))
            .flatten()
            .map(|since| self.last_start.map_or(since, |start| start.max(since)) + limits.patience);
        let running = self.threads.values().filter_map(|t| t.running.as_ref());
        let late = running.filter(|r| !r.told).map(|r| r.since + limits.late).min();
        // A job that a parked thread is about to take runs from then on. Where no thread is free and none
        // may be added, there is nothing to do about it at any time.
        let handed = self.queue.front().filter(|_| self.idle > 0).map(|(since, _)| *since + limits.late);
        [growth, late, handed].into_iter().flatten().min()
    }
}

impl Thread {
    /// Whether it is the thread `id`.
    pub(super) fn is(&self, id: ThreadId) -> bool {
        self.handle.as_ref().is_some_and(|h| is(h, id))
    }
}

/// Whether `handle` is of the thread `id`.
pub(super) fn is(handle: &JoinHandle<()>, id: ThreadId) -> bool {
    handle.thread().id() == id
}
