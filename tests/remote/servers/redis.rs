//! Redis: one server that keeps its data and tells of changes.

use super::process::Process;
use super::{command, fetched, free, or_left_out};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) struct Redis {
    address: SocketAddr,
    process: Process,
}

impl Redis {
    pub(crate) fn start() -> Option<Self> {
        let redis = or_left_out("redis", command("redis", "redis-server"))?;
        let [address] = free();
        // The libraries that were fetched with it.
        let folder = fetched("redis");
        let libraries = folder.and_then(|folder| {
            let list = std::fs::read_to_string(folder.join("libraries")).ok()?;
            let paths = list.lines().map(|line| folder.join(line));
            Some(std::env::join_paths(paths).expect("no colon in a path"))
        });
        let begin = move |_: &Path| {
            let mut command = Command::new(&redis);
            command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--dir", "data"]);
            command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
            command.args(["--notify-keyspace-events", "KEA"]);
            command.envs(libraries.iter().map(|libraries| ("LD_LIBRARY_PATH", libraries)));
            command
        };
        let ready = move || ask(address, &["PING"]).is_ok_and(|said| said == "+PONG\r\n");
        Some(Self { address, process: Process::start("redis", begin, ready) })
    }
}

/// One command on a connection of its own; the answer as it comes.
fn ask(at: SocketAddr, words: &[&str]) -> io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let parts: Vec<_> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    stream.write_all(format!("*{}\r\n{}", words.len(), parts.concat()).as_bytes())?;
    let mut answer = vec![0; 64 << 10];
    let length = stream.read(&mut answer)?;
    answer.truncate(length);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn it_keeps_its_data_through_a_kill() {
    let _beside = crate::rig::among_others();
    let Some(redis) = Redis::start() else { return };
    assert_eq!(ask(redis.address, &["SET", "a", "1"]).expect("an answer"), "+OK\r\n");
    redis.process.kill();
    redis.process.restart();
    assert_eq!(ask(redis.address, &["GET", "a"]).expect("an answer"), "$1\r\n1\r\n");
}
