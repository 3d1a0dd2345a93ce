//! Real servers: found, started on loopback, broken and stopped.
//!
//! They are looked for in `target/servers`, where `tests/servers/fetch` puts them, and then on the `PATH`. One that
//! is absent is named once and its tests pass without it, unless `REQUIRED_SERVERS` names it: `etcd,redis`, or `all`.

pub(crate) mod consul;
pub(crate) mod http;
pub(crate) mod nats;
pub(crate) mod openbao;
pub(crate) mod process;
pub(crate) mod redis;
pub(crate) mod zookeeper;

use crate::rig::lock;
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

/// The folder of the fetched server of this name.
fn fetched(name: &str) -> Option<PathBuf> {
    // Beside the folder that cargo gives to the tests of this target.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
    let asked = std::env::var_os("TEST_SERVERS").map(PathBuf::from);
    let folder = asked.unwrap_or_else(|| target.join("servers")).join(name);
    folder.is_dir().then_some(folder)
}

/// A command of a server: the fetched one, or the one on the `PATH`.
pub(crate) fn command(server: &str, command: &str) -> Option<PathBuf> {
    let folder = fetched(server).map(|folder| folder.join("bin")).into_iter();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = folder.chain(std::env::split_paths(&path)).collect();
    folders.into_iter().map(|folder| folder.join(command)).find(|command| command.is_file())
}

/// What is there of a server; where it is absent that is said once, beside the test's own output, or the test fails.
pub(crate) fn or_left_out<T>(server: &'static str, found: Option<T>) -> Option<T> {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if found.is_none() {
        let line = format!("{server} is absent, its tests are left out: `tests/servers/fetch {server}`");
        let required = std::env::var("REQUIRED_SERVERS").unwrap_or_default();
        let required = required.split(',').any(|name| name == server || name == "all");
        assert!(!required, "{line}");
        if lock(&SAID).insert(server) {
            // Not by `eprintln!`, which is shown only of tests that fail.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
    found
}

/// Addresses on loopback that nobody listens at. Their ports lie below those that the system gives to connections,
/// so that a server that was killed finds its own free again.
pub(crate) fn free<const N: usize>() -> [SocketAddr; N] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 40).expect("small") * 250;
    let next = || loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 250;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener.local_addr().expect("bound");
        }
    };
    [(); N].map(|()| next())
}
