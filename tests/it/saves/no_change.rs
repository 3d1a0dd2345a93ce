//! Saves that change nothing.

use super::sh;
use crate::support::{Dir, Pair, QUIET, drain, follow, pair, replace};
use hotconf::Event;
use std::time::Duration;

#[test]
fn touch_chmod_and_identical_bytes_are_no_change() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let (config, mut events) = follow::<Pair>(&path);
    for _ in 0..3 {
        std::fs::write(&path, pair(1)).expect("a write");
        sh(dir.path(), "touch", "touch app.toml && chmod 600 app.toml && chmod 644 app.toml");
        replace(&path, &pair(1));
    }
    let seen = drain(&mut events, Duration::from_millis(500));
    assert!(seen.is_empty(), "{seen:#?}");
    assert_eq!(config.version(), 1);
}

#[test]
fn a_comment_or_another_order_is_no_change_and_moves_the_origin() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let (config, mut events) = follow::<Pair>(&path);
    replace(&path, &format!("# a comment\n{}", pair(1)));
    config.blocking_reload().expect("a good file");
    assert!(drain(&mut events, QUIET).iter().all(|e| !matches!(e, Event::Applied(_))));
    assert_eq!(config.version(), 1);
    assert_eq!(config.origin(Pair::FIELDS.a).line_number(), Some(2));
}
