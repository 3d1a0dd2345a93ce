//! Finding what moved, and telling who wants to know.
//!
//! `cargo bench --bench notify`

mod common;

use common::shapes::{Fifty, Large, toml as to_toml};
use common::{Case, compare, counting, print_instructions};
use hotconf::{Hot, HotConf, Inline};
use std::hint::black_box;

#[derive(Clone, Debug, HotConf)]
struct Two {
    #[hotconf(default = 1)]
    hot: u64,
    #[hotconf(default = 1)]
    cold: u64,
}

/// A configuration with so many subscribers of a field that does not move.
fn reloads(subscribers: usize, n: usize) {
    let (source, handle) = Inline::channel("two", hotconf::Format::Toml, "hot = 1");
    let config: Hot<Two> = Hot::builder().source(source).blocking_start().expect("loaded");
    let _keep: Vec<_> = (0..subscribers).map(|_| config.watch(Two::FIELDS.cold)).collect();
    let _one = config.watch(Two::FIELDS.hot);
    for i in 0..n {
        handle.set(format!("hot = {}", i + 2));
        config.blocking_reload().expect("good");
    }
}

fn main() {
    let a = Large::sample(1);
    let mut b = a.clone();
    b.p7.s33.limit += 1;
    assert_eq!(a.diff(&b).paths(), ["p7.s33.limit"]);
    let text = to_toml(&Fifty::sample(1));
    if let Some((name, n)) = counting() {
        match name.as_str() {
            "parse 10 000 leaves" => {
                for _ in 0..n {
                    for _ in 0..10 {
                        drop(black_box(toml::from_str::<Fifty>(&text)));
                    }
                }
            }
            "find 1 of 10 000" => {
                for _ in 0..n {
                    black_box(a.diff(&b));
                }
            }
            "reload, 1 subscriber" => reloads(0, n),
            "reload, 100 000 more" => reloads(100_000, n),
            other => panic!("no case {other}"),
        }
        return;
    }
    compare(
        "finding 1 of 10 000 leaves",
        25,
        5,
        vec![
            Case::new("parse 10 000 leaves (toml::from_str)", || {
                for _ in 0..10 {
                    drop(black_box(toml::from_str::<Fifty>(&text)));
                }
            }),
            Case::new("find 1 of 10 000", || a.diff(&b)),
        ],
    );
    print_instructions("finding", &[("parse 10 000 leaves", 4), ("find 1 of 10 000", 40)]);
    print_instructions("telling", &[("reload, 1 subscriber", 200), ("reload, 100 000 more", 200)]);
}
