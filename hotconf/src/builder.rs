//! Naming the sources, and starting.

use crate::engine::{self, Setup};
use crate::error::Error;
use crate::format::Limits;
use crate::grey::Instance;
use crate::hot::Hot;
use crate::layer::{Explanations, Policy};
use crate::load::HotConf;
use crate::observe::{Event, Listener, Warning};
use crate::origin::Origin;
use crate::publish::Snapshot;
use crate::schema::Select;
use crate::source::Source;
use crate::subscribe::blocking;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Names the sources of a configuration, in order: **later sources override earlier ones**.
///
/// Nothing is read, watched or started before [`start`](Builder::start),
/// [`blocking_start`](Builder::blocking_start) or [`read`](Builder::read).
///
/// | setting | default |
/// |---|---|
/// | [`poll`](Builder::poll): content poll of files | 2 s |
/// | [`startup_deadline`](Builder::startup_deadline) | 10 s |
/// | [`max_document_bytes`](Builder::max_document_bytes) | 16 MiB |
/// | [`max_depth`](Builder::max_depth) of tables and arrays | 128, which is the most |
/// | [`max_nodes`](Builder::max_nodes): keys and values of a document | 1 000 000 |
/// | [`event_capacity`](Builder::event_capacity) | 1 024 events a reader |
/// | unknown keys ([`deny_unknown_keys`](Builder::deny_unknown_keys)) | a warning |
///
/// ```
/// use hotconf::{Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder()
///     .source(Inline::toml("base", "retries = 4"))
///     .source(Inline::toml("site", "retries = 5"))
///     .deny_unknown_keys()
///     .blocking_start()?;
/// assert_eq!(config.load().retries, 5);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[must_use = "a builder does nothing until it is started or read"]
pub struct Builder<T> {
    name: String,
    sources: Vec<Box<dyn Source>>,
    policy: Policy,
    here: Instance,
    startup: Duration,
    poll: Duration,
    limits: Limits,
    events: usize,
    listeners: Vec<Arc<Listener>>,
    token: Option<CancellationToken>,
    of: PhantomData<fn() -> T>,
}

impl<T: HotConf> Builder<T> {
    pub(crate) fn new() -> Self {
        Self {
            name: T::SCHEMA.name.to_owned(),
            sources: Vec::new(),
            policy: Policy::default(),
            here: Instance::anonymous(),
            startup: Duration::from_secs(10),
            poll: Duration::from_secs(2),
            limits: Limits::default(),
            events: 1024,
            listeners: Vec::new(),
            token: None,
            of: PhantomData,
        }
    }

    /// Adds a source above those before: later sources override earlier ones.
    pub fn source(mut self, source: impl Source) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// Names the configuration in traces; the type's name by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Says which instance this is: overlays of documents (`hotconf.when`) hold on some instances only.
    ///
    /// ```
    /// use hotconf::{Hot, HotConf, Inline, Instance};
    ///
    /// # #[derive(Clone, Debug, HotConf)]
    /// # struct App {
    /// #     #[hotconf(default = 3, range = "1..=10")]
    /// #     retries: u32,
    /// # }
    /// let text = r#"
    ///     retries = 4
    ///     [[hotconf.when]]
    ///     name = "patient"
    ///     labels = { zone = ["eu-1", "eu-2"] }
    ///     set = { retries = 8 }
    /// "#;
    /// let here = Instance::of("pod-7").label("zone", "eu-2");
    /// let loaded = Hot::<App>::builder().source(Inline::toml("app", text)).instance(here).read()?;
    /// assert_eq!(loaded.retries, 8);
    /// # Ok::<(), hotconf::Error>(())
    /// ```
    pub fn instance(mut self, here: Instance) -> Self {
        self.here = here;
        self
    }

    /// Refuses unknown keys instead of warning of them.
    pub fn deny_unknown_keys(mut self) -> Self {
        self.policy.deny_unknown = true;
        self
    }

