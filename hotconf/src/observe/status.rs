//! The state of a configuration as a person or a health check asks for it.

use super::event::Warning;
use crate::error::Error;
use crate::source::{Activity, Linked};
use crate::sync::lock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

/// The state of a configuration at one moment.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline, SourceState};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder().source(Inline::toml("app", "")).blocking_start()?;
/// let status = config.status();
/// assert!(status.is_healthy());
/// assert_eq!(status.sources[0].state, SourceState::Fixed);
/// assert_eq!(status.counters.refused, 0);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The version in force.
    pub version: u64,
    /// When it was installed, by the wall clock.
    pub installed: SystemTime,
    /// How long it has been in force, by the monotonic clock.
    pub age: Duration,
    /// Restart fields whose new value waits.
    pub pending: Vec<String>,
    /// Every source, in the order of the builder.
    pub sources: Vec<SourceStatus>,
    /// What the documents in force give cause to warn of, then what sources have to say of themselves: a watch
    /// that cannot be set is here for as long as that is so.
    pub warnings: Vec<Warning>,
    /// The newest refusal of what a source still holds: what it brought is not in force, whether or not the
    /// source can be reached meanwhile.
    pub rejected: Option<Error>,
    /// What was done since the start.
    ///
    /// ```
    /// use hotconf::{Event, Format, Hot, HotConf, Inline};
    ///
    /// # #[derive(Clone, Debug, HotConf)]
    /// # struct App {
    /// #     #[hotconf(default = 3, range = "1..=10")]
    /// #     retries: u32,
    /// # }
    /// let (source, text) = Inline::channel("app", Format::Toml, "retries = 4");
    /// let config = Hot::<App>::builder().source(source).blocking_start()?;
    /// let before = config.status().counters;
    /// let mut events = config.events();
    /// text.set("retries = 5");
    /// assert!(matches!(events.blocking_next()?, Some(Event::Applied(_))));
    /// let after = config.status().counters;
    /// assert_eq!((after.applied - before.applied, after.decoded - before.decoded), (1, 1));
    /// # Ok::<(), hotconf::Error>(())
    /// ```
    pub counters: Counters,
    /// Tells whether the configuration was shut down.
    pub stopped: bool,
}

impl Status {
    /// The status of a value that never changes.
    pub(crate) fn fixed(version: u64, installed: SystemTime) -> Self {
        Self {
            version,
            installed,
            age: installed.elapsed().unwrap_or_default(),
            pending: Vec::new(),
            sources: Vec::new(),
            warnings: Vec::new(),
            rejected: None,
            counters: Counters::default(),
            stopped: false,
        }
    }

    /// Tells whether every source is well and nothing stands refused.
    pub fn is_healthy(&self) -> bool {
        !self.stopped
            && self.rejected.is_none()
            && self.sources.iter().all(|s| {
                matches!(s.state, SourceState::Following | SourceState::Fixed | SourceState::Connecting)
            })
    }
}

/// One source, of [`Status::sources`].
///
/// ```
/// use hotconf::{Hot, HotConf, Inline, SourceState};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder().source(Inline::toml("app", "retries = 4")).blocking_start()?;
/// let status = config.status();
/// let source = &status.sources[0];
/// assert_eq!(&*source.name, "app");
/// assert!(source.state != SourceState::Down && source.error.is_none());
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// Its name.
    pub name: Arc<str>,
    /// How it stands.
    pub state: SourceState,
    /// Since when, by the monotonic clock.
    pub since: Duration,
    /// Why it is not well.
    pub error: Option<Error>,
    /// How long ago it brought something last.
    pub answered: Option<Duration>,
    /// How long ago it was looked at last, whether or not anything had changed; of a remote store, how long
    /// ago it last showed that it lives.
    pub checked: Option<Duration>,
    /// Its changes are found by looking now and then, and not told when they happen: of a file, because a watch could
    /// not be set; of a remote store that is linked, because it tells nothing, as a URL without a long poll.
    pub polling: bool,
    /// How often it was read.
    pub reads: u64,
    /// How many documents of it were parsed; one with the same bytes is not parsed again.
    pub parses: u64,
    /// Of how many of these parses one changed value alone was looked at, and not the whole document.
    pub splices: u64,
    /// The place in a remote store's history that is in force: a revision, an index, an entity tag.
    pub revision: Option<String>,
    /// How many attempts to reach a remote store have failed since the start.
    pub retries: u64,
    /// Why the last attempt to reach a remote store failed, while none has worked since.
    pub last_failure: Option<String>,
}

