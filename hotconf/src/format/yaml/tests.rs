//! YAML alone: aliases, merge keys, tags, documents; and `serde_yaml` as the oracle.

use super::super::tests::{read, refusals, value};
use crate::format::Format::Yaml;
use crate::value::Document;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

fn yaml(text: &str) -> Json {
    value(Yaml, text)
}

fn refusal(text: &str) -> String {
    let mut all = refusals(Yaml, text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn scalars_are_read_by_the_core_schema() {
    let text =
        "a: no\nb: 'true'\nc: 010\nd: 0o17\ne: ~\nf:\ng: 1.10\nh: |\n  x\n  y\ni: 12:30\nj: >-\n  x\n  y\n";
    let expected = json!({
        "a": "no", "b": "true", "c": 10, "d": 15, "e": null, "f": null, "g": 1.1, "h": "x\ny\n", "i": "12:30", "j": "x y",
    });
    assert_eq!(yaml(text), expected);
}

#[test]
fn standard_tags_are_honoured_and_others_refused() {
    let text = "a: !!str 12\nb: !!int '7'\nc: !!float 2\nd: ! 12\ne: !!map {}\nf: !!null ''\ng: !!str\n";
    assert_eq!(yaml(text), json!({"a": "12", "b": 7, "c": 2.0, "d": "12", "e": {}, "f": null, "g": ""}));
    assert!(refusal("a: 1\nb: !secret x").starts_with("2:4: expected no tag"));
    assert!(refusal("a: !!binary aGk=").starts_with("1:4: expected no tag"));
    assert!(refusal("a: !!set {x}").starts_with("1:4: expected no tag"));
    assert!(refusal("a: !!int x").starts_with("`a` at doc:1:10: expected an integer"));
}

#[test]
fn aliases_stand_for_their_anchors_and_keep_their_place() {
    let doc = read(Yaml, "a: &x {b: 1}\nc: *x\n");
    assert_eq!(super::super::tests::plain(&doc, Document::ROOT), json!({"a": {"b": 1}, "c": {"b": 1}}));
    let (_, c) = doc.entries(Document::ROOT).nth(1).unwrap();
    let (_, b) = doc.entries(c).next().unwrap();
    assert_eq!(doc.origin(b).to_string(), "doc:1:11");
    assert_eq!(yaml("&k a: 1\nb: *k\n"), json!({"a": 1, "b": "a"}));
    assert!(refusal("a: &x [*x]").contains("outside its own anchor"));
    assert!(refusal("a: *x").contains("anchor further up"));
}

#[test]
fn merge_keys_fill_gaps_and_explicit_keys_win() {
    let base = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\n";
    assert_eq!(yaml(&format!("{base}x: {{<<: *one, b: 9}}"))["x"], json!({"a": 1, "b": 9}));
    assert_eq!(yaml(&format!("{base}x: {{b: 9, <<: *one}}"))["x"], json!({"a": 1, "b": 9}));
    assert_eq!(yaml(&format!("{base}x:\n  <<: [*one, *two]\n"))["x"], json!({"a": 1, "b": 1, "c": 2}));
    assert_eq!(yaml("x: {<<: {a: 1, <<: {b: 2}}, c: 3}")["x"], json!({"c": 3, "a": 1, "b": 2}));
    assert_eq!(yaml("x: {'<<': 1}")["x"], json!({"<<": 1}));
    assert!(refusal("x: {<<: 1}").contains("after `<<`"));
    assert!(refusal("x: {<<: [{a: 1}, 2]}").contains("after `<<`"));
    assert!(refusal("x: {<<: {a: 1}, <<: {b: 1}}").contains("duplicate key `<<`"));
}

#[test]
fn keys_are_taken_as_their_text_and_containers_are_no_keys() {
    assert_eq!(yaml("1: a\ntrue: b\n~: c\n1.50: d\n"), json!({"1": "a", "true": "b", "~": "c", "1.50": "d"}));
    assert!(refusal("? [a]\n: 1\n").contains("expected a single value as the key"));
    assert!(refusal("{: 1}").contains("expected a single value as the key"));
}

#[test]
fn one_document_a_file() {
    assert_eq!(yaml("---\na: 1\n...\n"), json!({"a": 1}));
    assert_eq!(yaml("%YAML 1.2\n---\na: 1\n"), json!({"a": 1}));
    assert!(refusal("a: 1\n---\nb: 2\n").starts_with("2:1: expected one document, found a second"));
    assert!(refusal("%YAML 1.1\n---\na: no\n").contains("older version"));
}

#[test]
fn tabs_are_told_as_such() {
    assert!(refusal("a:\n\tb: 1\n").starts_with("2:"), "{}", refusal("a:\n\tb: 1\n"));
    assert!(refusal("a:\n\tb: 1\n").contains("tab"), "{}", refusal("a:\n\tb: 1\n"));
    assert!(refusal("a:\n  b: 1\n\tc: 2\n").contains("tab"), "{}", refusal("a:\n  b: 1\n\tc: 2\n"));
}

#[test]
fn bombs_are_refused_fast() {
    // Wall time: the claim is that the budget stops what would otherwise take hours.
    let start = Instant::now();
    let mut nested = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    let mut merges = String::from("m0: &m0 {k: 1}\n");
    let mut hollow = String::from("m0: &m0 {}\n");
    for i in 1..30 {
        let list = |name: &str| vec![format!("*{name}{}", i - 1); 9].join(", ");
        writeln!(nested, "a{i}: &a{i} [{}]", list("a")).unwrap();
        writeln!(merges, "m{i}: &m{i} {{<<: [{}]}}", list("m")).unwrap();
        writeln!(hollow, "m{i}: &m{i} {{<<: [{}]}}", list("m")).unwrap();
    }
    let wide = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(2_000), "*a, ".repeat(2_000));
    for bomb in [nested, merges, hollow, wide] {
        let all = refusals(Yaml, &bomb);
        assert!(all.iter().any(|line| line.contains("aliases expanded")), "{all:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// What `serde_yaml` reads, or `None` where it refuses.
fn oracle(text: &str) -> Option<Json> {
    let mut value: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    value.apply_merge().ok()?;
    serde_json::to_value(value).ok()
}

#[test]
fn differences_to_serde_yaml_are_these() {
    // (text, ours, theirs); `None` is a refusal.
    for (text, ours, theirs) in [
        // Leading zeros: the core schema's ten, not text.
        ("a: 010", Some(json!({"a": 10})), Some(json!({"a": "010"}))),
        // Binary is not in the core schema.
        ("a: 0b11", Some(json!({"a": "0b11"})), Some(json!({"a": 3}))),
        // A document without content is an empty table.
        ("# nothing\n", Some(json!({})), Some(Json::Null)),
    ] {
        let read = super::super::parse(Yaml, "doc", text.as_bytes());
        let read = read.ok().map(|doc| super::super::tests::plain(&doc, Document::ROOT));
        assert_eq!((read, oracle(text)), (ours, theirs), "{text}");
    }
}

/// Documents of likely configuration, written by hand rather than by an emitter.
fn document() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "1",
        "-7",
        "2.5",
        "true",
        "False",
        "null",
        "~",
        "no",
        "text",
        "two words",
        "'quo''ted'",
        "\"esc\\n\\u00e9\"",
        "0x1F",
        "0o17",
        "1e3",
        "é",
        "12:30",
        "a#b",
        "http://x:80/",
        "!!str 5",
        "[1, two, '3']",
        "{k: v, n: 1}",
        "[]",
        "{}",
        "1_000",
        "+3",
        ".5",
        "2020-01-01",
        "|\n    line\n    more",
        ">-\n    folded\n    text",
        "",
    ]);
    prop::collection::vec((0..2_usize, scalar), 1..12).prop_map(|lines| {
        let mut text = String::new();
        let mut section = 0;
        for (i, (indent, scalar)) in lines.into_iter().enumerate() {
            if indent == 0 {
                writeln!(text, "top{i}: {scalar}").unwrap();
            } else {
                section += 1;
                writeln!(text, "section{section}:\n  key{i}: {scalar}\n  list:\n  - {scalar}\n  - 1")
                    .unwrap();
            }
        }
        text
    })
}

proptest! {
    #[test]
    fn likely_documents_read_as_serde_yaml_reads_them(text in document()) {
        prop_assert_eq!(Some(yaml(&text)), oracle(&text), "{}", text);
    }
}
