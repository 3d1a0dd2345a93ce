//! What stands in place of the file: told once, and followed when it is a good file again.

use super::{Probe, QUIET, app, run, toml};
use crate::support::{Dir, replace};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

/// Does `spoil` to a followed file, expects one refusal that names it and no more, and heals it.
fn spoiled(spoil: impl Fn(&Path)) -> String {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    spoil(&file);
    let error = probe.rejected();
    assert!(error.contains("app.toml"), "{error}");
    // Longer than the content poll: what is told once is not told again.
    probe.is_quiet(Duration::from_millis(2300));
    if file.is_dir() {
        fs::remove_dir(&file).expect("an empty directory");
    }
    replace(&file, &toml(2));
    probe.changed(2, &["server.port"]);
    replace(&file, &toml(3));
    probe.changed(3, &["server.port"]);
    probe.stops();
    error
}

#[test]
fn a_refused_save_is_told_once_and_the_next_good_one_is_followed() {
    let error = spoiled(|file| fs::write(file, toml(70000)).expect("a write"));
    assert!(error.starts_with("`server.port` at ") && error.contains("app.toml:3:8"), "{error}");
}

#[test]
fn a_file_that_is_gone_is_told_once_and_its_return_is_followed() {
    assert!(spoiled(|file| fs::remove_file(file).expect("a file")).contains("does not exist"));
}

#[test]
fn a_fifo_in_place_of_the_file_is_told_once_and_recovered_from() {
    let error = spoiled(|file| {
        let dir = file.parent().expect("a directory");
        run("mkfifo", &["p"], dir);
        fs::rename(dir.join("p"), file).expect("a rename");
    });
    assert!(error.contains("is a FIFO"), "{error}");
}

#[test]
fn a_directory_in_place_of_the_file_is_told_once_and_recovered_from() {
    let error = spoiled(|file| {
        fs::remove_file(file).expect("a file");
        fs::create_dir(file).expect("a directory");
    });
    assert!(error.contains("is a directory"), "{error}");
}

#[test]
fn a_link_to_a_device_that_all_the_world_writes_to_is_told_once() {
    let error = spoiled(|file| {
        fs::remove_file(file).expect("a file");
        symlink("/dev/null", file).expect("a link");
        let mut device = File::options().write(true).open("/dev/null").expect("the device");
        device.write_all(b"x").expect("a write");
    });
    assert!(error.contains("is a device"), "{error}");
}

#[test]
fn an_emptied_file_is_told_once_and_the_last_good_one_stays() {
    assert!(spoiled(|file| fs::write(file, " \n").expect("a write")).contains("is empty"));
}

#[test]
fn a_broken_save_put_back_to_the_old_bytes_is_no_change_and_ends_no_following() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    for _ in 0..3 {
        replace(&file, "port = = 1");
        probe.rejected();
        replace(&file, &toml(1));
        probe.is_quiet(QUIET);
    }
    replace(&file, &toml(2));
    probe.changed(2, &["server.port"]);
    probe.stops();
}
