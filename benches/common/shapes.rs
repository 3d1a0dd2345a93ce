//! The configurations measured: a section of twenty leaves, and roots of 1 000 and 10 000 leaves of it.

use hotconf::HotConf;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Twenty leaves of the usual kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, HotConf)]
pub(crate) struct Section {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub path: String,
    pub retries: u32,
    pub limit: u64,
    pub offset: i64,
    pub small: i8,
    pub ratio: f64,
    pub factor: f64,
    pub on: bool,
    pub off: bool,
    pub verbose: bool,
    pub note: Option<String>,
    pub size: u32,
    pub depth: u16,
    pub tags: Vec<String>,
    pub weights: Vec<u32>,
    pub label: String,
    pub count: usize,
}

macro_rules! root {
    ($name:ident, $of:ty, $($field:ident)*) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, HotConf)]
        pub(crate) struct $name {
            $(#[hotconf(nested)] pub $field: $of,)*
        }
        impl $name {
            pub(crate) fn sample(seed: u64) -> Self {
                let mut n = seed * 1_000_000;
                $(n += 1_000; let $field = <$of>::sample(n);)*
                Self { $($field,)* }
            }
        }
    };
}

impl Section {
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_precision_loss)] // small
    pub(crate) fn sample(n: u64) -> Self {
        Self {
            host: format!("host-{n}.example.org"),
            port: (n % 60_000) as u16,
            user: format!("user{n}"),
            path: format!("/var/lib/app/{n}/data"),
            retries: (n % 9) as u32,
            limit: n * 1_000,
            offset: -(n as i64),
            small: -((n % 100) as i8),
            ratio: n as f64 / 8.0 + 0.5,
            factor: 0.25,
            on: true,
            off: false,
            verbose: n.is_multiple_of(2),
            note: Some(format!("note {n}")),
            size: (n % 4096) as u32,
            depth: 12,
            tags: vec![format!("a{n}"), "b".into(), "c".into()],
            weights: vec![1, 2, 3, n as u32],
            label: format!("label of {n}"),
            count: n as usize,
        }
    }
}

root!(Fifty, Section,
    s00 s01 s02 s03 s04 s05 s06 s07 s08 s09 s10 s11 s12 s13 s14 s15 s16 s17 s18 s19 s20 s21 s22 s23 s24
    s25 s26 s27 s28 s29 s30 s31 s32 s33 s34 s35 s36 s37 s38 s39 s40 s41 s42 s43 s44 s45 s46 s47 s48 s49);
root!(Large, Fifty, p0 p1 p2 p3 p4 p5 p6 p7 p8 p9);

/// As TOML, one table per section.
pub(crate) fn toml(value: &Fifty) -> String {
    toml::to_string(value).expect("it serializes")
}

pub(crate) fn json(value: &Fifty) -> String {
    serde_json::to_string_pretty(value).expect("it serializes")
}

pub(crate) fn yaml(value: &Fifty) -> String {
    serde_yaml_ng::to_string(value).expect("it serializes")
}

/// A TOML file of some 2 KB whose content depends on `n`: the file of the reload bench.
pub(crate) fn two_kilobytes(n: u64) -> String {
    let mut text = String::new();
    for i in 0..5 {
        let section = Section::sample(n * 10 + i);
        writeln!(text, "[s{i}]\n{}", toml::to_string(&section).expect("it serializes")).expect("a string");
    }
    text
}

/// What [`two_kilobytes`] is read into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, HotConf)]
pub(crate) struct Five {
    #[hotconf(nested)]
    pub s0: Section,
    #[hotconf(nested)]
    pub s1: Section,
    #[hotconf(nested)]
    pub s2: Section,
    #[hotconf(nested)]
    pub s3: Section,
    #[hotconf(nested)]
    pub s4: Section,
}
