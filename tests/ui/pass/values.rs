#![deny(warnings)]
//! The twins of what is refused: defaults, ranges, merges, containers and halves that mean something.

use hotconf::{ByteSize, HotConf, Secret};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZero, NonZeroI8, NonZeroU16};
use std::time::Duration;

#[derive(Clone, HotConf)]
struct Inner {
    #[hotconf(default)]
    name: String,
}

#[derive(Clone, HotConf)]
struct Mine {
    #[hotconf(env = "OWN")]
    own: u8,
}

#[derive(Clone, HotConf)]
#[serde(tag = "type", rename_all_fields = "kebab-case", crate = "serde", rename = "Other")]
#[hotconf(crate = hotconf, removed(a = "b"), removed(c = "d"))]
enum Store {
    Section(#[hotconf(nested)] Inner),
    Plain(#[serde(skip_serializing_if = "never")] Inner),
}

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(default = "1.5h", range = "1m..=1d")]
    timeout: Duration,
    #[hotconf(default = "1_000", range = "0..=64MiB")]
    cache: Option<ByteSize>,
    #[hotconf(default = "")]
    none: Option<u32>,
    #[hotconf(default = -5, range = -9..-4)]
    negative: i8,
    #[hotconf(default = 0.1, range = 0.1..=0.1)]
    share: f32,
    #[hotconf(default = 443)]
    port: Secret<NonZeroU16>,
    #[hotconf(default = -1)]
    nonzero: NonZeroI8,
    #[hotconf(default = 7)]
    generic: NonZero<u64>,
    #[hotconf(default = "[::1]:80")]
    listen: SocketAddr,
    #[hotconf(default = "::1")]
    ip: IpAddr,
    #[hotconf(default, range = 0..=9)]
    least: u8,
    #[hotconf(default, merge = "append")]
    set: HashSet<String>,
    #[hotconf(default, merge = "by_key(name)")]
    tables: Vec<BTreeMap<String, String>>,
    #[hotconf(nested, merge = "by_key(name)")]
    sections: Vec<Inner>,
    #[hotconf(nested)]
    boxed: Option<Box<Inner>>,
    #[hotconf(nested)]
    by_name: HashMap<String, Box<Inner>>,
    #[hotconf(nested)]
    one: Option<Mine>,
    #[hotconf(nested)]
    store: Option<Store>,
    #[serde(rename(serialize = "x"), rename(deserialize = "y"), alias = "v", alias = "w")]
    #[hotconf(check = good, check = better)]
    halves: u8,
}

fn good(_: &u8) -> Result<(), String> {
    Ok(())
}

fn better(n: &u8) -> Result<(), String> {
    good(n)
}

fn main() {
    let _ = Http::FIELDS.one.own;
    let http = hotconf::Hot::<Http>::builder()
        .source(hotconf::Inline::toml("a.toml", "y = 1\none.own = 2"))
        .read()
        .unwrap();
    assert_eq!((http.halves, http.negative, http.cache), (1, -5, Some(ByteSize::new(1_000))));
}
