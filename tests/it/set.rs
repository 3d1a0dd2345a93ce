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
    On { n: u8 },
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
    }
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
    app.set("kind", Kind::On { n: 1 }).unwrap();
    assert_eq!((app.number, app.wait, app.maybe), (3, Duration::from_millis(1500), Some(4)));
    assert_eq!(app.secret.expose(), "y");
    assert_eq!(app.labels, HashMap::from([("a".into(), 1), ("b c".into(), 2)]));
    assert_eq!((&app.pool, &app.option), (&Pool { min: 2, max: 4 }, &Some(Pool { min: 1, max: 3 })));
    assert_eq!(app.map["x"], Pool { min: 5, max: 9 });
    assert_eq!(app.list, [Pool { min: 7, max: 8 }]);
    assert_eq!(app.kind, Kind::On { n: 1 });
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
    for path in ["", "number.x", "a..b", "kind.x", "labels.a", "list[0].min", "\"open"] {
        let error = app.set(path, 1).unwrap_err();
        assert!(error.is_unknown_path() || error.is_type(), "{path}: {error}");
    }
    let error = app.set("kind.n", 1).unwrap_err();
    assert!(error.is_type() && error.to_string().contains("with its `type`"), "{error}");
    assert!(app.set("kind.type", "on").is_err(), "`n` is missing");
    let error = app.set("secret", ["hunter2"]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert!(app.set("pool", 5).unwrap_err().is_type());
    assert!(app.set("labels", 5).unwrap_err().is_type());
    assert!(app.set("wait", f64::NAN).is_err());
    let error = app.set("", HashMap::from([("number", 300), ("nothing", 1)])).unwrap_err();
    assert!(!error.problems().is_empty());
    assert_eq!(app, before, "a refused value changes nothing");
}
