//! Remote stores as a configuration sees them, over a store in memory: what is told, and starts without it.

use crate::support::{Dir, wait_for};
use hotconf::remote::{Backoff, Cache, Entry, Identity, Map, Remote, Session, Step, Store};
use hotconf::{Context, Cursor, Event, Hot, HotConf, Inline, Secret, SourceError, SourceExt, SourceState};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A store in memory that can be taken down.
#[derive(Clone, Default)]
struct Memory(Arc<State>);

#[derive(Default)]
struct State {
    map: Mutex<(Map, u64)>,
    down: Mutex<bool>,
    changed: Notify,
}

impl Memory {
    fn holding(entries: &[(&str, &str)]) -> Self {
        let memory = Self::default();
        memory.put(entries);
        memory
    }

    /// One transaction.
    fn put(&self, entries: &[(&str, &str)]) {
        let mut map = self.0.map.lock().unwrap();
        map.1 += 1;
        for (key, value) in entries {
            let entry = Entry::new(value.as_bytes(), map.1);
            map.0.insert((*key).into(), entry);
        }
        drop(map);
        self.0.changed.notify_waiters();
    }

    fn clear(&self) {
        let mut map = self.0.map.lock().unwrap();
        map.1 += 1;
        map.0.clear();
        drop(map);
        self.0.changed.notify_waiters();
    }

    fn set_down(&self, down: bool) {
        *self.0.down.lock().unwrap() = down;
        self.0.changed.notify_waiters();
    }

    fn is_down(&self) -> Result<(), SourceError> {
        if *self.0.down.lock().unwrap() { Err(SourceError::down("connection refused")) } else { Ok(()) }
    }

    fn source(&self) -> Remote<Self> {
        let fast = Backoff {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(50),
            ..Backoff::default()
        };
        Remote::of(self.clone()).keys("/shop/").backoff(fast)
    }
}

impl Store for Memory {
    type Session = Self;

    fn describe(&self) -> String {
        "memory".into()
    }

    fn identity(&self) -> Identity {
        Identity::of([format!("{:p}", Arc::as_ptr(&self.0))])
    }

    async fn connect(&self, _: &Context, _: u32) -> Result<Self, SourceError> {
        self.is_down()?;
        Ok(self.clone())
    }
}

impl Session for Memory {
    async fn next(&mut self, _: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        loop {
            let changed = self.0.changed.notified();
            self.is_down()?;
            let (all, order) = self.0.map.lock().unwrap().clone();
            if after.is_none_or(|after| after.order < order) {
                return Ok(Step::Listing { all, cursor: Cursor { order, ..Cursor::default() } });
            }
            changed.await;
        }
    }
}

#[derive(Clone, Debug, HotConf)]
struct Shop {
    #[hotconf(nested)]
    http: Http,
    db_password: Secret<String>,
}

#[derive(Clone, Debug, HotConf)]
struct Http {
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
}

const ALL: &[(&str, &str)] = &[("/shop/http/timeout", "2s"), ("/shop/db_password", "canary-7f3a")];

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn holds(dir: &Path, needle: &str) -> bool {
    let files = std::fs::read_dir(dir).unwrap();
    // One may have been renamed since.
    let mut contents = files.filter_map(|file| std::fs::read(file.unwrap().path()).ok());
    contents.any(|bytes| bytes.windows(needle.len()).any(|part| part == needle.as_bytes()))
}

#[test]
fn a_transaction_of_the_store_is_one_version_with_an_origin_for_each_key() {
    let memory = Memory::holding(ALL);
    let config = Hot::<Shop>::builder().source(memory.source()).blocking_start().unwrap();
    memory.put(&[("/shop/http/timeout", "4s"), ("/shop/http/retries", "9")]);
    until("the change", || config.version() == 2);
    let now = config.load();
    assert_eq!((now.http.timeout.as_secs(), now.http.retries), (4, 9));
    assert_eq!(now.origin(Shop::FIELDS.http.retries).to_string(), "memory /shop/http/retries @ revision 2");
}

