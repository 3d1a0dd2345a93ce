//! What serde's attributes mean here: what they mean there.

use super::{refusal, toml};
use hotconf::HotConf;
use serde::{Deserialize, Deserializer};
use std::net::IpAddr;

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

fn tenfold<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u32>, D::Error> {
    Option::<u32>::deserialize(source).map(|n| n.map(|n| n * 10))
}

#[derive(Clone, Debug, PartialEq, HotConf, Deserialize)]
struct Tenfold {
    #[serde(deserialize_with = "tenfold")]
    needed: Option<u32>,
    #[serde(deserialize_with = "tenfold", default)]
    optional: Option<u32>,
}

#[test]
fn an_option_that_a_function_reads_is_required_unless_it_has_a_default() {
    let both: Tenfold = toml("needed = 1");
    assert_eq!(both, Tenfold { needed: Some(10), optional: None });
    let missing = refusal::<Tenfold>("optional = 1");
    assert!(missing.problems()[0].to_string().contains("needed"), "{missing:?}");
    assert!(serde_json::from_str::<Tenfold>(r#"{ "optional": 1 }"#).is_err(), "as in serde");
    let null: Tenfold = serde_json::from_str(r#"{ "needed": null }"#).unwrap();
    assert_eq!(null.needed, None);
}
