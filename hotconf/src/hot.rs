//! The handle: a configuration that is kept live.

use crate::builder::Builder;
use crate::engine::{Remote, Started};
use crate::error::Error;
use crate::layer::Explanations;
use crate::load::HotConf;
use crate::observe::{Events, Status};
use crate::origin::Origin;
use crate::publish::{Guard, Live, LiveValue, Reader, Snapshot};
use crate::schema::Select;
use crate::subscribe::{Change, Hub, Subscription, Topic, Watch, blocking};
use crate::view::View;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// A typed configuration that is always whole, valid and current.
///
/// Cloning it is cheap. The sources are followed while a `Hot`, a [`View`] or a [`Reader`] of it lives;
/// dropping the last one stops them without waiting. A closure that owns a `Hot` would keep it alive
/// for ever: give it [`weak`](Hot::weak).
///
/// ```
/// use hotconf::{Hot, HotConf, Inline};
/// use std::time::Duration;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = "5s", range = "1ms..=10m")]
///     timeout: Duration,
/// }
///
/// let config: Hot<App> = Hot::builder().source(Inline::toml("app", "timeout = \"2s\"")).blocking_start()?;
/// assert_eq!(config.load().timeout, Duration::from_secs(2));
/// config.blocking_shutdown(Duration::from_secs(5))?;
/// # Ok::<(), hotconf::Error>(())
/// ```
pub struct Hot<T: HotConf> {
    shared: Arc<Shared<T>>,
}

/// What all clones of a handle share; its drop stops the engine's part.
struct Shared<T: HotConf> {
    topic: Arc<Topic<T>>,
    /// None for a fixed value.
    remote: Option<Remote>,
}

impl<T: HotConf> Drop for Shared<T> {
    fn drop(&mut self) {
        // Here and now, not when the engine comes to it: no call starts after the drop, and every watch
        // ends, even where this was the engine's last handle.
        self.topic.close();
    }
}

impl<T: HotConf> Hot<T> {
    /// Names the sources; later sources override earlier ones.
    pub fn builder() -> Builder<T> {
        Builder::new()
    }

    /// A handle of a value that never changes: for tests, and for callers without sources.
    ///
    /// It is version 1 and has no engine. Nothing is known of it but the value: it has no origins, `explain`
    /// says nothing and its fingerprint is empty.
    pub fn fixed(value: T) -> Self {
        let topic = Topic::new(Snapshot::fixed(value, T::SCHEMA), T::SCHEMA.len, Hub::fixed());
        Self { shared: Arc::new(Shared { topic, remote: None }) }
    }

    pub(crate) fn started(started: Started<T>) -> Self {
        Self { shared: Arc::new(Shared { topic: started.topic, remote: Some(started.remote) }) }
    }

    /// The version in force, borrowed for a piece of work: every field of it is of one version.
    ///
    /// Takes no lock and, after a thread's first, allocates nothing.
    #[inline]
    pub fn load(&self) -> Guard<T> {
        self.shared.topic.core.cell.load()
    }

    /// The version in force, owned: send it, hold it across `.await`.
    #[inline]
    pub fn snapshot(&self) -> Snapshot<T> {
        self.shared.topic.core.cell.snapshot()
    }

    /// A reader for hot loops: one atomic load and a compare while nothing changes.
    pub fn reader(&self) -> Reader<T> {
        Reader::new(self.shared.topic.core.clone(), Some(self.keep()))
    }

    /// One small field, mirrored in an atomic: one load a read.
    pub fn live<V: LiveValue>(&self, field: impl Select<T, V>) -> Live<V> {
        self.shared.topic.live(field)
    }

