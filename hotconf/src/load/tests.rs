//! Loading, updating, setting and comparing, over documents made by hand and the schema of the derive.

use super::{HotConf, load, update};
use crate::error::ProblemKind;
use crate::layer::{Policy, merge};
use crate::secret::Secret;
use crate::value::{Document, Layered, Tree, Value};
use proptest::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, crate::HotConf)]
#[hotconf(crate = crate, check = workers_fit)]
struct App {
    #[hotconf(default = 1)]
    workers: u16,
    #[hotconf(default = "5s", range = "1ms..=10m")]
    timeout: Duration,
    label: Option<String>,
    #[hotconf(default)]
    ratios: Vec<f64>,
    #[hotconf(default = "")]
    token: Secret<String>,
    #[hotconf(nested)]
    http: Http,
    #[hotconf(nested)]
    spare: Option<Http>,
    #[hotconf(nested)]
    flags: BTreeMap<String, Flag>,
    #[hotconf(nested)]
    peers: Vec<Flag>,
}

#[derive(Clone, Debug, PartialEq, crate::HotConf)]
#[hotconf(crate = crate)]
struct Http {
    #[hotconf(default = 3, range = "..10")]
    retries: Option<u8>,
    #[hotconf(default = 80)]
    port: u16,
}

#[derive(Clone, Debug, PartialEq, crate::HotConf)]
#[hotconf(crate = crate)]
struct Flag {
    #[hotconf(default)]
    on: bool,
    #[hotconf(default = "x")]
    name: String,
}

fn workers_fit(app: &App) -> Result<(), String> {
    if app.workers == 13 { Err(format!("13 workers, token {}", app.token.expose())) } else { Ok(()) }
}

fn tree(value: &impl Serialize) -> Tree {
    let value = Value::of(value).unwrap();
    let merged =
        merge(&[Layered::from(Arc::new(Document::of("test", &value)))], App::SCHEMA, Policy::default());
    assert!(merged.problems.is_empty(), "{:?}", merged.problems);
    merged.tree
}

fn table(entries: Vec<(&str, Value)>) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn an_empty_tree_gives_the_defaults() {
    let app: App = *load(&tree(&table(vec![]))).0.unwrap();
    assert_eq!((app.workers, app.timeout, app.http.port), (1, Duration::from_secs(5), 80));
    assert_eq!((app.http.retries, app.spare.is_none(), app.flags.len()), (Some(3), true, 0));
}

#[test]
fn every_problem_is_found_in_one_pass() {
    let tree = tree(&table(vec![
        ("workers", 70_000.into()),
        ("timeout", "3h".into()),
        ("http", table(vec![("retries", 10.into()), ("port", true.into())])),
        ("flags", table(vec![("new ui", table(vec![("on", "false".into())]))])),
    ]));
    let problems = load::<App>(&tree).0.unwrap_err();
    let lines: Vec<_> = problems.iter().map(|p| format!("{}: {}", p.path(), p.message())).collect();
    assert_eq!(
        lines,
        [
            "workers: expected a whole number from 0 to 65535, found 70000",
            "timeout: expected 1ms to 10m, found \"3h\"",
            "http.retries: expected less than 10, found 10",
            "http.port: expected a whole number from 0 to 65535, found true",
            "flags.\"new ui\".on: expected true or false, found \"false\"",
        ]
    );
}

#[test]
fn untyped_text_is_read_by_the_fields_type() {
    let tree = tree(&table(vec![
        ("workers", text("8")),
        ("timeout", text("250ms")),
        ("label", text("00123")),
        ("http", table(vec![("retries", text(""))])),
        ("flags", table(vec![("a", table(vec![("on", text("true")), ("name", text("true"))]))])),
    ]));
    let app: App = *load(&tree).0.unwrap();
    assert_eq!((app.workers, app.timeout), (8, Duration::from_millis(250)));
    assert_eq!((app.label.as_deref(), app.http.retries), (Some("00123"), None));
    assert_eq!((app.flags["a"].on, &*app.flags["a"].name), (true, "true"));
}

#[cfg(feature = "toml")]
#[test]
fn untyped_text_for_a_list_is_one_toml_value() {
    let app: App = *load(&tree(&table(vec![("ratios", text("[1, 2.5]"))]))).0.unwrap();
    assert_eq!(app.ratios, [1.0, 2.5]);
    let two_keys = load::<App>(&tree(&table(vec![("ratios", text("[1]\nworkers = 9"))]))).0;
    assert_eq!(two_keys.unwrap_err()[0].kind(), ProblemKind::Type);
}

#[test]
fn no_problem_shows_a_secret() {
    let wrong_type = load::<App>(&tree(&table(vec![("token", 271_828.into())]))).0.unwrap_err();
    assert_eq!(wrong_type[0].message(), "expected a string (the value is not shown: secret)");
    let by_check = table(vec![("workers", 13.into()), ("token", "hunter2".into())]);
    let refused = load::<App>(&tree(&by_check)).0.unwrap_err();
    assert_eq!(refused[0].kind(), ProblemKind::Check);
    assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
}

