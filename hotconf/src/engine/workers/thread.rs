//! The life of a thread of the pool: begun, one job after the other, parked between, gone.

use super::books::Running;
use super::{Shared, Workers};
use crate::subscribe::{Job, Trouble, contained};
use crate::sync::lock;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Instant;

impl Workers {
    /// Starts a thread that is enrolled already.
    pub(super) fn start(&self, number: usize) {
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