    /// The part of the configuration that a library needs, without the rest.
    pub fn view<Part: Send + Sync + 'static>(&self, section: impl Select<T, Part>) -> View<Part> {
        let (topic, projection) = self.shared.topic.view(section);
        View::of(topic, vec![projection, self.keep()])
    }

    /// Calls `callback` on a worker with each change of the field from now on.
    ///
    /// A callback that keeps up is called once for each version that moved its field; a slower one gets
    /// the fold: old is what it was given last, new is the latest. It is never called twice at a time. A
    /// panic in it is reported as a warning, and it stays subscribed.
    #[must_use = "dropping the subscription ends it at once"]
    pub fn on_change<Out, F>(&self, field: impl Select<T, Out>, callback: F) -> Subscription
    where
        Out: Send + Sync + 'static,
        F: FnMut(&Change<T, Out>) + Send + 'static,
    {
        self.shared.topic.registry.on_change(&self.shared.topic.core, field, callback)
    }

    /// Calls `callback` with the value in force, here and now, and on a worker with each later one.
    #[must_use = "dropping the binding ends it at once"]
    pub fn bind<Out, F>(&self, field: impl Select<T, Out>, callback: F) -> Subscription
    where
        Out: Send + Sync + 'static,
        F: FnMut(&Out) + Send + 'static,
    {
        self.shared.topic.registry.bind(&self.shared.topic.core, field, callback)
    }

    /// Follows a field: the latest value, whenever the reader comes to it.
    pub fn watch<Out>(&self, field: impl Select<T, Out>) -> Watch<Out>
    where
        Out: Clone + Send + Sync + 'static,
    {
        self.shared.topic.registry.watch(&self.shared.topic.core, field)
    }

    /// Follows what `select` makes of the configuration.
    ///
    /// `select` is called on the reader's side: here and now, and when the reader asks for the next value,
    /// once for all versions that came meanwhile. The engine never runs it. A panic in it is the reader's.
    pub fn watch_with<Out, F>(&self, select: F) -> Watch<Out>
    where
        Out: Clone + PartialEq + Send + Sync + 'static,
        F: Fn(&T) -> Out + Send + Sync + 'static,
    {
        self.shared.topic.registry.watch_with(&self.shared.topic.core, select)
    }

    /// The events from now on: applied, rejected, sources down and up, warnings.
    pub fn events(&self) -> Events {
        match &self.shared.remote {
            Some(remote) => remote.bus.subscribe(),
            None => Events::ended(),
        }
    }

    /// The version in force, counted from 1.
    pub fn version(&self) -> u64 {
        self.load().version()
    }

    /// Where the field's value was set.
    pub fn origin<Out>(&self, field: impl Select<T, Out>) -> Origin {
        self.load().origin(field)
    }

    /// Every layer's value of one field, the winner first.
    pub fn explain_field<Out>(&self, field: impl Select<T, Out>) -> Explanations {
        self.snapshot().explain_field(field)
    }

    /// [`explain_field`](Self::explain_field) by path.
    ///
    /// # Errors
    ///
    /// A path that leads nowhere, with the nearest that does.
    pub fn explain_path(&self, path: &str) -> Result<Explanations, Error> {
        self.snapshot().explain_path(path)
    }

    /// Every field with its value and its origin, to print.
    pub fn explain(&self) -> Explanations {
        self.snapshot().explain()
    }

    /// The restart fields whose new value waits.
    pub fn pending(&self) -> Vec<String> {
        self.shared.remote.as_ref().map(|r| r.board.pending()).unwrap_or_default()
    }

    /// The state of everything: version, age, sources, warnings, counters.
    pub fn status(&self) -> Status {
        let now = self.load();
        let snapshot = now.to_snapshot();
        let mut status = match &self.shared.remote {
            Some(remote) => remote.board.read(snapshot.version(), snapshot.time(), Instant::now()),
            None => Status::fixed(snapshot.version(), snapshot.time()),
        };
        status.counters.callbacks = self.shared.topic.registry.calls();
        status
    }

    /// Reads every source anew, the environment and arguments too, and applies what changed.
    ///
    /// Returns the version in force afterwards. Requests that come while a reload runs are served
    /// together by the next.
    ///
    /// # Errors
    ///
    /// What was refused or could not be read; the version before stays in force.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves the reload under way.
    pub async fn reload(&self) -> Result<u64, Error> {
        match &self.shared.remote {
            Some(remote) => remote.reload().await,
            None => Ok(1),
        }
    }

    /// [`reload`](Self::reload) for threads.
    ///
    /// # Errors
    ///
    /// As `reload`; and [`Error::is_usage`] inside an async task.
    pub fn blocking_reload(&self) -> Result<u64, Error> {
        blocking::refuse_in_async()?;
        blocking::block_on(self.reload())
    }

    /// Stops following, and waits up to `grace` until nothing is left of it.
    ///
    /// From the moment of the call no callback starts; when it returned `Ok`, no version installs, no
    /// callback runs (but the one that called it), and no thread, task, descriptor or watch is left. The
    /// last value stays readable through every handle.
    ///
    /// # Errors
    ///
    /// What still ran when the grace was over; no version installs in that case either.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), Error> {
        match &self.shared.remote {
            Some(remote) => {
                let calm = self.close();
                remote.shutdown(grace, calm).await
            }
            None => Ok(()),
        }
    }

    /// [`shutdown`](Self::shutdown) for threads.
    ///
    /// # Errors
    ///
    /// As `shutdown`; and [`Error::is_usage`] inside an async task.
    pub fn blocking_shutdown(&self, grace: Duration) -> Result<(), Error> {
        blocking::refuse_in_async()?;
        match &self.shared.remote {
            Some(remote) => remote.blocking_shutdown(grace, self.close()),
            None => Ok(()),
        }
    }

    /// Ends every subscription here and now; the future ends when no callback runs any more.
    fn close(&self) -> impl Future<Output = ()> + Send + use<T> {
        self.shared.topic.close();
        self.shared.topic.registry.calm()
    }

    /// A handle that keeps nothing alive: for closures that the configuration itself owns.
    pub fn weak(&self) -> WeakHot<T> {
        WeakHot { shared: Arc::downgrade(&self.shared) }
    }

    fn keep(&self) -> Arc<dyn Any + Send + Sync> {
        self.shared.clone()
    }
}

impl<T: HotConf> Clone for Hot<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: HotConf + fmt::Debug> fmt::Debug for Hot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hot").field("current", &self.load()).finish_non_exhaustive()
    }
}

/// A [`Hot`] that keeps nothing alive.
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
/// let config = Hot::fixed(App { workers: 2 });
/// let weak = config.weak();
/// assert!(weak.upgrade().is_some());
/// drop(config);
/// assert!(weak.upgrade().is_none());
/// ```
pub struct WeakHot<T: HotConf> {
    shared: Weak<Shared<T>>,
}

impl<T: HotConf> WeakHot<T> {
    /// The handle, where one still lives.
    pub fn upgrade(&self) -> Option<Hot<T>> {
        self.shared.upgrade().map(|shared| Hot { shared })
    }
}

impl<T: HotConf> Clone for WeakHot<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: HotConf> fmt::Debug for WeakHot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHot").field("alive", &(self.shared.strong_count() > 0)).finish()
    }
}
