//! Setting a field by its path, with every way that it can go wrong.

use hotconf::{HotConf, Secret};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, HotConf)]
#[hotconf(removed(old = "use `number`"))]
struct App {
    #[hotconf(range = 1..=10, alias = "n")]
    number: u8,
    #[hotconf(default = "5s")]
    wait: Duration,
    maybe: Option<u8>,
    secret: Secret<String>,
    labels: HashMap<String, u32>,
    #[hotconf(nested)]
    pool: Pool,
    #[hotconf(nested)]
    option: Option<Pool>,
    #[hotconf(nested)]
    map: BTreeMap<String, Pool>,
    #[hotconf(nested)]
    list: Vec<Pool>,
    #[hotconf(nested)]
    kind: Kind,
    #[hotconf(nested)]
    kinds: BTreeMap<String, Kind>,
    #[hotconf(nested)]
    spare: Option<Kind>,
    #[hotconf(default, check = few)]
    limits: BTreeMap<String, BTreeMap<String, u8>>,
    #[hotconf(nested)]
    users: HashMap<String, User>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct User {
    name: String,
    email: String,
    #[hotconf(default = 1)]
    rank: u8,
}

fn few(limits: &BTreeMap<String, BTreeMap<String, u8>>) -> Result<(), &'static str> {
    if limits.len() > 2 { Err("more than two") } else { Ok(()) }
}

#[derive(Clone, Debug, Default, PartialEq, HotConf, Serialize)]
#[hotconf(check = Pool::fits)]
struct Pool {
    #[hotconf(default = 1)]
    min: u8,
    #[hotconf(default = 9)]
    max: u8,
}

impl Pool {
    fn fits(&self) -> Result<(), &'static str> {
        if self.min > self.max { Err("`min` is above `max`") } else { Ok(()) }
    }
}

#[derive(Clone, Debug, PartialEq, HotConf, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Kind {
    Off,
    On {
        n: u8,
        #[hotconf(nested)]
        #[serde(default)]
        pool: Pool,
    },
    Slow {
        n: u8,
        wait: u8,
    },
    Boxed(Inner),
}

#[derive(Clone, Debug, PartialEq, HotConf, Serialize)]
struct Inner {
    #[hotconf(range = ..=9)]
    depth: u8,
}

fn app() -> App {
    App {
        number: 1,
        wait: Duration::from_secs(5),
        maybe: None,
        secret: Secret::from("x".to_owned()),
        labels: HashMap::new(),
        pool: Pool { min: 1, max: 9 },
        option: None,
        map: BTreeMap::new(),
        list: Vec::new(),
        kind: Kind::Off,
        kinds: BTreeMap::new(),
        spare: None,
        limits: BTreeMap::new(),
        users: HashMap::new(),
    }
}

fn on(n: u8) -> Kind {
    Kind::On { n, pool: Pool { min: 1, max: 9 } }
}

#[test]
fn every_field_can_be_set() {
    let mut app = app();
    app.set("number", 2).unwrap();
    app.set("n", 3_i64).unwrap();
    app.set("wait", Duration::from_millis(1500)).unwrap();
    app.set("maybe", Some(4)).unwrap();
    app.set("secret", "y").unwrap();
    app.set("labels", HashMap::from([("a", 1), ("b c", 2)])).unwrap();
    app.set("pool", Pool { min: 2, max: 3 }).unwrap();
    app.set("pool.max", 4).unwrap();
    app.set("option", Pool { min: 2, max: 3 }).unwrap();
    app.set("option.min", 1).unwrap();
    app.set("map.x.min", 5).unwrap();
    app.set("list", [Pool { min: 7, max: 8 }]).unwrap();
    app.set("kind", on(1)).unwrap();
    assert_eq!((app.number, app.wait, app.maybe), (3, Duration::from_millis(1500), Some(4)));
    assert_eq!(app.secret.expose(), "y");
    assert_eq!(app.labels, HashMap::from([("a".into(), 1), ("b c".into(), 2)]));
    assert_eq!((&app.pool, &app.option), (&Pool { min: 2, max: 4 }, &Some(Pool { min: 1, max: 3 })));
    assert_eq!(app.map["x"], Pool { min: 5, max: 9 });
    assert_eq!(app.list, [Pool { min: 7, max: 8 }]);
    assert_eq!(app.kind, on(1));
    app.set("maybe", None::<u8>).unwrap();
    app.set("option", None::<Pool>).unwrap();
    assert_eq!((app.maybe, app.option.is_none()), (None, true));
}

