//! Loads a TOML file, shows each value with its origin, and follows every save.
//!
//! `cargo run --example quickstart` follows `examples/quickstart.toml`: edit it in another window.
//! With `-- FILE` it follows another file of the same shape; with `-- --demo` it edits a copy by itself.

use hotconf::{Env, Event, Events, File, Hot, HotConf, Secret};
use std::{collections::BTreeMap, env, error::Error, fs, net::SocketAddr, path::Path, time::Duration};

/// Settings of a small shop.
#[derive(Clone, Debug, HotConf)]
struct Shop {
    /// Address to listen on. Applies on restart.
    #[hotconf(default = "127.0.0.1:8080", restart)]
    listen: SocketAddr,
    /// Password of the orders database. It is shown nowhere.
    db_password: Secret<String>,
    /// Features that are on or off.
    flags: BTreeMap<String, bool>,
    #[hotconf(nested)]
    http: Http,
}

#[derive(Clone, Debug, HotConf)]
struct Http {
    /// Time to wait for the warehouse. 1 ms to 10 min; applies to new requests.
    #[hotconf(default = "5s", range = "1ms..=10m")]
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let argument = env::args().nth(1).unwrap_or_else(|| "examples/quickstart.toml".to_string());
    if argument == "--demo" {
        let directory = env::temp_dir().join(format!("hotconf-quickstart-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        fs::copy("examples/quickstart.toml", directory.join("copy.toml"))?;
        follow(&directory.join("copy.toml"), &["2s", "3h", "1s"])?;
        return Ok(fs::remove_dir_all(directory)?);
    }
    follow(Path::new(&argument), &[])
}

/// Follows a file: to the end of the demo's edits, or until Ctrl-C.
fn follow(file: &Path, edits: &[&str]) -> Result<(), Box<dyn Error>> {
    let config: Hot<Shop> = Hot::builder()
        .source(File::new(file)) // later sources override earlier ones
        .source(Env::prefixed("SHOP")) // SHOP_HTTP_TIMEOUT=2s
        .blocking_start()?;
    let mut events = config.events();
    println!("{}\nfollowing {}", config.explain(), file.display());

    let text = fs::read_to_string(file)?;
    for timeout in edits {
        println!("\nsaving timeout = \"{timeout}\"");
        fs::write(file, text.replace("\"5s\"", &format!("\"{timeout}\"")))?;
        while !matches!(show(&mut events), None | Some(Event::Applied(_) | Event::Rejected(_))) {}
    }
    while edits.is_empty() && show(&mut events).is_some() {}
    Ok(config.blocking_shutdown(Duration::from_secs(5))?)
}

/// Waits for the next event and prints it: each change with its place, each refused edit in full.
fn show(events: &mut Events) -> Option<Event> {
    let event = events.blocking_next().ok().flatten()?;
    match &event {
        Event::Applied(applied) => {
            println!("version {} is in force", applied.version());
            applied.changes().iter().for_each(|change| println!("  {change}"));
        }
        Event::Rejected(error) => println!("refused: {error:?}"),
        other => println!("{other}"),
    }
    Some(event)
}
