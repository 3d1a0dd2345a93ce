//! What the derive makes of every shape that a configuration may have.

#![deny(warnings, missing_docs, unreachable_pub)]

use hotconf::private::Section;
use hotconf::{Field, HotConf, Partial, Pick, Select};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

#[derive(Clone, Debug, Default, HotConf)]
struct Shop {
    /// Address to listen on.
    #[hotconf(default = "0.0.0.0:8080", restart)]
    listen: String,
    #[hotconf(nested)]
    http: Http,
    #[hotconf(nested)]
    tls: Option<Tls>,
    #[hotconf(nested)]
    store: Store,
    #[hotconf(nested)]
    flags: HashMap<String, Flag>,
    #[hotconf(nested)]
    mirrors: Vec<Tls>,
    weights: BTreeMap<String, u32>,
    #[hotconf(skip)]
    cached: Vec<u8>,
    last: bool,
}

#[derive(Clone, Debug, Default, HotConf)]
struct Http {
    #[hotconf(default = "5s", range = "1ms..=10m")]
    timeout: Duration,
    #[hotconf(default = 3, range = 1..=10, check = odd)]
    retries: u32,
}

fn odd(n: &u32) -> Result<(), String> {
    if n % 2 == 1 { Ok(()) } else { Err("must be odd".to_owned()) }
}

#[derive(Clone, Debug, Default, HotConf)]
struct Tls {
    cert: String,
    #[hotconf(nested)]
    inner: Http,
}

#[derive(Clone, Debug, Default, HotConf)]
struct Flag {
    #[hotconf(default)]
    on: bool,
}

#[derive(Clone, Debug, Default, HotConf)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Store {
    #[default]
    Memory,
    LocalDisk {
        path: String,
        #[serde(rename = "sync-every")]
        sync: Option<Duration>,
    },
    /// Another's.
    S3(S3),
    Type {
        r#type_of: u8,
    },
}

#[derive(Clone, Debug, Default, HotConf)]
struct S3 {
    bucket: String,
    region: String,
}

fn get<R, Out>(token: &impl Select<R, Out>, root: &R) -> Out {
    token.__get(root)
}

fn numbers<R, Out>(token: &impl Select<R, Out>) -> std::ops::Range<u32> {
    token.__numbers()
}

fn shop() -> Shop {
    Shop {
        listen: "here".to_owned(),
        http: Http { timeout: Duration::from_secs(1), retries: 7 },
        last: true,
        ..Shop::default()
    }
}

#[test]
fn a_token_gets_its_field() {
    let shop = shop();
    assert_eq!(get(&Shop::FIELDS.listen, &shop), "here");
    assert_eq!(get(&Shop::FIELDS.http.timeout, &shop), Duration::from_secs(1));
    assert_eq!(get(&Shop::FIELDS.http.retries, &shop), 7);
    assert!(get(&Shop::FIELDS.last, &shop));
}

#[test]
fn a_section_is_a_token() {
    let shop = shop();
    assert_eq!(get(&Shop::FIELDS.http, &shop).retries, 7);
    assert_eq!(Shop::FIELDS.http.__pick(&shop).retries, 7);
    assert_eq!(get(&Shop::FIELDS, &shop).listen, "here");
}

#[test]
fn below_an_option_a_token_is_partial() {
    let token: Field<Shop, u32, Partial> = Shop::FIELDS.tls.inner.retries;
    let mut shop = shop();
    assert_eq!(get(&token, &shop), None);
    assert!(get(&Shop::FIELDS.tls, &shop).is_none());
    shop.tls = Some(Tls { cert: "c".to_owned(), inner: Http { retries: 9, ..Http::default() } });
    assert_eq!(get(&token, &shop), Some(9));
    assert_eq!(get(&Shop::FIELDS.tls.inner, &shop).map(|http| http.retries), Some(9));
    assert_eq!(get(&Shop::FIELDS.tls, &shop).map(|tls| tls.cert), Some("c".to_owned()));
}

