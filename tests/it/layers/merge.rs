//! How what several sources say becomes one: merging, unsetting, mounting, unknown and removed keys.

use super::{App, Store, base, good, layers, lines, warnings};
use crate::support::Dir;
use hotconf::{Args, Env, File, Hot, Inline, ProblemKind, SourceExt};
use std::collections::HashMap;
use std::time::Duration;

#[test]
fn later_sources_override_earlier_ones_key_by_key() {
    let app = good(&[
        "http = { timeout = '1s', retries = 1 }\nlabels = { a = 1, b = 1 }",
        "http.retries = 2\nlabels.b = 2",
    ]);
    assert_eq!((app.http.timeout, app.http.retries), (Duration::from_secs(1), 2));
    assert_eq!(app.labels, HashMap::from([("a".into(), 1), ("b".into(), 2)]));
    assert_eq!(app.origin(App::FIELDS.http.timeout).to_string(), "1.toml:1:20");
    assert_eq!(app.origin(App::FIELDS.labels.key("b")).to_string(), "2.toml:2:12");
}

#[test]
fn lists_replace_unless_the_field_joins_them() {
    let app = good(&[
        "hosts = ['a', 'b']\nroutes = [{ name = 'x', path = '/x' }, { name = 'y' }]",
        "hosts = ['c']\nroutes = [{ name = 'y', weight = 9 }, { name = 'z' }]",
    ]);
    assert_eq!(app.hosts, ["a", "b", "c"]);
    let routes: Vec<_> = app.routes.iter().map(|r| (r.name.as_str(), r.path.as_str(), r.weight)).collect();
    assert_eq!(routes, [("x", "/x", 1), ("y", "/", 9), ("z", "/", 1)]);
}

#[test]
fn null_is_none_on_an_option_and_elsewhere_unsays_what_lies_below() {
    let read = |upper: Inline| {
        Hot::<App>::builder()
            .source(base())
            .source(Inline::toml(
                "low.toml",
                "workers = 8\nport = 90\ntls.cert = 'c'\nflags.a.on = true\nhttp.retries = 9",
            ))
            .source(upper)
            .read()
            .unwrap_or_else(|e| panic!("{e:?}"))
    };
    let json = read(Inline::json(
        "up.json",
        r#"{"workers": null, "port": null, "tls": null, "flags": {"a": null}, "http": null}"#,
    ));
    let yaml = read(Inline::yaml("up.yaml", "workers: ~\nport: null\ntls:\nflags: {a: ~}\nhttp: ~"));
    let toml = read(Inline::toml("up.toml", "hotconf.unset = ['workers', 'port', 'tls', 'flags.a', 'http']"));
    for app in [&json, &yaml, &toml] {
        assert_eq!((app.workers, app.port, app.tls.is_none()), (None, 80, true), "{:?}", **app);
        assert_eq!((app.flags.len(), app.http.retries), (0, 3), "{:?}", **app);
        assert!(app.warnings().is_empty(), "{:?}", app.warnings());
    }
}

#[test]
fn another_tag_replaces_the_table_and_the_same_tag_merges() {
    let same = good(&["store = { type = 'disk', path = '/a', depth = 4 }", "store.path = '/b'"]);
    assert_eq!(same.store, Store::Disk { path: "/b".into(), depth: 4 });
    let other =
        good(&["store = { type = 'disk', path = '/a', depth = 4 }", "store = { type = 's3', bucket = 'b' }"]);
    assert_eq!(other.store, Store::S3 { bucket: "b".into(), path: "/".into() });
    assert!(other.warnings().is_empty(), "{:?}", other.warnings());
}

#[test]
fn layers_that_contradict_each_other_are_told_once_with_both_places() {
    let error = layers(&["http.retries = 2", "http = 5"]).unwrap_err();
    assert_eq!(lines(&error).len(), 1, "{error:?}");
    assert!(lines(&error)[0].contains("2.toml:1:8") && lines(&error)[0].contains("1.toml"), "{error:?}");
    let error = layers(&["labels = { a = 1 }", "labels = 5"]).unwrap_err();
    assert_eq!(lines(&error).len(), 1, "{error:?}");
}

#[test]
fn unknown_keys_warn_with_the_nearest_name_at_any_depth() {
    let app = good(&[
        "prot = 1\nhttp.retires = 2\nflags.a.shaer = 1\nroutes = [{ name = 'x', wieght = 1 }]\n[timeout]\n",
    ]);
    let all = warnings(&app).join("\n");
    for hint in ["`port`", "`http.retries`", "`flags.a.share`", "weight", "`http.timeout`"] {
        assert!(all.contains(hint), "{hint} in\n{all}");
    }
    assert_eq!(app.warnings().len(), 5, "{all}");
}

