//! What several sources say together.

mod leaks;
mod merge;
mod outside;

use hotconf::{Error, Hot, HotConf, Inline, Loaded, Secret};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, HotConf)]
#[hotconf(removed(old = "use `http.retries`"))]
struct App {
    #[hotconf(default = "app")]
    name: String,
    #[hotconf(default = 1)]
    workers: Option<u8>,
    #[hotconf(default = 80, alias = "tcp_port")]
    port: u16,
    #[hotconf(default, merge = "append")]
    hosts: Vec<String>,
    #[hotconf(nested, merge = "by_key(name)")]
    routes: Vec<Route>,
    #[hotconf(nested)]
    http: Http,
    #[hotconf(nested)]
    tls: Option<Tls>,
    #[hotconf(nested)]
    flags: BTreeMap<String, Flag>,
    #[hotconf(default)]
    labels: HashMap<String, u32>,
    #[hotconf(nested)]
    store: Store,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Route {
    name: String,
    #[hotconf(default = "/")]
    path: String,
    #[hotconf(default = 1)]
    weight: u8,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Http {
    #[hotconf(default = "5s")]
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
    #[hotconf(default = false, deprecated = "it is always on")]
    keepalive: bool,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Tls {
    cert: String,
    #[hotconf(default = "")]
    password: Secret<String>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Flag {
    #[hotconf(default)]
    on: bool,
    #[hotconf(default = 100)]
    share: u8,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Store {
    Memory,
    Disk {
        path: String,
        #[hotconf(default = 1)]
        depth: u8,
    },
    S3 {
        bucket: String,
        #[hotconf(default = "/")]
        path: String,
    },
}

const BASE: &str = "store.type = 'memory'\n";

fn base() -> Inline {
    Inline::toml("base.toml", BASE)
}

/// Loads layers of TOML above a base that sets what is required.
fn layers(texts: &[&str]) -> Result<Loaded<App>, Error> {
    let mut builder = Hot::<App>::builder().source(base());
    for (i, text) in texts.iter().enumerate() {
        builder = builder.source(Inline::toml(format!("{}.toml", i + 1), text));
    }
    builder.read()
}

fn good(texts: &[&str]) -> Loaded<App> {
    layers(texts).unwrap_or_else(|e| panic!("{e:?}"))
}

fn lines(error: &Error) -> Vec<String> {
    error.problems().iter().map(ToString::to_string).collect()
}

fn warnings(loaded: &Loaded<App>) -> Vec<String> {
    loaded.warnings().iter().map(ToString::to_string).collect()
}
