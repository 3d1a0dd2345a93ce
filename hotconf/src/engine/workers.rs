//! The threads that run foreign code: none while idle, one on demand, more when work has to wait.
//!
//! A job goes to a parked thread if there is one, first come first served; the first job starts a thread.
//! Further threads are started by [`Workers::tick`], which the engine calls at [`Workers::next_deadline`]:
//! the pool has no timer of its own. A thread that had nothing to do for a while ends by itself.
//!
//! Rules
//! 1. No lock is held while a job or a report runs.
//! 2. A thread survives whatever its job does.
//! 3. Nobody waits for a thread from inside of it.

use crate::subscribe::{Job, Pool, Report, Trouble, contained};
use crate::sync::lock;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Poll;
use std::thread::{self, JoinHandle, ThreadId};
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

#[derive(Default)]
struct State {
    queue: VecDeque<(Instant, Job)>,
    /// By number, from 1. A thread is in here from before its start until it is about to end.
    threads: BTreeMap<usize, Thread>,
    idle: usize,
    last_start: Option<Instant>,
    /// What the engine was told last; it will ask again by then.
    announced: Option<Instant>,
    stopped: bool,
    /// Threads that have left their loop and are about to be gone.
    leaving: Vec<JoinHandle<()>>,
    /// Threads whose job waits for the end of the pool: nobody waits for them.
    spared: Vec<ThreadId>,
}

#[derive(Default)]
struct Thread {
    handle: Option<JoinHandle<()>>,
    running: Option<Running>,
}

