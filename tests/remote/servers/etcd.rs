//! etcd: alone, as a cluster of three, and with TLS, client certificates and users.

use super::http::{base64, must, request};
use super::process::Process;
use super::{command, free, or_left_out};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One server, without TLS.
pub(crate) struct Etcd {
    address: SocketAddr,
    process: Process,
}

/// What all ways to start it have in common.
fn member(
    etcd: &Path,
    folder: &Path,
    name: &str,
    scheme: &str,
    client: SocketAddr,
    peer: SocketAddr,
) -> Command {
    let mut command = Command::new(etcd);
    command.arg("--name").arg(name).arg("--data-dir").arg(folder.join("data"));
    for which in ["listen", "advertise"] {
        command.arg(format!("--{which}-client-urls={scheme}://{client}"));
    }
    for which in ["listen-peer", "initial-advertise-peer"] {
        command.arg(format!("--{which}-urls=http://{peer}"));
    }
    command.args([
        "--unsafe-no-fsync",
        "--log-level=warn",
        "--heartbeat-interval=50",
        "--election-timeout=300",
    ]);
    command
}

fn healthy(at: SocketAddr) -> bool {
    request(at, "GET", "/health", &[], "").is_ok_and(|(status, body)| status == 200 && body.contains("true"))
}

fn put(at: SocketAddr, key: &str, value: &str) {
    change(at, &[(key, Some(value))]);
}

/// One transaction, by the server's own way for JSON.
fn change(at: SocketAddr, changes: &[(&str, Option<&str>)]) {
    let operation = |(key, value): &(&str, Option<&str>)| {
        let key = base64(key.as_bytes());
        match value {
            Some(value) => {
                let value = base64(value.as_bytes());
                serde_json::json!({"request_put": {"key": key, "value": value}})
            }
            None => serde_json::json!({"request_delete_range": {"key": key}}),
        }
    };
    let all: Vec<_> = changes.iter().map(operation).collect();
    must(at, "POST", "/v3/kv/txn", &[], &serde_json::json!({"success": all}).to_string());
}

/// What stands at a key.
fn get(at: SocketAddr, key: &str) -> Option<String> {
    let question = serde_json::json!({"key": base64(key.as_bytes())}).to_string();
    let answer = must(at, "POST", "/v3/kv/range", &[], &question);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    answer["kvs"][0]["value"].as_str().map(ToOwned::to_owned)
}

impl Etcd {
    pub(crate) fn start() -> Option<Self> {
        let etcd = or_left_out("etcd", command("etcd", "etcd"))?;
        let [client, peer] = free();
        let begin = move |folder: &Path| {
            let mut command = member(&etcd, folder, "one", "http", client, peer);
            command.arg(format!("--initial-cluster=one=http://{peer}"));
            command
        };
        let process = Process::start("etcd", begin, move || healthy(client));
        Some(Self { address: client, process })
    }
}

/// Three servers.
pub(crate) struct Cluster {
    members: Vec<(SocketAddr, Process)>,
}

impl Cluster {
    pub(crate) fn start() -> Option<Self> {
        let etcd = or_left_out("etcd", command("etcd", "etcd"))?;
        let (clients, peers) = (free::<3>(), free::<3>());
        let names = ["one", "two", "three"];
        let all: Vec<String> =
            names.iter().zip(peers).map(|(name, peer)| format!("{name}=http://{peer}")).collect();
        let all = all.join(",");
        let begin = |number: usize| {
            let (etcd, all, name) = (etcd.clone(), all.clone(), names[number]);
            let (client, peer) = (clients[number], peers[number]);
            let begin = move |folder: &Path| {
                let mut command = member(&etcd, folder, name, "http", client, peer);
                command.arg(format!("--initial-cluster={all}"));
                command
            };
            (client, Process::begin("etcd", begin, move || healthy(client)))
        };
        let members: Vec<_> = (0..3).map(begin).collect();
        for (_, process) in &members {
            process.wait_ready();
        }
        Some(Self { members })
    }

    /// The number of the one that leads.
    pub(crate) fn leader(&self) -> usize {
        let status = |at| -> serde_json::Value {
            let answer = must(at, "POST", "/v3/maintenance/status", &[], "{}");
            serde_json::from_str(&answer).expect("JSON")
        };
        let leads = |(at, _): &(SocketAddr, Process)| {
            let status = status(*at);
            status["leader"] == status["header"]["member_id"]
        };
        self.members.iter().position(leads).expect("one leads")
    }
}

/// One server with TLS, which asks for client certificates, and with users: `root` may do all, `reader` may read
/// what begins with `/shop/`.
pub(crate) struct Guarded {
    address: SocketAddr,
    etcdctl: PathBuf,
    certificates: Certificates,
    /// It runs as long as this is there.
    _process: Process,
}

