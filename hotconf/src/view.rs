//! The part of a configuration that a library needs, without the rest.

use crate::publish::{Guard, Live, LiveValue, Reader, Snapshot};
use crate::schema::Select;
use crate::subscribe::{Change, Hub, Subscription, Topic, Watch};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A live section: what [`Hot`](crate::Hot) is for the whole, for one part of it.
///
/// A library takes a `View<Http>` and knows nothing of the program's configuration. Its version is the
/// one in which the section last moved, and so are its origins: lines that were inserted above the section
/// since, and moved nothing, do not count. [`Hot::origin`](crate::Hot::origin) tells the place as of now. It
/// keeps the configuration alive.
///
/// ```
/// use hotconf::{Hot, HotConf, View};
///
/// #[derive(Clone, HotConf)]
/// struct Http {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// #[derive(Clone, HotConf)]
/// struct Shop {
///     #[hotconf(nested)]
///     http: Http,
/// }
///
/// fn attempts(http: &View<Http>) -> u32 {
///     http.load().retries + 1
/// }
///
/// let config = Hot::fixed(Shop { http: Http { retries: 1 } });
/// assert_eq!(attempts(&config.view(Shop::FIELDS.http)), 2);
/// assert_eq!(attempts(&View::fixed(Http { retries: 5 })), 6);
/// ```
pub struct View<T: 'static> {
    topic: Arc<Topic<T>>,
    keep: Arc<Keep>,
}

/// What must live while the view does: the projection, and the configuration.
struct Keep {
    #[allow(dead_code)] // held, never read
    held: Vec<Arc<dyn Any + Send + Sync>>,
}

impl<T: Send + Sync + 'static> View<T> {
    pub(crate) fn of(topic: Arc<Topic<T>>, held: Vec<Arc<dyn Any + Send + Sync>>) -> Self {
        Self { topic, keep: Arc::new(Keep { held }) }
    }

    /// The version in force: see [`Hot::load`](crate::Hot::load).
    #[inline]
    pub fn load(&self) -> Guard<T> {
        self.topic.core.cell.load()
    }

    /// The version in force, owned.
    #[inline]
    pub fn snapshot(&self) -> Snapshot<T> {
        self.topic.core.cell.snapshot()
    }

    /// A reader for hot loops.
    pub fn reader(&self) -> Reader<T> {
        Reader::new(self.topic.core.clone(), Some(self.keep.clone()))
    }

    /// One small field, mirrored in an atomic.
    pub fn live<V: LiveValue>(&self, field: impl Select<T, V>) -> Live<V> {
        self.topic.live(field)
    }

    /// A part of this part.
    pub fn view<Part: Send + Sync + 'static>(&self, section: impl Select<T, Part>) -> View<Part> {
        let (topic, projection) = self.topic.view(section);
        View::of(topic, vec![projection, self.keep.clone()])
    }

    /// Calls `callback` with each change of the field: see [`Hot::on_change`](crate::Hot::on_change).
    #[must_use = "dropping the subscription ends it at once"]
    pub fn on_change<Out, F>(&self, field: impl Select<T, Out>, callback: F) -> Subscription
    where
        Out: Send + Sync + 'static,
        F: FnMut(&Change<T, Out>) + Send + 'static,
    {
        self.topic.registry.on_change(&self.topic.core, field, callback)
    }

    /// Calls `callback` now and with each later value: see [`Hot::bind`](crate::Hot::bind).
    #[must_use = "dropping the binding ends it at once"]
    pub fn bind<Out, F>(&self, field: impl Select<T, Out>, callback: F) -> Subscription
    where
        Out: Send + Sync + 'static,
        F: FnMut(&Out) + Send + 'static,
    {
        self.topic.registry.bind(&self.topic.core, field, callback)
    }

    /// Follows a field: see [`Hot::watch`](crate::Hot::watch).
    pub fn watch<Out>(&self, field: impl Select<T, Out>) -> Watch<Out>
    where
        Out: Clone + Send + Sync + 'static,
    {
        self.topic.registry.watch(&self.topic.core, field)
    }

    /// Follows what `select` makes of the section: see [`Hot::watch_with`](crate::Hot::watch_with).
    pub fn watch_with<Out, F>(&self, select: F) -> Watch<Out>
    where
        Out: Clone + PartialEq + Send + Sync + 'static,
        F: Fn(&T) -> Out + Send + Sync + 'static,
    {
        self.topic.registry.watch_with(&self.topic.core, select)
    }
}

impl<T: crate::HotConf> View<T> {
    /// A view of a value that never changes: for tests, and for callers without a configuration.
    pub fn fixed(value: T) -> Self {
        Self::of(Topic::new(Snapshot::fixed(value, T::SCHEMA), T::SCHEMA.len, Hub::fixed()), Vec::new())
    }
}

impl<T: 'static> Clone for View<T> {
    fn clone(&self) -> Self {
        Self { topic: self.topic.clone(), keep: self.keep.clone() }
    }
}

impl<T: fmt::Debug + Send + Sync + 'static> fmt::Debug for View<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("current", &self.load()).finish_non_exhaustive()
    }
}
