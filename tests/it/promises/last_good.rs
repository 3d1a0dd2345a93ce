//! 3. Last good stays: what is broken or gone changes nothing, and says so.

use crate::support::{Dir, Small, applied, drain, follow, rejected, replace, wait_for};
use hotconf::{Event, File, Hot, Inline, SourceState};
use std::time::{Duration, Instant};

#[test]
fn a_refused_edit_names_file_line_and_column_and_what_stays() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "# settings\nn = 5\nother = 1\n");
    let (config, mut events) = follow::<Small>(&path);
    replace(&path, "# settings\nn = \"many\"\nother = -1\n");
    let error = rejected(&mut events);
    let text = error.to_string();
    assert_eq!(error.problems().len(), 2, "every problem at once: {error:?}");
    assert!(text.contains("app.toml:2:5") && text.contains("app.toml:3:9"), "{text}");
    assert!(text.contains("keeping version 1"), "{text}");
    assert_eq!(config.load().n, 5);
    assert_eq!(config.status().sources[0].state, SourceState::Refused);
    replace(&path, "n = 6");
    assert_eq!(applied(&mut events).paths(), ["n"]);
    assert!(config.status().is_healthy());
}

#[test]
fn a_bad_file_that_goes_back_to_its_exact_bytes_is_healthy_and_no_change() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let (config, mut events) = follow::<Small>(&path);
    replace(&path, "n = [");
    rejected(&mut events);
    replace(&path, "n = 5");
    wait_for(&mut events, "recovery", |e| matches!(e, Event::SourceUp(_)));
    assert!(config.status().is_healthy());
    assert_eq!(config.version(), 1);
    replace(&path, "n = 6");
    assert_eq!(applied(&mut events).version(), 2);
}

#[test]
fn a_required_file_that_is_removed_or_emptied_changes_nothing_and_says_so() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let (config, mut events) = follow::<Small>(&path);
    std::fs::remove_file(&path).expect("removed");
    let down = wait_for(&mut events, "source down", |e| matches!(e, Event::SourceDown(_)));
    assert!(down.to_string().contains("app.toml"), "{down}");
    assert_eq!(config.load().n, 5);
    std::fs::write(&path, "").expect("emptied");
    let seen = drain(&mut events, Duration::from_millis(1500));
    assert!(!seen.iter().any(|e| matches!(e, Event::Applied(_))), "{seen:#?}");
    assert_eq!(config.load().n, 5);
    std::fs::write(&path, "n = 6").expect("healed");
    assert_eq!(applied(&mut events).paths(), ["n"]);
}

#[test]
fn an_optional_file_that_is_removed_is_a_change_and_one_that_appears_is_too() {
    use hotconf::SourceExt;
    let dir = Dir::new();
    let base = dir.file("base.toml", "n = 5");
    let over = dir.file("over.toml", "n = 6");
    let config = Hot::<Small>::builder()
        .source(File::new(&base))
        .source(File::new(&over).optional())
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    assert_eq!(config.load().n, 6);
    std::fs::remove_file(&over).expect("removed");
    applied(&mut events);
    assert_eq!(config.load().n, 5);
    std::fs::write(&over, "n = 7").expect("back");
    applied(&mut events);
    assert_eq!(config.load().n, 7);
}

#[test]
fn one_broken_file_does_not_block_another_source() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 5");
    let (inline, handle) = Inline::channel("over", hotconf::Format::Toml, "other = 1");
    let config =
        Hot::<Small>::builder().source(File::new(&path)).source(inline).blocking_start().expect("loaded");
    let mut events = config.events();
    replace(&path, "n = \"many\"");
    rejected(&mut events);
    handle.set("other = 2");
    assert_eq!(applied(&mut events).paths(), ["other"]);
    assert_eq!(config.load().n, 5);
}

#[test]
fn a_fragment_that_appears_changes_or_is_removed_is_a_change() {
    let dir = Dir::new();
    dir.file("conf.d/10-base.toml", "n = 1\nother = 1");
    let config = Hot::<Small>::builder()
        .source(File::dir(dir.path().join("conf.d")))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    let over = dir.file("conf.d/20-over.yaml", "n: 2");
    assert_eq!(applied(&mut events).paths(), ["n"]);
    dir.file("conf.d/.hidden.toml", "n = 9");
    dir.file("conf.d/15-backup.toml~", "n = 9");
    replace(&over, "n: 3");
    assert_eq!(applied(&mut events).paths(), ["n"]);
    replace(&over, "n: [");
    rejected(&mut events);
    assert_eq!(config.load().n, 3);
    let begun = Instant::now();
    std::fs::remove_file(&over).expect("removed");
    applied(&mut events);
    // Not before the quiet second: it might have come back.
    assert!(begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
    assert_eq!((config.load().n, config.version()), (1, 4));
}

#[test]
fn a_key_that_an_upper_layer_gives_up_falls_back_to_the_lower_one() {
    let dir = Dir::new();
    let (low, high) = (dir.file("low.toml", "n = 1"), dir.file("high.toml", "n = 2\nother = 2"));
    let config = Hot::<Small>::builder()
        .source(File::new(&low))
        .source(File::new(&high))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    replace(&high, "other = 2");
    assert_eq!(applied(&mut events).paths(), ["n"]);
    assert_eq!(config.load().n, 1);
    assert!(config.origin(Small::FIELDS.n).to_string().contains("low.toml"));
    replace(&low, "");
    wait_for(&mut events, "loss", |e| matches!(e, Event::SourceDown(_)));
    assert_eq!(config.load().n, 1, "an emptied file gives up nothing");
}
