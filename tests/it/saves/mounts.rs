//! Mounts on the way to the file: of the file, of its directory, over it, and of layers.
//!
//! Mounting needs a right that a developer seldom has; a namespace of one's own gives it, where the
//! system lets one have that. Elsewhere these tests are left out, and say so.

use super::in_force;
use crate::support::{Dir, Pair, QUIET, alone_under, drain, follow, pair, replace, until, wait_for};
use hotconf::{Event, File, Hot};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The directory holds no mount of anybody else's: what is mounted goes with the process.
const OWN: &[&str] = &["unshare", "--user", "--map-root-user", "--mount"];

fn mount(args: &[&str], from: &Path, to: &Path) -> bool {
    Command::new("mount").args(args).args([from, to]).status().is_ok_and(|status| status.success())
}

fn unmount(from: &Path) {
    assert!(Command::new("umount").arg(from).status().expect("umount runs").success());
}

#[test]
fn a_file_that_is_mounted_alone_is_followed_in_place_and_is_warned_of() {
    let name = "saves::mounts::a_file_that_is_mounted_alone_is_followed_in_place_and_is_warned_of";
    alone_under(OWN, name, || {
        let dir = Dir::new();
        let outside = dir.file("outside/app.toml", &pair(1));
        let path = dir.file("inside/app.toml", "");
        assert!(mount(&["--bind"], &outside, &path));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = heard.clone();
        let config = Hot::<Pair>::builder()
            .on_event(move |event| log.lock().expect("no panic").push(event.to_string()))
            .poll(Duration::ZERO)
            .source(File::new(&path))
            .blocking_start()
            .expect("loaded");
        let mut events = config.events();
        let warned =
            || heard.lock().expect("no panic").iter().any(|e| e.contains("mounted as a single file"));
        until("it is warned of", warned);
        assert!(config.status().warnings[0].message().contains("mounted as a single file"));
        for n in 2..4 {
            std::fs::write(&outside, pair(n)).expect("a write");
            in_force(&config, &mut events, n);
        }
        // From here on nothing inside can see what happens outside: no crash, no storm, and no untruth.
        replace(&outside, &pair(9));
        assert!(drain(&mut events, QUIET).is_empty());
        assert_eq!(config.blocking_reload().expect("it is readable"), 3);
        assert!(config.load().a == 3 && config.status().is_healthy());
        unmount(&path);
    });
}

#[test]
fn a_directory_that_is_mounted_is_followed_when_its_source_is_written() {
    let name = "saves::mounts::a_directory_that_is_mounted_is_followed_when_its_source_is_written";
    alone_under(OWN, name, || {
        let dir = Dir::new();
        let outside = dir.file("outside/app.toml", &pair(1));
        let path = dir.file("inside/app.toml", "");
        let (from, to) = (outside.parent().expect("a parent"), path.parent().expect("a parent"));
        assert!(mount(&["--bind"], from, to));
        let (config, mut events) = follow::<Pair>(&path);
        for n in 2..6 {
            if n % 2 == 0 {
                replace(&outside, &pair(n));
            } else {
                std::fs::write(&outside, pair(n)).expect("a write");
            }
            in_force(&config, &mut events, n);
        }
    });
}

#[test]
fn a_mount_over_the_directory_and_its_end_are_found_by_the_content_poll() {
    let name = "saves::mounts::a_mount_over_the_directory_and_its_end_are_found_by_the_content_poll";
    alone_under(OWN, name, || {
        let dir = Dir::new();
        let (path, other) = (dir.file("conf/app.toml", &pair(1)), dir.file("other/app.toml", &pair(2)));
        let (conf, over) = (path.parent().expect("a parent"), other.parent().expect("a parent"));
        let config = Hot::<Pair>::builder()
            .poll(Duration::from_millis(50))
            .source(File::new(&path))
            .blocking_start()
            .expect("loaded");
        let mut events = config.events();
        assert!(mount(&["--bind"], over, conf));
        in_force(&config, &mut events, 2);
        // And from now on by events.
        replace(&path, &pair(3));
        in_force(&config, &mut events, 3);
        unmount(conf);
        in_force(&config, &mut events, 1);
    });
}

#[test]
fn a_file_that_lies_in_layers_is_followed_when_it_is_copied_up() {
    let name = "saves::mounts::a_file_that_lies_in_layers_is_followed_when_it_is_copied_up";
    alone_under(OWN, name, || {
        let dir = Dir::new();
        let lower = dir.file("lower/app.toml", &pair(1));
        let (memory, merged) = (dir.path().join("memory"), dir.path().join("merged"));
        std::fs::create_dir(&memory).expect("a directory");
        std::fs::create_dir(&merged).expect("a directory");
        assert!(mount(&["-t", "tmpfs"], Path::new("none"), &memory));
        std::fs::create_dir(memory.join("upper")).expect("a directory");
        std::fs::create_dir(memory.join("work")).expect("a directory");
        let options = format!(
            "lowerdir={},upperdir={m}/upper,workdir={m}/work",
            lower.parent().expect("a parent").display(),
            m = memory.display()
        );
        if !mount(&["-t", "overlay", "-o", &options], Path::new("overlay"), &merged) {
            return crate::support::left_out(
                "a file that lies in layers",
                "no overlay may be mounted in a namespace here",
            );
        }
        let path = merged.join("app.toml");
        let (config, mut events) = follow::<Pair>(&path);
        // The first write makes another file of it.
        std::fs::write(&path, pair(2)).expect("a write");
        in_force(&config, &mut events, 2);
        replace(&path, &pair(3));
        in_force(&config, &mut events, 3);
        std::fs::write(&path, pair(4)).expect("a write");
        in_force(&config, &mut events, 4);
        std::fs::remove_file(&path).expect("removed");
        wait_for(&mut events, "loss", |e| matches!(e, Event::SourceDown(_)));
        assert_eq!(config.load().a, 4);
    });
}
