//! Follows the keys below `/shop/` of an etcd, and prints what changes.
//!
//! Start one (`etcd`), then `cargo run --example remote_etcd`, and in another terminal:
//!
//! ```sh
//! etcdctl put /shop/http/timeout 250ms
//! etcdctl del /shop/http/timeout
//! ```
//!
//! The address can be given: `cargo run --example remote_etcd http://10.0.0.1:2379`.

use hotconf::{Env, Error, Etcd, Event, Hot, HotConf, SourceExt};
use std::time::Duration;

/// Settings of the shop service.
#[derive(Clone, Debug, HotConf)]
struct Shop {
    #[hotconf(nested)]
    http: Http,
}

#[derive(Clone, Debug, HotConf)]
struct Http {
    /// Time to wait for upstream headers.
    #[hotconf(default = "5s", range = "1ms..=10m")]
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
}

fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:2379".to_owned());
    let config: Hot<Shop> = Hot::builder()
        // An etcd that is not there, or that has no key yet, holds nothing up: it applies when it comes.
        .source(Etcd::new([address]).prefix("/shop/").optional())
        .source(Env::prefixed("SHOP"))
        .blocking_start()?;
    let mut events = config.events();
    let shop = config.load();
    println!("version {}: {:?}", shop.version(), shop.http);
    drop(shop);
    while let Some(event) = events.blocking_next()? {
        match event {
            Event::Applied(applied) => {
                println!("version {}", applied.version());
                for change in applied.changes() {
                    println!("  {change}");
                }
                println!("  timeout comes from {}", config.origin(Shop::FIELDS.http.timeout));
            }
            other => println!("{other}"),
        }
    }
    Ok(())
}