#[test]
fn an_outage_is_two_events_and_the_status_says_since_when_it_is_stale() {
    let memory = Memory::holding(ALL);
    let config = Hot::<Shop>::builder().source(memory.source()).blocking_start().unwrap();
    let mut events = config.events();
    memory.set_down(true);
    let down = events.blocking_next().unwrap().unwrap();
    assert!(matches!(&down, Event::SourceDown(down) if down.source() == "memory"), "{down:?}");
    until("three attempts", || config.status().sources[0].retries >= 3);
    let status = config.status();
    assert_eq!(status.sources[0].state, SourceState::Stale);
    assert_eq!(status.sources[0].last_failure.as_deref(), Some("connection refused"));
    assert!(!status.is_healthy());
    memory.put(&[("/shop/http/retries", "8")]);
    memory.set_down(false);
    until("the change", || config.load().http.retries == 8);
    let mut told = Vec::new();
    while told.len() < 2 {
        told.push(events.blocking_next().unwrap().unwrap());
    }
    assert!(told.iter().any(|event| matches!(event, Event::SourceUp(_))), "{told:?}");
    assert!(told.iter().any(|event| matches!(event, Event::Applied(_))), "{told:?}");
    until("its revision", || config.status().sources[0].revision.as_deref() == Some("2"));
}

#[test]
fn a_refused_document_stays_out_and_a_repaired_one_applies_by_itself() {
    let memory = Memory::holding(ALL);
    let config = Hot::<Shop>::builder().source(memory.source()).blocking_start().unwrap();
    memory.put(&[("/shop/http/timeout", "soon")]);
    until("the refusal", || config.status().rejected.is_some());
    let said = format!("{:?}", config.status().rejected.unwrap());
    assert!(said.contains("memory /shop/http/timeout @ revision 2"), "{said}");
    assert_eq!(config.status().sources[0].revision.as_deref(), Some("1"));
    memory.put(&[("/shop/http/timeout", "5s")]);
    until("the repair", || config.load().http.timeout.as_secs() == 5);
    assert!(config.status().rejected.is_none());
    assert_eq!(config.status().counters.refused, 1);
    // And one that is taken back, so that nothing moves.
    memory.put(&[("/shop/http/timeout", "soon")]);
    until("the refusal", || config.status().rejected.is_some());
    let version = config.version();
    memory.put(&[("/shop/http/timeout", "5s")]);
    until("that it is well", || config.status().rejected.is_none());
    until("its state", || config.status().sources[0].state == SourceState::Following);
    assert_eq!(config.version(), version);
}

#[test]
fn of_a_store_and_another_source_that_change_in_the_same_instant_the_later_layer_wins_in_both_orders() {
    for store_last in [true, false] {
        let memory = Memory::holding(&[("/shop/low", "0"), ("/shop/high", "0")]);
        let (other, handle) = Inline::channel("other", hotconf::Format::Toml, "low = 0\nhigh = 0");
        let builder = Hot::<Bounds>::builder();
        let builder = if store_last {
            builder.source(other).source(memory.source())
        } else {
            builder.source(memory.source()).source(other)
        };
        let config = builder.blocking_start().unwrap();
        for n in 1..=50_u32 {
            let (stored, set) = (n * 2, n * 2 + 1);
            memory.put(&[("/shop/low", "0"), ("/shop/high", &stored.to_string())]);
            handle.set(format!("low = 0\nhigh = {set}"));
            let wins = if store_last { stored } else { set };
            until("the later layer", || config.load().high == wins);
        }
        let (version, _) = (config.version(), config.blocking_reload().unwrap());
        assert!(config.version() == version && version <= 101, "{version}: one version each at the most");
    }
}

