use hotconf::{ByteSize, HotConf, Secret};
use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::time::Duration;

#[derive(Clone, HotConf)]
struct Defaults {
    #[hotconf(default = "fast")]
    timeout: Duration,
    #[hotconf(default = "10M")]
    cache: Option<ByteSize>,
    #[hotconf(default = "many")]
    retries: u32,
    #[hotconf(default = 70_000)]
    port: Secret<u16>,
    #[hotconf(default = 0)]
    workers: NonZeroU8,
    #[hotconf(default = "localhost:80")]
    listen: SocketAddr,
    #[hotconf(default = "yes")]
    on: bool,
}

#[derive(Clone, HotConf)]
struct Ranges {
    #[hotconf(default = "1h", range = "1ms..=10m")]
    timeout: Duration,
    #[hotconf(default = 10, range = 1..10)]
    retries: u32,
    #[hotconf(default, range = 1..=9)]
    weight: u8,
    #[hotconf(range = "9..=1")]
    depth: i8,
    #[hotconf(range = 5..5)]
    none: u8,
    #[hotconf(range = "1..=9")]
    many: Vec<u8>,
    #[hotconf(default = 0.1, range = 0.5..)]
    share: f32,
    #[hotconf(range = 1..)]
    pin: Secret<u16>,
}

fn main() {}
