//! How the probe ends, and that it does not grow before.

use super::{Probe, app, binary, run, toml};
use crate::support::{Dir, replace};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[test]
fn a_signal_stops_it_in_the_midst_of_a_start_a_storm_and_a_fifo() {
    let dir = Dir::new();
    let file = app(&dir);
    for n in 0..4 {
        let probe = Probe::following(&file);
        for port in 0..20 {
            fs::write(&file, toml(n * 20 + port)).expect("a write");
        }
        probe.stops();
    }
    let probe = Probe::following(&file);
    run("mkfifo", &["p"], dir.path());
    fs::rename(dir.path().join("p"), &file).expect("a rename");
    probe.stops();
}

#[test]
fn a_reader_that_goes_away_ends_it_without_a_panic() {
    let dir = Dir::new();
    let file = app(&dir);
    let mut child = Command::new(binary())
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the probe runs");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut String::new()).expect("the first line");
    drop(out);
    replace(&file, &toml(2));
    assert_eq!(child.wait().expect("an end").code(), Some(1));
    let said = std::io::read_to_string(child.stderr.take().expect("a pipe")).expect("text");
    assert!(!said.contains("panic"), "{said}");
}

#[test]
fn five_hundred_reloads_leave_descriptors_and_memory_as_they_were() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    let proc = PathBuf::from(format!("/proc/{}", probe.child.id()));
    if !proc.exists() {
        return;
    }
    let measure = || {
        let status = fs::read_to_string(proc.join("status")).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("its memory");
        let kib: usize = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
        (fs::read_dir(proc.join("fd")).expect("its descriptors").count(), kib)
    };
    let save = |n: u16| {
        if n.is_multiple_of(2) {
            replace(&file, &toml(n));
        } else {
            fs::write(&file, toml(n)).expect("a write");
        }
        probe.changed(n, &["server.port"]);
    };
    (100..200).for_each(save);
    let before = measure();
    (1000..1500).for_each(save);
    let after = measure();
    assert!(after.0 <= before.0 && after.1 <= before.1 + 4096, "{before:?} {after:?}");
    probe.stops();
}
