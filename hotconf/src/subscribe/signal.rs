//! Where watchers wait: the mailboxes of one registration, one per cursor, and who sleeps on them.
//!
//! No wake-up can be lost. Each of the three ways to wait (a poll, a blocked thread, a later poll) looks
//! into its mailbox and, finding it empty, leaves its waker or starts to sleep on the condition variable
//! without letting go of the lock in between; a telling fills the mailbox under the same lock and takes
//! the wakers it finds. So a telling is either before the look, which then finds it, or after the waker
//! was left, which it then wakes. The lock is let go before anybody is woken: a waker is foreign code.

use super::fold::{Fold, Step};
use super::job::contained;
use crate::sync::lock;
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// The cursors of one watch and of its clones; `P` is a snapshot.
pub(super) struct Signal<P> {
    state: Mutex<State<P>>,
    told: Condvar,
}

struct State<P> {
    /// A handful at most: searched one by one.
    cursors: Vec<Cursor<P>>,
    next: u64,
    ended: bool,
    /// Threads asleep on the condition variable: without one, telling makes no system call.
    sleeping: usize,
}

struct Cursor<P> {
    id: u64,
    mail: Fold<P>,
    waker: Option<Waker>,
}

/// What a look at a mailbox found.
pub(super) enum Found<P> {
    Step(Step<P>),
    /// Nothing now; more may come.
    Nothing,
    /// Nothing, and nothing will come.
    End,
}

impl<P: Clone> Signal<P> {
    /// One cursor, number 0, which gathers until [`open`](Self::open).
    pub(super) fn new() -> Self {
        let first = Cursor { id: 0, mail: Fold::gathering(), waker: None };
        let state = State { cursors: vec![first], next: 1, ended: false, sleeping: 0 };
        Self { state: Mutex::new(state), told: Condvar::new() }
    }

    /// Sets the baseline of the first cursor.
    pub(super) fn open(&self, baseline: P, version: u64) {
        let superfluous = {
            let mut state = lock(&self.state);
            state.cursor(0).map(|c| c.mail.open(baseline, version))
        };
        drop(superfluous);
    }

    /// Fills every mailbox and wakes whoever sleeps.
    pub(super) fn tell(&self, before: &P, after: &P, version: u64) {
        let (mut first, mut more): (Option<Waker>, Vec<Waker>) = (None, Vec::new());
        let (mut replaced, mut also): (Option<P>, Vec<P>) = (None, Vec::new());
        {
            let mut state = lock(&self.state);
            if state.ended {
                return;
            }
            for cursor in &mut state.cursors {
                put(&mut replaced, &mut also, cursor.mail.tell(before, after, version));
                put(&mut first, &mut more, cursor.waker.take());
            }
            if state.sleeping > 0 {
                self.told.notify_all();
            }
        }
        wake_all(first.into_iter().chain(more));
        if replaced.is_some() {
            // The last pointer to a version drops values of the user, on the thread that tells.
            let _ = contained(|| drop((replaced, also)));
        }
    }

    /// Ends it: what waits is still given out, then [`Found::End`].
    pub(super) fn end(&self) {
        let wakers: Vec<_> = {
            let mut state = lock(&self.state);
            state.ended = true;
            self.told.notify_all();
            state.cursors.iter_mut().filter_map(|c| c.waker.take()).collect()
        };
        wake_all(wakers);
    }

    /// Takes what waits, or leaves the waker.
    pub(super) fn poll(&self, id: u64, cx: &mut Context<'_>) -> Poll<Option<Step<P>>> {
        let stale = {
            let mut state = lock(&self.state);
            match state.look(id) {
                Found::Step(step) => return Poll::Ready(Some(step)),
                Found::End => return Poll::Ready(None),
                Found::Nothing => {}
            }
            let cursor = state.cursor(id).expect("a cursor is there as long as its watch");
            match &cursor.waker {
                Some(waker) if waker.will_wake(cx.waker()) => None,
                _ => cursor.waker.replace(cx.waker().clone()),
            }
        };
        // A replaced waker is dropped outside of the lock: it may be the last of a task.
        drop(stale);
        Poll::Pending
    }

