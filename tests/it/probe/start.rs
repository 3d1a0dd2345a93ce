//! How the probe starts, or says why not.

use super::{Probe, QUIET, app, run, toml};
use crate::support::{Dir, replace};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn a_start_that_fails_says_so_once_and_ends() {
    let dir = Dir::new();
    let refuses = |file: &Path| Probe::run(&[file], &[]).refuses();
    for (name, text, says) in [
        ("a.toml", toml("= hunter2"), "a.toml:3:8"),
        ("a.toml", toml("\"x\""), "`server.port` at "),
        ("a.toml", toml(70000), "found 70000"),
        ("a.toml", toml(1).replace("1000", "18446744073709551616"), "`limits.max` at "),
        ("a.toml", toml(1).replace("0.5", "nan"), "`limits.ratio` at "),
        ("a.toml", toml("1\nport = 2"), "first set at 3:1"),
        ("a.json", "[1]".to_owned(), "a.json:1:1"),
        ("a.yaml", "a: 1\n---\nb: 1\n".to_owned(), "a.yaml:2:1"),
        ("a.toml", toml(1) + "\0\0\0", "a.toml:10:1"),
        ("a.toml", format!("tags = {}", "[".repeat(100_000)), "a.toml:1:"),
    ] {
        let file = dir.file(name, &text);
        let error = refuses(&file);
        assert!(error.contains(says) && error.contains(name), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(refuses(&dir.path().join("none.toml")).contains("none.toml: does not exist"));
    symlink("loop.toml", dir.path().join("loop.toml")).expect("a link");
    assert!(refuses(&dir.path().join("loop.toml")).contains("loop of links"));
    run("mkfifo", &["fifo.toml"], dir.path());
    assert!(refuses(&dir.path().join("fifo.toml")).contains("is a FIFO"));
    fs::create_dir(dir.path().join("dir.toml")).expect("a directory");
    assert!(refuses(&dir.path().join("dir.toml")).contains("is a directory"));
    assert!(refuses(Path::new("/dev/zero")).contains("is a device"));
}

#[test]
fn a_required_setting_that_is_missing_names_the_files_and_the_near_key() {
    let dir = Dir::new();
    let file = dir.file("app.toml", &toml(1).replace("port", "prot"));
    let error = Probe::run(&[&file], &[]).refuses();
    assert!(error.contains("`server.port`: required") && error.contains("`server.prot` at "), "{error}");
    assert!(error.contains("app.toml:3:1") && error.contains("looked in "), "{error}");
}

#[test]
fn a_null_for_a_required_setting_has_a_place() {
    let dir = Dir::new();
    let text = "server: {port: ~, host: h}\nlimits: ~\nfeature: {enabled: true}\ntags: []\n";
    let error = Probe::run(&[&dir.file("app.yaml", text)], &[]).refuses();
    assert!(error.contains("app.yaml:1:16: required"), "{error}");
    assert!(error.contains("`limits.max` at ") && error.contains("app.yaml:2:9: required"), "{error}");
}

#[test]
fn the_environment_stands_above_the_files_in_both_spellings() {
    let dir = Dir::new();
    let file = app(&dir);
    for name in ["HOTCONF_SERVER_PORT", "HOTCONF_SERVER__PORT"] {
        let probe = Probe::run(&[&file], &[(name, "5")]);
        assert_eq!(probe.expect("ready")["config"]["server"]["port"], 5);
        replace(&file, &toml(9));
        probe.is_quiet(QUIET);
        probe.stops();
    }
    let both = [("HOTCONF_SERVER_PORT", "5"), ("HOTCONF_SERVER__PORT", "6")];
    assert!(Probe::run(&[&file], &both).refuses().contains("both mean it and differ"));
}

#[test]
fn an_unknown_key_is_warned_of_once_with_the_near_name() {
    let dir = Dir::new();
    let text = |port: u16| toml(port).replace("[feature]", "[feature]\nenabld = 'hunter2'");
    let file = dir.file("app.toml", &text(1));
    let probe = Probe::following(&file);
    let warning = probe.expect("warning")["warning"].to_string();
    assert!(warning.contains("did you mean `feature.enabled`?") && !warning.contains("hunter2"), "{warning}");
    replace(&file, &text(2));
    probe.changed(2, &["server.port"]);
    probe.is_quiet(QUIET);
    probe.stops();
}