/// How a source stands.
///
/// ```
/// use hotconf::{Event, Format, Hot, HotConf, Inline, SourceState};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let (source, text) = Inline::channel("app", Format::Toml, "retries = 4");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let mut events = config.events();
/// text.set("retries = 50");
/// assert!(matches!(events.blocking_next()?, Some(Event::Rejected(_))));
/// assert_eq!(config.status().sources[0].state, SourceState::Refused);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceState {
    /// Not yet answered.
    Starting,
    /// Well, and its changes are followed.
    Following,
    /// Well; it is read at the start and on `reload` (environment, arguments).
    Fixed,
    /// A remote store whose connection was lost a moment ago: the first attempt to have it back is under way.
    Connecting,
    /// A remote store that cannot be reached: what it brought last stays in force, and may be out of date.
    Stale,
    /// A remote store that could not be reached at the start: what its cache on disk held is in force.
    Cached,
    /// What it holds now was refused; what it brought before stays in force.
    Refused,
    /// Gone or unreadable; what it brought last stays in force.
    Down,
    /// Its token was cancelled; what it brought last stays in force.
    Stopped,
}

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Documents that sources brought.
    pub documents: u64,
    /// Times that sources were read.
    pub reads: u64,
    /// Documents that were parsed: fewer than were read where bytes had not changed.
    pub parses: u64,
    /// Of how many of these parses one changed value alone was looked at, and not the whole document.
    pub splices: u64,
    /// Windows of documents that were looked at.
    pub reloads: u64,
    /// Versions that were installed after the first.
    pub applied: u64,
    /// Windows that were refused.
    pub refused: u64,
    /// Leaves that were decoded.
    pub decoded: u64,
    /// Calls of callbacks that were handed to a worker.
    pub callbacks: u64,
}

/// What the engine writes and `status()` reads.
pub(crate) struct Board {
    state: Mutex<State>,
    pub(crate) documents: AtomicU64,
    pub(crate) reloads: AtomicU64,
    pub(crate) applied: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) decoded: AtomicU64,
    pub(crate) callbacks: AtomicU64,
}

struct State {
    installed: Instant,
    pending: Vec<String>,
    sources: Vec<Source>,
    warnings: Vec<Warning>,
    rejected: Option<Error>,
    stopped: bool,
}

struct Source {
    name: Arc<str>,
    state: SourceState,
    since: Instant,
    error: Option<Error>,
    answered: Option<Instant>,
    activity: Arc<Activity>,
    /// It stands for the files that settings name, and is there while there are some.
    files: bool,
}

impl Source {
    /// When it was last looked at. A remote source's loop hears of its store more often than it has news.
    fn checked(&self) -> Option<Instant> {
        let life = self.activity.standing().and_then(|standing| *lock(&standing.life));
        life.or_else(|| self.activity.checked())
    }

    /// Its state and since when. A remote source's own loop knows of its link; whether what it brought is
    /// in force, the board knows.
    fn stands(&self) -> (SourceState, Instant) {
        let Some(standing) = self.activity.standing() else { return (self.state, self.since) };
        match (self.state, standing.link) {
            (SourceState::Following | SourceState::Down, _) if standing.cached => {
                (SourceState::Cached, standing.since)
            }
            (SourceState::Following, Linked::Connecting) => (SourceState::Connecting, standing.since),
            (SourceState::Following | SourceState::Down, Linked::Failing) if standing.holds => {
                (SourceState::Stale, standing.since)
            }
            // A start goes on without it before that is told.
            (SourceState::Following, Linked::Failing) => (SourceState::Down, standing.since),
            _ => (self.state, self.since),
        }
    }

    /// What it says of itself, as its events have it.
    fn remarks(&self) -> impl Iterator<Item = Warning> {
        self.activity.remarks.all().into_iter().map(|message| Warning::of_source(self.name.clone(), message))
    }
}

