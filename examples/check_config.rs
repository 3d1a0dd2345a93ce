//! One look at a configuration, for a deployment's check: no thread, no watching.
//!
//! `cargo run --example check_config` checks `examples/quickstart.toml`; `-- FILE...` checks others,
//! later ones over earlier ones. It exits with 1 and names every problem if there is any.

use hotconf::{Env, File, Hot, HotConf, Secret};
use std::collections::BTreeMap;
use std::{env, net::SocketAddr, process::ExitCode, time::Duration};

#[derive(Clone, Debug, HotConf)]
struct Shop {
    #[hotconf(default = "127.0.0.1:8080", restart)]
    listen: SocketAddr,
    db_password: Secret<String>,
    flags: BTreeMap<String, bool>,
    #[hotconf(nested)]
    http: Http,
}

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = patient)]
struct Http {
    #[hotconf(default = "5s", range = "1ms..=10m")]
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
}

/// A check across fields; what it returns is the problem's text.
fn patient(http: &Http) -> Result<(), String> {
    if http.timeout * (http.retries + 1) > Duration::from_secs(3600) {
        return Err("all tries together may take an hour at most".to_string());
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut files: Vec<String> = env::args().skip(1).collect();
    if files.is_empty() {
        files.push("examples/quickstart.toml".to_string());
    }

    let mut builder = Hot::<Shop>::builder().deny_unknown_keys();
    for file in &files {
        builder = builder.source(File::new(file));
    }
    match builder.source(Env::prefixed("SHOP")).read() {
        Ok(shop) => {
            println!("{} is fine: {shop:#?}", files.join(", "));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
