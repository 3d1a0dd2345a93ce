//! Finding what moved, and telling who wants to know.
//!
//! `cargo bench --bench notify`

mod common;

use common::shapes::{Fifty, Large, toml as to_toml};
use common::{Case, compare, counting, human, print_instructions, spread};
use hotconf::private::Telling;
use hotconf::{HotConf, Watch};
use std::future::Future as _;
use std::hint::black_box;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

#[derive(Clone, Debug, HotConf)]
struct Two {
    #[hotconf(default = 1)]
    hot: u64,
    #[hotconf(default = 1)]
    cold: u64,
}

/// How many subscribers of other fields there are.
const OTHERS: usize = 100_000;

/// One watch of a field that moves in each version, among many of a field that never does.
struct Crowd {
    told: Telling<Two>,
    watch: Watch<u64>,
    /// Never asked: they have to be there.
    #[allow(dead_code)]
    others: Vec<Watch<u64>>,
    version: usize,
}

impl Crowd {
    const VERSIONS: usize = 4000;

    fn new(others: usize) -> Self {
        let mut told = Telling::new(Two { hot: 0, cold: 0 });
        let others = (0..others).map(|_| told.watch(Two::FIELDS.cold)).collect();
        let watch = told.watch(Two::FIELDS.hot);
        told.then((1..=Self::VERSIONS as u64).map(|n| Two { hot: n, cold: 0 }));
        Self { told, watch, others, version: 0 }
    }

    fn tell(&mut self) {
        self.version += 1;
        self.told.tell(self.version, &[0]);
    }

    /// Nanoseconds of a telling that wakes who waits. The clock's own time is taken off.
    fn told_in(&mut self, rounds: u32) -> f64 {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut spent, mut clock) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..rounds {
            // Takes what was told before, then waits.
            while std::pin::pin!(self.watch.next()).poll(&mut cx).is_ready() {}
            let begun = Instant::now();
            let idle = Instant::now();
            self.tell();
            spent += idle.elapsed();
            clock += idle - begun;
        }
        spent.saturating_sub(clock).as_secs_f64() * 1e9 / f64::from(rounds)
    }
}

/// A telling that wakes one waiting watch, in nanoseconds.
fn telling() {
    println!("\ntelling a watch that waits");
    for (name, others) in [("1 of 1", 0), ("1 of 100 000", OTHERS)] {
        let mut crowd = Crowd::new(others);
        let times: Vec<f64> = (0..Crowd::VERSIONS / 100).map(|_| crowd.told_in(100)).collect();
        let (low, mid, high) = spread(&times);
        println!("  {name:<44} {:>12} ({} to {})", human(mid), human(low), human(high));
    }
}

/// Telling alone, for counting.
fn tell(others: usize, n: usize) {
    let mut crowd = Crowd::new(others);
    (0..n).for_each(|_| crowd.tell());
}

fn main() {
    let a = Large::sample(1);
    let mut b = a.clone();
    b.p7.s33.limit += 1;
    assert_eq!(a.diff(&b).paths(), ["p7.s33.limit"]);
    let text = to_toml(&Fifty::sample(1));
    if let Some((name, n)) = counting() {
        match name.as_str() {
            "parse 10 000 leaves" => {
                for _ in 0..n {
                    for _ in 0..10 {
                        drop(black_box(toml::from_str::<Fifty>(&text)));
                    }
                }
            }
            "find 1 of 10 000" => {
                for _ in 0..n {
                    black_box(a.diff(&b));
                }
            }
            "tell 1 of 1" => tell(0, n),
            "tell 1 of 100 000" => tell(OTHERS, n),
            other => panic!("no case {other}"),
        }
        return;
    }
    compare(
        "finding 1 of 10 000 leaves",
        25,
        5,
        vec![
            Case::new("parse 10 000 leaves (toml::from_str)", || {
                for _ in 0..10 {
                    drop(black_box(toml::from_str::<Fifty>(&text)));
                }
            }),
            Case::new("find 1 of 10 000", || a.diff(&b)),
        ],
    );
    print_instructions("finding", &[("parse 10 000 leaves", 4), ("find 1 of 10 000", 40)]);
    telling();
    print_instructions("telling", &[("tell 1 of 1", 1000), ("tell 1 of 100 000", 1000)]);
}
