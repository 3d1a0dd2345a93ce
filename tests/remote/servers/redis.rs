//! Redis: one server that keeps its data.

use super::process::Process;
use super::{command, fetched, free, or_left_out};
use crate::rig::until;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) struct Redis {
    /// For clients.
    address: SocketAddr,
    /// For the writes of tests: without TLS.
    plain: SocketAddr,
    password: Arc<Mutex<Option<String>>>,
    process: Process,
}

impl Redis {
    /// A server that nobody has told to send keyspace events.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with more settings: `["--requirepass", "hunter2"]`.
    pub(crate) fn start_with(more: &[&str]) -> Option<Self> {
        let [address] = free();
        Self::begin(address, address, more)
    }

    /// A server with TLS at one address, and without at another.
    pub(crate) fn start_sealed(more: &[&str]) -> Option<Self> {
        let [address, plain] = free();
        let port = address.port().to_string();
        Self::begin(address, plain, &[&["--tls-port", &port], more].concat())
    }

    fn begin(address: SocketAddr, plain: SocketAddr, more: &[&str]) -> Option<Self> {
        let redis = or_left_out("redis", command("redis", "redis-server"))?;
        // The libraries that were fetched with it.
        let folder = fetched("redis");
        let libraries = folder.and_then(|folder| {
            let list = std::fs::read_to_string(folder.join("libraries")).ok()?;
            let paths = list.lines().map(|line| folder.join(line));
            Some(std::env::join_paths(paths).expect("no colon in a path"))
        });
        let more: Vec<String> = more.iter().map(ToString::to_string).collect();
        let begin = move |_: &Path| {
            let mut command = Command::new(&redis);
            command.args(["--bind", "127.0.0.1", "--port", &plain.port().to_string(), "--dir", "data"]);
            command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]).args(&more);
            command.envs(libraries.iter().map(|libraries| ("LD_LIBRARY_PATH", libraries)));
            command
        };
        let password = Arc::new(Mutex::new(None));
        // Also while it asks who we are: it then says so.
        let ready = move || {
            ask(plain, None, &[&["PING"]])
                .is_ok_and(|said| said == ["+PONG"] || said[0].starts_with("-NOAUTH"))
        };
        Some(Self { address, plain, password, process: Process::start("redis", begin, ready) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// From now on it is written to with this password.
    pub(crate) fn log_in(&self, password: &str) {
        *crate::rig::lock(&self.password) = Some(password.to_owned());
    }

    /// What must go well, one command after the other on one connection, as soon as it can be done.
    pub(crate) fn run(&self, commands: &[&[&str]]) -> Vec<String> {
        let mut said = Vec::new();
        let (password, answers) = (crate::rig::lock(&self.password).clone(), Mutex::new(Vec::new()));
        until("it is done", || {
            let answered = ask(self.plain, password.as_deref(), commands);
            let done = match answered {
                Ok(answered) => {
                    let well = answered.iter().all(|answer| !answer.starts_with('-'));
                    let later = answered.iter().any(|answer| answer.starts_with("-LOADING"));
                    assert!(well || later, "{commands:?}: {answered:?}");
                    *crate::rig::lock(&answers) = answered;
                    well
                }
                Err(_) => false,
            };
            if !done {
                std::thread::sleep(Duration::from_millis(20));
            }
            done
        });
        said.append(&mut crate::rig::lock(&answers));
        said
    }

    /// Writes and deletes keys in one transaction.
    pub(crate) fn change(&self, changes: &[(String, Option<String>)]) {
        let mut commands: Vec<Vec<&str>> = vec![vec!["MULTI"]];
        for (key, value) in changes {
            commands.push(match value {
                Some(value) => vec!["SET", key, value],
                None => vec!["DEL", key],
            });
        }
        commands.push(vec!["EXEC"]);
        self.run(&commands.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
}

/// Commands on a connection of their own; the answers as they come, the elements of a list as one text.
fn ask(at: SocketAddr, password: Option<&str>, commands: &[&[&str]]) -> io::Result<Vec<String>> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let login = password.map(|password| ["AUTH", password]);
    let commands = login.iter().map(|login| &login[..]).chain(commands.iter().copied());
    let (mut out, mut count) = (Vec::new(), 0);
    for words in commands {
        let parts: Vec<_> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        out.extend_from_slice(format!("*{}\r\n{}", words.len(), parts.concat()).as_bytes());
        count += 1;
    }
    stream.write_all(&out)?;
    let mut stream = BufReader::new(stream);
    let answers: io::Result<Vec<_>> = (0..count).map(|_| answer(&mut stream)).collect();
    Ok(answers?.split_off(login.iter().len()))
}

fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.trim_end();
    let length = line[1..].parse::<i64>().ok().and_then(|length| usize::try_from(length).ok());
    match (line.chars().next(), length) {
        (Some('$'), Some(length)) => {
            let mut text = vec![0; length + 2];
            stream.read_exact(&mut text)?;
            Ok(String::from_utf8_lossy(&text[..length]).into_owned())
        }
        (Some('*'), Some(count)) => {
            let parts: io::Result<Vec<_>> = (0..count).map(|_| answer(stream)).collect();
            Ok(parts?.join(" "))
        }
        _ => Ok(line.to_owned()),
    }
}

#[test]
fn it_keeps_its_data_through_a_kill() {
    let _beside = crate::rig::among_others();
    let Some(redis) = Redis::start() else { return };
    assert_eq!(redis.run(&[&["SET", "a", "1"]]), ["+OK"]);
    redis.process.kill();
    redis.process.restart();
    assert_eq!(redis.run(&[&["GET", "a"]]), ["1"]);
}
