//! The threads that run foreign code: none while idle, one on demand, more when work has to wait.
//!
//! A job goes to a parked thread if there is one, first come first served; the first job starts a thread.
//! Further threads are started by [`Workers::tick`], which the engine calls at [`Workers::next_deadline`]:
//! the pool has no timer of its own. A thread that had nothing to do for a while ends by itself: its life is
//! in [`thread`], and what the pool knows in [`books`].
//!
//! Rules
//! 1. No lock is held while a job or a report runs.
//! 2. A thread survives whatever its job does.
//! 3. Nobody waits for a thread from inside of it.

mod books;
#[cfg(test)]
mod tests;
mod thread;

use crate::subscribe::{Job, Pool, Report, Trouble, contained};
use crate::sync::lock;
use books::{State, Thread, is};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Poll;
use std::thread::ThreadId;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The limits of the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Threads at most. 16: fifteen that hang leave one for the others.
    pub(crate) threads: usize,
    /// Work that has waited this long gets another thread.
    pub(crate) patience: Duration,
    /// A thread that was idle this long ends.
    pub(crate) idle: Duration,
    /// A job that runs this long is reported, once.
    pub(crate) late: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: 16,
            patience: Duration::from_millis(10),
            idle: Duration::from_secs(10),
            late: Duration::from_secs(5),
        }
    }
}

/// The pool.
pub(crate) struct Workers(Arc<Shared>);

struct Shared {
    limits: Limits,
    state: Mutex<State>,
    /// Work for a parked thread, or the end.
    work: Condvar,
    /// A thread ended.
    ended: Condvar,
    /// Tells the engine to ask for the next deadline.
    news: Notify,
}

impl Workers {
    /// A pool without threads.
    pub(crate) fn new() -> Arc<Self> {
        Self::with(Limits::default())
    }

    /// A pool with limits of its own.
    pub(crate) fn with(limits: Limits) -> Arc<Self> {
        Arc::new(Self(Arc::new(Shared {
            limits,
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
            news: Notify::new(),
        })))
    }

    /// Keeps the books on the engine's thread until `stop` ends: the only timer of the pool.
    pub(crate) async fn tend(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        loop {
            let mut news = pin!(self.0.news.notified());
            let mut due = pin!(async {
                match self.next_deadline() {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            });
            let stopped = poll_fn(|cx| {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                // The notice first: one that came before the deadline was asked for costs a round at most.
                if news.as_mut().poll(cx).is_ready() || due.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(false);
                }
                Poll::Pending
            });
            if stopped.await {
                return;
            }
            self.tick(Instant::now());
        }
    }

    /// Runs the engine's own long work; dropped unrun after shutdown. Its panics are its own matter.
    pub(crate) fn submit(&self, run: Box<dyn FnOnce() + Send>) {
        let job = Job { name: Arc::from("work"), report: Arc::new(|_| {}), run };
        if let Err(job) = Pool::submit(self, job) {
            let _ = contained(|| drop(job));
        }
    }

