//! Where no source speaks: the field table, `explain`, events, origins and fingerprints say what holds.

use crate::support::{applied, by_hand};
use hotconf::{Hot, HotConf, Inline, Loaded, Secret};

/// Its fields have the values of its own default, not of theirs.
#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(default)]
struct Whole {
    n: u32,
    o: Option<u8>,
    list: Vec<u8>,
    #[hotconf(nested)]
    d: Inner,
    #[hotconf(default = 5)]
    own: u32,
}

impl Default for Whole {
    fn default() -> Self {
        Self { n: 9, o: Some(2), list: vec![1], d: Inner { a: 4, b: 7 }, own: 0 }
    }
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Inner {
    a: u32,
    #[hotconf(default = 3)]
    b: u32,
}

/// A section that has a default as a whole.
#[derive(Clone, Debug, PartialEq, HotConf)]
struct Part {
    #[hotconf(nested, default = Inner { a: 4, b: 7 })]
    d: Inner,
    #[hotconf(nested, default = Store::Disk { path: "p".into(), depth: 2 })]
    store: Store,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Store {
    Memory {
        #[hotconf(default = 1)]
        size: u8,
        path: String,
    },
    Disk {
        path: String,
        #[hotconf(default = 3)]
        depth: u8,
    },
}

fn read<T: HotConf>(texts: &[&str]) -> Loaded<T> {
    let names = ["a", "b", "c"];
    let mut builder = Hot::<T>::builder();
    for (name, text) in names.iter().zip(texts) {
        builder = builder.source(Inline::toml(*name, text));
    }
    builder.read().unwrap_or_else(|e| panic!("{e:?}"))
}

fn print<T: HotConf>(texts: &[&str]) -> String {
    let mut builder = Hot::<T>::builder();
    for (at, text) in texts.iter().enumerate() {
        builder = builder.source(Inline::toml(format!("{at}.toml"), text));
    }
    let config = builder.blocking_start().unwrap_or_else(|e| panic!("{e:?}"));
    config.snapshot().fingerprint().to_owned()
}

fn changes<T: HotConf>(before: &str, after: &str) -> Vec<String> {
    let (config, handle) = by_hand::<T>(before);
    let mut events = config.events();
    handle.set(after);
    config.blocking_reload().expect("a good document");
    applied(&mut events).changes().iter().map(ToString::to_string).collect()
}

#[test]
fn fields_of_a_type_with_a_default_of_its_own_are_not_required() {
    let fields = Whole::fields();
    for path in ["n", "o", "list", "d.a", "d.b"] {
        let field = fields.get(path).unwrap_or_else(|| panic!("{path} is declared above"));
        assert_eq!((field.is_required(), field.default()), (false, Some("default")), "{path}");
    }
    assert_eq!(fields.get("own").and_then(|field| field.default()), Some("5"), "a field's own goes first");
    assert!(!fields.markdown().contains("required"), "{}", fields.markdown());
    let schema: serde_json::Value = serde_json::from_str(&fields.json_schema()).expect("it is JSON");
    assert_eq!(schema["required"], serde_json::Value::Null, "{schema}");
    assert_eq!(schema["properties"]["d"]["required"], serde_json::json!(["a"]), "where `d` is given");
}

#[test]
fn fields_of_a_section_with_a_default_as_a_whole_are_not_required() {
    let fields = Part::fields();
    for path in ["d.a", "d.b", "store.type", "store.path", "store.depth"] {
        let field = fields.get(path).unwrap_or_else(|| panic!("{path} is declared above"));
        assert_eq!((field.is_required(), field.default()), (false, Some("default")), "{path}");
    }
    // Whoever names the section takes its default back: the template leaves that to its user.
    assert!(fields.template().contains("\n##[d]\n##a ="), "{}", fields.template());
    assert_eq!(read::<Part>(&[""]).d.b, 7);
    assert_eq!(read::<Part>(&["d.a = 1"]).d.b, 3);
}

#[test]
fn the_template_of_a_type_with_defaults_as_a_whole_says_what_holds_anyway() {
    let template = Whole::fields().template() + &Part::fields().template();
    let text: Vec<&str> = template
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])))
        .collect();
    assert_eq!(text, ["own = 5"], "{template}");
}

