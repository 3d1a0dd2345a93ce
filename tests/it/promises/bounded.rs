//! 7. Bounded: no queue grows without limit, and no document is taken that is over one.

use crate::support::{Dir, Small, applied, replace, wait_for};
use hotconf::{Event, File, Hot, Inline};

#[test]
fn a_slow_event_reader_is_told_how_much_it_lost() {
    let (source, handle) = Inline::channel("app.toml", hotconf::Format::Toml, "n = 1");
    let config =
        Hot::<Small>::builder().event_capacity(4).source(source).blocking_start().expect("the first load");
    let mut events = config.events();
    for n in 2..12 {
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
    }
    assert!(matches!(events.try_next(), Some(Event::Lagged(6))));
    let rest: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(rest.len(), 4);
}

#[test]
fn a_document_over_its_size_is_refused_and_the_next_one_is_followed() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let config = Hot::<Small>::builder()
        .max_document_bytes(1000)
        .source(File::new(&path))
        .blocking_start()
        .expect("the first load");
    let mut events = config.events();
    replace(&path, &format!("n = 6\n# {}", "x".repeat(2000)));
    let event = wait_for(&mut events, "refusal", |e| matches!(e, Event::Rejected(_) | Event::SourceDown(_)));
    assert!(event.to_string().contains("1000"), "{event}");
    replace(&path, "n = 7");
    applied(&mut events);
    assert_eq!(config.load().n, 7);
}