/// Files in PEM: an authority, and what it signed.
pub(crate) struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write =
            |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("a file");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        write("ca.pem", authority.pem());
        for name in ["server", "client"] {
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).expect("names");
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            let key = KeyPair::generate().expect("a key");
            let signed = params.signed_by(&key, &authority).expect("a certificate");
            write(&format!("{name}.pem"), signed.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self { folder }
    }

    /// One of `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Guarded {
    pub(crate) fn start() -> Option<Self> {
        let etcd = or_left_out("etcd", command("etcd", "etcd"))?;
        let etcdctl = or_left_out("etcd", command("etcd", "etcdctl"))?;
        let [client, peer] = free();
        let certificates = Certificates::new();
        let files = ["ca.pem", "server.pem", "server.key"].map(|name| certificates.file(name));
        let begin = move |folder: &Path| {
            let mut command = member(&etcd, folder, "one", "https", client, peer);
            command.arg(format!("--initial-cluster=one=http://{peer}")).arg("--client-cert-auth");
            for (flag, file) in ["--trusted-ca-file", "--cert-file", "--key-file"].iter().zip(&files) {
                command.arg(flag).arg(file);
            }
            command
        };
        let process = Process::begin("etcd", begin, move || std::net::TcpStream::connect(client).is_ok());
        process.wait_ready();
        let guarded = Self { address: client, etcdctl, certificates, _process: process };
        crate::rig::until("it answers", || guarded.ask(None, &["endpoint", "health"]).is_ok());
        for line in [
            "user add root:secret",
            "user grant-role root root",
            "role add shop",
            "role grant-permission shop read --prefix=true /shop/",
            "user add reader:password",
            "user grant-role reader shop",
            "auth enable",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            guarded.ask(None, &words).unwrap_or_else(|said| panic!("{line}: {said}"));
        }
        Some(guarded)
    }

    /// What `etcdctl` says, as a user with a password.
    pub(crate) fn ask(&self, user: Option<&str>, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.etcdctl);
        command.env("ETCDCTL_API", "3").arg(format!("--endpoints=https://{}", self.address));
        for (flag, file) in [("--cacert", "ca.pem"), ("--cert", "client.pem"), ("--key", "client.key")] {
            command.arg(flag).arg(self.certificates.file(file));
        }
        command.args(user.map(|user| format!("--user={user}"))).args(words);
        let output = command.output().expect("`etcdctl`");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    }
}

#[test]
fn one_keeps_its_data_through_a_kill_and_can_be_frozen_and_set_back() {
    let _beside = crate::rig::among_others();
    let Some(etcd) = Etcd::start() else { return };
    let (at, process) = (etcd.address, &etcd.process);
    put(at, "k", "1");
    process.keep();
    change(at, &[("k", Some("2")), ("l", Some("2"))]);
    process.kill();
    assert!(request(at, "GET", "/health", &[], "").is_err());
    process.restart();
    assert_eq!((get(at, "k"), get(at, "l")), (Some(base64(b"2")), Some(base64(b"2"))));
    change(at, &[("l", None)]);
    assert_eq!(get(at, "l"), None);
    process.freeze();
    let mut asked = std::net::TcpStream::connect(at).expect("the kernel accepts");
    asked.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("a socket");
    std::io::Write::write_all(&mut asked, b"GET /health HTTP/1.0\r\n\r\n").expect("the kernel takes it");
    assert!(std::io::Read::read(&mut asked, &mut [0]).is_err(), "it is frozen");
    process.thaw();
    assert!(healthy(at));
    process.kill();
    process.restore();
    process.restart();
    assert_eq!(get(at, "k"), Some(base64(b"1")));
    process.kill();
    process.wipe();
    process.restart();
    assert_eq!(get(at, "k"), None);
}

#[test]
fn a_cluster_goes_on_without_its_leader() {
    let _beside = crate::rig::among_others();
    let Some(cluster) = Cluster::start() else { return };
    let leader = cluster.leader();
    put(cluster.members[leader].0, "k", "1");
    cluster.members[leader].1.kill();
    let other = cluster.members[(leader + 1) % 3].0;
    crate::rig::until("another leads", || healthy(other));
    put(other, "k", "2");
    assert_eq!(get(other, "k"), Some(base64(b"2")));
}

#[test]
fn a_guarded_one_lets_a_reader_read_its_part_and_nobody_without_a_certificate() {
    let _beside = crate::rig::among_others();
    let Some(etcd) = Guarded::start() else { return };
    let (root, reader) = (Some("root:secret"), Some("reader:password"));
    etcd.ask(root, &["put", "/shop/a", "1"]).expect("it may");
    etcd.ask(root, &["put", "/other", "1"]).expect("it may");
    assert!(etcd.ask(reader, &["get", "/shop/a"]).expect("it may").contains("/shop/a"));
    assert!(etcd.ask(reader, &["get", "/other"]).expect_err("it may not").contains("permission denied"));
    assert!(
        etcd.ask(reader, &["put", "/shop/a", "2"]).expect_err("it may not").contains("permission denied")
    );
    assert!(request(etcd.address, "GET", "/health", &[], "").map_or(true, |(status, _)| status != 200));
}
