#![deny(warnings, missing_docs, unreachable_pub)]
//! Every attribute, as it is meant.

use hotconf::HotConf;
use std::collections::HashMap;
use std::time::Duration;

/// One section.
#[derive(Clone, HotConf)]
#[hotconf(removed(tries = "use `retries`"), check = whole)]
pub struct Http {
    /// Attempts.
    #[hotconf(default = 3, range = 1..=9, alias = "attempts", env = "RETRIES")]
    pub retries: u32,
    #[hotconf(default = "5s", range = "1ms..=10m", restart)]
    timeout: Duration,
    #[hotconf(default = -1)]
    negative: i8,
    #[hotconf(default = Vec::new(), merge = "append", check = short)]
    hosts: Vec<String>,
    #[hotconf(default = HashMap::<String, u8>::new(), restart)]
    weights: HashMap<String, u8>,
    #[hotconf(default = if cfg!(windows) { 1 } else { 2 }, range = ..=1_000)]
    platform: u32,
    #[hotconf(default = "a", range = 'a'..='z')]
    letter: char,
    #[hotconf(range = -1.5..)]
    ratio: f64,
    #[hotconf(skip, default = vec![1])]
    cached: Vec<u8>,
    #[hotconf(parse, default = "127.0.0.1", deprecated = "use `hosts`")]
    host: std::net::IpAddr,
}

fn whole(http: &Http) -> Result<(), String> {
    if http.cached.is_empty() && http.negative > 0 { Err("no".to_owned()) } else { Ok(()) }
}

fn short(hosts: &[String]) -> Result<(), &'static str> {
    if hosts.len() > 9 { Err("too many") } else { Ok(()) }
}

fn main() {
    let _ = (Http::FIELDS.retries, Http::FIELDS.timeout, Http::FIELDS.hosts, Http::FIELDS.host);
}
