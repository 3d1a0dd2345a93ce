//! Redis: the watch is `CLIENT TRACKING`, which names the key, and the `GET` of its value.

use super::line::Line;
use super::{Bench, FOLDER, Watching};
use crate::servers::process::Process;
use crate::servers::redis::Redis as Server;
use hotconf::remote::Remote;
use hotconf::remote::redis::RedisStore;
use std::io;
use std::net::{SocketAddr, TcpStream};

pub(crate) struct Redis {
    server: Server,
    writer: Option<Line>,
}

impl Bench for Redis {
    type Store = RedisStore;

    const NAME: &'static str = "redis";
    const SEPARATOR: &'static str = ":";

    fn start() -> Option<Self> {
        // As the others: a put that waits for the disk would hide what comes after it.
        Server::start_with(&["--appendfsync", "no"]).map(|server| Self { server, writer: None })
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn process(&self) -> &Process {
        self.server.process()
    }

    fn source(at: SocketAddr, prefix: &str) -> Remote<RedisStore> {
        hotconf::Redis::new(&format!("redis://{at}")).prefix(prefix)
    }

    fn try_put(&mut self, key: &str, value: &str) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Line::open(self.server.address())?),
        };
        let sizes = (key.len(), value.len());
        let command = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", sizes.0, sizes.1);
        writer.say(command.as_bytes())?;
        let said = writer.line()?;
        if said == "+OK" { Ok(()) } else { Err(io::Error::other(said)) }
    }

    fn close(&mut self) {
        self.writer = None;
    }

    fn watch(stream: TcpStream, told: &mut dyn FnMut()) -> io::Result<()> {
        follow(stream, false, told)
    }

    /// Whether another transaction came before the `GET` is known by the answer to one more question.
    const SURE: Option<Watching> = Some(|stream, told| follow(stream, true, told));

    fn watches(&mut self) -> Option<u64> {
        let said = self.server.run(&[&["CLIENT", "LIST"]]).concat();
        Some(said.lines().filter(|line| line.contains(" name=hotconf ")).count() as u64)
    }
}

fn follow(stream: TcpStream, sure: bool, told: &mut dyn FnMut()) -> io::Result<()> {
    let mut line = Line::new(stream)?;
    line.say(format!("HELLO 3\r\nCLIENT TRACKING ON BCAST PREFIX {FOLDER}:\r\n").as_bytes())?;
    pass(&mut line)?;
    pass(&mut line)?;
    told();
    loop {
        pass(&mut line)?;
        line.say(format!("GET {FOLDER}:n\r\n").as_bytes())?;
        pass(&mut line)?;
        if sure {
            line.say(b"PING\r\n")?;
            pass(&mut line)?;
        }
        told();
    }
}

/// One value of RESP3, whatever it is.
fn pass(line: &mut Line) -> io::Result<()> {
    let head = line.line()?;
    let count = head.get(1..).and_then(|count| count.parse::<usize>().ok()).unwrap_or_default();
    match head.as_bytes().first() {
        Some(b'-') => Err(io::Error::other(head)),
        Some(b'$' | b'=') if head != "$-1" => line.bytes(count + 2).map(drop),
        Some(b'*' | b'>' | b'~') => (0..count).try_for_each(|_| pass(line)),
        Some(b'%') => (0..2 * count).try_for_each(|_| pass(line)),
        _ => Ok(()),
    }
}