#[test]
fn below_a_variant_a_token_is_partial() {
    let mut shop = shop();
    assert_eq!(get(&Shop::FIELDS.store.local_disk.path, &shop), None);
    shop.store = Store::LocalDisk { path: "/tmp".to_owned(), sync: None };
    assert_eq!(get(&Shop::FIELDS.store.local_disk.path, &shop).as_deref(), Some("/tmp"));
    assert_eq!(get(&Shop::FIELDS.store.local_disk.sync, &shop), Some(None));
    assert_eq!(get(&Shop::FIELDS.store.s3.bucket, &shop), None);
    shop.store = Store::S3(S3 { bucket: "b".to_owned(), region: "r".to_owned() });
    assert_eq!(get(&Shop::FIELDS.store.s3.region, &shop).as_deref(), Some("r"));
    assert_eq!(get(&Shop::FIELDS.store.s3, &shop).map(|s3| s3.bucket), Some("b".to_owned()));
    shop.store = Store::Type { type_of: 4 };
    assert_eq!(get(&Shop::FIELDS.store.r#type.type_of, &shop), Some(4));
}

#[test]
fn an_entry_of_a_map_is_a_token() {
    let mut shop = shop();
    let ui = Shop::FIELDS.flags.key("ui");
    let ann = Shop::FIELDS.weights.key("ann");
    assert!(get(&ui, &shop).is_none());
    assert!(ui.__same(&shop, &shop));
    let before = shop.clone();
    shop.flags.insert("ui".to_owned(), Flag { on: true });
    shop.weights.insert("ann".to_owned(), 3);
    assert!(get(&ui, &shop).is_some_and(|flag| flag.on));
    assert_eq!(get(&ann, &shop), Some(3));
    assert!(!ui.__same(&before, &shop));
    assert_eq!(ui.__key(), Some("ui"));
}

#[test]
fn numbers_follow_declaration_depth_first() {
    assert_eq!(numbers(&Shop::FIELDS.listen), 0..1);
    assert_eq!(numbers(&Shop::FIELDS.http), 1..3);
    assert_eq!(numbers(&Shop::FIELDS.http.retries), 2..3);
    // Presence, certificate, two leaves of the section in it.
    assert_eq!(numbers(&Shop::FIELDS.tls), 3..7);
    assert_eq!(numbers(&Shop::FIELDS.tls.cert), 4..5);
    assert_eq!(numbers(&Shop::FIELDS.tls.inner), 5..7);
    // The tag, and the leaves of all variants.
    assert_eq!(numbers(&Shop::FIELDS.store), 7..13);
    assert_eq!(numbers(&Shop::FIELDS.store.local_disk.path), 8..9);
    assert_eq!(numbers(&Shop::FIELDS.store.s3), 10..12);
    assert_eq!(numbers(&Shop::FIELDS.store.r#type.type_of), 12..13);
    assert_eq!(numbers(&Shop::FIELDS.flags.key("x")), 13..14);
    assert_eq!(numbers(&Shop::FIELDS.last), 16..17);
    assert_eq!(numbers(&Shop::FIELDS), 0..17);
}

#[test]
fn the_diff_names_what_moved() {
    let old = shop();
    let mut new = old.clone();
    new.http.retries = 5;
    new.last = false;
    new.cached = vec![1];
    let mut moved = hotconf::private::Moved::default();
    old.__differ(&new, 0, &mut moved);
    assert_eq!(moved.as_slice(), [2, 16]);
    assert!(!Shop::FIELDS.http.__same(&old, &new));
    assert!(Shop::FIELDS.http.timeout.__same(&old, &new));
    assert!(Shop::FIELDS.store.__same(&old, &new));
}

#[test]
fn a_changed_tag_moves_the_whole_section() {
    let old = shop();
    let new = Shop { store: Store::S3(S3::default()), ..old.clone() };
    let mut moved = hotconf::private::Moved::default();
    old.__differ(&new, 0, &mut moved);
    assert_eq!(moved.as_slice(), [7, 8, 9, 10, 11, 12]);
}

#[test]
fn restart_leaves_stay_as_they_were() {
    let start = shop();
    let mut now = Shop { listen: "there".to_owned(), last: false, ..start.clone() };
    now.__freeze(&start);
    assert_eq!((now.listen.as_str(), now.last), ("here", false));
}

/// Names that generated code must not trip over.
mod hostile {
    use super::*;

    #[allow(dead_code)]
    enum Option {}
    #[allow(dead_code)]
    enum Result {}
    #[allow(dead_code, non_camel_case_types)]
    struct u32;
    #[allow(dead_code)]
    struct String;
    #[allow(dead_code)]
    trait Default {}
    #[allow(dead_code)]
    trait Clone {}

    #[derive(::core::clone::Clone, HotConf)]
    struct Field {
        key: u8,
        new: u8,
        __f0: u8,
        value: u8,
        r#type: u8,
        #[hotconf(default = 1)]
        cx: u8,
        #[hotconf(nested)]
        some: FieldFields,
    }

    #[derive(::core::clone::Clone, HotConf)]
    struct FieldFields {
        place: u8,
    }

    #[test]
    fn names_of_the_user_do_not_collide() {
        let field =
            Field { key: 1, new: 2, __f0: 3, value: 4, r#type: 5, cx: 6, some: FieldFields { place: 7 } };
        assert_eq!(get(&Field::FIELDS.key, &field), 1);
        assert_eq!(get(&Field::FIELDS.r#type, &field), 5);
        assert_eq!(get(&Field::FIELDS.some.place, &field), 7);
    }
}

mod renamed {
    use hotconf as cfg;

    #[derive(Clone, cfg::HotConf)]
    #[hotconf(crate = cfg)]
    pub(super) struct Inner<T> {
        pub(super) value: T,
    }
}

#[derive(Clone, HotConf)]
struct Generic<T: Copy, S, const N: usize = 2>
where
    S: Clone,
{
    leaf: Option<T>,
    #[hotconf(nested)]
    section: S,
    #[hotconf(nested)]
    wrapped: renamed::Inner<T>,
    #[hotconf(default = "x", parse)]
    parsed: T,
}

#[test]
fn generics_have_tokens() {
    type Whole = Generic<u16, Flag>;
    let value =
        Whole { leaf: Some(1), section: Flag { on: true }, wrapped: renamed::Inner { value: 2 }, parsed: 3 };
    assert_eq!(get(&Whole::FIELDS.leaf, &value), Some(1));
    assert!(get(&Whole::FIELDS.section.on, &value));
    assert_eq!(get(&Whole::FIELDS.wrapped.value, &value), 2);
    assert_eq!(Whole::SECTION.len, 4);
}

/// A leaf that serde derives.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Point {
    x: i8,
}

mod unit {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<u64, D::Error> {
        u64::deserialize(source).map(|n| n * 1000)
    }
}

fn four() -> u8 {
    4
}

#[derive(Clone, HotConf)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[hotconf(check = Self::whole, removed(old_name = "use `newName`"))]
struct Named {
    first_name: u8,
    #[serde(alias = "b", alias = "c", rename(serialize = "x", deserialize = "y"))]
    second: u8,
    #[serde(with = "unit", skip_serializing_if = "Option::is_none")]
    millis: u64,
    #[serde(default = "four")]
    #[hotconf(env = "FOUR", deprecated = "use `five`")]
    four: u8,
    #[hotconf(merge = "by_key(x)")]
    points: Vec<Point>,
    #[hotconf(default = -1.5)]
    ratio: f64,
}

impl Named {
    fn whole(&self) -> Result<(), &'static str> {
        if self.first_name == self.second { Err("equal") } else { Ok(()) }
    }
}

impl Default for Named {
    fn default() -> Self {
        Self { first_name: 1, second: 2, millis: 3, four: 0, points: Vec::new(), ratio: 0.0 }
    }
}

#[test]
fn serde_names_mean_what_they_mean_there() {
    let hotconf::private::Body::Struct(group) = &Named::SECTION.body else { panic!("a struct") };
    let names: Vec<_> = group.fields.iter().map(|field| field.name).collect();
    assert_eq!(names, ["firstName", "y", "millis", "four", "points", "ratio"]);
    assert_eq!(group.names[0], ("b", 1, true));
    assert!(Named::SECTION.deny_unknown);
    assert_eq!(Named::SECTION.removed, [("old_name", "use `newName`")]);
    assert_eq!(group.fields[3].env, Some("FOUR"));
}

#[test]
fn the_table_lists_every_leaf_by_its_path() {
    let fields = Shop::fields();
    let paths: Vec<_> = fields.iter().map(hotconf::FieldInfo::path).collect();
    assert_eq!(
        paths,
        [
            "listen",
            "http.timeout",
            "http.retries",
            "tls",
            "tls.cert",
            "tls.inner.timeout",
            "tls.inner.retries",
            "store.type",
            "store.path",
            "store.sync-every",
            "store.bucket",
            "store.region",
            "store.type_of",
            "flags",
            "flags.*.on",
            "mirrors",
            "mirrors.*.cert",
            "mirrors.*.inner.timeout",
            "mirrors.*.inner.retries",
            "weights",
            "last",
        ]
    );
    let tag = fields.get("store.type").expect("the enum has a tag");
    assert_eq!(tag.values(), ["memory", "local-disk", "s3", "type"]);
    assert_eq!(fields.get("http.timeout").and_then(|field| field.range()), Some("1ms..=10m"));
    assert!(
        fields
            .get("listen")
            .is_some_and(|field| field.is_restart() && field.doc() == "Address to listen on.")
    );
}
