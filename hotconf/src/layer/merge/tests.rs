//! Laws of merging, and the cases that a law does not name.

use super::*;
use crate::layer::samples::{HTTP, ROOT, int, layered, table, text, value};
use crate::schema::meta::Shape;
use crate::value::Value;
use proptest::prelude::*;

fn merged(docs: &[Value]) -> Merged {
    let docs: Vec<Layered> =
        docs.iter().enumerate().map(|(i, doc)| layered(&format!("doc{i}"), doc)).collect();
    merge(&docs, &ROOT, Policy::default())
}

fn result(docs: &[Value]) -> Value {
    let merged = merged(docs);
    assert!(merged.problems.is_empty(), "{:?}", merged.problems);
    value(merged.tree.root(), Shape::Section(&ROOT))
}

#[test]
fn another_tag_replaces_and_no_tag_goes_along() {
    let file = table([("store", table([("kind", text("file")), ("path", text("x"))]))]);
    let net = table([("store", table([("kind", text("net")), ("port", int(1))]))]);
    let host = table([("store", table([("host", text("h"))]))]);
    let expected = table([("kind", text("net")), ("host", text("h")), ("port", int(1))]);
    assert_eq!(result(&[file.clone(), net, host]), table([("store", expected)]));
    let moved = table([("store", table([("path", text("y"))]))]);
    let expected = table([("kind", text("file")), ("path", text("y"))]);
    assert_eq!(result(&[file, moved]), table([("store", expected)]));
}

#[test]
fn null_drops_what_lower_layers_said() {
    let low = table([
        ("labels", table([("x", int(1)), ("y", int(2))])),
        ("http", table([("retries", int(1)), ("timeout", text("1s"))])),
    ]);
    let up = table([("labels", table([("x", Value::Null)])), ("http", Value::Null)]);
    let top = table([("http", table([("retries", int(2))]))]);
    let expected = table([("labels", table([("y", int(2))])), ("http", table([("retries", int(2))]))]);
    assert_eq!(result(&[low, up, top]), expected);
}

#[test]
fn unset_of_the_reserved_table_is_a_null_above_its_document() {
    let low = table([("http", table([("retries", int(1)), ("timeout", text("1s"))]))]);
    let unset = Value::Array(vec![text("http.retries")]);
    let up = table([("hotconf", table([("unset", unset)]))]);
    let got = result(&[low, up]);
    assert_eq!(got, table([("http", table([("timeout", text("1s")), ("retries", Value::Null)]))]));
    let wrong = table([("hotconf", table([("when", int(1)), ("unset", Value::Array(vec![text("htp.x")]))]))]);
    let problems = merged(&[wrong]).problems;
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(all[0].contains("expected a list of overlays"), "{all:?}");
    assert!(all[1].contains("did you mean `http`?"), "{all:?}");
}

#[test]
fn lists_append_or_merge_by_key() {
    let list = |n: i128, m: i128| Value::Array(vec![int(n), int(m)]);
    let up = |t: &str, n: i128| table([("timeout", text(t)), ("retries", int(n))]);
    let low = table([("joined", list(1, 2)), ("ups", Value::Array(vec![up("a", 1), up("b", 2)]))]);
    let high = table([("joined", list(3, 4)), ("ups", Value::Array(vec![up("c", 3), up("a", 9)]))]);
    let expected = table([
        ("ups", Value::Array(vec![up("a", 9), up("b", 2), up("c", 3)])),
        ("joined", Value::Array(vec![int(1), int(2), int(3), int(4)])),
    ]);
    assert_eq!(result(&[low, high]), expected);
}

#[test]
fn an_alias_fills_a_gap_and_the_name_wins_beside_it() {
    for both in
        [[("wait", text("1s")), ("timeout", text("2s"))], [("timeout", text("2s")), ("wait", text("1s"))]]
    {
        let doc = table([("http", table(both))]);
        assert_eq!(result(std::slice::from_ref(&doc)), table([("http", table([("timeout", text("2s"))]))]));
        assert_eq!(merged(&[doc]).warnings.len(), 1);
    }
    let low = table([("http", table([("timeout", text("1s"))]))]);
    let high = table([("http", table([("wait", text("2s"))]))]);
    assert_eq!(result(&[low, high]), table([("http", table([("timeout", text("2s"))]))]));
}

