//! The probe, driven from outside as a program: what it says on its standard output, and how it ends.
//!
//! Wall time throughout: the kernel's events and signals are what is tested. Each wait is for a line,
//! and gives up after ten seconds; only what must *not* come is waited for by the clock.

mod changes;
mod ends;
mod spoiled;
mod start;

use crate::support::Dir;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_millis(300);

/// The example, which stands beside the directory of this test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let name = format!("probe{}", std::env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(name);
    assert!(binary.exists(), "{}: `cargo test` builds it", binary.display());
    binary
}

/// A running probe and its lines.
struct Probe {
    child: Child,
    lines: Receiver<Value>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Probe {
    fn run(files: &[&Path], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(binary())
            .args(files)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the probe runs");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                let line = line.expect("text");
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// A probe that follows `file` and is ready.
    fn following(file: &Path) -> Self {
        let probe = Self::run(&[file], &[]);
        probe.expect("ready");
        probe
    }

    fn expect(&self, event: &str) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {event} came"));
        assert_eq!(line["ev"], event, "{line}");
        line
    }

    /// The next line is a change to `port`; its paths are these.
    fn changed(&self, port: u16, paths: &[&str]) {
        let line = self.expect("change");
        assert_eq!(line["config"]["server"]["port"], port, "{line}");
        let told = line["paths"].as_array().expect("a list");
        assert_eq!(told.iter().filter_map(Value::as_str).collect::<Vec<_>>(), paths);
    }

    fn rejected(&self) -> String {
        self.expect("rejected")["error"].as_str().expect("a text").to_owned()
    }

    fn is_quiet(&self, time: Duration) {
        match self.lines.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => {}
            other => panic!("nothing was to be said: {other:?}"),
        }
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Ends it by SIGTERM, and checks how it ends.
    fn stops(mut self) {
        let start = Instant::now();
        self.terminate();
        let mut last = Value::Null;
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            last = line;
        }
        assert_eq!(last["ev"], "stopped", "{last}");
        assert!(self.child.wait().expect("an end").success());
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(self.stderr(), "");
    }

    /// The error that it ends with at the start.
    fn refuses(mut self) -> String {
        let error = self.expect("error")["error"].as_str().expect("a text").to_owned();
        assert_eq!(self.lines.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "it is the last");
        assert_eq!(self.child.wait().expect("an end").code(), Some(1));
        assert_eq!(self.stderr(), "");
        error
    }

    fn stderr(&mut self) -> String {
        let pipe = self.child.stderr.take().expect("a pipe");
        std::io::read_to_string(pipe).expect("text")
    }
}

fn toml(port: impl std::fmt::Display) -> String {
    format!(
        "tags = [\"a\"]\n[server]\nport = {port}\nhost = \"h\"\n\
         [limits]\nmax = 1000\nratio = 0.5\n[feature]\nenabled = true\n"
    )
}

fn app(dir: &Dir) -> PathBuf {
    dir.file("conf/app.toml", &toml(1))
}

fn run(program: &str, args: &[&str], dir: &Path) {
    let status = Command::new(program).args(args).current_dir(dir).status().expect("a program that is there");
    assert!(status.success(), "{program} {args:?}");
}
