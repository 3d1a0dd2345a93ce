//! The shop of the documentation, as a user writes it: every handle once.

use crate::support::Dir;
use hotconf::{Env, File, Hot, HotConf, Secret, View};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{collections::HashMap, net::SocketAddr, time::Duration};

/// Settings of the shop service.
#[derive(Clone, Debug, HotConf)]
struct Shop {
    /// Address to listen on. Applies on restart.
    #[hotconf(default = "0.0.0.0:8080", restart)]
    listen: SocketAddr,
    #[hotconf(nested)]
    http: Http,
    #[hotconf(nested)]
    flags: HashMap<String, Flag>,
    /// Password of the orders database.
    db_password: Secret<String>,
}

#[derive(Clone, Debug, HotConf)]
struct Http {
    /// Time to wait for upstream headers. 1 ms to 10 min; applies to new requests.
    #[hotconf(default = "5s", range = "1ms..=10m")]
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
}

#[derive(Clone, Debug, HotConf)]
struct Flag {
    #[hotconf(default)]
    on: bool,
}

const TEXT: &str = "db_password = \"x\"\n[http]\ntimeout = \"2s\"\n[flags.new-checkout]\non = true\n";

fn client(http: &View<Http>) -> u32 {
    http.load().retries
}

#[test]
fn the_shop_runs_in_threads() {
    let dir = Dir::new();
    let path = dir.file("shop.toml", TEXT);
    let config: Hot<Shop> = Hot::builder()
        .source(File::new(&path))
        .source(Env::from_iter("SHOP", [("SHOP_HTTP_RETRIES", "4")]))
        .blocking_start()
        .expect("loaded");

    let now = config.load();
    assert_eq!((now.http.timeout, now.version()), (Duration::from_secs(2), 1));
    assert_eq!(now.origin(Shop::FIELDS.http.timeout).line_number(), Some(3));
    assert_eq!(now.origin(Shop::FIELDS.http.retries).to_string(), "environment variable SHOP_HTTP_RETRIES");
    let kept = config.snapshot();
    let mut fast = config.reader();
    let retries = config.live(Shop::FIELDS.http.retries);
    assert_eq!((kept.http.retries, fast.load().http.retries, retries.get()), (4, 4, 4));

    let _keep = config.on_change(Shop::FIELDS.http.timeout, |change| assert_ne!(change.new(), change.old()));
    let bound = Arc::new(AtomicU32::new(0));
    let limiter = bound.clone();
    let _bind = config.bind(Shop::FIELDS.http.retries, move |n| limiter.store(*n, Ordering::SeqCst));
    assert_eq!(bound.load(Ordering::SeqCst), 4);
    let mut pair = config.watch_with(|c| (c.http.timeout, c.http.retries));
    let mut flag = config.watch(Shop::FIELDS.flags.key("new-checkout"));
    assert!(flag.current().is_some_and(|f| f.on));
    let view = config.view(Shop::FIELDS.http);
    assert_eq!(client(&view), 4);

    std::fs::write(&path, TEXT.replace("2s", "3s").replace("[flags.new-checkout]\non = true\n", ""))
        .expect("written");
    assert_eq!(pair.blocking_next().expect("a thread"), Some((Duration::from_secs(3), 4)));
    assert!(flag.blocking_next().expect("a thread").expect("told").is_none(), "the entry is gone");
    assert_eq!(view.load().timeout, Duration::from_secs(3));
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
}

#[tokio::test]
async fn the_shop_runs_in_tasks() {
    let dir = Dir::new();
    let path = dir.file("shop.toml", TEXT);
    let config: Hot<Shop> = Hot::builder().source(File::new(&path)).start().await.expect("loaded");
    let mut timeout = config.watch(Shop::FIELDS.http.timeout);
    let mut section = config.watch(Shop::FIELDS.http);
    let mut events = config.events();
    std::fs::write(&path, TEXT.replace("2s", "4s")).expect("written");
    assert_eq!(timeout.next().await, Some(Duration::from_secs(4)));
    assert_eq!(section.next().await.expect("told").timeout, Duration::from_secs(4));
    assert!(matches!(events.next().await, Some(hotconf::Event::Applied(_))));
    config.shutdown(Duration::from_secs(5)).await.expect("calm");
}

#[test]
fn parts_of_the_shop_need_no_files_in_tests() {
    assert_eq!(client(&View::fixed(Http { timeout: Duration::ZERO, retries: 9 })), 9);
    let mut http = Http { timeout: Duration::ZERO, retries: 9 };
    http.set("timeout", "250ms").expect("in range");
    assert_eq!(http.timeout, Duration::from_millis(250));
    let refused = http.set("timeout", "3h").expect_err("out of range");
    assert!(refused.is_range() && refused.to_string().contains("1ms to 10m"), "{refused}");
    let loaded = Hot::<Shop>::builder().source(hotconf::Inline::toml("shop", TEXT)).read().expect("loaded");
    assert_eq!(loaded.http.retries, 3);
    let paths: Vec<String> = Shop::fields().iter().map(|f| f.path().to_owned()).collect();
    assert_eq!(paths, ["listen", "http.timeout", "http.retries", "flags", "flags.*.on", "db_password"]);
}
