//! What a store is to the resuming core: a way to connect, and a session that lists and then follows.
//!
//! Whoever implements the two traits writes what differs from store to store and nothing else:
//! deadlines, back-off, resuming, comparing, telling and caching are the core's.

use crate::source::{Context, Cursor, SourceError, Verdict};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// The keys of a store, or of the part of it that is asked for, with what stands there.
pub type Map = BTreeMap<Arc<str>, Entry>;

/// What stands at one key.
///
/// Its `Debug` shows no byte of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    value: Arc<[u8]>,
    revision: u64,
}

impl Entry {
    /// The bytes at a key, as of `revision`: a number that a person can find again in the store, or 0.
    pub fn new(value: impl Into<Arc<[u8]>>, revision: u64) -> Self {
        Self { value: value.into(), revision }
    }

    /// The bytes.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// When it was written last, in the store's own count; 0 where it has none.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} bytes @ revision {})", self.value.len(), self.revision)
    }
}

/// What a session has to say.
#[derive(Clone, Debug)]
pub enum Step {
    /// All that there is as of `cursor`. What is gone is found by comparing.
    Listing {
        /// Every key.
        all: Map,
        /// Where in the store's history that is.
        cursor: Cursor,
    },
    /// What one transaction of the store changed; `None` is a key that is gone.
    Delta {
        /// The keys that were written or removed.
        changes: Vec<(Arc<str>, Option<Entry>)>,
        /// Where in the store's history that leaves us.
        cursor: Cursor,
    },
    /// Nothing changed, and the store is alive: an answer "not modified", a heartbeat, a progress notice.
    Same {
        /// Where in the store's history that is.
        cursor: Cursor,
    },
}

/// What makes two stores the same: endpoints, credentials, transport, scope.
///
/// Configurations of one process whose stores are the same share one connection and one watch. It may
/// hold credentials, so its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity(Box<[Box<str>]>);

impl Identity {
    /// The store that consists of `parts`, in this order.
    ///
    /// ```
    /// use hotconf::remote::Identity;
    ///
    /// assert_eq!(Identity::of(["http://a", "/shop/"]), Identity::of(["http://a", "/shop/"]));
    /// assert_ne!(Identity::of(["ab", "c"]), Identity::of(["a", "bc"]));
    /// ```
    pub fn of<P: Into<Box<str>>>(parts: impl IntoIterator<Item = P>) -> Self {
        Self(parts.into_iter().map(Into::into).collect())
    }

    /// A store that is like no other: it is shared with nobody.
    pub fn unique() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::of(["unique".to_owned(), NEXT.fetch_add(1, Ordering::Relaxed).to_string()])
    }

    /// The same with one more part.
    #[must_use]
    pub fn and(self, part: impl Into<Box<str>>) -> Self {
        let mut parts = self.0.into_vec();
        parts.push(part.into());
        Self(parts.into())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// A store of configuration: where it is, and how to reach it.
///
/// Given to [`Remote::of`](super::Remote::of), it is a source. The core connects, asks the session for
/// everything, waits on it for what follows, and begins again after every failure.
///
/// ```
/// use hotconf::remote::{Entry, Remote, Session, Step, Store};
/// use hotconf::{Context, Cursor, Hot, HotConf, SourceError};
///
/// /// A store of one key that never changes.
/// struct Fixed;
///
/// impl Store for Fixed {
///     type Session = Self;
///     fn describe(&self) -> String {
///         "fixed".into()
///     }
///     async fn connect(&self, _: &Context, _: u32) -> Result<Self, SourceError> {
///         Ok(Self)
///     }
/// }
///
/// impl Session for Fixed {
///     async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
///         match after {
///             None => {
///                 let all = [("retries".into(), Entry::new(*b"7", 1))].into();
///                 Ok(Step::Listing { all, cursor: Cursor::default() })
///             }
///             Some(cursor) => {
///                 cx.sleep(std::time::Duration::from_secs(10)).await;
///                 Ok(Step::Same { cursor: cursor.clone() })
///             }
///         }
///     }
/// }
///
/// # #[derive(Clone, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3)]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder().source(Remote::of(Fixed).keys("")).blocking_start()?;
/// assert_eq!(config.load().retries, 7);
/// assert_eq!(config.origin(App::FIELDS.retries).to_string(), "fixed retries @ revision 1");
/// # Ok::<(), hotconf::Error>(())
/// ```
pub trait Store: Send + Sync + 'static {
    /// What a connection is.
    type Session: Session;

    /// Whether a listing that lacks keys is read a second time before they count as gone: for stores that
    /// leave out what the reader may not see, or that answer from a follower.
    const CONFIRM_SHRINK: bool = false;

    /// Whether each value of it counts as a secret, as by [`Update::secret`](crate::Update::secret).
    const SECRET: bool = false;

    /// Names this store in errors, events and origins, without credentials:
    /// `etcd http://10.0.0.1:2379`.
    fn describe(&self) -> String;

    /// Names one key of it in errors and origins: `etcd /shop/http/timeout @ revision 12`.
    fn locate(&self, key: &str, entry: &Entry) -> String {
        match (self.describe(), entry.revision()) {
            (store, 0) => format!("{store} {key}"),
            (store, revision) => format!("{store} {key} @ revision {revision}"),
        }
    }

    /// Stores with equal identities share one session.
    fn identity(&self) -> Identity {
        Identity::unique()
    }

    /// Opens a session. `attempt` counts from 0 after each time that all was well.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time, and then leaves nothing behind.
    fn connect(
        &self,
        cx: &Context,
        attempt: u32,
    ) -> impl Future<Output = Result<Self::Session, SourceError>> + Send;
}

/// A connection to a store. Dropping it closes all that it opened.
pub trait Session: Send + 'static {
    /// Whether [`settle`](Self::settle) has anything to do. It is then called while
    /// [`next`](Self::next) waits, so that a dropped `next` must lose nothing.
    const ACKS: bool = false;

    /// `None`: begin to follow, and then say everything. `Some`: wait for what follows the cursor, on this
    /// session only. It answers with every heartbeat of the store too, within [`quiet`](Self::quiet).
    ///
    /// After an error the session is dropped, except after [`SourceErrorKind::Gap`], when it is asked for
    /// everything once.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may lose what it waited for: it is followed by a call with `None`.
    ///
    /// [`SourceErrorKind::Gap`]: crate::SourceErrorKind::Gap
    fn next(
        &mut self,
        cx: &Context,
        after: Option<&Cursor>,
    ) -> impl Future<Output = Result<Step, SourceError>> + Send;

    /// How long it may be silent while all is well; a session that is silent for longer is given up.
    fn quiet(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Whether it asks now and then for what changed, because the store tells nothing when it happens: then
    /// [`status`](crate::Hot::status) says that it is [polled](crate::SourceStatus::polling).
    fn polls(&self) -> bool {
        false
    }

    /// Tells the store what became of what it said as of `cursor`: an ACK or a NACK.
    ///
    /// Where several configurations follow the store, it is accepted once all of them have accepted it, and refused
    /// as soon as one refuses it, be it because it cannot be parsed. What was refused may be accepted later, by a
    /// change of another source: that is told as well. What newer content overtook is told no more; a session that
    /// says anew what another one said is told the same verdict anew.
    fn settle(
        &mut self,
        cursor: &Cursor,
        verdict: &Verdict,
    ) -> impl Future<Output = Result<(), SourceError>> + Send {
        let _ = (cursor, verdict);
        async { Ok(()) }
    }
}
