//! Starts from what was applied last while the store is away, and follows the store again when it is back.
//!
//! `cargo run --example offline_start`

use hotconf::remote::{Backoff, Cache};
use hotconf::{Event, Hot, HotConf, Http};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::{fs, thread, time::Duration};

#[derive(Clone, Debug, HotConf)]
struct Shop {
    /// The most that a basket may hold.
    #[hotconf(default = 10)]
    basket: u32,
}

/// What the store says; nothing while it is away.
static STORE: Mutex<Option<&str>> = Mutex::new(None);

fn say(document: Option<&'static str>) {
    *STORE.lock().expect("no holder panics") = document;
}

fn start(store: SocketAddr, cache: &Cache) -> Result<Hot<Shop>, hotconf::Error> {
    // So quick a way back is for this example; the defaults are 0.5 s to 60 s.
    let ten = Duration::from_millis(10);
    let soon = Backoff { first: ten, longest: 5 * ten, ..Backoff::default() };
    let store = Http::new(&format!("http://{store}/shop.toml")).every(ten).backoff(soon);
    Hot::builder().source(store.cached(cache.clone())).blocking_start()
}

fn show(config: &Hot<Shop>) {
    println!("  basket = {} from {}", config.load().basket, config.origin(Shop::FIELDS.basket));
    println!("  the store is {:?}", config.status().sources[0].state);
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("offline_start_{}", std::process::id()));
    let cache = Cache::in_dir(&dir);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || serve(&listener));

    println!("the store is there:");
    say(Some("basket = 20"));
    let config = start(address, &cache)?;
    show(&config);
    config.blocking_shutdown(Duration::from_secs(5))?;

    println!("the store is away, and the program starts again:");
    say(None);
    let config = start(address, &cache)?;
    show(&config);
    let mut events = config.events();

    println!("the store is back, with another value:");
    say(Some("basket = 30"));
    while !matches!(events.blocking_next()?, Some(Event::Applied(_)) | None) {}
    show(&config);
    config.blocking_shutdown(Duration::from_secs(5))?;
    Ok(fs::remove_dir_all(dir)?)
}

/// A server of one document, which hangs up while it has none.
fn serve(listener: &TcpListener) {
    for mut client in listener.incoming().flatten() {
        let asked = BufReader::new(&client).lines().map_while(Result::ok).find(String::is_empty);
        let Some(document) = STORE.lock().expect("no holder panics").filter(|_| asked.is_some()) else {
            continue;
        };
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", document.len());
        let _ = client.write_all((head + document).as_bytes());
    }
}
