//! The guard of a callback: dropping it ends the subscription and never waits.
//!
//! Closing waits for a run, except where that could not end: from inside the callback itself, and from
//! inside one that the callback is waiting for (two callbacks that close each other).

use super::blocking::refuse_in_async;
use super::calls::current;
use super::gate::Gate;
use crate::error::Error;
use crate::sync::lock;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Wake, Waker};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Keeps a callback subscribed; dropping it unsubscribes.
///
/// Dropping never waits, and no call starts afterwards; one that runs goes on to its end. What the closure
/// captured is dropped with it. [`close`](Self::close) also waits for the call that runs,
/// [`detach`](Self::detach) leaves the callback subscribed for as long as the configuration is followed.
/// A subscription keeps no engine alive.
///
/// ```
/// use hotconf::{Hot, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = 2)]
///     workers: u32,
/// }
///
/// let config = Hot::fixed(App { workers: 4 });
/// let keep = config.on_change(App::FIELDS.workers, |change| println!("{}", change.new()));
/// keep.token().cancel();
/// assert!(keep.is_closed());
/// ```
#[must_use = "dropping a subscription ends it: keep it, or call `detach`"]
pub struct Subscription {
    callback: Option<Arc<dyn Cancel>>,
}

/// A callback, whatever its type.
pub(super) trait Cancel: Send + Sync {
    fn cancel(&self);
    fn id(&self) -> u64;
    fn finished(&self) -> &Gate;
    fn parent_token(&self) -> &CancellationToken;
    /// Gives the token, with a hook that is made at the first call.
    fn hook(&self, make: &mut dyn FnMut() -> Hook) -> CancellationToken;
}

/// A token, and the future that tells of its end.
pub(super) struct Hook {
    pub(super) token: CancellationToken,
    _cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Subscription {
    pub(super) fn new(callback: Arc<dyn Cancel>) -> Self {
        Self { callback: Some(callback) }
    }

    /// Leaves the callback subscribed until the configuration stops.
    pub fn detach(mut self) {
        self.callback = None;
    }

    /// Unsubscribes, and waits for the call that runs. From inside the callback itself it does not wait.
    ///
    /// # Cancel safety
    ///
    /// Unsubscribed at the first poll; dropping the future only gives up the waiting.
    pub async fn close(mut self) {
        let Some(callback) = self.callback.take() else { return };
        callback.cancel();
        let Some(_waiting) = Waiting::begin(callback.id()) else { return };
        poll_fn(|cx| callback.finished().poll(0, cx)).await;
    }

    /// Unsubscribes, and blocks until the call that runs has ended. From inside the callback itself it does
    /// not wait.
    ///
    /// # Errors
    ///
    /// Inside an async task, where a call still runs: it is unsubscribed, and not waited for.
    pub fn blocking_close(mut self) -> Result<(), Error> {
        let Some(callback) = self.callback.take() else { return Ok(()) };
        callback.cancel();
        if callback.finished().is_down_to(0) {
            return Ok(());
        }
        let Some(_waiting) = Waiting::begin(callback.id()) else { return Ok(()) };
        refuse_in_async()?;
        callback.finished().wait(0, None);
        Ok(())
    }

    /// A token that ends this subscription alone; a child of the configuration's.
    pub fn token(&self) -> CancellationToken {
        let Some(callback) = &self.callback else { return CancellationToken::new() };
        callback.hook(&mut || {
            let token = callback.parent_token().child_token();
            let mut cancelled = Box::pin(token.clone().cancelled_owned());
            // tokio-util wakes on the thread that cancels, outside of its locks: the waker can do the work.
            let waker = Waker::from(Arc::new(Cancelling(Arc::downgrade(callback))));
            if cancelled.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                callback.cancel();
            }
            Hook { token, _cancelled: cancelled }
        })
    }

    /// Tells whether it has ended: by its token, or because the configuration stopped.
    pub fn is_closed(&self) -> bool {
        self.callback.as_ref().is_none_or(|c| c.finished().is_down_to(0))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(callback) = self.callback.take() {
            callback.cancel();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("closed", &self.is_closed()).finish()
    }
}

struct Cancelling(Weak<dyn Cancel>);

impl Wake for Cancelling {
    fn wake(self: Arc<Self>) {
        if let Some(callback) = self.0.upgrade() {
            callback.cancel();
        }
    }
}

/// Which callback waits for which, so that a circle is seen before it closes.
static WAITING: Mutex<BTreeMap<u64, u64>> = Mutex::new(BTreeMap::new());

/// Says that the callback of this thread waits for another; a thread in no callback is never waited for.
struct Waiting(Option<u64>);

impl Waiting {
    /// `None` where waiting could not end.
    fn begin(target: u64) -> Option<Self> {
        let Some(me) = current() else { return Some(Self(None)) };
        let mut waiting = lock(&WAITING);
        let mut at = Some(target);
        while let Some(callback) = at {
            if callback == me {
                return None;
            }
            at = waiting.get(&callback).copied();
        }
        waiting.insert(me, target);
        Some(Self(Some(me)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(me) = self.0 {
            lock(&WAITING).remove(&me);
        }
    }
}
