//! What a source needs of the engine: time, watches, workers, and a mailbox for what the kernel says.
//!
//! The engine implements [`Services`], so that the stage order holds and a test can put a clock and a file
//! system of its own behind it.

use super::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// What the engine offers to sources. Implemented by the engine, and by tests with a clock of their own.
pub(crate) trait Services: Send + Sync + 'static {
    fn now(&self) -> Instant;
    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()>;
    /// Watches directories and files; hints go to `inbox` until the returned guard drops.
    /// Paths that could not be watched are named, and are left to the content poll.
    fn watch(&self, paths: &[PathBuf], inbox: &Arc<Inbox>) -> (Watching, Vec<WatchFailure>);
    /// Returns once every event that the kernel had queued at the call lies in its inboxes. What was read
    /// before the call can then be judged by them.
    fn catch_up(&self) {}
    /// Runs long work on a worker; the future ends with it.
    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
    /// The beat of the content poll, aligned for all sources: the next instant that is a multiple of
    /// `every` since the engine began. Not asked where the poll is off.
    fn next_poll(&self, every: Duration) -> Instant;
    /// A number from all of `u64`, evenly drawn, for jitter: unguessable is not asked for.
    fn random(&self) -> u64 {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(())
    }
    /// What the sources of all configurations share; `None`: nothing is shared.
    #[cfg(feature = "remote")]
    fn commons(&self) -> Option<&super::remote::Commons> {
        None
    }
    /// The reactor of sockets, for a future that is polled outside of it.
    #[cfg(feature = "remote")]
    fn reactor(&self) -> Option<tokio::runtime::Handle> {
        None
    }
}

/// Keeps watches alive; dropping it gives them back.
pub(crate) struct Watching(#[allow(dead_code)] pub(crate) Box<dyn std::any::Any + Send + Sync>);

/// A path that could not be watched, and why, as a sentence that names the remedy.
#[derive(Debug, Clone)]
pub(crate) struct WatchFailure {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

/// What the kernel said about a path: a wake-up, never the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "watch"), allow(dead_code))] // the watcher makes them
pub(crate) enum Hint {
    /// A name appeared: a file about to be written, a link, a directory.
    Created(PathBuf),
    /// Modified: somebody is writing.
    Writing(PathBuf),
    /// Closed after writing: whole.
    Closed(PathBuf),
    /// Renamed into place: whole.
    Moved(PathBuf),
    /// Removed, renamed away, or its directory was.
    Gone(PathBuf),
    /// Permissions, times or links changed.
    Touched(PathBuf),
    /// Events were lost: everything may have changed.
    Lost,
}

impl Hint {
    /// The path it speaks of.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Created(p)
            | Self::Writing(p)
            | Self::Closed(p)
            | Self::Moved(p)
            | Self::Gone(p)
            | Self::Touched(p) => Some(p),
            Self::Lost => None,
        }
    }
}

/// A bounded mailbox of hints; when it is full it holds one `Lost` instead.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<InboxState>,
}

#[derive(Default)]
struct InboxState {
    hints: Vec<(Instant, Hint)>,
    waker: Option<Waker>,
    /// Which paths matter; `None`: all.
    interest: Option<Interest>,
}

/// Tells whether a hint about a path matters: it runs on the watcher's thread and takes no lock.
pub(crate) type Interest = Arc<dyn Fn(&Path) -> bool + Send + Sync>;

impl Inbox {
    #[cfg(any(test, feature = "watch"))]
    const CAPACITY: usize = 1024;

    /// Leaves a hint, and wakes who waits for one.
    #[cfg(any(test, feature = "watch"))]
    pub(crate) fn push(&self, at: Instant, hint: Hint) {
        let waker = {
            let mut state = crate::sync::lock(&self.state);
            if let (Some(path), Some(interest)) = (hint.path(), &state.interest)
                && !interest(path)
            {
                return;
            }
            // The same again, from a file's own watch and its directory's, or from a writer of many chunks.
            if let Some((last, same)) = state.hints.last_mut()
                && *same == hint
            {
                *last = at;
            } else if hint == Hint::Lost || state.hints.len() >= Self::CAPACITY {
                state.hints.clear();
                state.hints.push((at, Hint::Lost));
            } else {
                state.hints.push((at, hint));
            }
            state.waker.take()
        };
        // Woken after the lock is released: the woken task may drain at once.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets only hints through whose path `interest` picks; others wake nobody.
    pub(crate) fn only(&self, interest: Interest) {
        crate::sync::lock(&self.state).interest = Some(interest);
    }

    /// Takes all hints; leaves `waker` where there are none.
    pub(crate) fn poll_drain(&self, cx: &mut std::task::Context<'_>) -> Poll<Vec<(Instant, Hint)>> {
        let mut state = crate::sync::lock(&self.state);
        if state.hints.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut state.hints))
    }

    /// Takes what is there, without waiting.
    pub(crate) fn drain(&self) -> Vec<(Instant, Hint)> {
        std::mem::take(&mut crate::sync::lock(&self.state).hints)
    }
}
