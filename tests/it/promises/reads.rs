//! 9. Never blocks readers: a read takes no lock and allocates nothing, whatever writers do.

use crate::support::{Held, Pair, Small, by_hand, pair, until};
use allocation_counter::measure;
use hotconf::{BoxFuture, Context, Format, Hot, HotConf, Inline, InlineHandle, Source, SourceError, Update};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Sets new versions as fast as they are taken, until the guard drops.
struct Storm {
    stop: Arc<AtomicBool>,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl Storm {
    fn over(config: &Hot<Pair>, handle: InlineHandle) -> Self {
        let (stop, config) = (Arc::new(AtomicBool::new(false)), config.clone());
        let seen = stop.clone();
        let writer = std::thread::spawn(move || {
            for n in 2.. {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                handle.set(pair(n));
                config.blocking_reload().expect("a good document");
            }
        });
        Self { stop, writer: Some(writer) }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.writer.take().expect("it is joined once").join();
        assert!(ended.is_ok() || std::thread::panicking(), "the writer wrote to the end");
    }
}

#[test]
fn a_read_allocates_nothing_after_a_threads_first_while_versions_are_swapped() {
    let (config, handle) = by_hand::<Pair>(&pair(1));
    let storm = Storm::over(&config, handle);
    until("the storm has begun", || config.version() > 3);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let config = config.clone();
            std::thread::spawn(move || {
                let (mut reader, live) = (config.reader(), config.live(Pair::FIELDS.a));
                let mut all = || {
                    let now = config.load();
                    let held = (config.load(), config.load());
                    assert!(now.is_whole() && held.0.is_whole() && held.1.is_whole());
                    assert!(reader.load().is_whole());
                    assert!(config.snapshot().is_whole());
                    black_box((live.get(), reader.snapshot(), now.to_snapshot(), now.version()));
                };
                all();
                // Until the reads met some swaps, and at least so often.
                let (begun, mut reads) = (config.version(), 0);
                while config.version() < begun + 20 || reads < 10_000 {
                    let info = measure(&mut all);
                    assert_eq!(info.count_total, 0, "in read {reads}: {info:?}");
                    reads += 1;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("nothing was allocated");
    }
    drop(storm);
}

#[test]
fn the_counting_of_allocations_sees_one() {
    let info = measure(|| drop(black_box(Box::new([0u8; 64]))));
    assert_eq!((info.count_total, info.bytes_total), (1, 64));
}

/// Reads in a thread of its own, in every way, a thousand times; fails where that does not end.
fn reads_go_on<T: HotConf>(config: &Hot<T>, what: &str) {
    let (config, (done, finished)) = (config.clone(), mpsc::channel());
    std::thread::spawn(move || {
        let mut reader = config.reader();
        for _ in 0..1000 {
            black_box((config.load().version(), config.snapshot().version(), config.version()));
            black_box(std::ptr::from_ref(reader.load()));
        }
        done.send(()).expect("the test waits");
    });
    finished.recv_timeout(Duration::from_secs(5)).unwrap_or_else(|_| panic!("a reader waits while {what}"));
}

static CHECK: Held = Held::nobody();
static DECODE: Held = Held::nobody();
static END: Held = Held::nobody();

#[derive(Clone, Debug, HotConf)]
struct Slow {
    #[hotconf(default = 1, check = pass)]
    checked: u32,
    #[hotconf(default = Leaf(1))]
    leaf: Leaf,
}

#[allow(clippy::unnecessary_wraps)] // a check is of this shape
fn pass(_: &u32) -> Result<(), String> {
    CHECK.pass();
    Ok(())
}

/// A leaf whose decoding and whose end a test can hold up.
#[derive(Clone, Debug, PartialEq)]
struct Leaf(u32);

impl<'de> Deserialize<'de> for Leaf {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(source)?;
        DECODE.pass();
        Ok(Self(number))
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        END.pass();
    }
}

#[test]
fn reads_go_on_while_code_of_the_user_holds_up_a_reload() {
    let (config, handle) = by_hand::<Slow>("checked = 1\nleaf = 1");
    let places = [
        (2, &CHECK, "a check runs"),
        (3, &DECODE, "a leaf is decoded"),
        (4, &END, "an old value is dropped"),
    ];
    for (n, place, what) in places {
        let (comes, go) = place.next();
        handle.set(format!("checked = {n}\nleaf = {n}"));
        comes.recv_timeout(Duration::from_secs(5)).unwrap_or_else(|_| panic!("never: {what}"));
        reads_go_on(&config, what);
        drop(go);
        until("applied in the end", || config.load().leaf == Leaf(n));
    }
}

#[test]
fn reads_go_on_while_a_subscriber_hangs() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let (release, held) = mpsc::channel::<()>();
    let (began, begins) = mpsc::channel();
    let _hangs = config.on_change(Small::FIELDS.n, move |_| {
        began.send(()).expect("the test waits");
        let _ = held.recv();
    });
    handle.set("n = 2");
    begins.recv_timeout(Duration::from_secs(5)).expect("it is called");
    reads_go_on(&config, "a callback hangs");
    drop(release);
}

#[test]
fn reads_go_on_while_a_source_does_not_answer() {
    struct Silent(bool);
    impl Source for Silent {
        fn describe(&self) -> Cow<'_, str> {
            "silent".into()
        }
        fn next<'a>(&'a mut self, _: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
            Box::pin(async {
                if std::mem::replace(&mut self.0, true) {
                    std::future::pending::<()>().await;
                }
                Update::parse(Format::Toml, "silent", b"n = 2")
            })
        }
    }
    let config = Hot::<Small>::builder().source(Silent(false)).blocking_start().expect("loaded");
    let other = config.clone();
    let reload = std::thread::spawn(move || other.blocking_reload());
    reads_go_on(&config, "a reload waits for a source");
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    assert!(reload.join().expect("no panic").is_err());
}

#[test]
fn a_reader_that_holds_on_to_a_version_holds_up_no_writer() {
    let (source, handle) = Inline::channel("app.toml", Format::Toml, "n = 1");
    let config = Hot::<Small>::builder().source(source).blocking_start().expect("loaded");
    // More than a thread has fast places for: each keeps its own version all the same.
    let mut guards = vec![config.load()];
    for n in 2..40 {
        handle.set(format!("n = {n}"));
        assert_eq!(config.blocking_reload().expect("good"), n);
        guards.push(config.load());
    }
    for (n, guard) in (1..).zip(&guards) {
        assert_eq!((guard.n, guard.version()), (n, n));
    }
}

#[test]
fn after_a_reload_every_way_to_read_finds_the_new_version() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let (mut reader, live) = (config.reader(), config.live(Small::FIELDS.n));
    for n in 2..20 {
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
        assert_eq!((config.load().n, config.snapshot().n, reader.load().n, live.get()), (n, n, n, n));
    }
}