struct Running {
    name: Arc<str>,
    report: Report,
    since: Instant,
    told: bool,
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
        let own = thread::current().id();
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
        let id = thread::current().id();
        lock(&self.0.state).spared.push(id);
        self.0.ended.notify_all();
        Spared { pool: self.0.clone(), id }
    }

    /// Blocks until no thread is left, the calling one and those spared excepted; `false` where the deadline came first.
    /// Only of use after [`shutdown`](Self::shutdown).
    pub(crate) fn wait_ended(&self, deadline: Instant) -> bool {
        let own = thread::current().id();
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

    /// Starts a thread that is enrolled already.
    fn start(&self, number: usize) {
        let shared = Arc::clone(&self.0);
        let spawned = thread::Builder::new()
            .name(format!("hotconf-worker-{number}"))
            .spawn(move || shared.serve(number));
        let mut state = lock(&self.0.state);
        match spawned {
            // The thread may have ended already; then the handle is all that is left of it.
            Ok(handle) => match state.threads.get_mut(&number) {
                Some(thread) if thread.handle.is_none() => {
                    thread.handle = Some(handle);
                    // It may be spared, which shows only now.
                    self.0.ended.notify_all();
                }
                _ => state.leaving.push(handle),
            },
            // No thread to be had now: the work stays queued, and the next tick tries again.
            Err(_) => drop(state.threads.remove(&number)),
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

impl Shared {
    /// The life of a thread.
    fn serve(&self, number: usize) {
        let mut state = lock(&self.state);
        loop {
            if let Some((_, job)) = state.queue.pop_front() {
                let Job { name, report, run } = job;
                let running = Running {
                    name: Arc::clone(&name),
                    report: Arc::clone(&report),
                    since: Instant::now(),
                    told: false,
                };
                let due = running.since + self.limits.late;
                state.thread(number).running = Some(running);
                let news = state.announce(due);
                drop(state);
                if news {
                    // Every thread was busy for long, and the engine had nothing left to wait for.
                    self.news.notify_one();
                }
                if let Err(message) = contained(run) {
                    let _ = contained(|| report(Trouble::Panicked { name, message }));
                }
                // The report may hold the last pointer to something of the user's.
                let _ = contained(move || drop(report));
                state = lock(&self.state);
                let done = state.thread(number).running.take();
                if let Some(done) = done {
                    drop(state);
                    let _ = contained(move || drop(done));
                    state = lock(&self.state);
                }
                continue;
            }
            if state.stopped {
                break;
            }
            state.idle += 1;
            let (woken, wait) =
                self.work.wait_timeout(state, self.limits.idle).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if wait.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        let handle = state.threads.remove(&number).and_then(|t| t.handle);
        // Handles of threads that went before are of no use any more.
        state.leaving.retain(|h| !h.is_finished());
        state.leaving.extend(handle);
        self.ended.notify_all();
    }
}

impl State {
    /// Counts a thread in before it exists, under the smallest free number.
    fn enrol(&mut self, now: Instant) -> usize {
        let number =
            (1..=self.threads.len() + 1).find(|n| !self.threads.contains_key(n)).expect("one is free");
        self.threads.insert(number, Thread::default());
        self.last_start = Some(now);
        number
    }

    /// Notes that something is due; `true` where the engine has to hear of it.
    fn announce(&mut self, due: Instant) -> bool {
        let news = self.announced.is_none_or(|known| known > due);
        if news {
            self.announced = Some(due);
        }
        news
    }

    fn thread(&mut self, number: usize) -> &mut Thread {
        self.threads.get_mut(&number).expect("a thread is enrolled until its loop ends")
    }

    fn deadline(&self, limits: &Limits) -> Option<Instant> {
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
    fn is(&self, id: ThreadId) -> bool {
        self.handle.as_ref().is_some_and(|h| is(h, id))
    }
}

fn is(handle: &JoinHandle<()>, id: ThreadId) -> bool {
    handle.thread().id() == id
}

#[cfg(test)]
mod tests {
    use super::{Limits, Workers};
    use crate::subscribe::{Job, Pool, Trouble};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    const SOON: Duration = Duration::from_secs(20);

    /// Submits a job that says that it began, and then runs until its sender is dropped.
    fn hang(pool: &Workers, began: &Sender<()>) -> Sender<()> {
        let (release, released) = channel::<()>();
        let began = began.clone();
        pool.submit(Box::new(move || {
            let _ = began.send(());
            let _ = released.recv();
        }));
        release
    }

    fn heard(rx: &Receiver<()>) {
        rx.recv_timeout(SOON).expect("the job began");
    }

    #[test]
    fn an_idle_pool_has_no_thread_and_no_deadline() {
        let pool = Workers::new();
        assert_eq!((pool.live_threads(), pool.next_deadline()), (0, None));
    }

    #[test]
    fn one_thread_serves_jobs_in_their_order() {
        let pool = Workers::new();
        let (tx, rx) = channel();
        for n in 0..100 {
            let tx = tx.clone();
            pool.submit(Box::new(move || tx.send(n).expect("the test listens")));
        }
        drop(tx);
        assert!(rx.iter().eq(0..100));
        assert_eq!(pool.live_threads(), 1);
    }

    #[test]
    fn work_that_has_waited_gets_another_thread_up_to_sixteen() {
        let pool = Workers::new();
        let (began, rx) = channel();
        let held: Vec<_> = (0..20).map(|_| hang(&pool, &began)).collect();
        heard(&rx);
        pool.tick(Instant::now());
        let mut now = Instant::now();
        let mut rounds = 0;
        let mut running = 1;
        while pool.live_threads() < 16 {
            let before = pool.live_threads();
            now = now.max(pool.next_deadline().expect("work waits"));
            pool.tick(now);
            // The new ones have to be at work before they count as held up.
            for _ in before..pool.live_threads() {
                heard(&rx);
                running += 1;
            }
            now += Duration::from_millis(10);
            rounds += 1;
        }
        assert_eq!(running, 16);
        assert!(rounds <= 8, "doubling, not one by one: {rounds}");
        pool.tick(now + Duration::from_secs(1));
        assert_eq!(pool.live_threads(), 16);
        drop(held);
        (0..4).for_each(|_| heard(&rx));
    }

    #[test]
    fn a_thread_that_was_idle_for_long_ends() {
        let pool = Workers::with(Limits { idle: Duration::from_millis(5), ..Limits::default() });
        let (tx, rx) = channel();
        pool.submit(Box::new(move || tx.send(()).expect("the test listens")));
        heard(&rx);
        assert!(pool.wait_ended(Instant::now() + SOON));
        assert_eq!(pool.next_deadline(), None);
    }

    #[test]
    fn a_panic_is_reported_and_the_thread_goes_on() {
        let pool = Workers::new();
        let (tx, rx) = channel();
        let told = Mutex::new(tx.clone());
        let report =
            Arc::new(move |t| told.lock().expect("unpoisoned").send(Some(t)).expect("the test listens"));
        let job = Job { name: "mine".into(), report, run: Box::new(|| panic!("hostile")) };
        assert!(Pool::submit(&*pool, job).is_ok());
        let name = "mine".into();
        let trouble = Trouble::Panicked { name, message: "hostile".to_owned() };
        assert_eq!(rx.recv_timeout(SOON), Ok(Some(trouble)));
        pool.submit(Box::new(move || tx.send(None).expect("the test listens")));
        assert_eq!(rx.recv_timeout(SOON), Ok(None));
        assert_eq!(pool.live_threads(), 1);
    }

    #[test]
    fn a_job_that_runs_for_long_is_reported_once() {
        let pool = Workers::new();
        let (tx, rx) = channel();
        let told = Mutex::new(tx);
        let report = Arc::new(move |t| told.lock().expect("unpoisoned").send(t).expect("the test listens"));
        let (began_in, began) = channel();
        let (release, released) = channel::<()>();
        let run = Box::new(move || {
            let _ = began_in.send(());
            let _ = released.recv();
        });
        assert!(Pool::submit(&*pool, Job { name: "slow".into(), report, run }).is_ok());
        heard(&began);
        let due = pool.next_deadline().expect("it may become late");
        pool.tick(due.checked_sub(Duration::from_millis(1)).unwrap());
        assert!(rx.try_recv().is_err());
        pool.tick(due);
        pool.tick(due + SOON);
        let Ok(Trouble::Late { name, after }) = rx.try_recv() else { panic!("late") };
        assert_eq!((&*name, after), ("slow", Duration::from_secs(5)));
        assert!(rx.try_recv().is_err(), "once");
        assert_eq!(pool.next_deadline(), None);
        drop(release);
    }

    #[test]
    fn shutdown_ends_the_threads_and_refuses_work() {
        let pool = Workers::new();
        let (began, rx) = channel();
        let held = hang(&pool, &began);
        heard(&rx);
        let (tx, unserved) = channel::<()>();
        pool.submit(Box::new(move || tx.send(()).expect("never run")));
        pool.shutdown();
        assert!(unserved.recv().is_err(), "dropped unrun");
        assert!(!pool.wait_ended(Instant::now() + Duration::from_millis(1)));
        drop(held);
        assert!(pool.wait_ended(Instant::now() + SOON));
        let job = Job { name: "late".into(), report: Arc::new(|_| {}), run: Box::new(|| {}) };
        assert!(Pool::submit(&*pool, job).is_err());
        assert_eq!(pool.live_threads(), 0);
    }

    #[test]
    fn shutting_down_from_inside_a_worker_does_not_wait_for_itself() {
        let pool = Workers::new();
        let (inside, (tx, rx)) = (Arc::clone(&pool), channel());
        pool.submit(Box::new(move || {
            inside.shutdown();
            assert!(inside.wait_ended(Instant::now() + SOON));
            tx.send(()).expect("the test listens");
        }));
        heard(&rx);
        assert!(pool.wait_ended(Instant::now() + SOON));
    }

    #[test]
    fn a_thread_whose_job_waits_for_the_end_is_not_waited_for() {
        let pool = Workers::new();
        let (inside, (tx, rx), (done, waits)) = (Arc::clone(&pool), channel(), channel::<()>());
        pool.submit(Box::new(move || {
            let _spared = inside.spare_this_thread();
            tx.send(()).expect("the test listens");
            let _ = waits.recv();
        }));
        heard(&rx);
        pool.shutdown();
        assert!(pool.wait_ended(Instant::now() + SOON), "though it runs");
        drop(done);
    }

    /// Needs wall time: the engine's timer is what is tested.
    #[test]
    fn tending_starts_the_second_thread() {
        let pool = Workers::new();
        let stop = tokio_util::sync::CancellationToken::new();
        let (tended, stopped) = (Arc::clone(&pool), stop.clone());
        let engine = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            runtime.block_on(tended.tend(stopped.cancelled()));
        });
        let (began, rx) = channel();
        let held: Vec<_> = (0..15).map(|_| hang(&pool, &began)).collect();
        (0..15).for_each(|_| heard(&rx));
        drop(held);
        stop.cancel();
        engine.join().expect("the engine ends");
    }
}