#[test]
fn unknown_keys_are_refused_where_they_are_denied() {
    let error = Hot::<App>::builder()
        .source(base())
        .source(Inline::toml("1.toml", "prot = 1\nhttp.retires = 2\nport = 'x'"))
        .deny_unknown_keys()
        .read()
        .unwrap_err();
    let mut paths: Vec<_> = error.problems().iter().map(|p| (p.path(), p.kind())).collect();
    paths.sort_by_key(|(path, _)| path.to_string());
    assert_eq!(
        paths,
        [("http.retires", ProblemKind::Unknown), ("port", ProblemKind::Type), ("prot", ProblemKind::Unknown)]
    );
}

#[test]
fn removed_and_deprecated_keys_and_aliases_are_told_once() {
    let error = layers(&["old = 1"]).unwrap_err();
    assert_eq!(lines(&error).len(), 1);
    assert!(lines(&error)[0].contains("use `http.retries`"), "{error:?}");
    let app = good(&["http.keepalive = true\ntcp_port = 90"]);
    assert_eq!((app.port, app.warnings().len()), (90, 1), "{:?}", app.warnings());
    assert!(warnings(&app)[0].contains("it is always on"));
    let both = good(&["tcp_port = 90\nport = 91"]);
    assert_eq!((both.port, both.warnings().len()), (91, 1), "{:?}", both.warnings());
    let above = good(&["port = 91", "tcp_port = 90"]);
    assert_eq!((above.port, above.warnings().len()), (90, 0), "another layer may use another name");
}

#[test]
fn an_error_names_what_the_wrong_value_hides_and_shows_the_line() {
    let error = layers(&["http.timeout = '9s'", "http.timeout = 'fast'"]).unwrap_err();
    let report = format!("{error:?}");
    for part in [
        "http.timeout",
        "\"fast\"",
        "2.toml:1:16",
        "hides",
        "1.toml:1:16",
        "default \"5s\"",
        "http.timeout = 'fast'",
    ] {
        assert!(report.contains(part), "{part} in\n{report}");
    }
}

#[test]
fn a_part_of_a_source_is_taken_and_mounted() {
    let read = |source: Box<dyn Fn(hotconf::Builder<App>) -> hotconf::Builder<App>>| {
        source(Hot::<App>::builder().source(base())).read().unwrap_or_else(|e| panic!("{e:?}"))
    };
    let taken =
        read(Box::new(|b| b.source(Inline::toml("a.toml", "[worker.app]\nport = 9").at("worker.app"))));
    assert_eq!(taken.port, 9);
    assert_eq!(taken.origin(App::FIELDS.port).to_string(), "a.toml:2:8");
    let mounted = read(Box::new(|b| b.source(Inline::toml("a.toml", "retries = 9").under("http"))));
    assert_eq!(mounted.http.retries, 9);
    let both =
        read(Box::new(|b| b.source(Inline::toml("a.toml", "x.on = true").at("x").under("flags.\"new ui\""))));
    assert!(both.flags["new ui"].on);
    let args = read(Box::new(|b| b.source(Args::new(["--set", "worker.port=7"]).at("worker"))));
    assert_eq!(args.port, 7);
    let args = read(Box::new(|b| b.source(Args::new(["--set", "retries=7"]).under("http"))));
    assert_eq!(args.http.retries, 7);
    let env = read(Box::new(|b| {
        b.source(Env::from_iter("T", [("T_CERT", "c"), ("T_PASSWORD", "p")]).under("tls"))
    }));
    assert_eq!(env.tls.as_ref().map(|t| t.cert.as_str()), Some("c"));
    let absent = read(Box::new(|b| b.source(Inline::toml("a.toml", "x = 1").at("worker").optional())));
    assert_eq!(absent.port, 80);
}

#[test]
fn profiles_are_two_files_and_an_optional_one_may_be_missing() {
    let dir = Dir::new();
    let base = dir.file("app.toml", "port = 1\nworkers = 2\nstore.type = 'memory'");
    let local = dir.path().join("app.local.toml");
    let read = || Hot::<App>::builder().source(File::new(&base)).source(File::new(&local).optional()).read();
    assert_eq!(read().unwrap().port, 1);
    dir.file("app.local.toml", "port = 2");
    let app = read().unwrap();
    assert_eq!((app.port, app.workers), (2, Some(2)));
    let missing = Hot::<App>::builder().source(File::new(dir.path().join("no.toml"))).read().unwrap_err();
    assert!(missing.is_unreadable() && missing.to_string().contains("no.toml"), "{missing:?}");
}
