//! From a put to the new version being readable, beside a watch that does nothing with what it hears.

use crate::common::{human, spread};
use crate::stores::{App, Bench, FOLDER, Watching};
use hotconf::{Hot, Live};
use std::future::Future;
use std::net::{Shutdown, TcpStream};
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 15;

pub(crate) fn latency<B: Bench>(store: &mut B) {
    let (mut limit, mut surely, mut visible) = (vec![], vec![], vec![]);
    let (mut ratios, mut sure_ratios) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let (theirs, own) = (bare(store, B::watch), ours(store));
        ratios.push(spread(&own).1 / spread(&theirs).1);
        if let Some(watch) = B::SURE {
            let sure = bare(store, watch);
            sure_ratios.push(spread(&own).1 / spread(&sure).1);
            surely.extend(sure);
        }
        limit.extend(theirs);
        visible.extend(own);
    }
    println!("  put of one key, p50 of {} puts in {ROUNDS} rounds (10th to 90th of a hundred)", limit.len());
    let row = |name: &str, mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        let at = |part: usize| human(times[times.len() * part / 100]);
        println!("    {name:<42} {:>12} ({} to {})", at(50), at(10), at(90));
    };
    row("bare watch: the value is there", limit);
    if B::SURE.is_some() {
        row("bare watch: and it is sure", surely);
    }
    row("hotconf: the version is readable", visible);
    for (name, ratios) in [("the bare watch", ratios), ("the sure one", sure_ratios)] {
        if !ratios.is_empty() {
            let (low, mid, high) = spread(&ratios);
            println!("    round by round {mid:.2}x of {name} ({low:.2} to {high:.2})");
        }
    }
}

/// One put, until it was heard of.
fn put<B: Bench, T>(store: &mut B, n: u64, heard: &mpsc::Receiver<(Instant, T)>) -> (f64, T) {
    let begun = Instant::now();
    store.put(FOLDER, "n", &n.to_string());
    let (at, told) = heard.recv_timeout(Duration::from_secs(30)).expect("told");
    ((at - begun).as_secs_f64() * 1e9, told)
}

fn bare<B: Bench>(store: &mut B, watch: Watching) -> Vec<f64> {
    store.put(FOLDER, "n", "0");
    let (told, heard) = mpsc::channel();
    let stream = TcpStream::connect(store.address()).expect("connected");
    let end = stream.try_clone().expect("a second handle");
    let thread = std::thread::spawn(move || {
        // It ends with its connection.
        let _ = watch(stream, &mut || told.send((Instant::now(), ())).unwrap_or_default());
    });
    heard.recv().expect("the watch stands");
    let times = (1..=B::PUTS).map(|n| {
        std::thread::sleep(B::PAUSE);
        put(store, n, &heard).0
    });
    let times = times.collect();
    end.shutdown(Shutdown::Both).expect("open");
    thread.join().expect("ended");
    times
}

/// Takes the time when a watch is woken: on the thread that swaps, right behind the swap.
struct Seen {
    live: Live<u64>,
    told: Mutex<mpsc::Sender<(Instant, u64)>>,
}

impl Wake for Seen {
    fn wake(self: Arc<Self>) {
        let seen = (Instant::now(), self.live.get());
        // Nobody hears the last one.
        let _ = self.told.lock().expect("sane").send(seen);
    }
}

/// hotconf: until the version can be read.
fn ours<B: Bench>(store: &mut B) -> Vec<f64> {
    store.put(FOLDER, "n", "0");
    let config: Hot<App> = store.follow(FOLDER);
    let (told, heard) = mpsc::channel();
    let seen = Arc::new(Seen { live: config.live(App::FIELDS.n), told: Mutex::new(told) });
    let waker = Waker::from(seen);
    let mut watch = config.watch(App::FIELDS.n);
    // Past what follows a start.
    std::thread::sleep(Duration::from_millis(50));
    let times = (1..=B::PUTS).map(|n| {
        std::thread::sleep(B::PAUSE);
        while pin!(watch.next()).poll(&mut Context::from_waker(&waker)).is_ready() {}
        let (time, found) = put(store, n, &heard);
        assert_eq!(found, n, "what is read then is the new version");
        time
    });
    let times = times.collect();
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    times
}