#[test]
fn what_is_wrong_is_told_by_kind_and_nothing_is_set() {
    let mut app = app();
    let before = app.clone();
    let error = app.set("number", 11).unwrap_err();
    assert!(error.is_range(), "{error}");
    assert_eq!((error.path(), error.expected(), error.found()), ("number", "1 to 10", Some("11")));
    let error = app.set("number", "x").unwrap_err();
    assert!(error.is_type(), "{error}");
    assert_eq!((error.path(), error.found()), ("number", Some("\"x\"")));
    let error = app.set("pool.min", 10).unwrap_err();
    assert!(error.is_check() && error.path() == "pool", "{error}");
    let error = app.set("pool", Pool { min: 5, max: 1 }).unwrap_err();
    assert!(error.is_check(), "{error}");
    for (path, hint) in [
        ("nubmer", "`number`"),
        ("pool.mni", "`pool.min`"),
        ("max", "pool.max"),
        ("map.x.mni", "`map.x.min`"),
    ] {
        let error = app.set(path, 1).unwrap_err();
        assert!(error.is_unknown_path() && error.to_string().contains(hint), "{path}: {error}");
    }
    let error = app.set("old", 1).unwrap_err();
    assert!(error.is_unknown_path() && error.to_string().contains("use `number`"), "{error}");
    for path in ["", "number.x", "a..b", "kind.x", "limits.a.b", "secret.x", "list[0].min", "\"open"] {
        let error = app.set(path, 1).unwrap_err();
        assert!(error.is_unknown_path() || error.is_type(), "{path}: {error}");
    }
    let error = app.set("kind.n", 1).unwrap_err();
    assert!(error.is_unknown_path() && error.to_string().contains("with its `type`"), "{error}");
    let error = app.set("kind.type", "on").unwrap_err();
    assert!(error.is_missing() && error.path() == "kind.n", "{error}");
    let error = app.set("secret", ["hunter2"]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert!(app.set("pool", 5).unwrap_err().is_type());
    assert!(app.set("labels", 5).unwrap_err().is_type());
    assert!(app.set("wait", f64::NAN).is_err());
    let error = app.set("", HashMap::from([("number", 300), ("nothing", 1)])).unwrap_err();
    assert!(!error.problems().is_empty());
    assert_eq!(app, before, "a refused value changes nothing");
}

#[test]
fn a_field_of_the_present_variant_is_set_and_the_variant_stays() {
    let mut app = app();
    app.kind = on(1);
    app.set("kind.n", 2).unwrap();
    app.set("kind.pool.min", 3).unwrap();
    assert_eq!(app.kind, Kind::On { n: 2, pool: Pool { min: 3, max: 9 } });
    // The same key in another variant.
    app.kind = Kind::Slow { n: 1, wait: 5 };
    app.set("kind.n", 7).unwrap();
    app.set("kind.type", "slow").unwrap();
    assert_eq!(app.kind, Kind::Slow { n: 7, wait: 5 });
    app.kind = Kind::Boxed(Inner { depth: 1 });
    app.set("kind.depth", 2).unwrap();
    assert_eq!(app.kind, Kind::Boxed(Inner { depth: 2 }));
    let error = app.set("kind.depth", 10).unwrap_err();
    assert!(error.is_range() && error.path() == "kind.depth", "{error}");
    // In an option and in a map, too.
    app.spare = Some(Kind::Slow { n: 1, wait: 1 });
    app.set("spare.wait", 2).unwrap();
    app.kinds.insert("a".to_owned(), Kind::Slow { n: 1, wait: 1 });
    app.set("kinds.a.n", 3).unwrap();
    assert_eq!(app.spare, Some(Kind::Slow { n: 1, wait: 2 }));
    assert_eq!(app.kinds["a"], Kind::Slow { n: 3, wait: 1 });
}

#[test]
fn a_field_of_another_variant_is_refused_and_the_remedy_is_told() {
    let mut app = app();
    app.kind = Kind::Slow { n: 1, wait: 5 };
    let before = app.clone();
    let error = app.set("kind.depth", 1).unwrap_err();
    assert!(error.is_unknown_path() && error.path() == "kind.depth", "{error}");
    assert_eq!(
        error.to_string(),
        "`kind.depth`: `kind` is `slow`, `depth` belongs to type = \"boxed\"; \
         to change it, set `kind` as a whole, with its `type`"
    );
    for path in ["spare.n", "kinds.new.n"] {
        let error = app.set(path, 1).unwrap_err();
        assert!(error.is_unknown_path() && error.path() == path, "{error}");
        assert!(
            error.to_string().contains("is not there yet: set it as a whole, with its `type`"),
            "{error}"
        );
    }
    assert_eq!(app, before);
}

#[test]
fn one_entry_of_a_map_of_leaves_is_set_and_the_others_stay() {
    let mut app = app();
    app.labels.insert("a".to_owned(), 1);
    app.set("labels.b", 2).unwrap();
    app.set("labels.\"c d\"", 3).unwrap();
    app.set("labels.a", 4).unwrap();
    let expected = HashMap::from([("a".into(), 4), ("b".into(), 2), ("c d".into(), 3)]);
    assert_eq!(app.labels, expected);
    let error = app.set("labels.b", "x").unwrap_err();
    assert!(error.is_type() && error.path() == "labels.b" && error.found() == Some("\"x\""), "{error}");
    app.set("labels.a", ()).unwrap();
    app.set("labels.\"c d\"", ()).unwrap();
    assert_eq!(app.labels, HashMap::from([("b".into(), 2)]));
    // The check sees the whole map.
    for key in ["x", "y"] {
        app.set(&format!("limits.{key}"), BTreeMap::from([("k", 1)])).unwrap();
    }
    let error = app.set("limits.z", BTreeMap::from([("k", 1)])).unwrap_err();
    assert!(error.is_check() && app.limits.len() == 2, "{error}");
}

#[test]
fn a_new_entry_is_made_if_its_rest_has_defaults() {
    let mut app = app();
    app.set("map.new.min", 2).unwrap();
    assert_eq!(app.map["new"], Pool { min: 2, max: 9 });
    app.set("option.max", 5).unwrap();
    assert_eq!(app.option, Some(Pool { min: 1, max: 5 }));
    let error = app.set("users.ann.rank", 3).unwrap_err();
    assert!(error.is_missing() && app.users.is_empty(), "{error}");
    let missing: Vec<_> = error.problems().iter().map(hotconf::Problem::path).collect();
    assert_eq!(missing, ["users.ann.name", "users.ann.email"]);
    app.set("users.ann", HashMap::from([("name", "Ann"), ("email", "a@x")])).unwrap();
    app.set("users.ann.rank", 3).unwrap();
    assert_eq!(app.users["ann"], User { name: "Ann".into(), email: "a@x".into(), rank: 3 });
    app.set("map.new", ()).unwrap();
    app.set("map.never", ()).unwrap();
    assert!(app.map.is_empty(), "unset entries are gone");
}

#[test]
fn integers_of_128_bits_are_set_whole() {
    #[derive(Clone, HotConf)]
    struct Wide {
        big: u128,
        low: i128,
    }

    let mut wide = Wide { big: 0, low: 0 };
    wide.set("big", u128::MAX).unwrap();
    wide.set("low", i128::MIN).unwrap();
    assert_eq!((wide.big, wide.low), (u128::MAX, i128::MIN));
}
