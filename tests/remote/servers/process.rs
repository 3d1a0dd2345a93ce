//! One server process: started, killed, frozen, set back, and gone when its handle is, also when a test panics.

use super::command;
use crate::rig::lock;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a server may take to be ready, on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// A server with a folder of its own.
pub(crate) struct Process {
    name: &'static str,
    child: Mutex<Option<Child>>,
    begin: Box<dyn Fn(&Path) -> Command + Send + Sync>,
    ready: Box<dyn Fn() -> bool + Send + Sync>,
    folder: tempfile::TempDir,
}

impl Process {
    /// Starts what `begin` says, given a folder whose `data` it is to use, and waits until it is `ready`.
    pub(crate) fn start(
        name: &'static str,
        begin: impl Fn(&Path) -> Command + Send + Sync + 'static,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let process = Self::begin(name, begin, ready);
        process.wait_ready();
        process
    }

    /// The same without waiting: for one of a cluster.
    pub(crate) fn begin(
        name: &'static str,
        begin: impl Fn(&Path) -> Command + Send + Sync + 'static,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::Builder::new().prefix(name).tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("data")).expect("a folder");
        let (begin, ready) = (Box::new(begin), Box::new(ready));
        let process = Self { name, child: Mutex::new(None), begin, ready, folder };
        process.run();
        process
    }

    fn run(&self) {
        let log = fs::File::options().create(true).append(true).open(self.log()).expect("a log");
        let mut server = (self.begin)(self.folder.path());
        let mut command = match command("", "setpriv") {
            // The kernel then ends it with us, however we end. It replaces itself: the process is the server.
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(server.get_program()).args(server.get_args());
                for (name, value) in server.get_envs() {
                    command.env(name, value.unwrap_or_default());
                }
                command
            }
            None => std::mem::replace(&mut server, Command::new("")),
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {command:?}: {error}", self.name));
        *lock(&self.child) = Some(child);
    }

    pub(crate) fn wait_ready(&self) {
        let end = Instant::now() + READY;
        while !(self.ready)() {
            let ended = lock(&self.child).as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "{} ended ({ended:?}):\n{}", self.name, self.tail());
            assert!(Instant::now() < end, "{} is not ready:\n{}", self.name, self.tail());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The end of what it printed.
    fn tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned()
    }

    /// As `kill -9` does, and waits for its end.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = lock(&self.child).take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
    }

    pub(crate) fn restart(&self) {
        self.run();
        self.wait_ready();
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let child = lock(&self.child);
        let id = child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("`kill`").success());
    }

    /// Keeps a copy of its data. It is stopped meanwhile, so that the copy is whole.
    pub(crate) fn keep(&self) {
        self.kill();
        self.copy("data", "kept");
        self.restart();
    }

    /// While it is killed: puts the copy in place of its data.
    pub(crate) fn restore(&self) {
        self.copy("kept", "data");
    }

    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.folder.path().join(from), self.folder.path().join(to));
        let _ = fs::remove_dir_all(&to);
        copy(&from, &to);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (kind, to) = (entry.file_type().expect("a kind"), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_file() {
            fs::copy(entry.path(), &to).expect("a copy");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing to be done where it fails: it has ended.
        if let Some(mut child) = lock(&self.child).take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
