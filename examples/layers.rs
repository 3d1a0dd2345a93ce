//! Layers: later sources override earlier ones, and `explain` says who won.
//!
//! `cargo run --example layers -- --set http.retries=9`, or with `SHOP_HTTP_RETRIES=7` before it.

use hotconf::{Args, Env, Hot, HotConf, Inline};
use std::time::Duration;

#[derive(Clone, Debug, HotConf)]
struct Shop {
    #[hotconf(nested)]
    http: Http,
    /// Lists are replaced as a whole, unless the field says otherwise.
    #[hotconf(default, merge = "append")]
    plugins: Vec<String>,
    /// `None` where nobody speaks of it, or where a layer takes it back.
    proxy: Option<String>,
}

#[derive(Clone, Debug, HotConf)]
struct Http {
    #[hotconf(default = "5s", range = "1ms..=10m")]
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
}

const BASE: &str = r#"
plugins = ["search"]
proxy = "http://proxy.example.com:3128"

[http]
timeout = "10s"
"#;

// TOML has no null: a layer lists the paths that it takes back.
const PRODUCTION: &str = r#"
plugins = ["payments"]
hotconf.unset = ["proxy"]

[http]
timeout = "2s"
"#;

fn main() -> Result<(), hotconf::Error> {
    // In a program these two are `File::new("base.toml")` and `File::new("production.toml").optional()`.
    let config: Hot<Shop> = Hot::builder()
        .source(Inline::toml("base.toml", BASE))
        .source(Inline::toml("production.toml", PRODUCTION))
        .source(Env::prefixed("SHOP"))
        .source(Args::from_env())
        .blocking_start()?;

    let now = config.load();
    println!("{:#?}\n", *now);
    println!("timeout was set at {}\n", now.origin(Shop::FIELDS.http.timeout));

    // Every field with the value of every layer, the winner first.
    println!("{}", config.explain());
    config.blocking_shutdown(Duration::from_secs(1))
}
