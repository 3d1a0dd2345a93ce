//! What the conformance suite asks of a store, and what it watches a configuration with.

use hotconf::remote::{Backoff, Remote, Store};
use hotconf::{Event, FieldChange, Hot, HotConf, Inline, Source, SourceState, SourceStatus, Subscription};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// A store that can be written to, and that faults can be made of.
pub(crate) trait Rig {
    type Store: Store;

    /// What test output calls it.
    const NAME: &'static str;

    /// By how many bytes the places of cuts are apart: 1 tries every place.
    const STEP: u64 = 1;

    /// Whether everything is listed anew on a connection that takes the place of the one before.
    const LISTS_APART: bool = false;

    /// Where clients reach it.
    fn address(&self) -> SocketAddr;

    /// The source of all keys, by way of `at`: the address itself, or that of a proxy before it. Sources by one way
    /// share a connection.
    fn source(&self, at: SocketAddr) -> Remote<Self::Store>;

    /// What the origin of a value says that stands at `key`.
    fn place(&self, key: &str) -> String {
        key.to_owned()
    }

    /// Writes and deletes keys, in one transaction.
    fn change(&self, changes: &[(&str, Option<&str>)]);

    fn put(&self, key: &str, value: &str) {
        self.change(&[(key, Some(value))]);
    }

    fn delete(&self, key: &str) {
        self.change(&[(key, None)]);
    }

    /// As `kill -9` does. What was written stays.
    fn kill(&self);

    /// Where it was, with what was written.
    fn restart(&self);

    /// As SIGSTOP does: connections stay, and nothing answers.
    fn freeze(&self);

    fn thaw(&self);

    /// Keeps a copy of all data as of now.
    fn keep(&self);

    /// While it is killed: puts the copy back.
    fn restore(&self);
}

/// What the suite configures: two numbers that are written together, and one key with a layer below.
#[derive(Clone, Debug, PartialEq, HotConf)]
pub(crate) struct App {
    #[hotconf(default = 0)]
    pub(crate) a: u64,
    #[hotconf(default = 0)]
    pub(crate) b: u64,
    pub(crate) text: String,
    #[hotconf(default = "")]
    pub(crate) pad: String,
}

pub(crate) const BELOW: &str = "from the layer below";

/// How long anything may take, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Locks, whether or not a test that failed held it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static COUNTED: RwLock<()> = RwLock::new(());

/// Held by tests that run beside others.
pub(crate) fn among_others() -> RwLockReadGuard<'static, ()> {
    COUNTED.read().unwrap_or_else(PoisonError::into_inner)
}

/// Held by tests that count what the process has.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    COUNTED.write().unwrap_or_else(PoisonError::into_inner)
}

/// The settings with which faults are found, and healed, in milliseconds.
pub(crate) fn brisk<S: Store>(source: Remote<S>) -> Remote<S> {
    let milli = Duration::from_millis(1);
    source
        .deadline(500 * milli)
        .backoff(Backoff {
            first: 5 * milli,
            longest: 100 * milli,
            reset_after: 50 * milli,
            denied: 100 * milli,
        })
        .resync(Duration::from_secs(1))
}

/// A configuration with all that it told.
pub(crate) struct Watched {
    pub(crate) config: Hot<App>,
    told: Arc<Mutex<Told>>,
    _calls: Subscription,
}

#[derive(Default)]
struct Told {
    events: Vec<Event>,
    calls: Vec<u64>,
}

impl Watched {
    pub(crate) fn start(source: impl Source) -> Self {
        Self::try_start(source).expect("the first load")
    }

    pub(crate) fn try_start(source: impl Source) -> Result<Self, hotconf::Error> {
        let told = Arc::new(Mutex::new(Told::default()));
        let (hears, called) = (told.clone(), told.clone());
        let config = Hot::<App>::builder()
            .source(Inline::toml("below", format!("text = \"{BELOW}\"")))
            .source(source)
            .startup_deadline(PATIENCE)
            .on_event(move |event| lock(&hears).events.push(event.clone()))
            .blocking_start()?;
        let calls = config.on_change(App::FIELDS.a, move |change| lock(&called).calls.push(*change.new()));
        Ok(Self { config, told, _calls: calls })
    }

    /// Waits until the configuration says so.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&App) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.config.load()) {
            let now = Instant::now();
            assert!(now < end, "{what}: {:?}, {:?}, {}", *self.config.load(), self.remote(), self.story());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the store's source stands so.
    pub(crate) fn until_it_is(&self, state: SourceState) -> SourceStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            let status = self.remote();
            if status.state == state {
                return status;
            }
            assert!(Instant::now() < end, "not {state:?}: {status:?}, {}", self.story());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How the store's source stands.
    pub(crate) fn remote(&self) -> SourceStatus {
        self.config.status().sources[1].clone()
    }

    /// Forgets what was told so far.
    pub(crate) fn forget(&self) {
        lock(&self.told).events.clear();
    }

    /// How many events were told that are no version.
    pub(crate) fn alarms(&self) -> usize {
        lock(&self.told).events.iter().filter(|event| !matches!(event, Event::Applied(_))).count()
    }

    pub(crate) fn versions(&self) -> usize {
        lock(&self.told).events.iter().filter(|event| matches!(event, Event::Applied(_))).count()
    }

    pub(crate) fn story(&self) -> String {
        let events: Vec<_> = lock(&self.told).events.iter().map(|event| format!("\n  {event}")).collect();
        events.concat()
    }

    /// Stops it, and holds what it told against what it may tell: versions one by one, each of which moves
    /// something, and no number told twice in a row.
    pub(crate) fn end(self) {
        self.config.blocking_shutdown(PATIENCE).expect("nothing hangs");
        let story = self.story();
        let told = lock(&self.told);
        let mut version = None;
        for event in &told.events {
            if let Event::Applied(applied) = event {
                assert!(version.is_none_or(|version| version == applied.previous()), "{story}");
                assert_eq!(applied.version(), applied.previous() + 1, "{story}");
                let moved = applied.changes();
                assert!(moved.iter().all(told_apart) && !moved.is_empty(), "{story}");
                version = Some(applied.version());
            }
        }
        assert!(told.calls.windows(2).all(|pair| pair[0] != pair[1]), "told twice: {:?}", told.calls);
    }
}

/// Whether what a field was and what it is differ; of a secret neither is told.
fn told_apart(change: &FieldChange) -> bool {
    change.old != change.new || change.new.as_deref() == Some("(secret)")
}

/// Waits until it holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