#[test]
fn a_required_store_that_is_away_fails_the_start_with_the_last_reason() {
    let memory = Memory::holding(ALL);
    memory.set_down(true);
    let deadline = Duration::from_millis(100);
    let builder = Hot::<Shop>::builder().source(memory.source()).startup_deadline(deadline);
    let error = format!("{:?}", builder.blocking_start().unwrap_err());
    assert!(error.contains("memory") && error.contains("connection refused"), "{error}");
}

#[test]
fn an_optional_store_that_is_away_applies_when_it_comes() {
    let memory = Memory::holding(&[("/shop/http/retries", "7")]);
    memory.set_down(true);
    let base = Inline::toml("base", "http.timeout = \"1s\"\ndb_password = \"x\"");
    let builder = Hot::<Shop>::builder().source(base).source(memory.source().optional());
    let config = builder.blocking_start().unwrap();
    assert_eq!(config.load().http.retries, 3);
    until("that it is said to be down", || config.status().sources[1].state == SourceState::Down);
    memory.set_down(false);
    until("the change", || config.load().http.retries == 7);
}

#[test]
fn a_start_goes_on_without_an_optional_store_that_fails_while_another_is_waited_for() {
    let (away, slow) = (Memory::holding(&[("/shop/http/retries", "7")]), Memory::holding(ALL));
    away.set_down(true);
    slow.set_down(true);
    let comes = slow.clone();
    // The other tells its failure several times before this one answers.
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        comes.set_down(false);
    });
    let builder = Hot::<Shop>::builder().source(slow.source()).source(away.source().optional());
    let config = builder.blocking_start().unwrap();
    other.join().unwrap();
    assert_eq!(config.load().http.timeout.as_secs(), 2);
    until("that it is said to be down", || config.status().sources[1].state == SourceState::Down);
    away.set_down(false);
    until("the change", || config.load().http.retries == 7);
}

#[test]
fn one_look_reads_a_store_too() {
    let memory = Memory::holding(ALL);
    let loaded = Hot::<Shop>::builder().source(memory.source()).read().unwrap();
    assert_eq!(loaded.http.timeout.as_secs(), 2);
    memory.set_down(true);
    let builder = Hot::<Shop>::builder().source(memory.source());
    let error = builder.startup_deadline(Duration::from_millis(50)).read().unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
}

#[test]
fn a_start_without_the_store_takes_what_was_applied_last_and_no_secret_was_kept() {
    let (memory, dir) = (Memory::holding(ALL), Dir::new());
    let secrets = || Inline::toml("secrets", "db_password = \"given\"");
    let start = |memory: &Memory| {
        let source = memory.source().cached(Cache::in_dir(dir.path()));
        Hot::<Shop>::builder().source(secrets()).source(source).blocking_start()
    };
    let config = start(&memory).unwrap();
    memory.put(&[("/shop/http/retries", "9"), ("/shop/mistyped_password", "canary-7f3a")]);
    until("the change", || config.load().http.retries == 9);
    until("that it is kept", || holds(dir.path(), "9"));
    memory.put(&[("/shop/http/retries", "many")]);
    until("the refusal", || config.status().rejected.is_some());
    config.blocking_shutdown(Duration::from_secs(5)).unwrap();
    assert!(!holds(dir.path(), "canary-7f3a"), "neither a secret nor what is not known");

    memory.set_down(true);
    let config = start(&memory).unwrap();
    let now = config.load();
    assert_eq!((now.http.timeout.as_secs(), now.http.retries), (2, 9), "applied last, not refused last");
    assert_eq!(now.db_password.expose(), "given");
    let origin = now.origin(Shop::FIELDS.http.retries).to_string();
    assert_eq!(origin, "cache of memory @ revision 2");
    assert_eq!(config.status().sources[1].state, SourceState::Cached);
    memory.put(&[("/shop/http/retries", "5")]);
    memory.set_down(false);
    until("what the store says", || config.load().http.retries == 5);
    assert_eq!(config.status().sources[1].state, SourceState::Following);
}

