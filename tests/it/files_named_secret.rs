//! What is in a secret file, or written in the place of its path, is shown nowhere.

use crate::support::{Dir, applied, follow, rejected, replace};
use hotconf::{File, Hot, HotConf, SecretFile};
use std::fmt::Write;

const CANARY: &str = "c4n4ry-0f-the-k3y";

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = loud)]
struct App {
    #[hotconf(check = louder)]
    key: SecretFile,
    #[hotconf(default = 1)]
    n: u64,
}

/// A section's check that quotes what it should not.
fn loud(app: &App) -> Result<(), String> {
    let text = app.key.as_str().unwrap_or_default();
    if text.contains("section") { Err(format!("bad key: {}", text.trim())) } else { Ok(()) }
}

fn louder(key: &SecretFile) -> Result<(), String> {
    let text = key.as_str().unwrap_or_default();
    if text.contains("field") { Err(format!("bad key: {}", text.trim())) } else { Ok(()) }
}

#[test]
fn a_canary_in_a_secret_file_is_found_nowhere() {
    let dir = Dir::new();
    let key = dir.file("app.key", &format!("{CANARY} 1\n"));
    let path = dir.file("app.toml", "key = \"app.key\"\n");
    let (config, mut events) = follow::<App>(&path);
    let mut said = String::new();
    let before = config.snapshot();
    replace(&key, &format!("{CANARY} 2\n"));
    let applied = applied(&mut events);
    assert_eq!(applied.paths(), ["key"], "that it changed is told");
    write!(said, "{applied:?} {:?}", applied.changes()).unwrap();
    for refused in ["field", "section"] {
        replace(&key, &format!("{CANARY} 3 {refused}\n"));
        let error = rejected(&mut events);
        write!(said, "{error} {error:?} {:?}", config.status()).unwrap();
    }
    std::fs::remove_file(&key).unwrap();
    let error = rejected(&mut events);
    write!(said, "{error} {error:?} {:?}", config.status()).unwrap();
    assert!(config.load().key.as_str().unwrap().contains(CANARY), "it was there");
    let now = config.snapshot();
    write!(said, "{:?} {:?} {:?}", *now, now.key, before.diff(&now)).unwrap();
    write!(said, "{} {:?} {}", config.explain(), App::fields(), now.fingerprint()).unwrap();
    assert!(!said.contains(CANARY), "{said}");
    assert!(said.contains(&format!("SecretFile(20 bytes of {})", key.display())), "{said}");
}

#[test]
fn a_secret_in_the_place_of_its_path_is_not_shown() {
    let dir = Dir::new();
    for pasted in [CANARY, "-----BEGIN c4n4ry-0f-the-k3y\\nabc", "/c4n4ry-0f-the-k3y", "ab/c4n4ry-0f-the-k3y"]
    {
        let path = dir.file("app.toml", &format!("key = \"{pasted}\"\n"));
        let error = Hot::<App>::builder().source(File::new(&path)).read().unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("c4n4ry"), "{said}");
        assert!(said.contains("app.toml:1:7") && said.contains("does not exist"), "{said}");
    }
}

#[test]
fn a_path_with_a_directory_that_exists_is_shown() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "key = \"./keys/app.key\"\n");
    std::fs::create_dir(dir.path().join("keys")).unwrap();
    let error = Hot::<App>::builder().source(File::new(&path)).read().unwrap_err();
    assert!(error.to_string().contains("keys/app.key does not exist"), "{error}");
}
