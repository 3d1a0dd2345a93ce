//! What comes at the same time, or comes back to where it began.

use crate::support::{Dir, Pair, QUIET, Small, applied, drain, follow, pair, replace, until, wait_for};
use hotconf::{Event, File, Format, Hot, HotConf, Inline};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A reload on demand and one by an event may meet: neither puts an older file over a newer one.
#[test]
fn reloads_on_demand_and_by_events_never_go_backwards() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let (config, _events) = follow::<Pair>(&path);
    let highest = Arc::new(AtomicU64::new(1));
    let seen = highest.clone();
    let _keep = config.on_change(Pair::FIELDS.a, move |change| {
        assert!(change.new() > change.old(), "{} after {}", change.new(), change.old());
        seen.store(*change.new(), Ordering::SeqCst);
    });
    let stop = Arc::new(AtomicBool::new(false));
    let reloaders: Vec<_> = (0..3)
        .map(|_| {
            let (config, stop) = (config.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let answer = config.blocking_reload();
                    let now = config.load();
                    assert!(now.is_whole() && now.a >= last);
                    last = now.a;
                    match answer {
                        Ok(version) => assert!(now.version() >= version),
                        // Asked for in the very moment in which a writer had emptied the file.
                        Err(error) => assert!(error.to_string().contains("is empty"), "{error}"),
                    }
                }
            })
        })
        .collect();
    for n in 2..150 {
        if n % 3 == 0 {
            std::fs::write(&path, pair(n)).expect("a write");
        } else {
            replace(&path, &pair(n));
        }
    }
    until("the last is in force", || config.load().a == 149);
    stop.store(true, Ordering::Relaxed);
    for reloader in reloaders {
        reloader.join().expect("never backwards");
    }
    until("and told", || highest.load(Ordering::SeqCst) == 149);
    assert!(config.status().is_healthy());
}

#[test]
fn there_and_back_before_anybody_looked_is_no_change() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 1");
    let other = dir.file("other.toml", "other = 1");
    let config = Hot::<Small>::builder()
        .source(File::new(&path))
        .source(File::new(&other))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    for _ in 0..5 {
        replace(&path, "n = 2");
        replace(&path, "n = 1");
    }
    let told = drain(&mut events, QUIET);
    // Some may have been looked at in between: then there and back were told, each once.
    let versions = told.iter().filter(|e| matches!(e, Event::Applied(_))).count();
    assert_eq!((told.len(), versions % 2, config.load().n), (versions, 0, 1), "{told:#?}");
}

#[test]
fn a_program_that_writes_its_own_file_when_it_changes_is_told_once_of_each() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 1\nother = 1");
    let (config, mut events) = follow::<Small>(&path);
    let (own, calls) = (path.clone(), Arc::new(AtomicU64::new(0)));
    let counted = calls.clone();
    let _keep = config.on_change(Small::FIELDS.n, move |change| {
        counted.fetch_add(1, Ordering::SeqCst);
        replace(&own, &format!("n = {0}\nother = {0}", change.new()));
    });
    for n in 2..5 {
        replace(&path, &format!("n = {n}\nother = {}", n - 1));
        assert_eq!(applied(&mut events).paths(), ["n"]);
        assert_eq!(applied(&mut events).paths(), ["other"]);
    }
    assert!(drain(&mut events, QUIET).is_empty(), "no loop");
    assert_eq!((calls.load(Ordering::SeqCst), config.version()), (3, 7));
}

static CHECK: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

#[derive(Clone, Debug, HotConf)]
struct Checked {
    #[hotconf(check = hangs_at_two)]
    n: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, clippy::unnecessary_wraps)] // the shape of a check
fn hangs_at_two(n: &u64) -> Result<(), String> {
    if *n == 2 {
        let held = CHECK.lock().expect("no panic").take().expect("put there by the test");
        let _ = held.recv();
    }
    Ok(())
}

#[test]
fn what_is_being_loaded_when_the_token_is_cancelled_never_installs() {
    let token = CancellationToken::new();
    let (source, handle) = Inline::channel("app.toml", Format::Toml, "n = 1");
    let config = Hot::<Checked>::builder()
        .cancelled_by(&token)
        .source(source)
        .blocking_start()
        .expect("the first load");
    let mut watch = config.watch(Checked::FIELDS.n);
    let mut events = config.events();
    let (release, held) = mpsc::channel();
    *CHECK.lock().expect("no panic") = Some(held);
    handle.set("n = 2");
    until("the check runs", || CHECK.lock().expect("no panic").is_none());
    token.cancel();
    drop(release);
    assert_eq!(watch.blocking_next().expect("a plain thread"), None);
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    assert_eq!((config.load().n, config.version()), (1, 1));
    assert!(events.blocking_next().expect("a plain thread").is_none(), "nothing was told");
}

#[test]
fn a_file_that_is_not_a_number_is_refused_once_and_never_a_change() {
    #[derive(Clone, Debug, HotConf)]
    struct Ratio {
        #[hotconf(default = 0.5)]
        ratio: f64,
    }
    let dir = Dir::new();
    let path = dir.file("app.toml", "ratio = 0.5");
    let (config, mut events) = follow::<Ratio>(&path);
    replace(&path, "ratio = nan");
    wait_for(&mut events, "refusal", |e| matches!(e, Event::Rejected(_)));
    for _ in 0..3 {
        replace(&path, "ratio = nan");
        assert!(config.blocking_reload().is_err());
    }
    let told = drain(&mut events, QUIET);
    assert!(told.iter().all(|e| matches!(e, Event::Rejected(_))), "{told:#?}");
    replace(&path, "ratio = 5e-1 # the same");
    wait_for(&mut events, "recovery", |e| matches!(e, Event::SourceUp(_)));
    assert_eq!(config.version(), 1, "the same number in other words");
}