#[test]
fn what_comes_from_the_cache_is_told_to_be_old_after_the_limit_too() {
    let (memory, dir) = (Memory::holding(ALL), Dir::new());
    let start = |memory: &Memory| {
        let base = Inline::toml("base", "db_password = \"x\"");
        let source = memory.source().cached(Cache::in_dir(dir.path())).stale_after(Duration::from_secs(1));
        Hot::<Shop>::builder().source(base).source(source).blocking_start().unwrap()
    };
    let config = start(&memory);
    until("that it is kept", || holds(dir.path(), "2s"));
    config.blocking_shutdown(Duration::from_secs(5)).unwrap();
    memory.set_down(true);
    let config = start(&memory);
    let mut events = config.events();
    wait_for(&mut events, "the limit", |event| event.to_string().contains("out of touch for more than 1s"));
    assert_eq!(config.status().sources[1].state, SourceState::Cached);
}

#[test]
fn a_start_from_the_cache_says_what_secret_it_lacks() {
    let (memory, dir) = (Memory::holding(ALL), Dir::new());
    let start = |memory: &Memory| {
        let source = memory.source().cached(Cache::in_dir(dir.path()));
        Hot::<Shop>::builder().source(source).blocking_start()
    };
    let config = start(&memory).unwrap();
    until("that it is kept", || holds(dir.path(), "2s"));
    drop(config);
    memory.set_down(true);
    let error = format!("{:?}", start(&memory).unwrap_err());
    assert!(error.contains("db_password") && error.contains("there are no secrets"), "{error}");
}

#[test]
fn a_sealed_cache_holds_secrets_and_shows_nothing() {
    let (memory, dir) = (Memory::holding(ALL), Dir::new());
    let start = |memory: &Memory, key: u8| {
        let cache = Cache::in_dir(dir.path()).sealed_with(Secret::from([key; 32]));
        let builder = Hot::<Shop>::builder().source(memory.source().cached(cache));
        builder.startup_deadline(Duration::from_millis(200)).blocking_start()
    };
    let config = start(&memory, 1).unwrap();
    until("that it is kept", || std::fs::read_dir(dir.path()).unwrap().count() > 0);
    config.blocking_shutdown(Duration::from_secs(5)).unwrap();
    assert!(!holds(dir.path(), "canary-7f3a") && !holds(dir.path(), "timeout"));
    memory.set_down(true);
    let config = start(&memory, 1).unwrap();
    assert_eq!(config.load().db_password.expose(), "canary-7f3a");
    drop(config);
    let error = format!("{:?}", start(&memory, 2).unwrap_err());
    assert!(error.contains("sealed with another key"), "{error}");
}

#[test]
fn a_cache_that_is_damaged_or_too_old_is_not_taken_and_that_is_said() {
    let (memory, dir) = (Memory::holding(ALL), Dir::new());
    let start = |memory: &Memory, cache: Cache| {
        let builder = Hot::<Shop>::builder().source(memory.source().cached(cache));
        builder.startup_deadline(Duration::from_millis(200)).blocking_start()
    };
    let cache = || Cache::in_dir(dir.path());
    let config = start(&memory, cache()).unwrap();
    until("that it is kept", || holds(dir.path(), "2s"));
    drop(config);
    memory.set_down(true);
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 1);
        std::fs::write(&path, bytes).unwrap();
    }
    let error = format!("{:?}", start(&memory, cache()).unwrap_err());
    assert!(error.contains("checksum") && error.contains("connection refused"), "{error}");
}