#[test]
fn unknown_deprecated_and_removed_keys_are_told_once_with_a_remedy() {
    let doc = table([
        ("http", table([("retires", int(1)), ("tries", int(2))])),
        ("timeout", int(1)),
        ("old", int(1)),
    ]);
    let merged = merged(&[doc]);
    let warnings: Vec<&str> = merged.warnings.iter().map(Problem::message).collect();
    assert!(warnings.contains(&"unknown key, did you mean `http.retries`?"), "{warnings:?}");
    assert!(warnings.contains(&"unknown key, did you mean `http.timeout`?"), "{warnings:?}");
    assert!(warnings.contains(&"is deprecated: use `a`"), "{warnings:?}");
    assert_eq!(merged.warnings.len(), 3);
    assert_eq!(merged.problems[0].to_string(), "`http.tries` at doc0: was removed: use `retries`");
}

#[test]
fn a_scalar_over_a_section_names_both_places() {
    let low = table([("http", table([("retries", int(1))]))]);
    let merged = merged(&[low, table([("http", int(5))])]);
    let problem = &merged.problems[0];
    assert_eq!(problem.kind(), ProblemKind::Conflict);
    assert_eq!(problem.to_string(), "`http` at doc1: expected a table, found an integer; doc0 sets a table");
    assert_eq!(problem.hides, ["a table doc0"]);
}

#[test]
fn a_part_is_taken_and_mounted_by_reference() {
    let doc = table([("x", table([("y", table([("retries", int(7))]))]))]);
    let mut taken = layered("doc", &doc);
    taken.take(&["x".into(), "y".into()]);
    taken.mount(&["flags".into(), "beta".into()]);
    let merged = merge(&[taken], &ROOT, Policy::default());
    let expected = table([("flags", table([("beta", table([("retries", int(7))]))]))]);
    assert_eq!(value(merged.tree.root(), Shape::Section(&ROOT)), expected);
    assert!(merged.problems.is_empty() && merged.warnings.is_empty());
    let _ = &HTTP;
}

/// Documents without nulls, tags and joined lists: there every law holds.
fn document() -> impl Strategy<Value = Value> {
    let number = || (0..5_i128).prop_map(int);
    let http = || {
        (proptest::option::of(number()), proptest::option::of(number()))
            .prop_map(|(t, r)| some([("timeout", t), ("retries", r)]))
    };
    let labels = proptest::collection::btree_map("[a-z]{1,2}", number(), 0..30)
        .prop_map(|map| Value::Table(map.into_iter().collect()));
    let flags = proptest::collection::btree_map("[a-c]", http(), 0..3)
        .prop_map(|map| Value::Table(map.into_iter().collect()));
    (
        proptest::option::of(number()),
        proptest::option::of(labels),
        proptest::option::of(http()),
        proptest::option::of(flags),
    )
        .prop_map(|(a, l, h, f)| some([("a", a), ("labels", l), ("http", h), ("flags", f)]))
}

fn some<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    let set = entries.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?)));
    Value::Table(set.collect())
}

/// Tables key by key, all else replaced: what merging means, without schema or places.
fn model(low: Value, high: Value) -> Value {
    match (low, high) {
        (Value::Table(mut low), Value::Table(high)) => {
            for (key, value) in high {
                match low.iter_mut().find(|(k, _)| *k == key) {
                    Some((_, old)) => *old = model(std::mem::replace(old, Value::Null), value),
                    None => low.push((key, value)),
                }
            }
            Value::Table(low)
        }
        (_, high) => high,
    }
}

/// The same with every table in the order of its keys.
fn sorted(value: Value) -> Value {
    match value {
        Value::Table(entries) => {
            let mut entries: Vec<_> = entries.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Table(entries)
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn layers_merge_as_the_model_says(docs in proptest::collection::vec(document(), 1..5)) {
        let expected = docs.iter().cloned().reduce(model).expect("there is a document");
        prop_assert_eq!(sorted(result(&docs)), sorted(expected));
    }

    #[test]
    fn merging_is_associative(a in document(), b in document(), c in document()) {
        let left = result(&[result(&[a.clone(), b.clone()]), c.clone()]);
        let right = result(&[a, result(&[b, c])]);
        prop_assert_eq!(sorted(left), sorted(right));
    }

    #[test]
    fn an_empty_document_and_a_second_copy_change_nothing(a in document()) {
        let alone = result(std::slice::from_ref(&a));
        let empty = Value::Table(Vec::new());
        prop_assert_eq!(&result(&[empty.clone(), a.clone()]), &alone);
        prop_assert_eq!(&result(&[a.clone(), empty]), &alone);
        prop_assert_eq!(&result(&[a.clone(), a]), &alone);
    }

    #[test]
    fn equal_trees_are_the_same_in_any_order_of_keys(a in document()) {
        let reversed = match a.clone() {
            Value::Table(entries) => Value::Table(entries.into_iter().rev().collect()),
            other => other,
        };
        let (x, y) = (merged(&[a]), merged(&[reversed]));
        prop_assert!(x.tree.root().same(y.tree.root()));
    }
}
