//! What a document becomes: every shape of a field, in every format, with every problem at once.

use hotconf::{Args, ByteSize, Env, Hot, HotConf, Inline, Loaded, ProblemKind, Secret, SourceExt};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroI8, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Limits {
    wait: Duration,
    rate: f32,
    #[serde(default)]
    sizes: Vec<u8>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Slow,
    Custom { factor: u8 },
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Meters(u32);

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Leaves {
    text: String,
    letter: char,
    yes: bool,
    tiny: i8,
    wide: i128,
    wider: u128,
    least: i64,
    most: u64,
    ratio: f64,
    single: f32,
    count: NonZeroU64,
    minus: NonZeroI8,
    path: PathBuf,
    addr: SocketAddr,
    ip: IpAddr,
    wait: Duration,
    size: ByteSize,
    waits: Vec<Duration>,
    maybe_wait: Option<Duration>,
    absent: Option<u8>,
    limits: Limits,
    mode: Mode,
    custom: Mode,
    meters: Meters,
    pair: (u8, String),
    triple: [u16; 3],
    lists: HashMap<String, Vec<u32>>,
    names: HashSet<String>,
    numbers: BTreeSet<i32>,
    by_name: BTreeMap<String, Duration>,
    boxed: Box<str>,
    r#type: String,
}

fn leaves() -> Leaves {
    Leaves {
        text: "00123".into(),
        letter: 'ß',
        yes: true,
        tiny: -128,
        wide: -9_223_372_036_854_775_808,
        wider: 18_446_744_073_709_551_615,
        least: i64::MIN,
        most: u64::MAX,
        ratio: 1.0,
        single: 0.1,
        count: NonZeroU64::new(7).unwrap(),
        minus: NonZeroI8::new(-7).unwrap(),
        path: "/tmp/a b".into(),
        addr: "[::1]:80".parse().unwrap(),
        ip: "10.0.0.1".parse().unwrap(),
        wait: Duration::from_millis(1500),
        size: ByteSize::new(64 << 20),
        waits: vec![Duration::from_millis(1), Duration::from_secs(60)],
        maybe_wait: Some(Duration::from_secs(2)),
        absent: None,
        limits: Limits { wait: Duration::from_secs(5), rate: 0.5, sizes: vec![1, 2] },
        mode: Mode::Slow,
        custom: Mode::Custom { factor: 3 },
        meters: Meters(9),
        pair: (1, "x".into()),
        triple: [1, 2, 3],
        lists: HashMap::from([("a".into(), vec![1, 2]), ("b c".into(), vec![])]),
        names: HashSet::from(["x".into(), "y".into()]),
        numbers: BTreeSet::from([-1, 1]),
        by_name: BTreeMap::from([("slow".into(), Duration::from_secs(9))]),
        boxed: "boxed".into(),
        r#type: "raw".into(),
    }
}

const TOML: &str = r#"
text = "00123"
letter = "ß"
yes = true
tiny = -128
wide = -9223372036854775808
wider = 18446744073709551615
least = -9223372036854775808
most = 18446744073709551615
ratio = 1
single = 0.1
count = 7
minus = -7
path = "/tmp/a b"
addr = "[::1]:80"
ip = "10.0.0.1"
wait = "1.5s"
size = "64MiB"
waits = ["1ms", "1m"]
maybe_wait = "2s"
limits = { wait = "5s", rate = 0.5, sizes = [1, 2] }
mode = "slow"
custom = { custom = { factor = 3 } }
meters = 9
pair = [1, "x"]
triple = [1, 2, 3]
lists = { a = [1, 2], "b c" = [] }
names = ["x", "y"]
numbers = [1, -1]
by_name.slow = "9s"
boxed = "boxed"
type = "raw"
"#;

const JSON: &str = r#"{
"text": "00123", "letter": "ß", "yes": true, "tiny": -128,
"wide": -9223372036854775808, "wider": 18446744073709551615,
"least": -9223372036854775808, "most": 18446744073709551615,
"ratio": 1, "single": 0.1, "count": 7, "minus": -7, "path": "/tmp/a b",
"addr": "[::1]:80", "ip": "10.0.0.1", "wait": "1.5s", "size": "64MiB",
"waits": ["1ms", "1m"], "maybe_wait": "2s", "absent": null,
"limits": {"wait": "5s", "rate": 0.5, "sizes": [1, 2]},
"mode": "slow", "custom": {"custom": {"factor": 3}}, "meters": 9,
"pair": [1, "x"], "triple": [1, 2, 3], "lists": {"a": [1, 2], "b c": []},
"names": ["x", "y"], "numbers": [1, -1], "by_name": {"slow": "9s"},
"boxed": "boxed", "type": "raw"
}"#;

