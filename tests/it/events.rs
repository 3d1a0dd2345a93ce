//! The story: who hears it, in which order, and what of it stands in the status.

use crate::support::{Dir, Small, applied, by_hand, follow, rejected, replace, until};
use hotconf::{Event, Hot, Inline};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_thousand_readers_hear_the_same() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let mut readers: Vec<_> = (0..1000).map(|_| config.events()).collect();
    handle.set("n = 2");
    config.blocking_reload().expect("good");
    for reader in &mut readers {
        assert!(matches!(reader.try_next(), Some(Event::Applied(a)) if a.version() == 2));
    }
    config.blocking_shutdown(LONG).expect("calm");
    for reader in &mut readers {
        assert!(reader.blocking_next().expect("a plain thread").is_none());
    }
}

#[test]
fn a_listener_that_panics_goes_on_hearing_and_is_reported_once() {
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = heard.clone();
    let (source, handle) = Inline::channel("app.toml", hotconf::Format::Toml, "n = 1");
    let config = Hot::<Small>::builder()
        .source(source)
        .on_event(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            panic!("a hostile listener");
        })
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    for n in 2..5 {
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
    }
    // Three versions, and the one report.
    until("all are heard", || heard.load(Ordering::SeqCst) == 4);
    config.blocking_shutdown(LONG).expect("calm");
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    let reports = told.iter().filter(|e| matches!(e, Event::Warning(_))).count();
    assert_eq!((told.len(), reports), (4, 1), "{told:?}");
}

#[test]
fn when_a_change_is_told_its_callbacks_are_on_their_way_and_its_watches_have_it() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let mut events = config.events();
    let mut watch = config.watch(Small::FIELDS.n);
    for n in 2..20 {
        handle.set(format!("n = {n}"));
        assert_eq!(applied(&mut events).version(), n);
        assert_eq!(watch.blocking_next_timeout(Duration::ZERO).expect("a plain thread"), Some(n));
    }
}

#[test]
fn the_status_says_what_was_read_and_when() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let (config, mut events) = follow::<Small>(&path);
    let before = config.status();
    assert!(before.sources[0].reads >= 1 && before.sources[0].parses == 1, "{before:?}");
    assert!(!before.sources[0].polling && before.sources[0].checked.is_some());
    replace(&path, "n = 6");
    applied(&mut events);
    let after = config.status();
    assert!(after.counters.reads > before.counters.reads);
    assert_eq!((after.counters.parses, after.counters.splices), (2, 1), "one value differs");
    assert!(after.sources[0].answered <= before.sources[0].answered.map(|a| a + LONG));
    assert!(after.sources[0].since >= before.sources[0].since, "the state did not change");
}

#[test]
fn where_one_value_of_a_document_changed_it_alone_is_parsed() {
    let (config, handle) = by_hand::<Small>("n = 1 # é\nother = 1\n");
    let mut events = config.events();
    let done = || {
        let counters = config.status().counters;
        (counters.parses, counters.splices)
    };
    handle.set("n = 1000 # é\nother = 1\n");
    applied(&mut events);
    assert_eq!((config.load().n, done()), (1000, (2, 1)));
    handle.set("n = 1000 # é\nother = \"much\"\n");
    let refused = rejected(&mut events).to_string();
    assert!(refused.contains("`other` at app.toml:2:9"), "{refused}");
    assert_eq!(done(), (3, 2));
    handle.set("n = 1000 # é\nother = \"mu");
    let refused = rejected(&mut events).to_string();
    assert!(refused.contains("app.toml:2:"), "{refused}");
    assert_eq!(done(), (4, 2));
    handle.set("n = 1001 # and a comment\nother = 1\n");
    applied(&mut events);
    assert_eq!((config.load().n, done()), (1001, (5, 2)));
}

#[test]
fn requests_to_reload_are_never_lost_and_served_together() {
    let (config, handle) = by_hand::<Small>("n = 1");
    let before = config.status().counters.documents;
    let threads: Vec<_> = (0..20)
        .map(|n| {
            let (config, handle) = (config.clone(), handle.clone());
            std::thread::spawn(move || {
                handle.set(format!("n = {}", n + 100));
                config.blocking_reload().expect("good")
            })
        })
        .collect();
    let versions: Vec<_> = threads.into_iter().map(|t| t.join().expect("no panic")).collect();
    assert_eq!(config.version(), *versions.iter().max().expect("twenty"));
    assert!(config.load().n >= 100);
    // At most one answer for each request, and one for each document that was set.
    assert!(config.status().counters.documents - before <= 40);
}
