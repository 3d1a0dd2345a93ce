use hotconf::{ByteSize, HotConf};
use std::time::Duration;

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(range = "1..=10_000")]
    retries: u32,
    #[hotconf(range = 1..=10_000)]
    depth: u32,
    #[hotconf(range = "1..=many")]
    weight: u32,
    #[hotconf(range = 0..=256)]
    byte: u8,
    #[hotconf(range = "1..=10")]
    timeout: Duration,
    #[hotconf(range = "..=64MB/s")]
    rate: Option<ByteSize>,
    #[hotconf(range = "0..=one")]
    share: f64,
}

fn main() {}
