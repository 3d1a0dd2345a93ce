//! 1. Whole: a snapshot holds one version of every field.

use crate::support::{Dir, Pair, QUIET, Small, applied, by_hand, drain, pair, rejected, replace};
use hotconf::{File, Hot};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[test]
fn a_reader_never_sees_two_versions_mixed() {
    let (config, handle) = by_hand::<Pair>(&pair(1));
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (config, stop) = (config.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut reader = config.reader();
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert!(config.load().is_whole());
                    let now = reader.load();
                    assert!(now.is_whole() && now.a >= last, "never backwards");
                    last = now.a;
                }
            })
        })
        .collect();
    for n in 2..300 {
        handle.set(pair(n));
        if n % 10 == 0 {
            config.blocking_reload().expect("a good document");
        }
    }
    config.blocking_reload().expect("a good document");
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().expect("no torn read");
    }
    assert_eq!(config.load().a, 299);
}

#[test]
fn two_files_renamed_one_after_the_other_come_in_one_version() {
    let dir = Dir::new();
    let (low, high) = (dir.file("low.toml", "n = 1\nother = 1"), dir.file("high.toml", "n = 1"));
    let config = Hot::<Small>::builder()
        .source(File::new(&low))
        .source(File::new(&high))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    // On a machine that has much else to do the second rename may come too late: not every time.
    let together = (2..12).any(|n| {
        replace(&low, &format!("n = 1\nother = {n}"));
        std::thread::sleep(Duration::from_millis(5));
        replace(&high, &format!("n = {n}"));
        let first = applied(&mut events).paths() == ["n", "other"];
        let more = drain(&mut events, QUIET);
        assert_eq!((config.load().n, config.load().other), (n, n));
        first && more.is_empty()
    });
    assert!(together);
}

#[test]
fn a_snapshot_says_which_version_it_is_and_stays_as_it_was() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let before = config.snapshot();
    handle.set("n = 2");
    config.blocking_reload().expect("good");
    let after = config.snapshot();
    assert_eq!((before.version(), before.n), (1, 1));
    assert_eq!((after.version(), after.n), (2, 2));
    assert_ne!(before.fingerprint(), after.fingerprint());
    handle.set("n = 1");
    config.blocking_reload().expect("good");
    assert_eq!(config.snapshot().fingerprint(), before.fingerprint());
}

/// The pause of the writer is the case: what is saved meanwhile waits for it, 300 ms at most.
#[test]
fn a_file_that_is_saved_while_another_is_being_written_comes_in_one_version_with_it() {
    let dir = Dir::new();
    let (low, high) = (dir.file("low.toml", "n = 1"), dir.file("high.toml", "other = 1"));
    let config = Hot::<Small>::builder()
        .source(File::new(&low))
        .source(File::new(&high))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    let mut writer = std::fs::File::create(&high).expect("a file");
    writer.write_all(b"other = 2").expect("a write");
    replace(&low, "n = 2");
    std::thread::sleep(Duration::from_millis(120));
    writer.write_all(b"2").expect("a write");
    drop(writer);
    assert_eq!(applied(&mut events).paths(), ["n", "other"]);
    assert_eq!((config.load().other, config.version()), (22, 2));
}

#[test]
fn of_two_layers_that_change_together_none_applies_if_one_is_bad() {
    let dir = Dir::new();
    let (low, high) = (dir.file("low.toml", "n = 1"), dir.file("high.toml", "other = 1"));
    let config = Hot::<Small>::builder()
        .source(File::new(&low))
        .source(File::new(&high))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    let mut writer = std::fs::File::create(&high).expect("a file");
    writer.write_all(b"other = \"many").expect("a write");
    replace(&low, "n = 2");
    writer.write_all(b"\"").expect("a write");
    drop(writer);
    rejected(&mut events);
    assert!(drain(&mut events, QUIET).is_empty(), "told once, and nothing applied");
    assert_eq!((config.load().n, config.load().other, config.version()), (1, 1, 1));
    replace(&high, "other = 2");
    assert_eq!(applied(&mut events).paths(), ["n", "other"]);
}

#[test]
fn a_callback_sees_every_field_of_the_versions_that_it_is_told_of() {
    let (config, handle) = by_hand::<Pair>(&pair(1));
    let (told, heard) = mpsc::channel();
    let _keep = config.on_change(Pair::FIELDS.b, move |change| {
        let (before, after) = (change.before(), change.after());
        let whole = before.is_whole() && after.is_whole() && after.version() == change.version();
        told.send((before.a, after.a, whole && after.b == *change.new())).expect("the test listens");
    });
    for n in 2..20 {
        handle.set(pair(n));
        config.blocking_reload().expect("good");
        assert_eq!(heard.recv_timeout(Duration::from_secs(5)).expect("told"), (n - 1, n, true));
    }
}
