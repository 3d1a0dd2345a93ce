//! A process that is killed while it writes its cache, again and again: what was kept is always there.

use crate::lines::{Lines, Server};
use crate::rig::{App, PATIENCE, Rig, alone, brisk};
use hotconf::remote::{Cache, Remote};
use hotconf::{Hot, Inline, SourceState};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Tells a process of this very program that it is the one to be killed, where the store is, and where it keeps.
const STORE: &str = "KILLED_STORE";
const CACHE: &str = "KILLED_CACHE";

fn start(server: SocketAddr, dir: &Path) -> Hot<App> {
    let source = brisk(Remote::of(Lines { address: server }).keys(""));
    Hot::<App>::builder()
        .source(Inline::toml("below", "text = \"\""))
        .source(source.cached(Cache::in_dir(dir)))
        .blocking_start()
        .expect("never a refusal to start")
}

/// The process that is killed; nothing where nobody asked for it.
#[test]
fn killed() {
    let (Ok(store), Some(dir)) = (std::env::var(STORE), std::env::var_os(CACHE)) else { return };
    let _config = start(store.parse().expect("an address"), Path::new(&dir));
    std::thread::sleep(PATIENCE);
}

fn kept(dir: &Path) -> bool {
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    names.into_iter().any(|path| path.extension().is_some_and(|extension| extension == "cache"))
}

#[test]
fn what_a_killed_process_had_kept_can_always_be_started_from() {
    let _alone = alone();
    let (server, dir) = (Server::start(), tempfile::tempdir().expect("a folder"));
    let pad = "x".repeat(100 << 10);
    let mut n = 0;
    let mut change = || {
        n += 1;
        let (a, b) = (n.to_string(), (n * 7).to_string());
        server.change(&[("a", Some(&a)), ("b", Some(&b)), ("pad", Some(&pad))]);
    };
    change();
    let mut last = 0;
    for round in 0..40_u64 {
        let mut child = Command::new(std::env::current_exe().expect("a program"))
            .args(["--exact", "killed::killed"])
            .env(STORE, server.address().to_string())
            .env(CACHE, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("started");
        let end = Instant::now() + PATIENCE;
        while !kept(dir.path()) {
            assert!(Instant::now() < end, "nothing is kept");
            std::thread::sleep(Duration::from_millis(1));
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    change();
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            std::thread::sleep(Duration::from_millis(20 + round * 17 % 60));
            child.kill().and_then(|()| child.wait()).expect("it is ours");
            done.store(true, Ordering::Relaxed);
        });
        server.kill();
        let config = start(server.address(), dir.path());
        let (status, app) = (config.status(), config.load().clone());
        assert_eq!((status.sources[1].state, app.b), (SourceState::Cached, app.a * 7));
        assert!(app.a >= last, "{} after {last}", app.a);
        assert!(status.warnings.iter().all(|warning| !warning.to_string().contains("passed over")));
        last = app.a;
        config.blocking_shutdown(PATIENCE).expect("calm");
        server.restart();
    }
    assert!(last > 1, "some of them kept something");
}
