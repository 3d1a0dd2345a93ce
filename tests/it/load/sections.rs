//! Every shape of a section, and what is missing or wrong in one.

use super::{refusal, toml};
use hotconf::{HotConf, ProblemKind};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Debug, Default, PartialEq, HotConf)]
struct Inner {
    #[hotconf(default = 1)]
    a: u8,
    #[hotconf(default = "x")]
    b: String,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Store {
    Memory,
    #[serde(alias = "file")]
    LocalDisk {
        path: String,
        #[hotconf(default = 3)]
        depth: u8,
    },
    Remote(Remote),
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Remote {
    host: String,
    #[hotconf(nested)]
    tls: Option<Inner>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Shapes {
    #[hotconf(nested)]
    one: Inner,
    #[hotconf(nested)]
    boxed: Box<Inner>,
    #[hotconf(nested)]
    maybe: Option<Inner>,
    #[hotconf(nested)]
    maybe_boxed: Option<Box<Inner>>,
    #[hotconf(nested)]
    list: Vec<Inner>,
    #[hotconf(nested)]
    map: HashMap<String, Inner>,
    #[hotconf(nested)]
    sorted: BTreeMap<String, Store>,
    #[hotconf(nested)]
    stores: Vec<Store>,
    #[hotconf(nested)]
    store: Store,
    #[hotconf(nested)]
    maybe_store: Option<Store>,
    #[hotconf(nested)]
    generic: Wrap<u16, Inner>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Wrap<T, S> {
    value: T,
    #[hotconf(nested)]
    section: S,
}

#[test]
fn every_shape_of_a_section_is_filled() {
    let shapes: Shapes = toml(
        r#"
        one.a = 2
        boxed.b = "y"
        maybe_boxed.a = 4
        maybe_store = { kind = "memory" }
        [generic]
        value = 9
        section.a = 5
        [[list]]
        a = 6
        [[list]]
        [map.x]
        a = 7
        [sorted.m]
        kind = "memory"
        [sorted.d]
        kind = "file"
        path = "/d"
        [[stores]]
        kind = "remote"
        host = "h"
        tls = {}
        [store]
        kind = "local-disk"
        path = "/s"
        depth = 1
        "#,
    );
    let inner = |a| Inner { a, b: "x".into() };
    let expected = Shapes {
        one: inner(2),
        boxed: Box::new(Inner { a: 1, b: "y".into() }),
        maybe: None,
        maybe_boxed: Some(Box::new(inner(4))),
        list: vec![inner(6), inner(1)],
        map: HashMap::from([("x".into(), inner(7))]),
        sorted: BTreeMap::from([
            ("m".into(), Store::Memory),
            ("d".into(), Store::LocalDisk { path: "/d".into(), depth: 3 }),
        ]),
        stores: vec![Store::Remote(Remote { host: "h".into(), tls: Some(inner(1)) })],
        store: Store::LocalDisk { path: "/s".into(), depth: 1 },
        maybe_store: Some(Store::Memory),
        generic: Wrap { value: 9, section: inner(5) },
    };
    assert_eq!(shapes, expected);
}

#[test]
fn what_is_missing_is_told_with_its_path() {
    let error = refusal::<Shapes>(
        "store.kind = 'remote'\nsorted.a.kind = 'local-disk'\nstores = [{}]\ngeneric.section.a = 1",
    );
    let mut paths: Vec<_> = error.problems().iter().map(|p| (p.path(), p.kind())).collect();
    paths.sort_unstable_by_key(|(path, _)| path.to_owned());
    assert_eq!(
        paths,
        [
            ("generic.value", ProblemKind::Missing),
            ("sorted.a.path", ProblemKind::Missing),
            ("store.host", ProblemKind::Missing),
            ("stores[0].kind", ProblemKind::Missing),
        ],
        "{error:?}"
    );
}

#[test]
fn an_unknown_tag_names_the_known_ones() {
    let error = refusal::<Shapes>("store.kind = 'memroy'\ngeneric.value = 1");
    let [problem] = error.problems() else { panic!("{error:?}") };
    assert_eq!(problem.path(), "store.kind");
    for name in ["memory", "local-disk", "remote", "memroy"] {
        assert!(problem.to_string().contains(name), "{problem}");
    }
}

#[test]
fn a_scalar_where_a_section_stands_is_told_once() {
    for text in
        ["one = 5", "list = 5", "map = 5", "maybe = 5", "map.x = 5", "list = [5]", "one = [{ a = 1 }]"]
    {
        let error = refusal::<Shapes>(&format!("{text}\nstore.kind = 'memory'\ngeneric.value = 1"));
        assert_eq!(error.problems().len(), 1, "{text}: {error:?}");
        assert!(error.problems()[0].message().starts_with("expected a "), "{error:?}");
    }
}