const YAML: &str = r#"
text: "00123"
letter: ß
yes: true
tiny: -128
wide: -9223372036854775808
wider: 18446744073709551615
least: -9223372036854775808
most: 18446744073709551615
ratio: 1
single: 0.1
count: 7
minus: -7
path: /tmp/a b
addr: "[::1]:80"
ip: 10.0.0.1
wait: 1.5s
size: 64MiB
waits: [1ms, 1m]
maybe_wait: 2s
absent: ~
limits: {wait: 5s, rate: 0.5, sizes: [1, 2]}
mode: slow
custom: {custom: {factor: 3}}
meters: 9
pair: [1, x]
triple:
- 1
- 2
- 3
lists: {a: [1, 2], b c: []}
names: [x, y]
numbers: [1, -1]
by_name:
  slow: 9s
boxed: boxed
type: raw
"#;

fn read<T: HotConf>(source: impl hotconf::Source) -> Result<Loaded<T>, hotconf::Error> {
    Hot::<T>::builder().source(source).read()
}

fn toml<T: HotConf>(text: &str) -> T {
    read::<T>(Inline::toml("app.toml", text)).unwrap_or_else(|e| panic!("{e:?}\n{text}")).into_inner()
}

fn refusal<T: HotConf + std::fmt::Debug>(text: &str) -> hotconf::Error {
    read::<T>(Inline::toml("app.toml", text)).expect_err("it is refused")
}

#[test]
fn every_leaf_type_reads_alike_in_every_format() {
    assert_eq!(toml::<Leaves>(TOML), leaves());
    assert_eq!(*read::<Leaves>(Inline::json("app.json", JSON)).unwrap(), leaves());
    assert_eq!(*read::<Leaves>(Inline::yaml("app.yaml", YAML)).unwrap(), leaves());
}

