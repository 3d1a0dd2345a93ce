//! Starts from what was applied last while the store is away, and follows the store again when it is back.
//!
//! `cargo run --example offline_start`

use hotconf::remote::{Backoff, Cache};
use hotconf::{Event, Hot, HotConf, Http};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::{fs, thread, time::Duration};

#[derive(Clone, Debug, HotConf)]
struct Shop {
    /// The most that a basket may hold.
    #[hotconf(default = 10)]
    basket: u32,
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

    println!("the store is there:");
    let store = Store::open("127.0.0.1:0".parse()?, "basket = 20")?;
    let address = store.0;
    let config = start(address, &cache)?;
    show(&config);
    config.blocking_shutdown(Duration::from_secs(5))?;
    store.close();

    println!("the store is away, and the program starts again:");
    let config = start(address, &cache)?;
    show(&config);
    let mut events = config.events();

    println!("the store is back, with another value:");
    let store = Store::open(address, "basket = 30")?;
    while !matches!(events.blocking_next()?, Some(Event::Applied(_)) | None) {}
    show(&config);
    config.blocking_shutdown(Duration::from_secs(5))?;
    store.close();
    Ok(fs::remove_dir_all(dir)?)
}

/// A server of one document.
struct Store(SocketAddr, thread::JoinHandle<()>);

impl Store {
    fn open(at: SocketAddr, document: &'static str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(at)?;
        let address = listener.local_addr()?;
        let serving = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let asked: Vec<_> = BufReader::new(&client)
                    .lines()
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                if asked.is_empty() {
                    return; // closed
                }
                let length = document.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                let _ = (&client).write_all((head + document).as_bytes());
            }
        });
        Ok(Self(address, serving))
    }

    fn close(self) {
        drop(std::net::TcpStream::connect(self.0));
        let _ = self.1.join();
    }
}
