//! From the rename of a 2 KB TOML file to the new version being readable, and to the callback, beside raw
//! inotify + read + parse in the same run.
//!
//! `cargo bench --bench reload`

mod common;

use common::shapes::{Five, two_kilobytes};
use common::{human, spread};
use hotconf::{Event, File, Hot, Live};
use inotify::{Inotify, WatchMask};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

/// Longer than an idle worker stays.
const REST: Duration = Duration::from_secs(11);
/// So many saves after a rest, so many times, of each.
const RESTED: u64 = 3;

fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).expect("written");
    std::fs::rename(&beside, path).expect("renamed");
}

/// The limit: a thread that blocks on inotify, reads the file and parses it.
fn raw(dir: &Path, rounds: u64, rest: Duration) -> Vec<f64> {
    let path = dir.join("raw.toml");
    std::fs::write(&path, two_kilobytes(0)).expect("written");
    let mut inotify = Inotify::init().expect("inotify");
    inotify.watches().add(dir, WatchMask::MOVED_TO).expect("watched");
    let (told, heard) = mpsc::channel();
    let file = path.clone();
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        for _ in 0..rounds {
            loop {
                let events = inotify.read_events_blocking(&mut buffer).expect("events");
                if events.into_iter().any(|e| e.name.is_some_and(|n| n == "raw.toml")) {
                    break;
                }
            }
            let text = std::fs::read_to_string(&file).expect("read");
            let value: Five = toml::from_str(&text).expect("parsed");
            told.send((Instant::now(), value)).expect("listening");
        }
    });
    let times = (1..=rounds)
        .map(|n| {
            std::thread::sleep(rest);
            let text = two_kilobytes(n);
            let begun = Instant::now();
            replace(&path, &text);
            let (seen, _) = heard.recv().expect("seen");
            std::thread::sleep(Duration::from_millis(2));
            (seen - begun).as_secs_f64() * 1e9
        })
        .collect();
    thread.join().expect("ended");
    times
}

/// Takes the time, and the value that can be read then, when a watch is woken: on the thread that swaps,
/// right behind the swap. A thread that spins on `load` instead would take a core from what is measured.
struct Seen {
    live: Live<u64>,
    at: Mutex<Option<(Instant, u64)>>,
}

impl Wake for Seen {
    fn wake(self: Arc<Self>) {
        let limit = self.live.get();
        *self.at.lock().expect("sane") = Some((Instant::now(), limit));
    }
}

/// hotconf: until `load` shows the version, and until the callback runs.
fn ours(dir: &Path, rounds: u64, rest: Duration) -> (Vec<f64>, Vec<f64>, u64) {
    let path = dir.join("ours.toml");
    std::fs::write(&path, two_kilobytes(0)).expect("written");
    let config: Hot<Five> = Hot::builder().source(File::new(&path)).blocking_start().expect("loaded");
    let (told, heard) = mpsc::channel();
    let _keep = config.on_change(Five::FIELDS.s0.limit, move |change| {
        told.send((Instant::now(), change.version())).expect("listening");
    });
    let seen = Arc::new(Seen { live: config.live(Five::FIELDS.s0.limit), at: Mutex::new(None) });
    let waker = Waker::from(seen.clone());
    let mut watch = config.watch(Five::FIELDS.s0.limit);
    let mut events = config.events();
    let (mut visible, mut called) = (Vec::new(), Vec::new());
    for n in 1..=rounds {
        std::thread::sleep(rest);
        let text = two_kilobytes(n);
        // Takes what the watch was told before, then waits.
        while std::pin::pin!(watch.next()).poll(&mut Context::from_waker(&waker)).is_ready() {}
        let begun = Instant::now();
        replace(&path, &text);
        let (at, _) = heard.recv().expect("called");
        called.push((at - begun).as_secs_f64() * 1e9);
        let (at, limit) = seen.at.lock().expect("sane").take().expect("woken before the callback ran");
        assert_eq!(limit, n * 10 * 1_000, "what is read when the watch is woken is the new version");
        visible.push((at - begun).as_secs_f64() * 1e9);
        std::thread::sleep(Duration::from_millis(2));
    }
    let changes = std::iter::from_fn(|| events.try_next()).filter(|e| matches!(e, Event::Applied(_))).count();
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    (visible, called, changes as u64)
}

fn main() {
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (mut limit, mut visible, mut called, mut changes) = (vec![], vec![], vec![], 0);
    // Interleaved, so that a drift of the machine meets both.
    for _ in 0..10 {
        limit.extend(raw(dir.path(), 40, Duration::ZERO));
        let (v, c, n) = ours(dir.path(), 40, Duration::ZERO);
        visible.extend(v);
        called.extend(c);
        changes += n;
    }
    println!("\nrename of a 2 KB TOML file, p50 of {} saves; {changes} versions", limit.len());
    let base = row("raw inotify + read + parse", &limit, None);
    row("hotconf: version readable", &visible, Some(base));
    row("hotconf: callback on a worker", &called, Some(base));
    // By then the workers have gone, the caches hold other things and the processor sleeps: for both.
    let (mut limit, mut visible, mut called) = (vec![], vec![], vec![]);
    for _ in 0..RESTED {
        limit.extend(raw(dir.path(), RESTED, REST));
        let (v, c, _) = ours(dir.path(), RESTED, REST);
        visible.extend(v);
        called.extend(c);
    }
    println!("\nthe same, each after {} s of rest, p50 of {} saves", REST.as_secs(), limit.len());
    let base = row("raw inotify + read + parse", &limit, None);
    row("hotconf: version readable", &visible, Some(base));
    row("hotconf: callback on a worker", &called, Some(base));
}

/// Prints the times beside a median, if there is one; returns their own.
fn row(name: &str, times: &[f64], base: Option<f64>) -> f64 {
    let (low, mid, high) = spread(times);
    let ratio = mid / base.unwrap_or(mid);
    println!("  {name:<44} {:>12} ({} to {})  {ratio:>6.2}x", human(mid), human(low), human(high));
    mid
}