#[test]
fn null_is_none_or_the_default() {
    let tree = tree(&table(vec![
        ("workers", Value::Null),
        ("label", Value::Null),
        ("http", table(vec![("retries", Value::Null)])),
    ]));
    let app: App = *load(&tree).0.unwrap();
    assert_eq!((app.workers, app.label, app.http.retries), (1, None, None));
}

#[test]
fn an_update_reads_only_what_moved() {
    let before = tree(&table(vec![("workers", 2.into()), ("label", "a".into())]));
    let after = tree(&table(vec![("workers", 3.into()), ("label", "a".into())]));
    let mut app: App = *load(&before).0.unwrap();
    let (result, decoded) = update(&mut app, &before, &after);
    result.unwrap();
    assert_eq!((app.workers, decoded), (3, 1));
}

#[test]
fn a_setter_assigns_only_what_passes() {
    let mut app: App = *load(&tree(&table(vec![]))).0.unwrap();
    app.set("timeout", Duration::from_millis(20)).unwrap();
    app.set("flags.new-ui.on", true).unwrap();
    app.set("flags.new-ui.name", "n").unwrap();
    app.set("spare.port", 81).unwrap();
    app.set("http", BTreeMap::from([("port", 82)])).unwrap();
    assert_eq!(app.timeout, Duration::from_millis(20));
    assert_eq!(app.flags["new-ui"], Flag { on: true, name: "n".into() });
    assert_eq!((app.spare.as_ref().map(|s| s.port), app.http.port), (Some(81), 82));

    let kept = app.clone();
    assert!(app.set("timeout", "3h").unwrap_err().is_range());
    assert!(app.set("workers", "x").unwrap_err().is_type());
    assert!(app.set("workers", 13).unwrap_err().is_check());
    let unknown = app.set("http.prot", 1).unwrap_err();
    assert!(unknown.is_unknown_path() && unknown.to_string().contains("`http.port`"), "{unknown}");
    assert_eq!(app, kept);
}

#[test]
fn a_diff_names_entries_of_maps() {
    let a: App = *load(&tree(&table(vec![]))).0.unwrap();
    let mut b = a.clone();
    b.set("flags.new-ui.on", true).unwrap();
    b.set("http.port", 1).unwrap();
    let paths: Vec<_> = a.diff(&b).iter().map(|item| item.path().to_owned()).collect();
    assert_eq!(paths, ["http.port", "flags.new-ui"]);
}

/// Documents that are valid for `App`, with what an editor changes: keys that come and go.
fn documents() -> impl Strategy<Value = Value> {
    let flag = || {
        (proptest::option::of(any::<bool>()), proptest::option::of("[a-c]")).prop_map(|(on, name)| {
            let on = on.map(|on| ("on", Value::from(on)));
            table(on.into_iter().chain(name.map(|name| ("name", name.into()))).collect())
        })
    };
    let http = || {
        proptest::option::of(0_u8..10).prop_map(|retries| {
            table(retries.into_iter().map(|retries| ("retries", Value::from(retries))).collect())
        })
    };
    let flags = proptest::collection::btree_map("[a-d]", flag(), 0..4);
    let peers = proptest::collection::vec(flag(), 0..4);
    let option = proptest::option::of::<BoxedStrategy<Value>>;
    (
        option((1_u16..4).prop_map(Value::from).boxed()),
        option(prop_oneof![Just(Value::Null), Just("a".into()), Just("b".into())].boxed()),
        option(http().boxed()),
        option(prop_oneof![Just(Value::Null), http()].boxed()),
        option(flags.prop_map(|flags| Value::Table(flags.into_iter().collect())).boxed()),
        option(peers.prop_map(Value::Array).boxed()),
    )
        .prop_map(|(workers, label, http, spare, flags, peers)| {
            let keys = ["workers", "label", "http", "spare", "flags", "peers"];
            let values = [workers, label, http, spare, flags, peers];
            table(keys.into_iter().zip(values).filter_map(|(key, value)| Some((key, value?))).collect())
        })
}

proptest! {
    #[test]
    fn an_update_gives_what_a_full_load_gives(a in documents(), b in documents()) {
        let (old, new) = (tree(&a), tree(&b));
        let mut updated: App = *load(&old).0.unwrap();
        update(&mut updated, &old, &new).0.unwrap();
        prop_assert_eq!(updated, *load::<App>(&new).0.unwrap());
    }

    #[test]
    fn a_diff_is_symmetric_and_empty_only_for_equals(a in documents(), b in documents()) {
        let (a, b): (App, App) = (*load(&tree(&a)).0.unwrap(), *load(&tree(&b)).0.unwrap());
        let (ab, ba) = (a.diff(&b), b.diff(&a));
        prop_assert_eq!(ab.paths(), ba.paths());
        prop_assert_eq!(format!("{ab}"), format!("{ba}"));
        prop_assert_eq!(ab.is_empty(), a == b);
    }
}
