//! Consul: one server that keeps its data, with access control.

use super::http::{base64, must, request};
use super::process::Process;
use super::{command, free, or_left_out};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// The token that may do all; without one nothing is allowed.
pub(crate) const ROOT: &str = "b1c5a3d0-0000-4000-8000-000000000001";

pub(crate) struct Consul {
    address: SocketAddr,
    process: Process,
}

impl Consul {
    pub(crate) fn start() -> Option<Self> {
        Self::with("")
    }

    /// One with more settings, in its own language; `folder/` in them is the folder in which it runs.
    pub(crate) fn with(more: &str) -> Option<Self> {
        let more = more.to_owned();
        let consul = or_left_out("consul", command("consul", "consul"))?;
        let [http, server, lan, wan] = free();
        let begin = move |folder: &Path| {
            // The quickest elections that it has.
            let settings = format!(
                "performance {{ raft_multiplier = 1 }}\nacl {{ enabled = true default_policy = \"deny\" \
                 tokens {{ master = \"{ROOT}\" }} }}\ndisable_update_check = true\n{more}\n"
            );
            std::fs::write(folder.join("consul.hcl"), settings).expect("a file");
            let mut command = Command::new(&consul);
            command.args(["agent", "-server", "-bootstrap-expect=1", "-bind=127.0.0.1", "-client=127.0.0.1"]);
            command.args(["-dns-port=-1", "-node=one", "-config-file=consul.hcl", "-data-dir=data"]);
            for (name, address) in [("http", http), ("server", server), ("serf-lan", lan), ("serf-wan", wan)]
            {
                command.arg(format!("-{name}-port={}", address.port()));
            }
            command
        };
        let ready = move || {
            put(http, "_ready", "").is_ok_and(|(status, body)| status == 200 && body.contains("true"))
        };
        Some(Self { address: http, process: Process::start("consul", begin, ready) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Writes and deletes keys, in one transaction.
    pub(crate) fn change(&self, changes: &[(&str, Option<&str>)]) {
        change(self.address, changes);
    }

    /// Asks as root, and goes well.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &serde_json::Value) -> serde_json::Value {
        let answer = must(self.address, method, target, &[("x-consul-token", ROOT)], &body.to_string());
        serde_json::from_str(&answer).expect("JSON")
    }
}

fn put(at: SocketAddr, key: &str, value: &str) -> std::io::Result<(u16, String)> {
    request(at, "PUT", &format!("/v1/kv/{key}"), &[("x-consul-token", ROOT)], value)
}

/// One transaction.
fn change(at: SocketAddr, changes: &[(&str, Option<&str>)]) {
    let operation = |(key, value): &(&str, Option<&str>)| match value {
        Some(value) => {
            serde_json::json!({"KV": {"Verb": "set", "Key": key, "Value": base64(value.as_bytes())}})
        }
        None => serde_json::json!({"KV": {"Verb": "delete", "Key": key}}),
    };
    let all: Vec<_> = changes.iter().map(operation).collect();
    must(at, "PUT", "/v1/txn", &[("x-consul-token", ROOT)], &serde_json::json!(all).to_string());
}

fn get(at: SocketAddr, key: &str, token: &str) -> (u16, String) {
    let target = format!("/v1/kv/{key}?raw");
    request(at, "GET", &target, &[("x-consul-token", token)], "").expect("an answer")
}

#[test]
fn it_keeps_its_data_through_a_kill_and_asks_for_a_token() {
    let _beside = crate::rig::among_others();
    let Some(consul) = Consul::start() else { return };
    let at = consul.address;
    change(at, &[("shop/a", Some("1")), ("shop/b", Some("1"))]);
    assert_eq!(get(at, "shop/a", "").0, 403);
    consul.process.kill();
    consul.process.restart();
    assert_eq!(get(at, "shop/a", ROOT), (200, "1".into()));
    change(at, &[("shop/a", None)]);
    assert_eq!(get(at, "shop/a", ROOT).0, 404);
}
