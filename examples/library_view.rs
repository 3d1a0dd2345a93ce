//! A library that takes its part of the configuration and knows nothing of the rest.
//!
//! `cargo run --example library_view`

use hotconf::{Hot, HotConf, Inline, View};
use std::time::Duration;

/// What a library would publish.
pub mod client {
    use hotconf::{HotConf, View};
    use std::time::Duration;

    /// Settings of the client.
    #[derive(Clone, Debug, HotConf)]
    pub struct Http {
        /// Time to wait for an answer. 1 ms to 10 min; applies to new requests.
        #[hotconf(default = "5s", range = "1ms..=10m")]
        pub timeout: Duration,
        /// How often a request is tried again.
        #[hotconf(default = 3)]
        pub retries: u32,
    }

    /// A client whose settings may change while it lives.
    #[derive(Debug)]
    pub struct Client {
        settings: View<Http>,
    }

    impl Client {
        /// Makes a client that follows `settings`.
        pub fn new(settings: View<Http>) -> Self {
            Self { settings }
        }

        /// Says what a request would do now.
        pub fn plan(&self) -> String {
            // Both numbers are of one version.
            let now = self.settings.load();
            format!("{} tries of {:?} each", now.retries + 1, now.timeout)
        }
    }
}

/// The program's settings; the library's are a part of them.
#[derive(Clone, Debug, HotConf)]
struct Shop {
    name: String,
    #[hotconf(nested)]
    http: client::Http,
}

const SETTINGS: &str = r#"
name = "corner shop"
http.timeout = "2s"
"#;

fn main() -> Result<(), hotconf::Error> {
    let config: Hot<Shop> = Hot::builder().source(Inline::toml("shop.toml", SETTINGS)).blocking_start()?;
    let client = client::Client::new(config.view(Shop::FIELDS.http));
    println!("{}: {}", config.load().name, client.plan());

    // A test of the library needs no files, no threads and no `Shop`.
    let fixed = View::fixed(client::Http { timeout: Duration::from_millis(10), retries: 0 });
    println!("a test: {}", client::Client::new(fixed).plan());

    config.blocking_shutdown(Duration::from_secs(1))
}
