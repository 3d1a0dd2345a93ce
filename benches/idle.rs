//! What an idle process costs: threads, and wake-ups a second, with the content poll and without.
//!
//! The content poll does with a glance at the file and reads it for certainty at the sixteenth beat, and then
//! after twice as long each time; each such read wakes once for the file that it opens. The rest before the
//! counting is longer than the first of these takes.
//!
//! `cargo bench --bench idle`, on Linux.

use hotconf::{File, Hot, HotConf};
use std::time::Duration;

/// Past the sixteenth beat of the content poll, and what a worker does after the start.
const REST: Duration = Duration::from_secs(36);
const WINDOW: Duration = Duration::from_secs(32);

#[derive(Clone, Debug, HotConf)]
struct App {
    n: u64,
}

/// Threads beside this one, and how often they gave up the processor to wait.
fn others() -> (usize, u64) {
    let own = std::process::id().to_string();
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    let waits = tasks.filter_map(|task| {
        let task = task.ok()?;
        if task.file_name().to_string_lossy() == own {
            return None;
        }
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        line.rsplit('\t').next()?.trim().parse::<u64>().ok()
    });
    waits.fold((0, 0), |(count, sum), waits| (count + 1, sum + waits))
}

fn main() {
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("app.toml");
    std::fs::write(&file, "n = 1").expect("written");
    println!("\nidle for {} s, after {} s of rest", WINDOW.as_secs(), REST.as_secs());
    for (name, poll) in [("content poll of 2 s", Duration::from_secs(2)), ("no poll", Duration::ZERO)] {
        for count in [1, 20] {
            let start = || Hot::<App>::builder().source(File::new(&file)).poll(poll).blocking_start();
            let configs: Vec<_> = (0..count).map(|_| start().expect("loaded")).collect();
            std::thread::sleep(REST);
            let (_, before) = others();
            std::thread::sleep(WINDOW);
            let (threads, after) = others();
            println!(
                "  {name:<22} {count:>3} configurations: {threads} threads, {:.2} wake-ups a second",
                f64::from(u32::try_from(after - before).unwrap_or(u32::MAX)) / WINDOW.as_secs_f64()
            );
            for config in configs {
                config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
            }
        }
    }
}
