//! What a read costs: one number through `live`, `reader` and `load`, beside the bare parts.
//!
//! `cargo bench --bench read`

mod common;

use arc_swap::ArcSwap;
use common::{Case, beside, compare, counting, instructions};
use hotconf::{Hot, HotConf, Inline, InlineHandle};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Clone, Debug, HotConf)]
struct App {
    n: u64,
    #[hotconf(default = true)]
    on: bool,
    #[hotconf(default = 'x')]
    letter: char,
    #[hotconf(default = "5s")]
    timeout: Duration,
    #[hotconf(default = 7)]
    limit: Option<u32>,
    #[hotconf(default = "some text beside it")]
    text: String,
}

fn config() -> (Hot<App>, InlineHandle) {
    let (source, handle) = Inline::channel("app", hotconf::Format::Toml, "n = 1");
    (Hot::builder().source(source).blocking_start().expect("loaded"), handle)
}

/// So many reads are one run, so that the clock is asked rarely.
const READS: usize = 1000;

fn main() {
    let (config, handle) = config();
    let live = config.live(App::FIELDS.n);
    let (on, letter) = (config.live(App::FIELDS.on), config.live(App::FIELDS.letter));
    let (timeout, limit) = (config.live(App::FIELDS.timeout), config.live(App::FIELDS.limit));
    let mut reader = config.reader();
    let atomic = Arc::new(AtomicU64::new(1));
    let swap = Arc::new(ArcSwap::from_pointee(1u64));
    if let Some((name, n)) = counting() {
        // A loop per case, of the same shape in each; `empty` is taken off below.
        macro_rules! cases {
            ($($case:literal: $read:expr,)*) => {
                match name.as_str() {
                    $($case => for i in 0..n {
                        black_box(i);
                        black_box($read);
                    },)*
                    other => panic!("no case {other}"),
                }
            };
        }
        cases! {
            "empty": 0u64,
            "atomic": atomic.load(Ordering::Acquire),
            "arc_swap load": **swap.load(),
            "live u64": live.get(),
            "live bool": on.get(),
            "live char": letter.get(),
            "live Duration": timeout.get(),
            "live Option<u32>": limit.get(),
            "reader": reader.load().n,
            "load": config.load().n,
        }
        return;
    }
    let table = |title: &str| {
        let mut fast = config.reader();
        let sum = |read: &mut dyn FnMut() -> u64| (0..READS).map(|_| black_box(read())).sum::<u64>();
        compare(
            &format!("{title}: {READS} reads of one u64"),
            15,
            200,
            vec![
                Case::new("relaxed atomic", || sum(&mut || atomic.load(Ordering::Relaxed))),
                Case::new("live", || sum(&mut || live.get())),
                Case::new("reader", || sum(&mut || fast.load().n)),
                Case::new("load", || sum(&mut || config.load().n)),
                Case::new("snapshot", || sum(&mut || config.snapshot().n)),
                Case::new("arc_swap load", || sum(&mut || **swap.load())),
                Case::new("arc_swap load_full", || sum(&mut || *swap.load_full())),
            ],
        );
    };
    table("alone");
    beside(
        || {
            for _ in 0..1000 {
                black_box((config.load().n, live.get(), **swap.load(), atomic.load(Ordering::Relaxed)));
            }
        },
        || table("beside a second reader"),
    );
    let n = AtomicU64::new(2);
    beside(
        || {
            handle.set(format!("n = {}", n.fetch_add(1, Ordering::Relaxed)));
            swap.store(Arc::new(1));
            std::thread::sleep(Duration::from_micros(10));
        },
        || table("beside a writer every 10 us"),
    );
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    let cases = [
        "atomic",
        "live u64",
        "live bool",
        "live char",
        "live Duration",
        "live Option<u32>",
        "reader",
        "load",
        "arc_swap load",
    ];
    println!("\none read (instructions, callgrind, the loop taken off)");
    let Some(empty) = instructions("empty", 100_000) else { return println!("  valgrind is not installed") };
    for case in cases {
        println!("  {case:<44} {:>12.1}", instructions(case, 100_000).unwrap_or(f64::NAN) - empty);
    }
}
