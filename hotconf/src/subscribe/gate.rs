//! Waits until a count has fallen: for a callback that runs, for all callbacks of a configuration.
//!
//! No wake-up can be lost: who waits looks at the count and leaves its waker, or goes to sleep on the
//! condition variable, under the one lock under which the count is changed.

use crate::sync::lock;
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// A count that threads and tasks can wait for.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    fell: Condvar,
}

#[derive(Default)]
struct State {
    count: usize,
    sleeping: usize,
    wakers: Vec<Waker>,
}

impl Gate {
    pub(super) fn new(count: usize) -> Self {
        Self { state: Mutex::new(State { count, ..State::default() }), fell: Condvar::new() }
    }

    /// Raises the count.
    pub(super) fn enter(&self) {
        lock(&self.state).count += 1;
    }

    /// Lowers the count, unless it is zero already, and wakes everybody who waits.
    pub(super) fn leave(&self) {
        let wakers = {
            let mut state = lock(&self.state);
            state.count = state.count.saturating_sub(1);
            if state.sleeping > 0 {
                self.fell.notify_all();
            }
            std::mem::take(&mut state.wakers)
        };
        super::signal::wake_all(wakers);
    }

    /// Tells whether the count is at or below `allowed`.
    pub(super) fn is_down_to(&self, allowed: usize) -> bool {
        lock(&self.state).count <= allowed
    }

    /// Blocks until the count is at or below `allowed`; `false` where the deadline came first.
    pub(super) fn wait(&self, allowed: usize, deadline: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        state.sleeping += 1;
        while state.count > allowed {
            state = match deadline {
                None => self.fell.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let rest = deadline.saturating_duration_since(Instant::now());
                    if rest.is_zero() {
                        break;
                    }
                    self.fell.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.sleeping -= 1;
        state.count <= allowed
    }

    /// Ready once the count is at or below `allowed`.
    pub(super) fn poll(&self, allowed: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.count <= allowed {
            return Poll::Ready(());
        }
        // A task that polls again must not grow the list.
        if !state.wakers.iter().any(|w| w.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    #[test]
    fn a_gate_opens_when_the_count_has_fallen() {
        let gate = Arc::new(Gate::new(2));
        assert!(!gate.wait(0, Some(Instant::now() + Duration::from_millis(1))));
        let other = Arc::clone(&gate);
        let thread = std::thread::spawn(move || other.wait(0, None));
        gate.leave();
        assert!(gate.wait(1, None));
        gate.leave();
        assert!(thread.join().expect("the waiting thread ends"));
        gate.leave();
        assert!(gate.is_down_to(0), "leaving once more is harmless");
    }
}