#[test]
fn explain_shows_a_default_as_a_whole_as_one() {
    let whole = read::<Whole>(&["n = 1"]).explain().to_string();
    assert!(!whole.contains("missing"), "{whole}");
    let whole = read::<Whole>(&[""]);
    let of = |path: &str| whole.explain_path(path).map(|explained| explained.to_string());
    assert_eq!(of("o").expect("a path"), "o = default   default");
    assert_eq!(of("d.a").expect("the section holds as a whole"), "d = default   default");
    assert_eq!(whole.explain_field(Whole::FIELDS.d.a).len(), 1);
    let part = read::<Part>(&["store.type = 'disk'\nstore.path = 'q'"]);
    // Not its expression: what holds sections may hold a secret.
    assert_eq!(part.explain_path("d.a").expect("a path")[0].value(), "default");
    assert_eq!(part.explain_path("store.depth").expect("a path")[0].value(), "3");
}

#[test]
fn an_event_says_default_where_a_default_as_a_whole_came_back() {
    assert_eq!(
        changes::<Whole>("d.a = 9", ""),
        ["d.a: 9 -> default (default)", "d.b: 3 -> default (default)"]
    );
    assert_eq!(changes::<Part>("d.a = 9", "")[0], "d.a: 9 -> default (default)");
    assert_eq!(changes::<Whole>("o = 3", ""), ["o: 3 -> default (default)"]);
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Plain {
    #[hotconf(default = 3)]
    n: u32,
    #[hotconf(default = 1)]
    maybe: Option<u32>,
    #[hotconf(nested)]
    http: Http,
    #[hotconf(default)]
    list: Vec<u8>,
    #[hotconf(default)]
    map: std::collections::BTreeMap<String, u8>,
    #[hotconf(nested)]
    parts: Vec<Http>,
    #[hotconf(nested)]
    tls: Option<Http>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Http {
    #[hotconf(default = 80)]
    port: u16,
}

const UNSET: &str = "hotconf.unset = ['n']";

#[test]
fn a_value_that_was_taken_back_is_explained_as_the_default_that_holds() {
    let config = read::<Plain>(&["n = 7", UNSET]);
    assert_eq!(config.n, 3);
    let explained = config.explain_path("n").expect("a path");
    assert_eq!(explained.to_string(), "n = 3   default   (unset at b:1:18)\n  hides 7   a:1:5");
    assert!(explained[0].origin().is_default());
    assert!(config.origin(Plain::FIELDS.n).is_default());
    let all = config.explain().to_string();
    assert!(all.lines().any(|line| line.starts_with("n = 3 ") && line.ends_with("   default")), "{all}");
}

#[test]
fn a_section_that_was_taken_back_is_explained_as_the_defaults_that_hold() {
    let config = read::<Plain>(&["http.port = 7", "hotconf.unset = ['http']"]);
    assert_eq!(config.http.port, 80);
    let explained = config.explain_path("http.port").expect("a path");
    assert_eq!(explained.to_string(), "http.port = 80   default   (unset at b:1:18)\n  hides 7   a:1:13");
    assert!(config.origin(Plain::FIELDS.http.port).is_default());
}

#[test]
fn a_null_of_an_option_is_its_value() {
    let config = read::<Plain>(&["maybe = 7", "hotconf.unset = ['maybe']"]);
    assert_eq!(config.maybe, None);
    let explained = config.explain_path("maybe").expect("a path");
    assert_eq!(explained.to_string(), "maybe = null   b:1:18\n  hides 7   a:1:9\n  hides 1   default");
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Maybe {
    #[hotconf(nested, default = Some(Http { port: 9 }))]
    tls: Option<Http>,
    #[hotconf(default = Secret::from(None))]
    token: Secret<Option<String>>,
}

#[test]
fn a_null_of_an_optional_section_with_a_default_is_none() {
    assert_eq!(read::<Maybe>(&[""]).tls, Some(Http { port: 9 }));
    let config = read::<Maybe>(&["tls.port = 1", "hotconf.unset = ['tls']"]);
    assert_eq!(config.tls, None);
    assert!(config.explain_path("tls").expect("a path").to_string().starts_with("tls = null   b:1:18\n"));
    let mut value = Maybe { tls: Some(Http { port: 1 }), token: Secret::from(None) };
    value.set("tls", None::<()>).expect("it is optional");
    assert_eq!(value.tls, None);
}

#[test]
fn a_null_inside_of_a_secret_is_its_value() {
    let config = read::<Maybe>(&["token = 'x'", "hotconf.unset = ['token']"]);
    assert_eq!(config.token.expose(), &None);
    let explained = config.explain_path("token").expect("a path");
    assert_eq!(explained[0].origin().to_string(), "b:1:18", "{explained}");
}

#[test]
fn entries_that_came_or_went_are_told_by_their_leaves() {
    let two = "parts = [{ port = 1 }, {}]";
    assert_eq!(changes::<Plain>("parts = [{ port = 1 }]", two), ["parts[1].port: unset -> 80 (default)"]);
    assert_eq!(changes::<Plain>(two, "parts = [{ port = 1 }]"), ["parts[1].port: 80 -> unset (default)"]);
}

#[test]
fn an_event_says_the_default_where_a_value_was_taken_back() {
    let (config, handle) = by_hand::<Plain>("n = 7\nhttp.port = 9");
    let mut events = config.events();
    handle.set("hotconf.unset = ['n', 'http']");
    config.blocking_reload().expect("a good document");
    let told: Vec<String> = applied(&mut events).changes().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["n: 7 -> 3 (default)", "http.port: 9 -> 80 (default)"]);
}

#[test]
fn what_was_taken_back_has_the_fingerprint_of_what_was_not_set() {
    for unset in [UNSET, "hotconf.unset = ['http']", "hotconf.unset = ['list', 'map', 'parts', 'tls']"] {
        assert_eq!(
            print::<Plain>(&["n = 7\nlist = [1]\nhttp.port = 1", "n = 3\nlist = []\nhttp.port = 80", unset]),
            print::<Plain>(&[""]),
            "{unset}"
        );
    }
    assert_ne!(print::<Plain>(&["hotconf.unset = ['maybe']"]), print::<Plain>(&[""]), "`None` is a value");
}

#[test]
fn an_empty_container_has_the_fingerprint_of_one_that_was_not_set() {
    for text in ["list = []", "map = {}", "parts = []", "n = 3", "http = {}"] {
        assert_eq!(print::<Plain>(&[text]), print::<Plain>(&[""]), "{text}");
    }
    assert_ne!(print::<Plain>(&["list = [1]"]), print::<Plain>(&[""]));
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Tagged {
    #[hotconf(nested)]
    store: Store,
    #[hotconf(nested)]
    tls: Option<Tls>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Tls {
    #[hotconf(default = 443)]
    port: u16,
    #[hotconf(default = "none of your business")]
    key: Secret<String>,
}

#[test]
fn another_variant_is_told_by_the_leaves_that_each_has() {
    let memory = "store = { type = 'memory', path = 'p' }";
    let disk = "store = { type = 'disk', path = 'q' }";
    assert_eq!(
        changes::<Tagged>(memory, disk),
        [
            "store.type: \"memory\" -> \"disk\" (app.toml:1:18)",
            "store.size: 1 -> unset (default)",
            "store.path: \"p\" -> \"q\" (app.toml:1:33)",
            "store.depth: unset -> 3 (default)",
        ]
    );
    // What stands in both is no change.
    let same = "store = { type = 'disk', path = 'p' }";
    let paths: Vec<String> = changes::<Tagged>(memory, same);
    assert!(paths.iter().all(|line| !line.starts_with("store.path")), "{paths:?}");
}

#[test]
fn a_section_that_came_or_went_is_told_by_its_leaves() {
    let (without, with) = ("store = { type = 'memory', path = 'p' }", "\ntls.port = 443");
    let with = format!("{without}{with}");
    let told = changes::<Tagged>(without, &with);
    assert!(told.contains(&"tls.port: unset -> 443 (app.toml:2:12)".to_owned()), "{told:?}");
    assert!(told.contains(&"tls.key: unset -> (secret) (default)".to_owned()), "{told:?}");
    let told = changes::<Tagged>(&with, without);
    assert!(told.contains(&"tls.port: 443 -> unset (default)".to_owned()), "{told:?}");
    assert!(told.contains(&"tls.key: (secret) -> unset (default)".to_owned()), "{told:?}");
}

#[test]
fn a_fixed_value_is_said_nothing_of() {
    let config = Hot::fixed(Http { port: 4 });
    assert!(config.explain().is_empty());
    assert!(config.snapshot().explain_field(Http::FIELDS.port).is_empty());
    let error = config.explain_path("port").expect_err("nobody set it");
    assert!(error.to_string().contains("a fixed value"), "{error}");
    assert_eq!(config.snapshot().fingerprint(), "");
}