#[test]
fn every_leaf_type_reads_from_the_environment() {
    let vars = [
        ("A_TEXT", "00123"),
        ("A_LETTER", "ß"),
        ("A_YES", "true"),
        ("A_TINY", "-128"),
        ("A_WIDE", "-9223372036854775808"),
        ("A_WIDER", "18446744073709551615"),
        ("A_LEAST", "-9223372036854775808"),
        ("A_MOST", "18446744073709551615"),
        ("A_RATIO", "1"),
        ("A_SINGLE", "0.1"),
        ("A_COUNT", "7"),
        ("A_MINUS", "-7"),
        ("A_PATH", "/tmp/a b"),
        ("A_ADDR", "[::1]:80"),
        ("A_IP", "10.0.0.1"),
        ("A_WAIT", "1.5s"),
        ("A_SIZE", "64MiB"),
        ("A_WAITS", r#"["1ms", "1m"]"#),
        ("A_MAYBE_WAIT", "2s"),
        ("A_ABSENT", ""),
        ("A_LIMITS", r#"{ wait = "5s", rate = 0.5, sizes = [1, 2] }"#),
        ("A_MODE", "slow"),
        ("A_CUSTOM", "{ custom = { factor = 3 } }"),
        ("A_METERS", "9"),
        ("A_PAIR", r#"[1, "x"]"#),
        ("A_TRIPLE", "[1, 2, 3]"),
        ("A_LISTS", r#"{ a = [1, 2], "b c" = [] }"#),
        ("A_NAMES", r#"["x", "y"]"#),
        ("A_NUMBERS", "[1, -1]"),
        ("A_BY_NAME_SLOW", "9s"),
        ("A_BOXED", "boxed"),
        ("A_TYPE", "raw"),
    ];
    let loaded = read::<Leaves>(Env::from_iter("A", vars)).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(*loaded, leaves());
    assert!(loaded.warnings().is_empty(), "{:?}", loaded.warnings());
}

#[test]
fn integers_of_128_bits_read_beyond_64_from_text() {
    #[derive(Clone, Debug, HotConf)]
    struct Wide {
        low: i128,
        high: u128,
    }
    let (low, high) = (i128::MIN.to_string(), u128::MAX.to_string());
    let args = ["--set".to_owned(), format!("low={low}"), format!("--set=high={high}")];
    let wide = read::<Wide>(Args::new(args)).unwrap();
    assert_eq!((wide.low, wide.high), (i128::MIN, u128::MAX));
    let json = format!(r#"{{"low": {low}, "high": {high}}}"#);
    let error = read::<Wide>(Inline::json("a.json", json)).err();
    assert!(error.is_some_and(|e| e.is_invalid()), "integers in documents are exact or refused");
}

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

fn kilo<'de, D: Deserializer<'de>>(source: D) -> Result<u64, D::Error> {
    u64::deserialize(source).map(|n| n * 1000)
}

mod hex {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<u32, D::Error> {
        let text = String::deserialize(source)?;
        u32::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}

fn seven() -> u8 {
    7
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE", default)]
struct Serde {
    first_name: u8,
    #[serde(rename = "second")]
    other: u8,
    #[serde(alias = "THREE", default = "seven")]
    third: u8,
    #[serde(deserialize_with = "kilo")]
    kilos: u64,
    #[serde(with = "hex")]
    hex: u32,
    #[serde(skip)]
    skipped: u8,
    #[hotconf(parse)]
    ip: IpAddr,
}

impl Default for Serde {
    fn default() -> Self {
        let ip = "127.0.0.1".parse().unwrap();
        Self { first_name: 1, other: 2, third: 3, kilos: 4, hex: 5, skipped: 6, ip }
    }
}

#[test]
fn serdes_attributes_mean_what_they_mean_there() {
    let empty: Serde = toml("");
    assert_eq!(empty, Serde { third: 7, ..Serde::default() });
    let full: Serde = toml("FIRST-NAME = 9\nsecond = 8\nTHREE = 7\nKILOS = 2\nHEX = 'ff'\nIP = '::1'");
    let ip = "::1".parse().unwrap();
    assert_eq!(full, Serde { first_name: 9, other: 8, third: 7, kilos: 2000, hex: 255, skipped: 6, ip });
    let bad = refusal::<Serde>("HEX = 'zz'\nIP = 'x'");
    assert_eq!(bad.problems().len(), 2, "{bad:?}");
}

#[derive(Clone, Debug, HotConf)]
struct Ranges {
    #[hotconf(default = 1, range = 1..=10)]
    int: i64,
    #[hotconf(default = 0.5, range = "0.0..1.0")]
    float: f64,
    #[hotconf(default = 0.5, range = 0.0..=0.7)]
    single: f32,
    #[hotconf(default = "5s", range = "1ms..=10m")]
    wait: Duration,
    #[hotconf(default = "1KiB", range = "..=1MiB")]
    size: ByteSize,
    #[hotconf(default = 'm', range = 'a'..='z')]
    letter: char,
    #[hotconf(range = 1..=3)]
    maybe: Option<u8>,
    #[hotconf(range = "1s..")]
    maybe_wait: Option<Duration>,
}

#[test]
fn ranges_hold_for_every_ordered_type() {
    assert_eq!(toml::<Ranges>("maybe = 3").maybe, Some(3));
    let error = refusal::<Ranges>(
        "int = 0\nfloat = 1.0\nsingle = 0.71\nwait = '11m'\nsize = '2MiB'\nletter = 'A'\nmaybe = 4\nmaybe_wait = '1ms'",
    );
    let lines: Vec<_> = error.problems().iter().map(|p| format!("{}: {}", p.path(), p.message())).collect();
    assert_eq!(
        lines,
        [
            "int: expected 1 to 10, found 0",
            "float: expected 0.0 to below 1.0, found 1.0",
            "single: expected 0.0 to 0.7, found 0.71",
            "wait: expected 1ms to 10m, found \"11m\"",
            "size: expected at most 1MiB, found \"2MiB\"",
            "letter: expected a to z, found \"A\"",
            "maybe: expected 1 to 3, found 4",
            "maybe_wait: expected at least 1s, found \"1ms\"",
        ]
    );
    assert!(toml::<Ranges>("single = 0.7").single > 0.69, "the upper bound itself is in");
}

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = ordered)]
struct Checked {
    #[hotconf(default = 1, check = even)]
    low: u8,
    #[hotconf(default = 4)]
    high: u8,
    #[hotconf(nested)]
    pool: Pool,
}

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = Pool::fits)]
struct Pool {
    #[hotconf(default = 1)]
    min: u8,
    #[hotconf(default = 9)]
    max: u8,
}

impl Pool {
    fn fits(&self) -> Result<(), &'static str> {
        assert!(self.max != 13, "thirteen");
        if self.min > self.max { Err("`min` is above `max`") } else { Ok(()) }
    }
}

fn even(n: &u8) -> Result<(), String> {
    if *n == 1 || n.is_multiple_of(2) { Ok(()) } else { Err(format!("{n} is odd")) }
}

fn ordered(checked: &Checked) -> Result<(), String> {
    if checked.low > checked.high { Err("`low` is above `high`".into()) } else { Ok(()) }
}

#[test]
fn checks_of_fields_and_sections_refuse_and_a_panic_is_a_refusal() {
    let field = refusal::<Checked>("low = 3");
    assert_eq!(field.problems()[0].message(), "3 is odd");
    assert_eq!(field.problems()[0].origin().map(ToString::to_string).as_deref(), Some("app.toml:1:7"));
    let whole = refusal::<Checked>("low = 6");
    assert_eq!((whole.problems()[0].path(), whole.problems()[0].message()), ("", "`low` is above `high`"));
    let nested = refusal::<Checked>("pool.min = 10");
    assert_eq!((nested.problems()[0].path(), nested.problems()[0].kind()), ("pool", ProblemKind::Check));
    let panics = refusal::<Checked>("pool.max = 13");
    assert!(panics.problems()[0].message().contains("thirteen"), "{panics:?}");
    assert_eq!(panics.problems().len(), 1, "{panics:?}");
    let both = refusal::<Checked>("low = 3\npool.min = 10");
    assert_eq!(both.problems().len(), 2, "{both:?}");
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

#[test]
fn an_inline_value_is_anything_that_serializes() {
    #[derive(Serialize)]
    struct Doc {
        low: u8,
        pool: HashMap<&'static str, u8>,
    }
    let value = Doc { low: 2, pool: HashMap::from([("max", 11)]) };
    let loaded = read::<Checked>(Inline::value("built in", value)).unwrap();
    assert_eq!((loaded.low, loaded.pool.max), (2, 11));
    assert_eq!(loaded.origin(Checked::FIELDS.low).to_string(), "built in");
}

#[test]
fn a_default_knows_that_it_is_one() {
    let loaded = read::<Checked>(Inline::toml("app.toml", "").optional()).unwrap();
    assert!(loaded.origin(Checked::FIELDS.low).is_default());
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Secrets {
    #[hotconf(default = "")]
    plain: Secret<String>,
    maybe: Option<Secret<String>>,
    #[hotconf(default)]
    list: Vec<Secret<String>>,
    #[hotconf(default)]
    map: HashMap<String, Secret<String>>,
    #[hotconf(default = 1)]
    number: Secret<u32>,
}

#[test]
fn secrets_are_read_wherever_they_stand() {
    let secrets: Secrets = toml("plain = 'a'\nmaybe = 'b'\nlist = ['c']\nmap.x = 'd'\nnumber = 5");
    assert_eq!(secrets.plain.expose(), "a");
    assert_eq!(secrets.maybe.as_ref().map(|s| s.expose().as_str()), Some("b"));
    assert_eq!(secrets.list[0].expose(), "c");
    assert_eq!(secrets.map["x"].expose(), "d");
    assert_eq!(*secrets.number.expose(), 5);
}
