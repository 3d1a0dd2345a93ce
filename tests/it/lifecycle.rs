//! Threads, descriptors and watches, counted. These tests share a process with others, so they run in a
//! child of their own.

use crate::support::{Dir, Pair, Small, alone, by_hand, pair, replace};
use hotconf::{File, Hot};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

/// With tokio's feature `signal`, which these tests turn on, the first runtime that has sockets opens a pair of
/// them for the whole process and for good: it is no part of what is counted from then on.
fn begin() {
    let (first, _) = by_hand::<Small>("");
    first.blocking_shutdown(Duration::from_secs(5)).expect("calm");
}

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn threads() -> usize {
    count("/proc/self/task")
}

fn descriptors() -> usize {
    count("/proc/self/fd")
}

/// Inotify instances and watches of this process.
fn watches() -> (usize, usize) {
    let (mut instances, mut watches) = (0, 0);
    for entry in std::fs::read_dir("/proc/self/fdinfo").expect("Linux").flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let lines = text.lines().filter(|l| l.starts_with("inotify ")).count();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", entry.file_name().to_string_lossy()));
        if link.is_ok_and(|l| l.to_string_lossy().contains("inotify")) {
            instances += 1;
            watches += lines;
        }
    }
    (instances, watches)
}

/// A thread that has said its last word may be in the kernel's table a little longer.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(3);
    while !holds() {
        assert!(
            Instant::now() < end,
            "{what}: {} threads, {} descriptors, {:?}",
            threads(),
            descriptors(),
            watches()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn start(dir: &Dir) -> Hot<Pair> {
    Hot::builder().source(File::new(dir.path().join("app.toml"))).blocking_start().expect("loaded")
}

#[test]
fn a_hundred_configurations_over_one_file_have_two_threads_and_one_inotify_instance() {
    alone(
        "lifecycle::a_hundred_configurations_over_one_file_have_two_threads_and_one_inotify_instance",
        || {
            let dir = Dir::new();
            let path = dir.file("app.toml", &pair(1));
            let before = threads();
            let configs: Vec<_> = (0..100).map(|_| start(&dir)).collect();
            until("two threads", || threads() == before + 2);
            assert_eq!(watches().0, 1);
            replace(&path, &pair(2));
            until("all follow", || configs.iter().all(|c| c.load().a == 2));
        },
    );
}

#[test]
fn after_shutdown_no_thread_descriptor_or_watch_is_left() {
    alone("lifecycle::after_shutdown_no_thread_descriptor_or_watch_is_left", || {
        let dir = Dir::new();
        let path = dir.file("app.toml", &pair(1));
        begin();
        let (threads_before, descriptors_before) = (threads(), descriptors());
        for n in 2..12 {
            let config = start(&dir);
            let _keep = config.on_change(Pair::FIELDS.a, |_| ());
            replace(&path, &pair(n));
            until("followed", || config.load().a == n);
            config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
            until("nothing left", || {
                threads() == threads_before && descriptors() == descriptors_before && watches() == (0, 0)
            });
        }
    });
}

#[test]
fn dropping_the_last_handle_leaves_nothing_either() {
    alone("lifecycle::dropping_the_last_handle_leaves_nothing_either", || {
        let dir = Dir::new();
        dir.file("app.toml", &pair(1));
        begin();
        let (threads_before, descriptors_before) = (threads(), descriptors());
        for _ in 0..5 {
            let config = start(&dir);
            let (view, reader) = (config.clone(), config.reader());
            drop(config);
            drop(view);
            assert!(threads() > threads_before, "a reader keeps it alive");
            drop(reader);
            until("nothing left", || {
                threads() == threads_before && descriptors() == descriptors_before && watches() == (0, 0)
            });
        }
    });
}

#[test]
fn a_start_that_fails_leaves_nothing() {
    alone("lifecycle::a_start_that_fails_leaves_nothing", || {
        let dir = Dir::new();
        begin();
        let (threads_before, descriptors_before) = (threads(), descriptors());
        for _ in 0..5 {
            let error = Hot::<Pair>::builder()
                .source(File::new(dir.path().join("missing.toml")))
                .blocking_start()
                .expect_err("missing");
            assert!(error.to_string().contains("missing.toml"), "{error}");
        }
        until("nothing left", || threads() == threads_before && descriptors() == descriptors_before);
    });
}

#[test]
fn a_read_begins_no_thread() {
    alone("lifecycle::a_read_begins_no_thread", || {
        let dir = Dir::new();
        let path = dir.file("app.toml", &pair(1));
        let before = (threads(), descriptors());
        let loaded = Hot::<Pair>::builder().source(File::new(&path)).read().expect("loaded");
        assert_eq!(loaded.a, 1);
        assert_eq!((threads(), descriptors()), before);
    });
}

#[test]
fn cancelling_the_users_token_stops_everything() {
    alone("lifecycle::cancelling_the_users_token_stops_everything", || {
        let dir = Dir::new();
        let path = dir.file("app.toml", &pair(1));
        let token = tokio_util::sync::CancellationToken::new();
        let config = Hot::<Pair>::builder()
            .cancelled_by(&token)
            .source(File::new(&path))
            .blocking_start()
            .expect("loaded");
        let mut watch = config.watch(Pair::FIELDS.a);
        token.cancel();
        assert_eq!(watch.blocking_next().expect("outside of async code"), None, "the watch ends");
        replace(&path, &pair(2));
        config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
        assert_eq!(config.load().a, 1);
    });
}

#[test]
fn a_start_that_is_cancelled_leaves_nothing() {
    alone("lifecycle::a_start_that_is_cancelled_leaves_nothing", || {
        let dir = Dir::new();
        let path = dir.file("app.toml", &pair(1));
        begin();
        let (threads_before, descriptors_before) = (threads(), descriptors());
        for turn in 0..20 {
            let mut start = Box::pin(Hot::<Pair>::builder().source(File::new(&path)).start());
            let waker = std::task::Waker::noop();
            let mut cx = std::task::Context::from_waker(waker);
            let polled = start.as_mut().poll(&mut cx);
            std::thread::sleep(Duration::from_micros(100 * turn));
            drop((start, polled));
        }
        until("nothing left", || {
            threads() == threads_before && descriptors() == descriptors_before && watches() == (0, 0)
        });
    });
}

#[test]
fn a_shutdown_beside_another_configuration_gives_its_watches_back() {
    alone("lifecycle::a_shutdown_beside_another_configuration_gives_its_watches_back", || {
        let dir = Dir::new();
        dir.file("app.toml", &pair(1));
        let stays = start(&dir);
        let before = watches();
        for n in 0..10 {
            let other = Dir::new();
            other.file("app.toml", &pair(n));
            let config = start(&other);
            assert!(watches().1 > before.1);
            config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
            // At once: what `Ok` says is true when it is said.
            assert_eq!(watches(), before);
        }
        assert_eq!(stays.load().a, 1);
    });
}

#[test]
fn when_shutdown_returns_the_threads_are_gone() {
    alone("lifecycle::when_shutdown_returns_the_threads_are_gone", || {
        let dir = Dir::new();
        dir.file("app.toml", &pair(1));
        let before = threads();
        for _ in 0..20 {
            let config = start(&dir);
            let others: Vec<_> = (0..3)
                .map(|_| {
                    let config = config.clone();
                    std::thread::spawn(move || config.blocking_shutdown(Duration::from_secs(5)))
                })
                .collect();
            config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
            for other in others {
                other.join().expect("no panic").expect("calm");
            }
            until("nothing left", || threads() == before);
        }
    });
}

/// The child of a fork has the memory and no thread: what it had it keeps, and what it starts itself is its own.
#[test]
fn after_a_fork_the_child_reads_what_it_had_and_starts_its_own() {
    alone("lifecycle::after_a_fork_the_child_reads_what_it_had_and_starts_its_own", || {
        let dir = Dir::new();
        let path = dir.file("app.toml", &pair(1));
        let inherited = start(&dir);
        match fork::fork().expect("a child") {
            fork::Fork::Child => {
                // A panic must not run on into the harness, of which there are two now.
                let own = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    assert_eq!((inherited.load().a, threads()), (1, 1));
                    let config = start(&dir);
                    replace(&path, &pair(2));
                    until("followed by its own", || config.load().a == 2);
                    assert_eq!(inherited.load().a, 1, "nothing follows what it inherited");
                    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
                }));
                std::process::exit(i32::from(own.is_err()));
            }
            fork::Fork::Parent(child) => {
                until("the parent follows too", || inherited.load().a == 2);
                assert_eq!(fork::waitpid(child).expect("it ends"), 0, "the child's own assertions");
            }
        }
    });
}

