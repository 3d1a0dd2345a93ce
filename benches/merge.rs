//! What a second layer costs, beside tables merged by hand; and one key changed in the upper of two.
//!
//! `cargo bench --bench merge`

mod common;

use common::shapes::{Fifty, toml as to_toml};
use common::{Case, compare, counting, print_instructions};
use hotconf::{Hot, Inline};
use std::hint::black_box;

fn read(lower: &str, upper: &str) -> Fifty {
    Hot::<Fifty>::builder()
        .source(Inline::toml("lower", lower))
        .source(Inline::toml("upper", upper))
        .read()
        .expect("loaded")
        .into_inner()
}

/// What a careful user writes: parse both, merge the tables, deserialize.
fn by_hand(lower: &str, upper: &str) -> Fifty {
    fn merge(into: &mut toml::Table, from: toml::Table) {
        for (key, value) in from {
            match (into.get_mut(&key), value) {
                (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
                (_, value) => {
                    into.insert(key, value);
                }
            }
        }
    }
    let mut table: toml::Table = lower.parse().expect("toml");
    merge(&mut table, upper.parse().expect("toml"));
    table.try_into().expect("the struct")
}

fn main() {
    let (a, b) = (Fifty::sample(1), Fifty::sample(2));
    let (lower, upper) = (to_toml(&a), to_toml(&b));
    assert_eq!(read(&lower, &upper), by_hand(&lower, &upper));
    if let Some((name, n)) = counting() {
        for _ in 0..n {
            match name.as_str() {
                "tables merged by hand" => drop(black_box(by_hand(&lower, &upper))),
                "hotconf, two layers" => drop(black_box(read(&lower, &upper))),
                other => panic!("no case {other}"),
            }
        }
        return;
    }
    compare(
        "two layers of 1 000 leaves into the struct",
        25,
        5,
        vec![
            Case::new("tables merged by hand", || by_hand(&lower, &upper)),
            Case::new("hotconf, two layers", || read(&lower, &upper)),
        ],
    );
    print_instructions("two layers", &[("tables merged by hand", 10), ("hotconf, two layers", 10)]);
}
