//! What the benches share: interleaved rounds, ratios, instruction counts, and the configurations measured.
//!
//! A bench prints a row per case: the median of the rounds with minimum and maximum, and the ratio to the
//! row that it is compared with, taken round by round. Where `valgrind` is installed, `--count NAME N`
//! runs one case N times and nothing else, and the bench calls itself under callgrind with two values of
//! N: the difference is the instructions of one run.

#![allow(dead_code, unreachable_pub)] // each bench uses its part

pub(crate) mod shapes;

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

/// One thing to measure.
pub(crate) struct Case<'a> {
    pub name: &'a str,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Case<'a> {
    pub(crate) fn new<R>(name: &'a str, mut run: impl FnMut() -> R + 'a) -> Self {
        Self {
            name,
            run: Box::new(move || {
                black_box(run());
            }),
        }
    }
}

/// Runs the cases in turn for `rounds` rounds, `each` times a round, and prints them; ratios are to the
/// first case. Returns the median nanoseconds of one run of each.
pub(crate) fn compare(title: &str, rounds: usize, each: u32, mut cases: Vec<Case<'_>>) -> Vec<f64> {
    println!("\n{title}");
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    for case in &mut cases {
        (case.run)();
    }
    for _ in 0..rounds {
        for (case, times) in cases.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            for _ in 0..each {
                (case.run)();
            }
            times.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(each));
        }
    }
    let base = times[0].clone();
    for (case, times) in cases.iter().zip(&times) {
        let ratios: Vec<f64> = times.iter().zip(&base).map(|(t, b)| t / b).collect();
        let (low, mid, high) = spread(times);
        println!(
            "  {:<44} {:>12} ({} to {})  {:>6.2}x",
            case.name,
            human(mid),
            human(low),
            human(high),
            spread(&ratios).1
        );
    }
    times.iter().map(|t| spread(t).1).collect()
}

/// Minimum, median and maximum.
pub(crate) fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

pub(crate) fn human(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.2} ns"),
        n if n < 1e6 => format!("{:.2} us", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

/// Where the bench was called as `--count NAME N`: the case's name and how often to run it.
pub(crate) fn counting() -> Option<(String, usize)> {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|a| a == "--count")?;
    Some((args[at + 1].clone(), args[at + 2].parse().expect("--count NAME N")))
}

/// Instructions of one run of the named case: this very program under callgrind, with `n` and `2n` runs.
pub(crate) fn instructions(name: &str, n: u32) -> Option<f64> {
    let once = |n: u32| -> Option<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args(["--count", name, &n.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|l| l.contains("Collected"))?;
        line.rsplit(' ').next()?.replace(',', "").parse().ok()
    };
    Some((once(2 * n)? - once(n)?) / f64::from(n))
}

/// Prints instruction counts of cases; ratios are to the first.
pub(crate) fn print_instructions(title: &str, cases: &[(&str, u32)]) {
    println!("\n{title} (instructions, callgrind)");
    let mut base = None;
    for (name, n) in cases {
        match instructions(name, *n) {
            Some(count) => {
                let base = *base.get_or_insert(count);
                println!("  {name:<44} {count:>12.1}  {:>6.2}x", count / base);
            }
            None => println!("  {name:<44} valgrind is not installed"),
        }
    }
}

/// Runs `body` while another thread does `noise` again and again.
pub(crate) fn beside<R>(noise: impl Fn() + Send + Sync, body: impl FnOnce() -> R) -> R {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                noise();
            }
        });
        std::thread::sleep(Duration::from_millis(5));
        let result = body();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        result
    })
}
