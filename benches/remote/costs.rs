//! What following costs: one key of a thousand, a hundred configurations, an idle one, and its heap.

use crate::common::shapes::Fifty;
use crate::forwarder::Forwarder;
use crate::stores::{App, Bench, FOLDER};
use hotconf::{Hot, HotConf};
use std::fs;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a configuration may take to end.
const GRACE: Duration = Duration::from_secs(5);
/// Of the idle one.
const WINDOW: Duration = Duration::from_secs(60);
/// So many at once: pages are counted, and one has less than a few.
const CROWD: u32 = 40;

/// The leaves of a value as paths and texts.
fn leaves(path: &str, value: &serde_json::Value, out: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(table) => table.iter().for_each(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}/{key}") };
            leaves(&path, value, out);
        }),
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => out.push((path.to_owned(), text.clone())),
        other => out.push((path.to_owned(), other.to_string())),
    }
}

pub(crate) fn one_of_a_thousand<B: Bench>(store: &mut B) {
    let mut all = Vec::new();
    leaves("", &serde_json::to_value(Fifty::sample(1)).expect("JSON"), &mut all);
    store.fill("many", &all);
    let config: Hot<Fifty> = store.follow("many");
    let (before, version) = (config.status().counters, config.version());
    let (path, _) = all.iter().find(|(path, _)| path.ends_with("/limit")).expect("a number");
    store.put("many", path, "77");
    let end = Instant::now() + Duration::from_secs(30);
    while config.version() == version {
        assert!(Instant::now() < end, "{:?}", config.status());
        std::thread::sleep(Duration::from_millis(1));
    }
    let after = config.status().counters;
    println!(
        "  one of {} keys: {} decoded, {} documents parsed, {} version",
        all.len(),
        after.decoded - before.decoded,
        after.parses - before.parses,
        config.version() - version
    );
    config.blocking_shutdown(GRACE).expect("calm");
}

pub(crate) fn a_hundred<B: Bench>(store: &mut B) {
    store.put(FOLDER, "n", "1");
    std::thread::sleep(Duration::from_millis(500));
    let (forwarder, before) = (Forwarder::before(store.address()), store.watches());
    let configs: Vec<Hot<App>> = (0..100).map(|_| B::follow_at(forwarder.address(), FOLDER)).collect();
    std::thread::sleep(Duration::from_millis(500));
    let watches = store.watches().zip(before).map_or_else(
        || "as many questions held".to_owned(),
        |(after, before)| format!("{} watches", after - before),
    );
    println!("  100 configurations: {} connections, {watches}", forwarder.connections());
    for config in configs {
        config.blocking_shutdown(GRACE).expect("calm");
    }
}

/// How often threads of configurations gave up the processor to wait.
fn waits() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let waits = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        let waits = line.rsplit('\t').next()?.trim().parse::<u64>().ok()?;
        name.starts_with("hotconf").then_some(waits)
    });
    waits.sum()
}

pub(crate) fn idle<B: Bench>(store: &mut B) {
    store.put(FOLDER, "n", "1");
    let forwarder = Forwarder::before(store.address());
    let config: Hot<App> = B::follow_at(forwarder.address(), FOLDER);
    // What a worker does after a start, and the first heartbeats.
    std::thread::sleep(Duration::from_secs(12));
    let (before, (up, down)) = (waits(), forwarder.pieces());
    std::thread::sleep(WINDOW);
    let (after, pieces) = (waits(), forwarder.pieces());
    println!(
        "  idle for {} s: {} wake-ups, {} messages sent and {} heard",
        WINDOW.as_secs(),
        after - before,
        pieces.0 - up,
        pieces.1 - down
    );
    config.blocking_shutdown(GRACE).expect("calm");
}

/// KiB that the process has of its own.
fn own_memory() -> f64 {
    let maps = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let line = maps.lines().find(|line| line.starts_with("Anonymous:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// What each of a crowd of idle sources has, in one configuration; and each of as many bare watches, with its thread.
pub(crate) fn heap<B: Bench>(store: &mut B) {
    #[derive(Clone, Debug, HotConf)]
    struct Same {
        n: u64,
    }
    store.put(FOLDER, "n", "1");
    (0..CROWD).for_each(|number| store.put(&format!("of{number}"), "n", "1"));
    let first: Hot<App> = store.follow(FOLDER);
    std::thread::sleep(Duration::from_secs(1));
    let before = own_memory();
    let mut builder = Hot::<Same>::builder();
    for number in 0..CROWD {
        builder = builder.source(B::source(store.address(), &B::key(&format!("of{number}"), "")));
    }
    let config = builder.blocking_start().expect("the first load");
    std::thread::sleep(Duration::from_secs(2));
    let ours = (own_memory() - before) / f64::from(CROWD);
    config.blocking_shutdown(GRACE).expect("calm");
    first.blocking_shutdown(GRACE).expect("calm");
    std::thread::sleep(Duration::from_millis(500));
    let before = own_memory();
    let (told, heard) = mpsc::channel();
    let bare: Vec<_> = (0..CROWD)
        .map(|_| {
            let stream = TcpStream::connect(store.address()).expect("connected");
            let (end, told) = (stream.try_clone().expect("a second handle"), told.clone());
            let thread = std::thread::spawn(move || {
                // It ends with its connection.
                let _ = B::watch(stream, &mut || told.send(()).unwrap_or_default());
            });
            heard.recv().expect("the watch stands");
            (end, thread)
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    let theirs = (own_memory() - before) / f64::from(CROWD);
    println!("  one of {CROWD} idle sources: {ours:.1} KiB; one of as many bare watches: {theirs:.1} KiB");
    for (end, thread) in bare {
        end.shutdown(Shutdown::Both).expect("open");
        thread.join().expect("ended");
    }
}
