//! What the kernel has too little of: events, watches, instances, descriptors.
//!
//! In children of their own, which a namespace or a limit keeps from everybody else.

use crate::support::{
    Dir, Small, alone_under, applied, by_hand, child, left_out, rejected, replace, until, wait_for,
};
use hotconf::{Dotenv, Event, File, Hot};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was told, warnings of the first load included.
type Story = Arc<Mutex<Vec<String>>>;

fn start(path: &Path, poll: Duration) -> (Hot<Small>, Story) {
    let story = Story::default();
    let log = story.clone();
    let config = Hot::builder()
        .on_event(move |event| log.lock().expect("no panic").push(event.to_string()))
        .poll(poll)
        .source(File::new(path))
        .blocking_start()
        .expect("what cannot be watched is loaded all the same");
    (config, story)
}

fn tells(story: &Story, words: &str) -> usize {
    story.lock().expect("no panic").iter().filter(|event| event.contains(words)).count()
}

const BEAT: Duration = Duration::from_millis(50);

/// Without events: a warning that names the setting, once; changes by the content poll; `status` says so.
fn follows_by_the_poll(config: &Hot<Small>, story: &Story, path: &Path, setting: &str) {
    until("a warning that names the setting", || tells(story, setting) >= 1);
    until("the status says that it is polled", || config.status().sources[0].polling);
    for n in 2..5 {
        replace(path, &format!("n = {n}"));
        until("found by the poll", || config.load().n == n);
    }
    assert!(config.status().is_healthy());
    let told = tells(story, "cannot watch");
    // It is tried again at each beat, and said once for each path.
    std::thread::sleep(BEAT * 6);
    assert_eq!(tells(story, "cannot watch"), told, "{:#?}", story.lock().expect("no panic"));
    assert!(deaf(config) >= 1, "the status warns for as long: {:?}", config.status().warnings);
}

/// How many warnings of the status are of watches that could not be set.
fn deaf(config: &Hot<Small>) -> usize {
    config.status().warnings.iter().filter(|w| w.message().contains("cannot watch")).count()
}

/// Sets a limit of the namespace that the test is alone in.
fn limit(name: &str, most: usize) {
    std::fs::write(format!("/proc/sys/user/{name}"), most.to_string()).expect("it is ours to set");
}

#[test]
fn a_file_of_variables_is_followed() {
    let dir = Dir::new();
    let path = dir.file(".env", "APP_N=1\n");
    let config: Hot<Small> = Hot::builder()
        .poll(Duration::ZERO)
        .source(Dotenv::new(&path, "APP"))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    replace(&path, "# by rename\nAPP_N=2\n");
    assert_eq!(applied(&mut events).paths(), ["n"]);
    std::fs::write(&path, "export APP_N='3'\n").expect("a write");
    assert_eq!(applied(&mut events).paths(), ["n"]);
    std::fs::write(&path, "APP_N=many\n").expect("a write");
    let refused = rejected(&mut events);
    assert!(refused.to_string().contains(".env:1"), "{refused}");
    assert_eq!(config.load().n, 3);
}

const OWN: &[&str] = &["unshare", "--user", "--map-root-user"];

#[test]
fn with_no_inotify_instance_left_files_are_polled_and_watched_again_later() {
    alone_under(
        OWN,
        "watching::with_no_inotify_instance_left_files_are_polled_and_watched_again_later",
        || {
            let dir = Dir::new();
            let path = dir.file("app.toml", "n = 1");
            limit("max_inotify_instances", 0);
            let (config, story) = start(&path, BEAT);
            follows_by_the_poll(&config, &story, &path, "fs.inotify.max_user_instances");
            limit("max_inotify_instances", 10);
            until("watched again", || !config.status().sources[0].polling && deaf(&config) == 0);
        },
    );
}

#[test]
fn with_no_watch_left_files_are_polled_and_watched_again_later() {
    alone_under(OWN, "watching::with_no_watch_left_files_are_polled_and_watched_again_later", || {
        let dir = Dir::new();
        let path = dir.file("app.toml", "n = 1");
        limit("max_inotify_watches", 0);
        let (config, story) = start(&path, BEAT);
        follows_by_the_poll(&config, &story, &path, "fs.inotify.max_user_watches");
        limit("max_inotify_watches", 100);
        until("watched again", || !config.status().sources[0].polling && deaf(&config) == 0);
    });
}

