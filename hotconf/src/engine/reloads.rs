//! Requests to reload: who asks while one waits joins it, so there is never more than one in the queue.
//!
//! What waits is a channel of one answer, and who asks holds a receiver of it: a request that is given up
//! leaves nothing behind, however long the driver is busy.

use crate::error::Error;
use crate::sync::lock;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use tokio::sync::watch;

/// The answer to a reload: the version in force afterwards, or what was refused or could not be read.
pub(crate) type Answer = Result<u64, Error>;

/// Where requests meet their driver.
#[derive(Default)]
pub(crate) struct Reloads {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Option<Request>,
    /// The driver, where it waits for a request.
    driver: Option<Waker>,
    closed: bool,
}

/// A reload to be served; whoever waits for it hears its answer, or that it was dropped.
pub(crate) struct Request(watch::Sender<Option<Answer>>);

impl Request {
    pub(crate) fn answer(self, answer: Answer) {
        // Who asked may have gone.
        drop(self.0.send(Some(answer)));
    }
}

impl Reloads {
    /// Joins the reload that waits, or asks for one; `None` when there is nobody to ask.
    pub(crate) async fn ask(&self) -> Option<Answer> {
        let (mut answered, driver) = {
            let mut state = lock(&self.state);
            if state.closed {
                return None;
            }
            let request = state.waiting.get_or_insert_with(|| Request(watch::Sender::new(None)));
            (request.0.subscribe(), state.driver.take())
        };
        // Woken after the lock is released: the driver may look at once.
        if let Some(driver) = driver {
            driver.wake();
        }
        let answer = answered.wait_for(Option::is_some).await.ok()?;
        answer.clone()
    }

    /// Takes the request that waits: who asks from now on gets the next reload.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Request> {
        let mut state = lock(&self.state);
        if let Some(request) = state.waiting.take() {
            return Poll::Ready(request);
        }
        state.driver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Nobody answers any more.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut state = lock(&self.state);
            state.closed = true;
            (state.waiting.take(), state.driver.take())
        };
        // After the lock: the drop wakes who waited.
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn take(reloads: &Reloads) -> Option<Request> {
        match reloads.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(request) => Some(request),
            Poll::Pending => None,
        }
    }

    #[test]
    fn any_number_of_requests_waits_as_one() {
        let reloads = Reloads::default();
        for _ in 0..1000 {
            assert!(poll(pin!(reloads.ask())).is_pending(), "and is given up");
        }
        let mut asked = pin!(reloads.ask());
        assert!(poll(asked.as_mut()).is_pending());
        let request = take(&reloads).expect("one waits");
        assert!(take(&reloads).is_none(), "and no other");
        assert_eq!(request.0.receiver_count(), 1, "nothing is left of those given up");
        request.answer(Ok(7));
        assert!(matches!(poll(asked), Poll::Ready(Some(Ok(7)))));
    }

    #[test]
    fn who_asks_while_a_reload_runs_gets_the_next() {
        let reloads = Reloads::default();
        let (mut first, mut second) = (pin!(reloads.ask()), pin!(reloads.ask()));
        assert!(poll(first.as_mut()).is_pending());
        let running = take(&reloads).expect("it waits");
        assert!(poll(second.as_mut()).is_pending());
        running.answer(Ok(1));
        assert!(poll(first).is_ready());
        assert!(poll(second.as_mut()).is_pending());
        take(&reloads).expect("it waits").answer(Ok(2));
        assert!(matches!(poll(second), Poll::Ready(Some(Ok(2)))));
    }

    #[test]
    fn at_the_end_whoever_waits_hears_of_it() {
        let reloads = Reloads::default();
        let (mut waits, mut runs) = (pin!(reloads.ask()), pin!(reloads.ask()));
        assert!(poll(runs.as_mut()).is_pending());
        drop(take(&reloads));
        assert!(poll(waits.as_mut()).is_pending());
        reloads.close();
        assert!(matches!(poll(waits), Poll::Ready(None)));
        assert!(matches!(poll(runs), Poll::Ready(None)));
        assert!(matches!(poll(pin!(reloads.ask())), Poll::Ready(None)));
    }
}
