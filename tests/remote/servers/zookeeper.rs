//! `ZooKeeper`: alone, and as an ensemble of three.

use super::process::Process;
use super::{command, fetched, free, or_left_out};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// One server, or one of an ensemble.
pub(crate) struct ZooKeeper {
    address: SocketAddr,
    process: Process,
}

/// The command that starts one, and the jars that it needs.
fn found() -> Option<(PathBuf, std::ffi::OsString)> {
    let jars = fetched("zookeeper").and_then(|folder| {
        let list = std::fs::read_to_string(folder.join("jars")).ok()?;
        Some(std::env::join_paths(list.lines().map(|jar| folder.join(jar))).expect("no colon in a path"))
    });
    or_left_out("zookeeper", command("zookeeper", "java").zip(jars))
}

fn begin(
    (java, jars): (PathBuf, std::ffi::OsString),
    client: SocketAddr,
    id: usize,
    more: String,
) -> Process {
    let begin = move |folder: &Path| {
        let settings = format!(
            "tickTime=500\ninitLimit=10\nsyncLimit=5\ndataDir=data\nclientPort={}\nclientPortAddress=127.0.0.1\n\
             maxClientCnxns=0\nforceSync=no\nadmin.enableServer=false\n4lw.commands.whitelist=*\n{more}",
            client.port()
        );
        std::fs::write(folder.join("zoo.cfg"), settings).expect("a file");
        std::fs::write(folder.join("data/myid"), id.to_string()).expect("a file");
        let mut command = Command::new(&java);
        command.args([
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dreadonlymode.enabled=true",
        ]);
        command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]).arg(&jars);
        command.args(["org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"]);
        command
    };
    Process::begin("zookeeper", begin, move || word(client, "srvr").contains("Mode: "))
}

/// What it says to a word of four letters.
fn word(at: SocketAddr, word: &str) -> String {
    let mut said = String::new();
    if let Ok(mut stream) = TcpStream::connect(at) {
        stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a socket");
        // What could not be asked or heard is nothing.
        let _ = stream.write_all(word.as_bytes());
        let _ = stream.read_to_string(&mut said);
    }
    said
}

impl ZooKeeper {
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(String::new())
    }

    /// One with more settings.
    pub(crate) fn start_with(more: String) -> Option<Self> {
        let command = found()?;
        let [address] = free();
        let process = begin(command, address, 0, more);
        process.wait_ready();
        Some(Self { address, process })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// What it says to a word of four letters.
    pub(crate) fn says(&self, word: &str) -> String {
        self::word(self.address, word)
    }

    /// Three of them that elect a leader.
    pub(crate) fn ensemble() -> Option<Vec<Self>> {
        let command = found()?;
        let (clients, peers, elections) = (free::<3>(), free::<3>(), free::<3>());
        let line = |number: usize| {
            let (peer, election) = (peers[number].port(), elections[number].port());
            format!("server.{}=127.0.0.1:{peer}:{election}\n", number + 1)
        };
        let mut all: Vec<_> = (0..3).map(line).collect();
        // So that one that has lost the others begins sessions, too.
        all.push("localSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\n".to_owned());
        let member = |number: usize| {
            let process = begin(command.clone(), clients[number], number + 1, all.concat());
            Self { address: clients[number], process }
        };
        let members: Vec<_> = (0..3).map(member).collect();
        for member in &members {
            member.process.wait_ready();
        }
        Some(members)
    }

    pub(crate) fn leads(&self) -> bool {
        word(self.address, "srvr").contains("Mode: leader")
    }
}

#[test]
fn one_comes_back_after_a_kill() {
    let _beside = crate::rig::among_others();
    let Some(zookeeper) = ZooKeeper::start() else { return };
    zookeeper.process.kill();
    assert_eq!(word(zookeeper.address, "ruok"), "");
    zookeeper.process.restart();
    assert_eq!(word(zookeeper.address, "ruok"), "imok");
}

#[test]
fn an_ensemble_elects_another_leader() {
    let _beside = crate::rig::among_others();
    let Some(members) = ZooKeeper::ensemble() else { return };
    let leader = members.iter().position(ZooKeeper::leads).expect("one leads");
    members[leader].process.kill();
    crate::rig::until("another leads", || members.iter().any(ZooKeeper::leads));
}
