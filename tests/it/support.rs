//! What the behaviour tests share: a small configuration, a directory of its own, and waiting for events.

use hotconf::{Event, Events, File, Hot, HotConf, Inline, InlineHandle};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// After so long without a word, none comes.
pub(crate) const QUIET: Duration = Duration::from_millis(250);

/// A configuration whose parts must always agree: `check` is the sum of `a` and `b`, and `pad` is long
/// enough for a torn read to show.
#[derive(Clone, Debug, PartialEq, HotConf)]
pub(crate) struct Pair {
    pub a: u64,
    pub b: u64,
    pub check: u64,
    #[hotconf(default = "")]
    pub pad: String,
}

/// The text of a [`Pair`]: its values depend on `n` alone.
pub(crate) fn pair(n: u64) -> String {
    format!("a = {n}\npad = \"{}\"\nb = {}\ncheck = {}\n", "x".repeat(6000), n * 7, n * 8)
}

impl Pair {
    pub(crate) fn is_whole(&self) -> bool {
        self.b == self.a * 7 && self.check == self.a * 8
    }
}

/// A directory that goes away with the test.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a directory");
        }
        std::fs::write(&path, text).expect("a file");
        path
    }
}

/// Writes beside the file and renames into place.
pub(crate) fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("tmp~");
    std::fs::write(&beside, text).expect("the new file");
    std::fs::rename(&beside, path).expect("the rename");
}

/// Follows one file, without the content poll unless asked for.
pub(crate) fn follow<T: HotConf>(path: &Path) -> (Hot<T>, Events) {
    let config = Hot::builder().source(File::new(path)).blocking_start().expect("the first load");
    let events = config.events();
    (config, events)
}

/// Waits for the first event that `wanted` takes; panics after ten seconds with what came instead.
pub(crate) fn wait_for(events: &mut Events, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
    let end = Instant::now() + Duration::from_secs(10);
    let mut seen = Vec::new();
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        match events.blocking_next_timeout(rest).expect("outside of async code") {
            Some(Some(event)) if wanted(&event) => return event,
            Some(Some(event)) => seen.push(event.to_string()),
            Some(None) => panic!("ended before {what}; saw {seen:#?}"),
            None => panic!("no {what} within ten seconds; saw {seen:#?}"),
        }
    }
}

pub(crate) fn applied(events: &mut Events) -> hotconf::Applied {
    match wait_for(events, "applied change", |e| matches!(e, Event::Applied(_))) {
        Event::Applied(applied) => applied,
        other => unreachable!("waited for a change, got {other}"),
    }
}

pub(crate) fn rejected(events: &mut Events) -> hotconf::Error {
    match wait_for(events, "refusal", |e| matches!(e, Event::Rejected(_))) {
        Event::Rejected(error) => error,
        other => unreachable!("waited for a refusal, got {other}"),
    }
}

/// All events that come until none has come for `quiet`.
pub(crate) fn drain(events: &mut Events, quiet: Duration) -> Vec<Event> {
    let mut seen = Vec::new();
    while let Some(Some(event)) = events.blocking_next_timeout(quiet).expect("outside of async code") {
        seen.push(event);
    }
    seen
}

/// Two numbers.
#[derive(Clone, Debug, HotConf)]
pub(crate) struct Small {
    #[hotconf(default = 1, range = "0..=1000000")]
    pub n: u64,
    #[hotconf(default = 1)]
    pub other: u64,
}

/// A configuration that a test sets by hand.
pub(crate) fn by_hand<T: HotConf>(text: &str) -> (Hot<T>, InlineHandle) {
    let (source, handle) = Inline::channel("app.toml", hotconf::Format::Toml, text);
    (Hot::builder().source(source).blocking_start().expect("the first load"), handle)
}

/// Waits, with patience for a busy machine.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Where a test holds up who comes by: it says that it came, and waits until it is let go.
pub(crate) struct Held(Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>);

impl Held {
    pub(crate) const fn nobody() -> Self {
        Self(Mutex::new(None))
    }

    /// The next that comes is held: a receiver that hears of it, and the sender that lets it go.
    pub(crate) fn next(&self) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((came, comes), (go, goes)) = (mpsc::channel(), mpsc::channel());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((came, goes));
        (comes, go)
    }

    /// Where whoever comes by may be held.
    pub(crate) fn pass(&self) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((came, goes)) = held {
            let _ = came.send(());
            let _ = goes.recv();
        }
    }
}

/// Runs the body of the named test in a process of its own, where it may count and spend what all share.
pub(crate) fn alone(test: &str, body: fn()) {
    alone_under(&[], test, body);
}

/// As [`alone`], with the process begun by `prefix`, a program that takes something from it. Where that
/// program may not run, the test is left out, and says so.
pub(crate) fn alone_under(prefix: &[&str], test: &str, body: fn()) {
    if std::env::var(ALONE).is_ok_and(|name| name == test) {
        return body();
    }
    if let [program, args @ ..] = prefix {
        let tried = Command::new(program).args(args).arg("true").output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            return left_out(test, &format!("`{}` is not permitted here", prefix.join(" ")));
        }
    }
    let output = child(prefix, test).output().expect("a child");
    let said = String::from_utf8_lossy(&output.stdout);
    let cried = String::from_utf8_lossy(&output.stderr);
    cried.lines().filter(|line| line.starts_with(LEFT_OUT)).for_each(loudly);
    assert!(output.status.success(), "{said}\n{cried}");
    assert!(said.contains("1 passed"), "no test has this name: {test}\n{said}");
}

/// The command that runs one test alone.
pub(crate) fn child(prefix: &[&str], test: &str) -> Command {
    let this = std::env::current_exe().expect("this test's own binary");
    let mut command = match prefix {
        [] => Command::new(this),
        [program, args @ ..] => {
            let mut command = Command::new(program);
            command.args(args).arg(this);
            command
        }
    };
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ALONE, test);
    command
}

/// Names the test that a child is to run.
const ALONE: &str = "HOTCONF_TEST_ALONE";

const LEFT_OUT: &str = "LEFT OUT: ";

/// Says that a case was not tested, past the harness, which keeps to itself what a passing test prints.
pub(crate) fn left_out(case: &str, why: &str) {
    loudly(&format!("{LEFT_OUT}{case}: {why}"));
}

fn loudly(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
