//! A file, two stores and the environment: later sources override earlier ones, wherever they stand.
//!
//! Start an `etcd` and a `consul agent -dev`, or one of them, or none: each applies when it is there. Then
//! `cargo run --example remote_layers`, or with other addresses, and variables:
//!
//! ```sh
//! etcdctl put /shop/http/timeout 250ms
//! consul kv put shop/http/retries 7
//! SHOP_HTTP_TIMEOUT=2s cargo run --example remote_layers -- http://10.0.0.1:2379 http://10.0.0.2:8500
//! ```

use hotconf::{Consul, Env, Error, Etcd, File, Hot, HotConf, SourceExt};
use std::time::Duration;

/// Settings of the shop service.
#[derive(Clone, Debug, HotConf)]
struct Shop {
    /// What it is called on its pages.
    name: String,
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
    /// No source speaks of it, unless you do.
    #[hotconf(default = 100)]
    connections: u32,
}

fn main() -> Result<(), Error> {
    let mut addresses = std::env::args().skip(1);
    let mut address = |default: &str| addresses.next().unwrap_or_else(|| default.to_owned());
    let (etcd, consul) = (address("http://127.0.0.1:2379"), address("http://127.0.0.1:8500"));
    let config: Hot<Shop> = Hot::builder()
        .source(File::new("examples/remote_layers.toml"))
        // What everybody shares, then what this datacentre says of itself. A start does not wait for a store that is
        // away, or that has no key yet; without `.optional()` it would fail and name it.
        .source(Etcd::new([etcd]).prefix("/shop/").optional())
        .source(Consul::new(&consul).prefix("shop/").optional())
        .source(Env::prefixed("SHOP"))
        .blocking_start()?;

    println!("the layers, from the lowest:");
    for source in config.status().sources {
        println!("  {} is {:?}", source.name, source.state);
        if let Some(why) = source.last_failure {
            println!("    {why}");
        }
    }
    // Each field with the source that won; a key of a store is named with its revision.
    println!("\n{}\n", config.explain());
    // And what it hides, the winner first.
    println!("{}", config.explain_field(Shop::FIELDS.http.timeout));
    config.blocking_shutdown(Duration::from_secs(5))
}
