//! NATS with `JetStream`: one server that keeps its data.

use super::process::Process;
use super::{command, free, or_left_out};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) struct Nats {
    address: SocketAddr,
    process: Process,
}

impl Nats {
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(more: &[&str]) -> Option<Self> {
        let nats = or_left_out("nats", command("nats", "nats-server"))?;
        let [address] = free();
        let more: Vec<String> = more.iter().map(ToString::to_string).collect();
        // One that wants TLS first says nothing by itself.
        let mute = more.iter().any(|argument| argument.contains("first"));
        let begin = move |_: &Path| {
            let mut command = Command::new(&nats);
            command.args(["-a", "127.0.0.1", "-p", &address.port().to_string(), "-js", "-sd", "data"]);
            command.args(&more);
            command
        };
        let ready = move || if mute { TcpStream::connect(address).is_ok() } else { greets(address) };
        Some(Self { address, process: Process::start("nats", begin, ready) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }
}

/// Whether it says who it is.
fn greets(at: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(at) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a socket");
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).is_ok() && greeting == *b"INFO"
}

#[test]
fn it_has_streams_and_comes_back_after_a_kill() {
    let _beside = crate::rig::among_others();
    let Some(nats) = Nats::start() else { return };
    nats.process.kill();
    assert!(!greets(nats.address));
    nats.process.restart();
    let mut stream = TcpStream::connect(nats.address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    let question =
        b"CONNECT {\"verbose\":false}\r\nSUB answer 1\r\nPUB $JS.API.INFO answer 0\r\n\r\nPING\r\n";
    stream.write_all(question).expect("asked");
    let mut said = String::new();
    let mut piece = [0; 4096];
    while !said.contains("account_info_response") {
        let length = stream.read(&mut piece).expect("it answers");
        assert!(length > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
}
