//! Who said what, and what is never said.

use super::*;
use crate::layer::samples::{ROOT, int, layered, table, text};

fn stack() -> Stack {
    let mut stack = Stack::default();
    let base =
        table([("http", table([("timeout", text("1s")), ("retries", int(4))])), ("token", text("s3cret"))]);
    let prod = table([("http", table([("wait", text("2s"))]))]);
    stack.push("base", vec![layered("base.toml", &base)]);
    stack.push("prod", vec![layered("prod.toml", &prod)]);
    stack
}

#[test]
fn the_winner_comes_first_and_the_default_last() {
    let explained = explain(&stack(), &ROOT, "http.wait").unwrap();
    assert_eq!(
        explained.to_string(),
        "http.timeout = \"2s\"   prod.toml   (written as `wait`)\n  hides \"1s\"   base.toml\n  hides 5s   default"
    );
    assert_eq!(explained[0].hides(), ["base.toml", "default \"5s\""]);
    assert_eq!(explained[0].candidates()[1].layer(), "base");
}

#[test]
fn a_secret_is_shown_nowhere() {
    let all = explain_all(&stack(), &ROOT);
    assert!(!format!("{all} {all:?}").contains("s3cret"));
    assert!(all.to_string().contains("token = (secret)"));
}

#[test]
fn a_wrong_path_gets_a_suggestion() {
    let problem = explain(&stack(), &ROOT, "http.timeuot").unwrap_err();
    assert!(problem.message().contains("did you mean `http.timeout`?"), "{problem}");
}

#[test]
fn the_fingerprint_is_of_content_and_not_of_places() {
    let print = |stack: &Stack| fingerprint(&stack.merge(&ROOT, crate::layer::Policy::default()).tree, &ROOT);
    let mut other = Stack::default();
    let one = table([
        ("token", text("another")),
        ("http", table([("retries", text("4")), ("timeout", text("2s"))])),
    ]);
    other.push("one", vec![layered("one.toml", &one)]);
    assert_eq!(print(&stack()), print(&other));
    other.push("two", vec![layered("two.toml", &table([("a", int(1))]))]);
    assert_ne!(print(&stack()), print(&other));
}

#[test]
fn origins_are_found_by_path() {
    let merged = stack().merge(&ROOT, crate::layer::Policy::default());
    assert_eq!(origin_of(&merged.tree, &ROOT, "http.retries").to_string(), "base.toml");
    assert_eq!(origin_of(&merged.tree, &ROOT, "http.timeout").to_string(), "prod.toml");
    assert!(origin_of(&merged.tree, &ROOT, "a").is_default());
}