/// Times that the threads of this process were taken off the processor, by their own will or not.
fn switches() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let of = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains("ctxt_switches"));
        lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum::<u64>()
    };
    tasks.map(|task| of(task.path())).sum()
}

/// Wall time: that nothing happens in a while is what is tested.
#[test]
fn idle_or_waiting_for_a_directory_that_is_missing_nothing_runs() {
    use hotconf::SourceExt;
    alone("lifecycle::idle_or_waiting_for_a_directory_that_is_missing_nothing_runs", || {
        let dir = Dir::new();
        let path = dir.file("app.toml", &pair(1));
        let missing = dir.path().join("not/there/yet.toml");
        let follow = |poll| {
            Hot::<Pair>::builder()
                .poll(poll)
                .source(File::new(&path))
                .source(File::new(&missing).optional())
                .blocking_start()
                .expect("loaded")
        };
        for (poll, most) in [(Duration::ZERO, 5), (Duration::from_secs(2), 25)] {
            let config = follow(poll);
            // What the start left behind: workers that wait for more end after ten seconds without work.
            std::thread::sleep(Duration::from_millis(500));
            let before = switches();
            std::thread::sleep(Duration::from_secs(2));
            let switched = switches() - before;
            assert!(switched <= most, "{switched} times in 2 s with a poll of {poll:?}");
            config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
        }
    });
}
