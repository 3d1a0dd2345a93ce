//! What a second layer costs, beside tables merged by hand; and one key changed in the upper of two.
//!
//! `cargo bench --bench merge`

mod common;

use common::shapes::{Fifty, toml as to_toml};
use common::{Case, compare, counting, print_instructions};
use hotconf::private::Bench;
use hotconf::{Format, Hot, Inline, Update};
use std::hint::black_box;

fn read(lower: &str, upper: &str) -> Fifty {
    Hot::<Fifty>::builder()
        .source(Inline::toml("lower", lower))
        .source(Inline::toml("upper", upper))
        .read()
        .expect("loaded")
        .into_inner()
}

fn with_limit(mut value: Fifty, limit: u64) -> Fifty {
    value.s07.limit = limit;
    value
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

fn parsed(text: &str) -> Update {
    Update::parse(Format::Toml, "bench", text.as_bytes()).expect("toml")
}

/// A reload where one key of the upper layer changes back and forth, and how it is asked.
struct OneKey {
    bench: Bench<Fifty>,
    texts: [String; 2],
    updates: [Update; 2],
    turn: usize,
}

impl OneKey {
    /// `upper` gives the text of the upper layer for a value of `s07.limit`.
    fn new(lower: &str, upper: impl Fn(u64) -> String) -> Self {
        let texts = [upper(7), upper(8)];
        let updates = [parsed(&texts[0]), parsed(&texts[1])];
        let mut new =
            Self { bench: Bench::new(vec![parsed(lower), updates[0].clone()]), texts, updates, turn: 0 };
        for expected in [8, 7] {
            new.known();
            assert_eq!(new.bench.value().s07.limit, expected);
            assert_eq!(new.bench.value(), &by_hand(lower, &new.texts[new.turn]));
        }
        new
    }

    /// The new document is at hand: what hotconf does with it.
    fn known(&mut self) {
        self.turn = 1 - self.turn;
        assert_eq!(self.bench.reload(1, self.updates[self.turn].clone()), 1);
    }

    /// The new document is a text, and the one before is known: what every source does.
    fn text(&mut self) {
        self.turn = 1 - self.turn;
        assert_eq!(self.bench.reread(1, Format::Toml, &self.texts[self.turn]), 1);
    }

    /// The new document is a text that is parsed as a whole, as where more than one value differs.
    fn whole(&mut self) {
        self.turn = 1 - self.turn;
        assert_eq!(self.bench.reload(1, parsed(&self.texts[self.turn])), 1);
    }
}

fn main() {
    let (a, b) = (Fifty::sample(1), Fifty::sample(2));
    let (lower, upper) = (to_toml(&a), to_toml(&b));
    assert_eq!(read(&lower, &upper), by_hand(&lower, &upper));
    let mut known = OneKey::new(&lower, |n| to_toml(&with_limit(b.clone(), n)));
    let mut whole = OneKey::new(&lower, |n| to_toml(&with_limit(b.clone(), n)));
    let mut text = OneKey::new(&lower, |n| to_toml(&with_limit(b.clone(), n)));
    let mut small = OneKey::new(&lower, |n| format!("[s07]\nlimit = {n}\n"));
    if let Some((name, n)) = counting() {
        for _ in 0..n {
            match name.as_str() {
                "tables merged by hand" => drop(black_box(by_hand(&lower, &upper))),
                "hotconf, two layers" => drop(black_box(read(&lower, &upper))),
                "one key, document at hand" => known.known(),
                "one key, small upper document" => small.text(),
                "one key, file of 1 000 leaves" => text.text(),
                "one key, the file parsed as a whole" => whole.whole(),
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
    let cases = [
        "one key, document at hand",
        "one key, small upper document",
        "one key, file of 1 000 leaves",
        "one key, the file parsed as a whole",
    ];
    compare(
        "one key changed in the upper of two layers",
        25,
        5,
        vec![
            Case::new("hotconf, two layers", || read(&lower, &upper)),
            Case::new(cases[0], || known.known()),
            Case::new(cases[1], || small.text()),
            Case::new(cases[2], || text.text()),
            Case::new(cases[3], || whole.whole()),
        ],
    );
    print_instructions(
        "one key changed",
        &[("hotconf, two layers", 10), (cases[0], 100), (cases[1], 100), (cases[2], 100), (cases[3], 20)],
    );
}
