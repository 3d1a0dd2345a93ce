//! A certificate and its key, rotated under a running program.
//!
//! `cargo run --example rotating_certificate`

use hotconf::{Event, Events, File, FileContent, Hot, HotConf, SecretFile};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

#[derive(Clone, Debug, HotConf)]
struct Server {
    #[hotconf(nested)]
    tls: Tls,
}

/// Both are paths in the file, from its directory, and contents here.
#[derive(Clone, Debug, HotConf)]
#[hotconf(check = belong_together)]
struct Tls {
    cert: FileContent,
    key: SecretFile,
}

/// What a TLS library would find out.
fn belong_together(tls: &Tls) -> Result<(), String> {
    let number = |bytes: &[u8]| bytes.iter().rev().find(|byte| byte.is_ascii_digit()).copied();
    let pair = number(tls.cert.as_bytes()) == number(tls.key.as_bytes());
    if pair { Ok(()) } else { Err("the key is not that of the certificate".to_owned()) }
}

/// As a rotation does it: written beside, then renamed.
fn rename_into(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    fs::write(dir.join("new"), text)?;
    fs::rename(dir.join("new"), dir.join(name))
}

/// The next event that says what became of a change.
fn next(events: &mut Events) -> Result<String, Box<dyn Error>> {
    loop {
        match events.blocking_next()?.ok_or("the configuration has ended")? {
            Event::Applied(applied) => return Ok(format!("version {}", applied.version())),
            Event::Rejected(error) => return Ok(format!("refused: {}", error.problems()[0])),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("hotconf-rotating-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("tls.crt"), "certificate 1")?;
    fs::write(dir.join("tls.key"), "key 1")?;
    fs::write(dir.join("server.toml"), "[tls]\ncert = \"tls.crt\"\nkey = \"tls.key\"\n")?;

    let config = Hot::<Server>::builder().source(File::new(dir.join("server.toml"))).blocking_start()?;
    let mut events = config.events();
    println!("at the start: {:?}", config.load().tls.cert.as_str()?);

    // The two renames come in one version.
    rename_into(&dir, "tls.crt", "certificate 2")?;
    rename_into(&dir, "tls.key", "key 2")?;
    println!("{}: {:?}", next(&mut events)?, config.load().tls.cert.as_str()?);

    // One without the other is refused, and what was in force stays.
    rename_into(&dir, "tls.crt", "certificate 3")?;
    println!("{}", next(&mut events)?);
    println!("in force: {:?}", config.load().tls.cert.as_str()?);
    rename_into(&dir, "tls.key", "key 3")?;
    println!("{}: {:?}", next(&mut events)?, config.load().tls.cert.as_str()?);

    config.blocking_shutdown(Duration::from_secs(1))?;
    Ok(fs::remove_dir_all(&dir)?)
}