impl Board {
    /// The last source stands for the files that settings name.
    pub(crate) fn new(sources: Vec<Arc<str>>, activities: Vec<Arc<Activity>>, now: Instant) -> Self {
        let mut sources: Vec<Source> = sources
            .into_iter()
            .zip(activities)
            .map(|(name, activity)| Source {
                name,
                state: SourceState::Starting,
                since: now,
                error: None,
                answered: None,
                activity,
                files: false,
            })
            .collect();
        if let Some(last) = sources.last_mut() {
            last.files = true;
        }
        Self {
            state: Mutex::new(State {
                installed: now,
                pending: Vec::new(),
                sources,
                warnings: Vec::new(),
                rejected: None,
                stopped: false,
            }),
            documents: AtomicU64::default(),
            reloads: AtomicU64::default(),
            applied: AtomicU64::default(),
            refused: AtomicU64::default(),
            decoded: AtomicU64::default(),
            callbacks: AtomicU64::default(),
        }
    }

    /// Counts one.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The account that a source and its status share.
    pub(crate) fn activity(&self, source: usize) -> Arc<Activity> {
        lock(&self.state).sources[source].activity.clone()
    }

    pub(crate) fn installed(&self, now: Instant) {
        lock(&self.state).installed = now;
    }

    pub(crate) fn set_pending(&self, pending: Vec<String>) {
        lock(&self.state).pending = pending;
    }

    pub(crate) fn pending(&self) -> Vec<String> {
        lock(&self.state).pending.clone()
    }

    pub(crate) fn set_warnings(&self, warnings: Vec<Warning>) {
        lock(&self.state).warnings = warnings;
    }

    pub(crate) fn set_rejected(&self, rejected: Option<Error>) {
        lock(&self.state).rejected = rejected;
    }

    pub(crate) fn stop(&self) {
        lock(&self.state).stopped = true;
    }

    /// Notes that a source answered.
    pub(crate) fn answered(&self, source: usize, now: Instant) {
        lock(&self.state).sources[source].answered = Some(now);
    }

    /// Sets a source's state. `since` moves only with the state.
    pub(crate) fn set_source(&self, source: usize, state: SourceState, error: Option<Error>, now: Instant) {
        let entry = &mut lock(&self.state).sources[source];
        if entry.state != state {
            entry.since = now;
        }
        entry.state = state;
        entry.error = error;
    }

    pub(crate) fn read(&self, version: u64, installed: SystemTime, now: Instant) -> Status {
        let state = lock(&self.state);
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Status {
            version,
            installed,
            age: now.saturating_duration_since(state.installed),
            pending: state.pending.clone(),
            sources: state
                .sources
                .iter()
                .filter(|s| !s.files || s.state != SourceState::Starting)
                .map(|s| (s, s.activity.standing(), s.stands()))
                .map(|(s, standing, (state, since))| SourceStatus {
                    name: s.name.clone(),
                    state,
                    since: now.saturating_duration_since(since),
                    revision: standing.as_ref().and_then(|standing| standing.revision.clone()),
                    retries: standing.as_ref().map_or(0, |standing| standing.retries),
                    error: s.error.clone(),
                    answered: s.answered.map(|at| now.saturating_duration_since(at)),
                    checked: s.checked().map(|at| now.saturating_duration_since(at)),
                    polling: s.activity.polling.load(Ordering::Relaxed)
                        || standing.as_ref().is_some_and(|standing| standing.polled),
                    last_failure: standing.and_then(|standing| standing.error),
                    reads: of(&s.activity.reads),
                    parses: of(&s.activity.parses),
                    splices: of(&s.activity.splices),
                })
                .collect(),
            warnings: state
                .warnings
                .iter()
                .cloned()
                .chain(state.sources.iter().flat_map(Source::remarks))
                .collect(),
            rejected: state.rejected.clone(),
            counters: Counters {
                documents: of(&self.documents),
                reads: state.sources.iter().map(|s| of(&s.activity.reads)).sum(),
                parses: state.sources.iter().map(|s| of(&s.activity.parses)).sum(),
                splices: state.sources.iter().map(|s| of(&s.activity.splices)).sum(),
                reloads: of(&self.reloads),
                applied: of(&self.applied),
                refused: of(&self.refused),
                decoded: of(&self.decoded),
                callbacks: of(&self.callbacks),
            },
            stopped: state.stopped,
        }
    }
}
