//! What loading costs, beside the bare parser into the same struct: 1 000 leaves of the usual kinds.
//!
//! hotconf's row has origins, unknown keys and all errors in it. `cargo bench --bench load`

mod common;

use common::shapes::{Fifty, json, toml as to_toml, yaml};
use common::{Case, compare, counting, print_instructions};
use hotconf::{Format, Hot, Inline};
use std::hint::black_box;

fn read(format: Format, text: &str) -> Fifty {
    let source = match format {
        Format::Json => Inline::json("doc", text),
        Format::Yaml => Inline::yaml("doc", text),
        _ => Inline::toml("doc", text),
    };
    Hot::<Fifty>::builder().source(source).read().expect("loaded").into_inner()
}

fn main() {
    let sample = Fifty::sample(1);
    let (toml, json, yaml) = (to_toml(&sample), json(&sample), yaml(&sample));
    assert_eq!(read(Format::Toml, &toml), sample);
    assert_eq!(read(Format::Json, &json), sample);
    assert_eq!(read(Format::Yaml, &yaml), sample);
    if let Some((name, n)) = counting() {
        for _ in 0..n {
            match name.as_str() {
                "toml::from_str" => drop(black_box(toml::from_str::<Fifty>(&toml))),
                "hotconf toml" => drop(black_box(read(Format::Toml, &toml))),
                "serde_json::from_slice" => drop(black_box(serde_json::from_slice::<Fifty>(json.as_bytes()))),
                "hotconf json" => drop(black_box(read(Format::Json, &json))),
                "serde_yaml_ng::from_str" => drop(black_box(serde_yaml_ng::from_str::<Fifty>(&yaml))),
                "hotconf yaml" => drop(black_box(read(Format::Yaml, &yaml))),
                other => panic!("no case {other}"),
            }
        }
        return;
    }
    compare(
        "TOML, 1 000 leaves",
        25,
        10,
        vec![
            Case::new("toml::from_str", || toml::from_str::<Fifty>(&toml)),
            Case::new("hotconf", || read(Format::Toml, &toml)),
        ],
    );
    compare(
        "JSON, 1 000 leaves",
        25,
        20,
        vec![
            Case::new("serde_json::from_slice", || serde_json::from_slice::<Fifty>(json.as_bytes())),
            Case::new("hotconf", || read(Format::Json, &json)),
        ],
    );
    compare(
        "YAML, 1 000 leaves",
        25,
        5,
        vec![
            Case::new("serde_yaml_ng::from_str", || serde_yaml_ng::from_str::<Fifty>(&yaml)),
            Case::new("hotconf", || read(Format::Yaml, &yaml)),
        ],
    );
    print_instructions("TOML", &[("toml::from_str", 20), ("hotconf toml", 20)]);
    print_instructions("JSON", &[("serde_json::from_slice", 20), ("hotconf json", 20)]);
    print_instructions("YAML", &[("serde_yaml_ng::from_str", 20), ("hotconf yaml", 20)]);
}