#[test]
fn a_start_takes_the_cache_where_the_store_was_emptied_or_holds_nonsense_and_that_is_told() {
    let (memory, dir) = (Memory::holding(ALL), Dir::new());
    let start = || {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let hears = told.clone();
        let config = Hot::<Shop>::builder()
            .source(memory.source().cached(Cache::in_dir(dir.path())))
            .source(Inline::toml("secrets", "db_password = \"given\""))
            .on_event(move |event| hears.lock().unwrap().push(event.to_string()))
            .blocking_start();
        (config.unwrap(), told)
    };
    let (config, _) = start();
    assert_eq!(config.load().http.timeout.as_secs(), 2);
    config.blocking_shutdown(Duration::from_secs(20)).unwrap();
    let nonsense = [("/shop/http", "one"), ("/shop/http/timeout", "2s")];
    let spoil: [(&dyn Fn(), &str, SourceState); 2] = [
        (&|| memory.clear(), "nothing is there", SourceState::Down),
        (&|| memory.put(&nonsense), "found both", SourceState::Refused),
    ];
    for (spoil, said, state) in spoil {
        spoil();
        let (config, told) = start();
        assert_eq!(config.load().http.timeout.as_secs(), 2, "what was in force last");
        until("that it is told", || told.lock().unwrap().iter().any(|told| told.contains(said)));
        assert_eq!(config.status().sources[0].state, state);
        memory.clear();
        memory.put(&[("/shop/http/timeout", "2s"), ("/shop/http/retries", "8")]);
        until("the repair", || config.load().http.retries == 8);
        until("that it is well", || config.status().sources[0].state == SourceState::Following);
        config.blocking_shutdown(Duration::from_secs(20)).unwrap();
    }
}

#[test]
fn a_process_that_is_shut_down_at_once_has_kept_what_it_applied() {
    let (memory, dir) = (Memory::holding(ALL), Dir::new());
    let start = || {
        let source = memory.source().cached(Cache::in_dir(dir.path()));
        let secrets = Inline::toml("secrets", "db_password = \"given\"");
        Hot::<Shop>::builder().source(source).source(secrets).blocking_start().unwrap()
    };
    for n in 1..=40 {
        memory.put(&[("/shop/http/retries", &n.to_string())]);
        let config = start();
        let changed = n % 2 == 0;
        if changed {
            memory.put(&[("/shop/http/retries", &(n + 1).to_string())]);
            until("the change", || config.load().http.retries == n + 1);
        }
        config.blocking_shutdown(Duration::from_secs(20)).unwrap();
        memory.set_down(true);
        let config = start();
        assert_eq!(config.load().http.retries, n + u32::from(changed));
        config.blocking_shutdown(Duration::from_secs(20)).unwrap();
        memory.set_down(false);
    }
}

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = in_order)]
struct Bounds {
    low: u32,
    high: u32,
}

fn in_order(bounds: &Bounds) -> Result<(), String> {
    if bounds.low <= bounds.high { Ok(()) } else { Err("`low` is above `high`".to_owned()) }
}

#[test]
fn what_another_layer_makes_valid_is_shown_in_force_and_kept() {
    let (memory, dir) = (Memory::holding(&[("/shop/low", "7"), ("/shop/high", "9")]), Dir::new());
    let (above, handle) = Inline::channel("above", hotconf::Format::Toml, "");
    let source = memory.source().cached(Cache::in_dir(dir.path()));
    let config = Hot::<Bounds>::builder().source(source).source(above).blocking_start().unwrap();
    memory.put(&[("/shop/high", "6")]);
    until("the refusal", || config.status().rejected.is_some());
    assert_eq!(config.status().sources[0].revision.as_deref(), Some("1"));
    handle.set("low = 3");
    until("both", || config.load().high == 6 && config.load().low == 3);
    until("its revision", || config.status().sources[0].revision.as_deref() == Some("2"));
    config.blocking_shutdown(Duration::from_secs(5)).unwrap();
    memory.set_down(true);
    let fixed = Inline::toml("above", "low = 3");
    let source = memory.source().cached(Cache::in_dir(dir.path()));
    let config = Hot::<Bounds>::builder().source(source).source(fixed).blocking_start().unwrap();
    assert_eq!(config.load().high, 6, "what was in force last");
}
