//! What faults cost: how soon a store is back after an outage, and readers while it is frozen.

use crate::common::{human, spread};
use crate::stores::{App, Bench, FOLDER};
use hotconf::Hot;
use std::hint::black_box;
use std::time::{Duration, Instant};

pub(crate) fn back<B: Bench>(store: &mut B) {
    println!("  from the store being back to a new value being readable");
    let (mut n, mut start) = (1, Duration::ZERO);
    store.put(FOLDER, "n", "1");
    for (wanted, rounds) in [(1.3, 9), (4.0, 5)] {
        let wanted = Duration::from_secs_f64(wanted);
        let times: Vec<_> = (0..rounds)
            .map(|_| {
                n += 1;
                // A new one each time: a store that flaps is left alone for longer and longer.
                let config: Hot<App> = store.follow(FOLDER);
                let begun = Instant::now();
                store.process().kill();
                // Some servers take longer to start than that.
                std::thread::sleep(wanted.saturating_sub(start));
                let starts = Instant::now();
                store.process().restart();
                store.close();
                (start, n) = (starts.elapsed(), n);
                let (out, begun) = (begun.elapsed(), Instant::now());
                store.put(FOLDER, "n", &n.to_string());
                while config.load().n != n {
                    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", config.status());
                    std::thread::sleep(Duration::from_millis(1));
                }
                let back = begun.elapsed();
                config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
                (out.as_secs_f64() * 1e9, back.as_secs_f64() * 1e9)
            })
            .collect();
        let (outages, times): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        let ((low, mid, high), outage) = (spread(&times), spread(&outages).1);
        println!(
            "    after an outage of {:<8} {:>12} ({} to {})",
            human(outage),
            human(mid),
            human(low),
            human(high)
        );
    }
}

/// Times of reads, each the mean of so many.
const READS: u32 = 16;
const FREEZE: Duration = Duration::from_secs(2);

/// The mean, the 99th of a hundred and the slowest, in nanoseconds a read.
fn reads(config: &Hot<App>) -> (f64, f64, f64) {
    // By nanosecond of a group, the last one for all that are slower.
    let mut counts = vec![0_u64; 100_000];
    let (mut slowest, mut all, begun) = (Duration::ZERO, 0_u32, Instant::now());
    while begun.elapsed() < FREEZE {
        let at = Instant::now();
        for _ in 0..READS {
            black_box(config.load().n);
        }
        let took = at.elapsed();
        slowest = slowest.max(took);
        counts[usize::try_from(took.as_nanos()).unwrap_or(usize::MAX).min(99_999)] += 1;
        all += 1;
    }
    let quantile = |part: f64| {
        let mut left = f64::from(all) * part;
        let at = counts.iter().position(|&count| {
            left -= f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            left <= 0.0
        });
        f64::from(u32::try_from(at.unwrap_or(99_999)).unwrap_or(u32::MAX)) / f64::from(READS)
    };
    (quantile(0.5), quantile(0.99), slowest.as_secs_f64() * 1e9)
}

pub(crate) fn freeze<B: Bench>(store: &mut B) {
    store.put(FOLDER, "n", "1");
    let config: Hot<App> = store.follow(FOLDER);
    let (mut before, mut during, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..3 {
        let calm = reads(&config);
        store.process().freeze();
        let frozen = reads(&config);
        store.process().thaw();
        before.push(calm.1);
        during.push(frozen.1);
        ratios.push(frozen.1 / calm.1);
        // What was held up passes first.
        std::thread::sleep(Duration::from_millis(500));
    }
    let text = |values: &[f64]| {
        let (low, mid, high) = spread(values);
        format!("{} ({} to {})", human(mid), human(low), human(high))
    };
    let (low, mid, high) = spread(&ratios);
    println!(
        "  p99 of `load()` for 2 s: before {}, while the store is frozen {}: {mid:.2}x ({low:.2} to {high:.2})",
        text(&before),
        text(&during)
    );
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
}
