//! Ranges and checks, and where a value that passed came from.

use super::{read, refusal, toml};
use hotconf::{ByteSize, HotConf, Inline, ProblemKind, SourceExt};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

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
