//! How files are really saved: each style on the real file system. Wall time: the kernel's events are
//! what is tested.
//!
//! For each style: the saved content comes into force, in one version, never a torn one in between.

mod by_another_file;
mod editors;
mod in_place;
mod links;
#[cfg(target_os = "linux")]
mod mounts;
mod no_change;

use crate::support::{Dir, Pair, QUIET, applied, drain, follow, left_out, pair};
use hotconf::{Events, Hot};
use std::path::Path;
use std::process::Command;

/// Runs a shell script in `dir`; `false` where a program that it needs is not installed.
fn sh(dir: &Path, needs: &str, script: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {needs} >/dev/null")]).status();
    if !there.expect("sh runs").success() {
        left_out(script, &format!("`{needs}` is not installed"));
        return false;
    }
    let status = Command::new("sh").arg("-ec").arg(script).current_dir(dir).status().expect("sh runs");
    assert!(status.success(), "{script}");
    true
}

/// Follows `conf/app.toml`, saves three times by `save(dir, file, text)`, and checks what was told.
fn saved_by(save: impl Fn(&Path, &Path, &str) -> bool) {
    let dir = Dir::new();
    let path = dir.file("conf/app.toml", &pair(1));
    dir.file("new.toml", "");
    let (config, mut events) = follow::<Pair>(&path);
    for n in 2..5 {
        if !save(dir.path(), &path, &pair(n)) {
            return;
        }
        in_force(&config, &mut events, n);
    }
    let after = drain(&mut events, QUIET);
    assert!(after.is_empty(), "one version a save, and nothing else: {after:#?}");
    assert_eq!(config.version(), 4);
}

/// Waits until `n` is in force; the only change told on the way is that one, whole.
fn in_force(config: &Hot<Pair>, events: &mut Events, n: u64) {
    let change = applied(events);
    let now = config.load();
    assert_eq!(now.a, n, "{change:?}");
    assert!(now.is_whole());
    assert_eq!(change.paths(), ["a", "b", "check"]);
}
