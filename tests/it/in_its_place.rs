//! What may stand in place of a followed file, put there while it is followed: told once, by what it is; what
//! was in force stays, a stop waits for nothing, and the next good file is followed.

use crate::support::{Dir, QUIET, Small, alone_under, applied, drain, follow, replace, until, wait_for};
use hotconf::{Event, File, Hot, SourceState};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Puts something in place of the file by `put`; `says` is in what is told.
fn in_its_place(put: impl Fn(&Path), says: &str) {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 1");
    let (config, mut events) = follow::<Small>(&path);
    fs::remove_file(&path).expect("removed");
    put(&path);
    let down = wait_for(&mut events, says, |e| matches!(e, Event::SourceDown(_))).to_string();
    assert!(down.contains(says) && down.contains("app.toml"), "{down}");
    let again = drain(&mut events, QUIET);
    assert!(again.is_empty(), "told once: {again:#?}");
    assert_eq!((config.load().n, config.status().sources[0].state), (1, SourceState::Down));
    assert!(config.blocking_reload().expect_err("it cannot be read").to_string().contains(says));
    if path.is_dir() {
        fs::remove_dir(&path).expect("an empty directory");
    }
    replace(&path, "n = 2");
    assert_eq!(applied(&mut events).version(), 2);
    until("well again", || config.status().is_healthy());
    fs::remove_file(&path).expect("removed");
    put(&path);
    let begun = Instant::now();
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let start = Hot::<Small>::builder().source(File::new(&path)).blocking_start();
    let error = start.expect_err("it cannot be read").to_string();
    assert!(error.contains(says), "{error}");
}

#[test]
fn a_directory_is_told_and_recovered_from() {
    in_its_place(|path| fs::create_dir(path).expect("a directory"), "is a directory");
}

#[test]
fn a_fifo_is_told_and_never_waited_for() {
    in_its_place(
        |path| assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success()),
        "is a FIFO",
    );
}

#[test]
fn a_socket_is_told_and_recovered_from() {
    in_its_place(|path| drop(UnixListener::bind(path).expect("a socket")), "is a socket");
}

#[test]
fn a_link_that_leads_nowhere_is_told_and_recovered_from() {
    in_its_place(|path| symlink("nowhere.toml", path).expect("a link"), "a link that leads nowhere");
}

#[test]
fn a_loop_of_links_is_told_and_recovered_from() {
    in_its_place(
        |path| {
            let other = path.with_file_name("other");
            let _ = fs::remove_file(&other);
            symlink("app.toml", other).expect("a link");
            symlink("other", path).expect("a link");
        },
        "loop of links",
    );
}

#[test]
fn a_device_is_told_and_recovered_from() {
    in_its_place(|path| symlink("/dev/zero", path).expect("a link"), "is a device");
}

#[test]
fn a_file_of_a_crashed_writer_is_refused_and_the_last_good_one_kept() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 1\nother = 1\n");
    let (config, mut events) = follow::<Small>(&path);
    for (torn, says) in
        [("n = 2\nother = 2\0\0\0\0", "NUL"), ("\0\0\0\0", "NUL"), ("n = 2\nothe", "app.toml:2")]
    {
        replace(&path, torn);
        let told = wait_for(&mut events, "refusal", |e| matches!(e, Event::Rejected(_))).to_string();
        assert!(told.contains(says), "{told}");
        assert_eq!((config.load().n, config.version()), (1, 1));
    }
    replace(&path, "n = 3\nother = 1\n");
    assert_eq!(applied(&mut events).paths(), ["n"]);
}

/// The superuser reads everything: the child gives that right up first.
#[test]
fn a_mode_that_forbids_and_then_allows_again_is_noticed_by_itself() {
    let name = "in_its_place::a_mode_that_forbids_and_then_allows_again_is_noticed_by_itself";
    let no_right = "--bounding-set=-dac_override,-dac_read_search";
    let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let prefix: &[&str] = if root { &["setpriv", no_right] } else { &[] };
    alone_under(prefix, name, || {
        let dir = Dir::new();
        let path = dir.file("app.toml", "n = 1");
        let config = Hot::<Small>::builder()
            .poll(Duration::ZERO)
            .source(File::new(&path))
            .blocking_start()
            .expect("loaded");
        let mut events = config.events();
        fs::set_permissions(&path, Permissions::from_mode(0o000)).expect("a mode");
        fs::File::open(&path).expect_err("nobody may");
        let down = wait_for(&mut events, "loss", |e| matches!(e, Event::SourceDown(_))).to_string();
        assert!(down.contains("permission denied"), "{down}");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("a mode");
        wait_for(&mut events, "recovery", |e| matches!(e, Event::SourceUp(_)));
        assert!(config.status().is_healthy() && config.version() == 1);
    });
}
