//! One member of an etcd cluster as a child process, and its JSON gateway to write through.

use crate::rig::{lock, until};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// The program, as `tests/servers/fetch` puts it there, or as the system has it.
pub(crate) fn program() -> Option<PathBuf> {
    let target = option_env!("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Into::into);
    let fetched = std::env::var_os("HOTCONF_SERVERS").map_or_else(|| target.join("servers"), PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join("etcd"));
    Some(fetched.join("etcd/bin/etcd")).filter(|it| it.is_file()).or_else(|| places.find(|it| it.is_file()))
}

/// A port that nobody listens on, below those that the system gives to connections: a server that was killed
/// finds its own free again.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let process = u16::try_from(std::process::id() % 50).expect("small");
        let port = 20_000 + process * 200 + NEXT.fetch_add(1, Ordering::Relaxed) % 200;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// A member, with all its data in a folder that goes with it.
pub(crate) struct Node {
    name: String,
    folder: tempfile::TempDir,
    scheme: &'static str,
    port: u16,
    /// Without TLS, for the writes of tests.
    plain: u16,
    peer: u16,
    more: Mutex<Vec<String>>,
    child: Mutex<Option<Child>>,
    token: Mutex<Option<String>>,
}

impl Node {
    /// A member that is not started yet.
    pub(crate) fn new(name: &str, scheme: &'static str, more: &[&str]) -> Self {
        let (port, peer) = (port(), self::port());
        Self {
            name: name.to_owned(),
            folder: tempfile::tempdir().expect("a folder"),
            scheme,
            port,
            plain: if scheme == "http" { port } else { self::port() },
            peer,
            more: Mutex::new(more.iter().map(ToString::to_string).collect()),
            child: Mutex::new(None),
            token: Mutex::new(None),
        }
    }

    /// A cluster of its own, ready to be used.
    pub(crate) fn alone(scheme: &'static str, more: &[&str]) -> Self {
        let node = Self::new("n1", scheme, more);
        node.start(&node.peering());
        node.ready();
        node
    }

    /// `name=url`, for the list of members.
    pub(crate) fn peering(&self) -> String {
        format!("{}=http://127.0.0.1:{}", self.name, self.peer)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.port)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Gives it more arguments.
    pub(crate) fn more(&self, arguments: &[String]) {
        lock(&self.more).extend_from_slice(arguments);
    }

    /// Starts it as a member of these.
    pub(crate) fn start(&self, members: &str) {
        let client = format!("{}://127.0.0.1:{}", self.scheme, self.port);
        let listen = match self.plain {
            plain if plain == self.port => client.clone(),
            plain => format!("{client},http://127.0.0.1:{plain}"),
        };
        let peer = format!("http://127.0.0.1:{}", self.peer);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log"));
        let log = log.expect("a log");
        let mut command = Command::new(program().expect("asked for before"));
        command
            .args(["--name", &self.name, "--data-dir"])
            .arg(self.data())
            .args(["--listen-client-urls", &listen, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", members, "--initial-cluster-token", &self.peer.to_string()])
            .args(["--heartbeat-interval", "20", "--election-timeout", "200", "--unsafe-no-fsync"])
            .args(["--max-txn-ops", "2000", "--log-level", "warn"])
            .args(&*lock(&self.more))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log);
        *lock(&self.child) = Some(command.spawn().expect("etcd starts"));
    }

    /// Waits until it answers.
    pub(crate) fn ready(&self) {
        until("etcd answers", || {
            self.post("/v3/kv/range", r#"{"key":"AA=="}"#).is_ok_and(|it| it.contains("revision"))
        });
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = lock(&self.child).as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill").success());
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = lock(&self.child).take() {
            child.kill().and_then(|()| child.wait()).expect("it is ours");
        }
    }

    /// Copies its data into `kept`, or back from there; it must not run.
    pub(crate) fn copy(&self, back: bool) {
        let (from, to) = (self.data(), self.folder.path().join("kept"));
        let (from, to) = if back { (to, from) } else { (from, to) };
        let _ = fs::remove_dir_all(&to);
        assert!(Command::new("cp").arg("-r").args([from, to]).status().expect("cp").success());
    }

    /// From now on writes as this user.
    pub(crate) fn log_in(&self, user: &str, password: &str) {
        let asked = format!(r#"{{"name":"{user}","password":"{password}"}}"#);
        let answer = self.post("/v3/auth/authenticate", &asked).expect("a login");
        let (_, token) = answer.split_once(r#""token":""#).expect("a token");
        *lock(&self.token) = Some(token.split('"').next().expect("its end").to_owned());
    }

    /// Writes and deletes keys in one transaction, however long that takes.
    pub(crate) fn change(&self, changes: &[(String, Option<String>)]) {
        let one = |(key, value): &(String, Option<String>)| match value {
            Some(value) => {
                format!(r#"{{"requestPut":{{"key":"{}","value":"{}"}}}}"#, base64(key), base64(value))
            }
            None => format!(r#"{{"requestDeleteRange":{{"key":"{}"}}}}"#, base64(key)),
        };
        let asked = format!(r#"{{"success":[{}]}}"#, changes.iter().map(one).collect::<Vec<_>>().join(","));
        let mut said = String::new();
        for _ in 0..100 {
            match self.post("/v3/kv/txn", &asked) {
                Ok(answer) if answer.contains(r#""succeeded":true"#) => return,
                Ok(answer) => said = answer,
                Err(error) => said = error.to_string(),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("not written: {said}");
    }

    /// Asks its gateway; the answer with its head.
    pub(crate) fn post(&self, path: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.plain))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let token =
            lock(&self.token).as_ref().map_or_else(String::new, |it| format!("Authorization: {it}\r\n"));
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Whether it leads its cluster.
    pub(crate) fn leads(&self) -> bool {
        let Ok(answer) = self.post("/v3/maintenance/status", "{}") else { return false };
        let id = |name: &str| {
            let (_, rest) = answer.split_once(&format!("\"{name}\":\""))?;
            rest.split('"').next()
        };
        id("leader").is_some() && id("leader") == id("member_id")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = lock(&self.child).as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}