    /// Takes what waits; blocks until there is something, or until the deadline.
    pub(super) fn wait(&self, id: u64, deadline: Option<Instant>) -> Found<P> {
        let mut state = lock(&self.state);
        loop {
            match state.look(id) {
                Found::Nothing => {}
                found => return found,
            }
            let rest = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if rest.is_some_and(|rest| rest.is_zero()) {
                return Found::Nothing;
            }
            state.sleeping += 1;
            state = match rest {
                None => self.told.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(rest) => self.told.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.sleeping -= 1;
        }
    }

    /// Puts a step back that could not be looked at.
    pub(super) fn give_back(&self, id: u64, step: Step<P>) {
        let superfluous = lock(&self.state).cursor(id).map(|c| c.mail.give_back(step));
        drop(superfluous);
    }

    /// The latest that waits, left where it is.
    pub(super) fn latest(&self, id: u64) -> Option<P> {
        lock(&self.state).cursor(id).and_then(|c| c.mail.latest().cloned())
    }

    /// Tells whether nothing waits and nothing will come.
    pub(super) fn is_over(&self, id: u64) -> bool {
        let mut state = lock(&self.state);
        state.ended && !state.cursor(id).is_some_and(|c| c.mail.is_waiting())
    }

    /// A second cursor that has seen what this one has.
    pub(super) fn fork(&self, id: u64) -> u64 {
        let mut state = lock(&self.state);
        let mail = state.cursor(id).expect("a cursor is there as long as its watch").mail.fork();
        let new = state.next;
        state.next += 1;
        state.cursors.push(Cursor { id: new, mail, waker: None });
        new
    }

    /// Takes a cursor away.
    pub(super) fn leave(&self, id: u64) {
        let gone = {
            let mut state = lock(&self.state);
            let place = state.cursors.iter().position(|c| c.id == id);
            place.map(|i| state.cursors.swap_remove(i))
        };
        drop(gone);
    }
}

impl<P: Clone> State<P> {
    fn cursor(&mut self, id: u64) -> Option<&mut Cursor<P>> {
        self.cursors.iter_mut().find(|c| c.id == id)
    }

    fn look(&mut self, id: u64) -> Found<P> {
        let ended = self.ended;
        match self.cursor(id).and_then(|c| c.mail.take()) {
            Some(step) => Found::Step(step),
            None if ended => Found::End,
            None => Found::Nothing,
        }
    }
}

/// Keeps the first without allocating: nearly always there is no other.
fn put<A>(first: &mut Option<A>, more: &mut Vec<A>, item: Option<A>) {
    match item {
        Some(item) if first.is_some() => more.push(item),
        Some(item) => *first = Some(item),
        None => {}
    }
}

/// Wakes each; a waker that panics keeps no other asleep.
pub(super) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        let _ = contained(|| waker.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Signal};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::{Duration, Instant};

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn opened() -> Signal<u64> {
        let signal = Signal::new();
        signal.open(1, 1);
        signal
    }

    #[test]
    fn a_telling_wakes_the_poll_before_it_once() {
        let signal = opened();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(signal.poll(0, &mut cx).is_pending());
        assert!(signal.poll(0, &mut cx).is_pending());
        signal.tell(&1, &2, 2);
        signal.tell(&2, &3, 3);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(matches!(signal.poll(0, &mut cx), Poll::Ready(Some(s)) if (s.old, s.new) == (1, 3)));
        signal.end();
        assert!(matches!(signal.poll(0, &mut cx), Poll::Ready(None)));
    }

    #[test]
    fn what_waits_is_given_out_before_the_end() {
        let signal = opened();
        signal.tell(&1, &2, 2);
        signal.end();
        signal.tell(&2, &3, 3);
        assert!(!signal.is_over(0));
        assert!(matches!(signal.wait(0, None), Found::Step(s) if s.new == 2));
        assert!(matches!(signal.wait(0, None), Found::End));
        assert!(signal.is_over(0));
    }

    #[test]
    fn a_panicking_waker_keeps_no_other_asleep() {
        struct Bomb;
        impl Wake for Bomb {
            fn wake(self: Arc<Self>) {
                panic!("hostile waker");
            }
        }
        let signal = opened();
        let second = signal.fork(0);
        let count = Arc::new(Count::default());
        let (bomb, good) = (Waker::from(Arc::new(Bomb)), Waker::from(count.clone()));
        assert!(signal.poll(0, &mut Context::from_waker(&bomb)).is_pending());
        assert!(signal.poll(second, &mut Context::from_waker(&good)).is_pending());
        signal.tell(&1, &2, 2);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }

    /// Every interleaving cannot be tried with real threads; the argument is at the head of the file, and
    /// this hammers the window between the look and the sleep.
    #[test]
    fn no_wake_up_is_lost_between_the_look_and_the_sleep() {
        let signal = Arc::new(opened());
        let other = Arc::clone(&signal);
        let reader = std::thread::spawn(move || {
            let mut last = 1;
            loop {
                match other.wait(0, Some(Instant::now() + Duration::from_secs(20))) {
                    Found::Step(s) => {
                        assert!(s.new > last);
                        last = s.new;
                    }
                    Found::End => return last,
                    Found::Nothing => panic!("asleep while {last} was not the last"),
                }
            }
        });
        for n in 2..20_000 {
            signal.tell(&(n - 1), &n, n);
        }
        signal.end();
        assert_eq!(reader.join().expect("the reader ends"), 19_999);
    }
}
