//! Good saves: each is one change, with exactly the leaves that differ.

use super::{Probe, QUIET, app, run, toml};
use crate::support::{Dir, replace};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn every_change_names_exactly_the_leaves_that_differ() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    replace(&file, &toml(2).replace("[\"a\"]", "[\"a\", \"b\"]").replace("0.5", "0.25"));
    probe.changed(2, &["server.port", "limits.ratio", "tags"]);
    fs::write(
        &file,
        format!("# the same\n{}", toml("0x2").replace("[\"a\"]", "['a', 'b']").replace("0.5", "2.5e-1")),
    )
    .expect("a write");
    probe.is_quiet(QUIET);
    probe.stops();
}

#[test]
fn an_archive_that_sets_the_times_of_the_directory_is_followed_at_once() {
    let dir = Dir::new();
    let file = app(&dir);
    let from = dir.file("new/conf/app.toml", &toml(2));
    run("tar", &["cf", "new.tar", "-C", "new", "conf"], dir.path());
    assert!(from.exists());
    let probe = Probe::following(&file);
    let start = Instant::now();
    run("tar", &["xf", "new.tar"], dir.path());
    probe.changed(2, &["server.port"]);
    // The hold on a file that is never closed would be two seconds.
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    probe.stops();
}

#[test]
fn constant_saves_in_place_do_not_starve_the_reader() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    let (mut last, mut n) = (Instant::now(), 1);
    let end = last + Duration::from_secs(3);
    let mut longest = Duration::ZERO;
    while Instant::now() < end {
        n += 1;
        fs::write(&file, toml(n)).expect("a write");
        // The pace of the writer is the case: a save every five milliseconds.
        if let Ok(line) = probe.lines.recv_timeout(Duration::from_millis(5)) {
            assert_eq!(line["ev"], "change", "{line}");
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
    }
    // 300 ms by design; the rest is for a machine that has other things to do.
    assert!(longest < Duration::from_millis(1200), "{longest:?}");
    while probe.expect("change")["config"]["server"]["port"] != n {}
    probe.is_quiet(QUIET);
    probe.stops();
}

#[test]
fn a_writer_that_pauses_in_the_middle_is_waited_for() {
    let dir = Dir::new();
    let file = dir.file("app.toml", &toml(1));
    let probe = Probe::following(&file);
    let start = "tags = []\nfeature.enabled = true\nserver = {port = 7, host = \"h\"}\nlimits.ratio = 1\nlimits.max = 10";
    let mut writer = File::create(&file).expect("a file");
    writer.write_all(start.as_bytes()).expect("a write");
    probe.is_quiet(Duration::from_millis(1200));
    writer.write_all(b"00000\n").expect("a write");
    drop(writer);
    assert_eq!(probe.expect("change")["config"]["limits"]["max"], 1_000_000);
    probe.stops();
}

#[test]
fn two_files_saved_together_are_one_change() {
    let dir = Dir::new();
    let (lower, upper) = (app(&dir), dir.file("conf/upper.YAML", "server: {host: h1}\n"));
    let probe = Probe::run(&[&lower, &upper], &[]);
    probe.expect("ready");
    for n in 2..6 {
        replace(&lower, &toml(n));
        replace(&upper, &format!("server: {{host: h{n}}}\n"));
        probe.changed(n, &["server.port", "server.host"]);
    }
    probe.is_quiet(QUIET);
    probe.stops();
}

#[test]
fn a_mounted_volume_that_is_swapped_comes_in_one_generation() {
    let dir = Dir::new();
    let write = |n: u16| {
        dir.file(&format!("..{n}/app.toml"), &toml(n));
        dir.file(&format!("..{n}/host.toml"), &format!("server.host = \"h{n}\""));
        symlink(format!("..{n}"), dir.path().join("..data_tmp")).expect("a link");
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).expect("a rename");
    };
    write(1);
    let files = ["app.toml", "host.toml"].map(|name| {
        let path = dir.path().join(name);
        symlink(Path::new("..data").join(name), &path).expect("a link");
        path
    });
    let probe = Probe::run(&[&files[0], &files[1]], &[]);
    probe.expect("ready");
    for n in 2..8 {
        write(n);
        fs::remove_dir_all(dir.path().join(format!("..{}", n - 1))).expect("the old one");
        probe.changed(n, &["server.port", "server.host"]);
    }
    probe.is_quiet(QUIET);
    probe.stops();
}
