//! One member of an etcd cluster, and its way for JSON to write through.

use crate::rig::{lock, until};
use crate::servers::http::{base64, request};
use crate::servers::process::Process;
use crate::servers::{command, or_left_out};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// The program; where it is absent that is said.
pub(crate) fn program() -> Option<PathBuf> {
    or_left_out("etcd", command("etcd", "etcd"))
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
    name: &'static str,
    scheme: &'static str,
    port: u16,
    /// Without TLS, for the writes of tests.
    plain: u16,
    peer: u16,
    more: Vec<String>,
    process: OnceLock<Process>,
    /// Of the user as whom it is written to.
    token: Mutex<Option<String>>,
}

impl Node {
    /// A member that is not started yet.
    pub(crate) fn new(name: &'static str, scheme: &'static str, more: &[&str]) -> Self {
        let port = port();
        Self {
            name,
            scheme,
            port,
            plain: if scheme == "http" { port } else { self::port() },
            peer: self::port(),
            more: more.iter().map(ToString::to_string).collect(),
            process: OnceLock::new(),
            token: Mutex::new(None),
        }
    }

    /// A cluster of its own.
    pub(crate) fn alone(scheme: &'static str, more: &[&str]) -> Self {
        let node = Self::new("one", scheme, more);
        node.start(&node.peering());
        node.process().wait_ready();
        node
    }

    /// Three members of one cluster.
    pub(crate) fn three() -> [Self; 3] {
        let nodes = ["one", "two", "three"].map(|name| Self::new(name, "http", &[]));
        let members = nodes.each_ref().map(Self::peering).join(",");
        for node in &nodes {
            node.start(&members);
        }
        for node in &nodes {
            node.process().wait_ready();
        }
        nodes
    }

    fn peering(&self) -> String {
        format!("{}=http://127.0.0.1:{}", self.name, self.peer)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.port)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn process(&self) -> &Process {
        self.process.get().expect("it was started")
    }

    fn start(&self, members: &str) {
        let program = program().expect("asked for before");
        let client = format!("{}://127.0.0.1:{}", self.scheme, self.port);
        let listen = match self.plain {
            plain if plain == self.port => client.clone(),
            plain => format!("{client},http://127.0.0.1:{plain}"),
        };
        let peer = format!("http://127.0.0.1:{}", self.peer);
        let (name, members, more) = (self.name, members.to_owned(), self.more.clone());
        let begin = move |folder: &Path| {
            let mut command = Command::new(&program);
            command
                .args(["--name", name, "--data-dir"])
                .arg(folder.join("data"))
                .args(["--listen-client-urls", &listen, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
                .args(["--initial-cluster", &members])
                .args(["--heartbeat-interval", "20", "--election-timeout", "200", "--unsafe-no-fsync"])
                .args(["--max-txn-ops", "2000", "--log-level", "warn"])
                .args(&more);
            command
        };
        let plain = SocketAddr::from((Ipv4Addr::LOCALHOST, self.plain));
        // Also while it asks who we are: it then says so.
        let ready = move || {
            let asked = request(plain, "POST", "/v3/kv/range", &[], r#"{"key":"AA=="}"#);
            asked.is_ok_and(|(_, said)| said.contains("revision") || said.contains("user name is empty"))
        };
        assert!(self.process.set(Process::begin("etcd", begin, ready)).is_ok(), "it is started once");
    }

    /// From now on writes as this user.
    pub(crate) fn log_in(&self, user: &str, password: &str) {
        let asked = serde_json::json!({"name": user, "password": password});
        let answer: serde_json::Value =
            serde_json::from_str(&self.ask("/v3/auth/authenticate", &asked)).expect("JSON");
        *lock(&self.token) = Some(answer["token"].as_str().expect("a token").to_owned());
    }

    /// Writes and deletes keys in one transaction, as soon as that can be done.
    pub(crate) fn change(&self, changes: &[(String, Option<String>)]) {
        let one = |(key, value): &(String, Option<String>)| {
            let key = base64(key.as_bytes());
            match value {
                Some(value) => {
                    serde_json::json!({"requestPut": {"key": key, "value": base64(value.as_bytes())}})
                }
                None => serde_json::json!({"requestDeleteRange": {"key": key}}),
            }
        };
        let asked = serde_json::json!({"success": changes.iter().map(one).collect::<Vec<_>>()});
        until("it is written", || {
            let done = self.post("/v3/kv/txn", &asked).is_ok_and(|(status, _)| status == 200);
            if !done {
                std::thread::sleep(Duration::from_millis(20));
            }
            done
        });
    }

    /// Asks what must go well.
    pub(crate) fn ask(&self, path: &str, question: &serde_json::Value) -> String {
        match self.post(path, question) {
            Ok((200, answer)) => answer,
            other => panic!("{path} {question}: {other:?}"),
        }
    }

    fn post(&self, path: &str, question: &serde_json::Value) -> std::io::Result<(u16, String)> {
        let at = (Ipv4Addr::LOCALHOST, self.plain).into();
        let token = lock(&self.token).clone();
        let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        request(at, "POST", path, &headers, &question.to_string())
    }

    /// Whether it leads its cluster.
    pub(crate) fn leads(&self) -> bool {
        let Ok((200, answer)) = self.post("/v3/maintenance/status", &serde_json::json!({})) else {
            return false;
        };
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        answer["leader"] == answer["header"]["member_id"]
    }
}