    /// When [`tick`](Self::tick) has something to do next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let mut state = lock(&self.0.state);
        let next = state.deadline(&self.0.limits);
        state.announced = next;
        next
    }

    /// Starts threads for work that has waited, and reports jobs that run for too long.
    pub(crate) fn tick(&self, now: Instant) {
        let Limits { threads: most, patience, late, .. } = self.0.limits;
        let (mut reports, mut started) = (Vec::new(), Vec::new());
        {
            let mut state = lock(&self.0.state);
            for running in state.threads.values_mut().filter_map(|t| t.running.as_mut()) {
                let after = now.saturating_duration_since(running.since);
                if after >= late && !running.told {
                    running.told = true;
                    let trouble = Trouble::Late { name: Arc::clone(&running.name), after };
                    reports.push((Arc::clone(&running.report), trouble));
                }
            }
            let ripe = |since: Instant| now.saturating_duration_since(since) >= patience;
            if state.last_start.is_none_or(ripe) {
                let waiting = state.queue.iter().take(most).filter(|(since, _)| ripe(*since)).count();
                // As many as are held up: a crowd of quick jobs gets one more thread at a time, and
                // fifteen that hang are overcome by doubling, within four rounds.
                let stuck =
                    state.threads.values().filter(|t| t.running.as_ref().is_some_and(|r| ripe(r.since)));
                let wanted = waiting.saturating_sub(state.idle).min(stuck.count().max(1));
                for _ in 0..wanted.min(most.saturating_sub(state.threads.len())) {
                    started.push(state.enrol(now));
                }
            }
        }
        for number in started {
            self.start(number);
        }
        for (report, trouble) in reports {
            let _ = contained(|| report(trouble));
        }
    }

    /// Takes no more work; what is queued is dropped, threads end with the job they run.
    pub(crate) fn shutdown(&self) {
        let unserved = {
            let mut state = lock(&self.0.state);
            state.stopped = true;
            std::mem::take(&mut state.queue)
        };
        self.0.work.notify_all();
        for job in unserved {
            // One by one: two panics in one unwinding would abort the process.
            let _ = contained(|| drop(job));
        }
    }

    /// The names of the jobs that run and report to `report`, the calling thread's own excepted.
    pub(crate) fn running(&self, report: &Report) -> Vec<Arc<str>> {
        let own = std::thread::current().id();
        let state = lock(&self.0.state);
        let others = state.threads.values().filter(|t| !t.is(own));
        let running = others.filter_map(|t| t.running.as_ref());
        running.filter(|r| Arc::ptr_eq(&r.report, report)).map(|r| Arc::clone(&r.name)).collect()
    }

    /// How many threads there are.
    #[cfg(test)]
    pub(crate) fn live_threads(&self) -> usize {
        lock(&self.0.state).threads.len()
    }

    /// While the guard lives, nobody waits for the calling thread, if it is one of the pool's.
    pub(crate) fn spare_this_thread(&self) -> Spared {
        let id = std::thread::current().id();
        lock(&self.0.state).spared.push(id);
        self.0.ended.notify_all();
        Spared { pool: self.0.clone(), id }
    }

    /// Blocks until no thread is left, the calling one and those spared excepted; `false` where the deadline came first.
    /// Only of use after [`shutdown`](Self::shutdown).
    pub(crate) fn wait_ended(&self, deadline: Instant) -> bool {
        let own = std::thread::current().id();
        let mut state = lock(&self.0.state);
        loop {
            let spared = |t: &Thread| t.is(own) || state.spared.iter().any(|id| t.is(*id));
            if state.threads.values().all(spared) {
                let leaving: Vec<_> = state.leaving.extract_if(.., |h| !is(h, own)).collect();
                drop(state);
                // They are past their last job: this takes as long as a thread needs to go.
                for handle in leaving {
                    drop(handle.join());
                }
                return true;
            }
            let rest = deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return false;
            }
            state = self.0.ended.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A thread that is not waited for: see [`Workers::spare_this_thread`].
pub(crate) struct Spared {
    pool: Arc<Shared>,
    id: ThreadId,
}

impl Drop for Spared {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        if let Some(at) = state.spared.iter().position(|id| *id == self.id) {
            state.spared.swap_remove(at);
        }
    }
}

impl Pool for Workers {
    fn submit(&self, job: Job) -> Result<(), Job> {
        let now = Instant::now();
        let Limits { patience, late, .. } = self.0.limits;
        let (start, parked, news) = {
            let mut state = lock(&self.0.state);
            if state.stopped {
                return Err(job);
            }
            let parked = state.idle > state.queue.len();
            let start = state.threads.is_empty().then(|| state.enrol(now));
            state.queue.push_back((now, job));
            // A parked thread takes it at once, and the next thing that can be due is its lateness.
            let due = now + if parked { late } else { patience };
            (start, parked, state.announce(due))
        };
        if parked {
            self.0.work.notify_one();
        }
        if let Some(number) = start {
            self.start(number);
        }
        if news {
            self.0.news.notify_one();
        }
        Ok(())
    }
}
