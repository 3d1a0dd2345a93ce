//! Which code of the user runs for one configuration, so that a shutdown can wait for it.
//!
//! Callbacks, listeners, and checks that run on workers are counted from the moment they can no longer be
//! held back until they have ended. Who waits from inside of one of them does not count itself.

use super::gate::Gate;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The calls of one configuration.
#[derive(Default)]
pub(crate) struct Calls {
    gate: Gate,
}

impl Calls {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Makes a job of `run` that counts from now until it has ended or was dropped unrun.
    pub(crate) fn counted(self: &Arc<Self>, run: impl FnOnce() + Send + 'static) -> Box<dyn FnOnce() + Send> {
        self.enter();
        let counted = Counted(Arc::clone(self));
        Box::new(move || {
            // Dropped in this order, unwinding or not: first outside again, then one less.
            let counted = counted;
            let _inside = counted.0.inside(unique());
            run();
        })
    }

    /// Says that this thread runs the call `id` until the guard drops.
    pub(super) fn inside(&self, id: u64) -> Inside {
        Inside(CURRENT.replace(Some((id, self.key()))))
    }

    pub(super) fn enter(&self) {
        self.gate.enter();
    }

    pub(super) fn leave(&self) {
        self.gate.leave();
    }

    /// Blocks until no call runs, the caller's own excepted; `false` where the deadline came first.
    #[cfg(test)]
    pub(super) fn wait(&self, deadline: Option<std::time::Instant>) -> bool {
        self.gate.wait(self.own(), deadline)
    }

    /// Ends when no call runs; the one inside of which this is called is excepted.
    pub(super) fn calm(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let (calls, own) = (Arc::clone(self), self.own());
        async move { poll_fn(|cx| calls.gate.poll(own, cx)).await }
    }

    /// 1 where this thread runs a call of this configuration, else 0.
    fn own(&self) -> usize {
        usize::from(CURRENT.get().is_some_and(|(_, key)| key == self.key()))
    }

    fn key(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }
}

struct Counted(Arc<Calls>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// While it lives, the thread counts as being inside a call.
pub(super) struct Inside(Option<(u64, usize)>);

impl Drop for Inside {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

thread_local! {
    /// The call that this thread runs: its number, and which configuration's it is.
    static CURRENT: Cell<Option<(u64, usize)>> = const { Cell::new(None) };
}

/// The number of the call that this thread runs.
pub(super) fn current() -> Option<u64> {
    CURRENT.get().map(|(id, _)| id)
}

/// A number that no other call or subscriber of the process has.
pub(super) fn unique() -> u64 {
    // Relaxed: only that no two are equal matters, and nothing else is published through it.
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::Calls;
    use std::task::{Context, Waker};

    #[test]
    fn a_job_counts_until_it_ended_or_was_dropped_and_not_for_itself() {
        let calls = Calls::new();
        drop(calls.counted(|| {}));
        assert!(calls.wait(None));
        let inner = calls.clone();
        let job = calls.counted(move || {
            let mut calm = std::pin::pin!(inner.calm());
            assert!(calm.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
            panic!("hostile");
        });
        assert!(!calls.wait(Some(std::time::Instant::now())));
        assert!(super::super::contained(job).is_err());
        assert!(calls.wait(None));
    }
}