    /// Calls `listener` with every event, those of the first load included; on a worker, one at a time.
    ///
    /// A listener that is slower than the events come loses the oldest beyond the event capacity and
    /// is told so by [`Event::Lagged`].
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listeners.push(Listener::new(Box::new(listener)));
        self
    }

    /// Stops the configuration when `token` is cancelled: the sources, then the subscriptions.
    pub fn cancelled_by(mut self, token: &CancellationToken) -> Self {
        self.token = Some(token.child_token());
        self
    }

    /// How often the content of files is compared, events or not. Zero turns it off. Default 2 s.
    ///
    /// It finds what the kernel tells nobody: bind mounts, hard links, network file systems.
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// How long the first answer of every source may take. Default 10 s.
    ///
    /// A source that has not answered by then fails the start, which names it; the start goes on without one
    /// that is [`optional`](crate::SourceExt::optional).
    pub fn startup_deadline(mut self, deadline: Duration) -> Self {
        self.startup = deadline;
        self
    }

    /// The largest document that is read. Default 16 MiB, at most 1 GiB.
    pub fn max_document_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes.min(1 << 30);
        self
    }

    /// How deep tables and arrays of a document may stand in each other. Default and most: 128; in TOML 80
    /// for arrays, inline tables and dotted keys, as deep as its parser goes.
    pub fn max_depth(mut self, depth: usize) -> Self {
        self.limits.depth = depth.min(Limits::DEEPEST);
        self
    }

    /// How many keys and values a document may have, aliases expanded. Default 1 000 000.
    pub fn max_nodes(mut self, nodes: usize) -> Self {
        self.limits.nodes = nodes;
        self
    }

    /// How many events are kept for a slow reader. Default 1 024, at least 1.
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.events = events.max(1);
        self
    }

    fn setup(self) -> Setup {
        T::SCHEMA.ask_for_secrets();
        Setup {
            name: self.name.into(),
            sources: self.sources,
            policy: self.policy,
            here: self.here,
            startup: self.startup,
            poll: self.poll,
            limits: self.limits,
            events: self.events,
            listeners: self.listeners,
            token: self.token.unwrap_or_default(),
        }
    }

    /// Loads the configuration and follows its sources. The first load must succeed.
    ///
    /// # Errors
    ///
    /// Every problem of the first load, at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the start up and leaves nothing running.
    pub async fn start(self) -> Result<Hot<T>, Error> {
        engine::launch(self.setup()).await.map(Hot::started)
    }

    /// [`start`](Self::start) for programs without a runtime: blocks this thread.
    ///
    /// This and every other `blocking_` method refuse to run inside a task of tokio, which they would block;
    /// inside `spawn_blocking` and `block_in_place` they work. Tasks of other runtimes, and futures inside
    /// `tokio::task::unconstrained`, cannot be told from plain threads: there they block the executor's thread for
    /// as long as they wait. Await the method without `blocking_` instead; it needs no particular runtime.
    ///
    /// # Errors
    ///
    /// As `start`; and [`Error::is_usage`] inside an async task, where it would block the runtime.
    pub fn blocking_start(self) -> Result<Hot<T>, Error> {
        blocking::refuse_in_async()?;
        blocking::block_on(engine::launch(self.setup())).map(Hot::started)
    }

    /// Loads once, on this thread: no thread, no watching. For `--check-config`, bootstrap, tests.
    ///
    /// # Errors
    ///
    /// Every problem, at once.
    pub fn read(self) -> Result<Loaded<T>, Error> {
        let (snapshot, warnings) = engine::read_once::<T>(self.setup())?;
        Ok(Loaded { snapshot, warnings })
    }
}

/// A configuration that was loaded once; it derefs to the value.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     port: u16,
/// }
///
/// let loaded = Hot::<App>::builder().source(Inline::toml("app.toml", "port = 80\nprot = 1")).read()?;
/// assert_eq!(loaded.port, 80);
/// assert!(loaded.warnings()[0].to_string().contains("did you mean `port`?"));
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Debug)]
pub struct Loaded<T> {
    snapshot: Snapshot<T>,
    warnings: Vec<Warning>,
}

impl<T: HotConf> Loaded<T> {
    /// What a person should know of it: unknown keys, deprecated settings.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Where the field's value was set.
    pub fn origin<Out>(&self, field: impl Select<T, Out>) -> Origin {
        self.snapshot.origin(field)
    }

    /// Every layer's value of a field, the winner first.
    pub fn explain_field<Out>(&self, field: impl Select<T, Out>) -> Explanations {
        self.snapshot.explain_field(field)
    }

    /// [`explain_field`](Self::explain_field) by path.
    ///
    /// # Errors
    ///
    /// A path that leads nowhere, with the nearest that does.
    pub fn explain_path(&self, path: &str) -> Result<Explanations, Error> {
        self.snapshot.explain_path(path)
    }

    /// Every field with its value and its origin, to print.
    pub fn explain(&self) -> Explanations {
        self.snapshot.explain()
    }

    /// The snapshot, which is version 1 of nothing that goes on.
    pub fn snapshot(&self) -> &Snapshot<T> {
        &self.snapshot
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        match Arc::try_unwrap(self.snapshot.0) {
            Ok(version) => version.value,
            Err(shared) => shared.value.clone(),
        }
    }
}

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.snapshot
    }
}

impl<T> fmt::Debug for Builder<T> {
    /// Names the sources; shows nothing of what they hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.sources.iter().map(|s| s.describe()).collect();
        f.debug_struct("Builder").field("name", &self.name).field("sources", &sources).finish_non_exhaustive()
    }
}
