//! Blocks a thread for a future, and refuses to where that would stop an async runtime.
//!
//! Rule: on a thread that may block (a plain one, `spawn_blocking`, `block_in_place`) this says yes and
//! costs little; inside a task of tokio, or in its `block_on`, it says no.
//!
//! Tokio has no public "am I in a task". What tells it is the cooperative budget: a task and a
//! `block_on` are polled with a finite one, everything else has none. Spending it only makes the task
//! yield at its next await, and a task that is told off here is about to end with an error anyway.
//!
//! Not told: a future inside `tokio::task::unconstrained`, and runtimes other than tokio.

use crate::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::coop;

/// Twice the budget that tokio gives to a task (128).
const MORE_THAN_A_BUDGET: usize = 256;

/// An error where the calling thread runs an async task, which must not be blocked.
pub(crate) fn refuse_in_async() -> Result<(), Error> {
    if in_async() {
        return Err(Error::usage(
            "a `blocking_` method would stop the async runtime whose task calls it; await the method of \
             the same name without `blocking_`, or call it inside `tokio::task::spawn_blocking`",
        ));
    }
    Ok(())
}

/// How waiting ended.
pub(crate) enum Wait<T> {
    Done(T),
    TimedOut,
}

/// Polls a future on this thread, which sleeps in between; needs no runtime. Ask [`refuse_in_async`] first.
pub(crate) fn wait<F: Future>(future: F, timeout: Option<Duration>) -> Wait<F::Output> {
    // A time-out beyond what the clock can express is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Wait::Done(output);
        }
        // A wake-up between the poll and here is not lost: `unpark` leaves a token that `park` takes.
        match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
            None => thread::park(),
            Some(Duration::ZERO) => return Wait::TimedOut,
            Some(rest) => thread::park_timeout(rest),
        }
    }
}

/// [`wait`] without a time-out.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    match wait(future, None) {
        Wait::Done(output) => output,
        Wait::TimedOut => unreachable!("without a time-out a wait ends with its future"),
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

fn in_async() -> bool {
    if Handle::try_current().is_err() {
        return false;
    }
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..MORE_THAN_A_BUDGET {
        match coop::poll_proceed(&mut cx) {
            Poll::Ready(spent) => spent.made_progress(),
            Poll::Pending => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Wait, in_async, refuse_in_async, wait};
    use std::time::Duration;
    use tokio::runtime::{Builder, Runtime};

    fn threaded() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).build().expect("a runtime")
    }

    #[test]
    fn waiting_ends_with_the_future_or_with_the_time() {
        assert!(matches!(wait(std::future::ready(3), None), Wait::Done(3)));
        assert!(matches!(wait(std::future::pending::<()>(), Some(Duration::from_millis(1))), Wait::TimedOut));
        let (tx, rx) = tokio::sync::oneshot::channel();
        let sender = std::thread::spawn(move || tx.send(7));
        assert!(matches!(wait(rx, Some(Duration::MAX)), Wait::Done(Ok(7))));
        sender.join().expect("the sender ends").expect("the receiver was there");
    }

    #[test]
    fn a_plain_thread_may_block() {
        assert!(!in_async());
        let runtime = threaded();
        let _inside = runtime.enter();
        assert!(!in_async(), "entered, but not polled by a runtime");
    }

    #[test]
    fn a_task_on_a_worker_thread_may_not_block() {
        let told = threaded().block_on(async { tokio::spawn(async { refuse_in_async() }).await });
        assert!(told.expect("the task ends").is_err_and(|e| e.is_usage()));
    }

    #[test]
    fn a_future_under_block_on_may_not_block() {
        assert!(threaded().block_on(async { in_async() }));
        let single = Builder::new_current_thread().build().expect("a runtime");
        assert!(single.block_on(async { in_async() }));
        assert!(single.block_on(async { in_async() || in_async() }), "and says so again");
        let nested = single.block_on(async { tokio::spawn(async { in_async() }).await });
        assert!(nested.expect("the task ends"));
    }

    #[test]
    fn a_local_task_may_not_block() {
        let single = Builder::new_current_thread().build().expect("a runtime");
        let local = tokio::task::LocalSet::new();
        let told =
            single.block_on(local.run_until(async { tokio::task::spawn_local(async { in_async() }).await }));
        assert!(told.expect("the task ends"));
    }

    #[test]
    fn a_thread_of_spawn_blocking_may_block() {
        let told = threaded().block_on(async { tokio::task::spawn_blocking(in_async).await });
        assert!(!told.expect("the closure ends"));
    }

    #[test]
    fn block_in_place_may_block() {
        let told = threaded()
            .block_on(async { tokio::spawn(async { tokio::task::block_in_place(in_async) }).await });
        assert!(!told.expect("the task ends"));
    }

    #[test]
    fn a_drop_at_the_end_of_a_task_is_told_too() {
        struct AtEnd(std::sync::mpsc::Sender<bool>);
        impl Drop for AtEnd {
            fn drop(&mut self) {
                let _ = self.0.send(in_async());
            }
        }
        let (tx, rx) = std::sync::mpsc::channel();
        threaded().block_on(async {
            let at_end = AtEnd(tx);
            tokio::spawn(async move {
                let _kept = at_end;
            })
            .await
            .expect("the task ends");
        });
        assert!(rx.recv().expect("dropped"));
    }
}