#[test]
fn watches_that_run_out_for_one_configuration_leave_another_its_own() {
    alone_under(OWN, "watching::watches_that_run_out_for_one_configuration_leave_another_its_own", || {
        let dir = Dir::new();
        let (first, second) = (dir.file("a/app.toml", "n = 1"), dir.file("b/app.toml", "n = 1"));
        let (well, _) = start(&first, Duration::ZERO);
        limit("max_inotify_watches", 2);
        let (poor, story) = start(&second, BEAT);
        follows_by_the_poll(&poor, &story, &second, "fs.inotify.max_user_watches");
        replace(&first, "n = 2");
        until("by events alone", || well.load().n == 2);
    });
}

#[test]
fn with_no_descriptor_left_files_are_followed_again_when_there_are_some() {
    let name = "watching::with_no_descriptor_left_files_are_followed_again_when_there_are_some";
    alone_under(&["prlimit", "--nofile=40:40"], name, || {
        let dir = Dir::new();
        let path = dir.file("app.toml", "n = 1");
        // The engine needs some of its own where stores may be followed: it is begun before.
        let _engine = by_hand::<Small>("");
        let mut held: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        // One is needed to read at all; the watcher needs more.
        held.truncate(held.len() - 1);
        let (config, story) = start(&path, BEAT);
        until("a warning that names both settings", || {
            tells(&story, "fs.inotify.max_user_instances") >= 1 && tells(&story, "ulimit -n") >= 1
        });
        held.clear();
        until("watched again", || !config.status().sources[0].polling && deaf(&config) == 0);
        replace(&path, "n = 3");
        until("followed", || config.load().n == 3);
        assert!(config.status().is_healthy());
    });
}

/// The child of the next test: its own part of it.
fn overflown() {
    let path = PathBuf::from(std::env::var_os(OVERFLOWN).expect("the parent says which file"));
    let (config, story) = start(&path, Duration::ZERO);
    let mut events = config.events();
    println!("\nfollowing");
    assert_eq!(applied(&mut events).version(), 2);
    assert_eq!(config.load().n, 2, "the save whose event was lost");
    until("a warning that names the setting", || tells(&story, "fs.inotify.max_queued_events") == 1);
    println!("\nread");
    wait_for(&mut events, "next save", |e| matches!(e, Event::Applied(a) if a.version() == 3));
    assert_eq!(config.load().n, 3);
}

const OVERFLOWN: &str = "HOTCONF_TEST_OVERFLOWN";

/// Stops a child that follows a file, makes more events than the kernel keeps, saves, and lets it go on. It
/// has no content poll: without reading anew after the overflow it would never see the save.
#[test]
fn when_events_ran_over_everything_is_read_anew_and_followed_again() {
    let name = "watching::when_events_ran_over_everything_is_read_anew_and_followed_again";
    if std::env::var_os(OVERFLOWN).is_some() {
        return overflown();
    }
    let most = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap_or_default();
    let Ok(most @ ..=200_000) = most.trim().parse::<usize>() else {
        return left_out(name, "the kernel's queue is of unknown length, or very long");
    };
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 1");
    let mut child = child(&[], name).env(OVERFLOWN, &path).stdout(Stdio::piped()).spawn().expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let signal = |signal: &str| {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    };
    let following = lines.any(|line| line == "following");
    assert!(following, "the child follows");
    signal("-STOP");
    let (a, b) = (dir.file("a", ""), dir.path().join("b"));
    // Twice as many as it keeps: it stops a moment after it was told to.
    for _ in 0..=most / 2 {
        std::fs::rename(&a, &b).expect("a rename");
        std::fs::rename(&b, &a).expect("a rename");
    }
    replace(&path, "n = 2");
    signal("-CONT");
    let read = lines.any(|line| line == "read");
    assert!(read, "the save was seen");
    replace(&path, "n = 3");
    let rest: Vec<_> = lines.collect();
    assert!(child.wait().expect("an end").success(), "{rest:#?}");
}

#[test]
fn a_file_that_goes_and_comes_is_no_trouble_of_the_watchers() {
    let dir = Dir::new();
    let path = dir.file("app.toml", "n = 1");
    let (config, story) = start(&path, BEAT);
    for n in 2..5 {
        std::fs::remove_file(&path).expect("removed");
        until("down", || !config.status().is_healthy());
        std::fs::write(&path, format!("n = {n}")).expect("back");
        until("back", || config.load().n == n);
    }
    assert_eq!(tells(&story, "cannot watch"), 0, "{:#?}", story.lock().expect("no panic"));
}
