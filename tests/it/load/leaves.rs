//! Every type of a leaf, alike in every format and in the environment.

use super::{read, toml};
use hotconf::{Args, ByteSize, Env, HotConf, Inline, Secret};
use serde::Deserialize;
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
