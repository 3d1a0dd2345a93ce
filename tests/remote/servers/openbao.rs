//! `OpenBao`, which speaks Vault's protocol: one server that keeps its data, unsealed after each start.

use super::http::{must, request};
use super::process::Process;
use super::{command, free, or_left_out};
use crate::rig::lock;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

pub(crate) struct OpenBao {
    pub(crate) address: SocketAddr,
    /// Where it asks for TLS, if it does.
    pub(crate) tls: SocketAddr,
    /// The one that may do all.
    pub(crate) token: String,
    pub(crate) process: Process,
}

/// The key that opens the seal, once there is one.
type Key = Arc<Mutex<Option<String>>>;

impl OpenBao {
    pub(crate) fn start() -> Option<Self> {
        Self::with(None)
    }

    /// With a listener that asks for TLS besides, by the certificate and the key in these files.
    pub(crate) fn with(certificate: Option<(PathBuf, PathBuf)>) -> Option<Self> {
        let bao = or_left_out("openbao", command("openbao", "bao"))?;
        let [address, cluster, tls] = free();
        let key = Key::default();
        let begin = move |folder: &Path| {
            let settings = format!(
                "storage \"raft\" {{ path = \"data\" node_id = \"one\" performance_multiplier = 1 }}\n\
                 api_addr = \"http://{address}\"\ncluster_addr = \"http://{cluster}\"\n\
                 listener \"tcp\" {{ address = \"{address}\" tls_disable = true }}\n"
            );
            let more = certificate.as_ref().map_or_else(String::new, |(chain, key)| {
                format!(
                    "listener \"tcp\" {{ address = \"{tls}\" tls_cert_file = \"{}\" tls_key_file = \"{}\" }}\n",
                    chain.display(),
                    key.display()
                )
            });
            std::fs::write(folder.join("bao.hcl"), settings + &more).expect("a file");
            let mut command = Command::new(&bao);
            command.args(["server", "-config=bao.hcl"]);
            command
        };
        let with = key.clone();
        let process = Process::start("openbao", begin, move || unsealed(address, &with));
        let asked = serde_json::json!({"secret_shares": 1, "secret_threshold": 1}).to_string();
        let answer = must(address, "PUT", "/v1/sys/init", &[], &asked);
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let word = |value: &serde_json::Value| value.as_str().expect("a word").to_owned();
        *lock(&key) = Some(word(&answer["keys_base64"][0]));
        crate::rig::until("it is open", || unsealed(address, &key));
        let bao = Self { address, tls, token: word(&answer["root_token"]), process };
        bao.ask("POST", "/v1/sys/mounts/kv2", r#"{"type": "kv", "options": {"version": "2"}}"#);
        bao.ask("POST", "/v1/sys/mounts/kv1", r#"{"type": "kv", "options": {"version": "1"}}"#);
        crate::rig::until("its engine is ready", || {
            let headers = [("x-vault-token", &*bao.token)];
            let said = request(address, "POST", "/v1/kv2/data/ready", &headers, r#"{"data": {}}"#);
            said.is_ok_and(|(status, _)| status == 200)
        });
        Some(bao)
    }

    /// A request as root.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &str) -> String {
        must(self.address, method, target, &[("x-vault-token", &self.token)], body)
    }

    /// What there is cannot be read until the next start.
    pub(crate) fn seal(&self) {
        self.ask("PUT", "/v1/sys/seal", "");
    }
}

/// Opens the seal with the key; before there is one, it is enough that the server answers.
fn unsealed(at: SocketAddr, key: &Key) -> bool {
    let Ok((_, health)) = request(at, "GET", "/v1/sys/health", &[], "") else { return false };
    let Some(key) = lock(key).clone() else { return health.contains("initialized") };
    if health.contains("\"sealed\":false") {
        return health.contains("\"standby\":false");
    }
    let body = serde_json::json!({"key": key}).to_string();
    let _ = request(at, "PUT", "/v1/sys/unseal", &[], &body);
    false
}

#[test]
fn it_keeps_its_secrets_through_a_kill_and_shows_none_while_it_is_sealed() {
    let _beside = crate::rig::among_others();
    let Some(bao) = OpenBao::start() else { return };
    bao.ask("POST", "/v1/kv2/data/shop", r#"{"data": {"password": "x"}}"#);
    bao.ask("PUT", "/v1/kv1/shop", r#"{"password": "y"}"#);
    bao.process.kill();
    bao.process.restart();
    assert!(bao.ask("GET", "/v1/kv2/data/shop", "").contains("\"password\":\"x\""));
    assert!(bao.ask("GET", "/v1/kv1/shop", "").contains("\"password\":\"y\""));
    bao.seal();
    let sealed = request(bao.address, "GET", "/v1/kv1/shop", &[("x-vault-token", &bao.token)], "");
    assert_eq!(sealed.expect("an answer").0, 503);
}
