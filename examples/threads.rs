//! Threads and no async runtime: read in a hot loop, hear about one field, stop in order.
//!
//! `cargo run --example threads`, then edit `examples/threads.toml`. Enter ends it.

use hotconf::{File, Hot, HotConf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{error::Error, io, thread, time::Duration};

#[derive(Clone, Debug, HotConf)]
struct Pump {
    /// Items a round. 1 to 10 000.
    #[hotconf(default = 100, range = "1..=10_000")]
    batch: u64,
    /// Rest between two rounds.
    #[hotconf(default = "200ms", range = "1ms..=1m")]
    pause: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let config: Hot<Pump> = Hot::builder().source(File::new("examples/threads.toml")).blocking_start()?;
    let (pumped, done) = (AtomicU64::new(0), AtomicBool::new(false));

    // Called on a worker thread whenever the field moved, and never after the guard is dropped.
    let told = config.on_change(Pump::FIELDS.pause, |change| {
        println!("pause: {:?} -> {:?}, as of version {}", change.old(), change.new(), change.version());
    });

    thread::scope(|scope| {
        // One number alone: an atomic that follows the field.
        let batch = config.live(Pump::FIELDS.batch);
        // Several fields that belong together: a reader sees one version of all of them.
        let mut reader = config.reader();

        let worker = scope.spawn({
            let (pumped, done) = (&pumped, &done);
            move || {
                while !done.load(Ordering::Relaxed) {
                    pumped.fetch_add(batch.get(), Ordering::Relaxed);
                    thread::park_timeout(reader.load().pause);
                }
            }
        });

        // A thread of its own that waits for changes; it ends when the configuration shuts down.
        scope.spawn({
            let mut batch = config.watch(Pump::FIELDS.batch);
            move || {
                while let Ok(Some(now)) = batch.blocking_next() {
                    println!("batch: {now}");
                }
            }
        });

        println!("pumping; edit examples/threads.toml, or press Enter to end");
        let read = io::stdin().read_line(&mut String::new());
        done.store(true, Ordering::Relaxed);
        worker.thread().unpark();
        let stopped = config.blocking_shutdown(Duration::from_secs(5));
        read.map_err(Box::<dyn Error>::from).and(stopped.map_err(Into::into))
    })?;

    drop(told);
    println!("pumped {} items", pumped.load(Ordering::Relaxed));
    Ok(())
}
