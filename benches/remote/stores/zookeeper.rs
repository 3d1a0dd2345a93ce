//! `ZooKeeper`: the watch is a persistent recursive one, which names the node, and the read of its data.

use super::line::Line;
use super::{Bench, FOLDER};
use crate::servers::process::Process;
use crate::servers::zookeeper::ZooKeeper as Server;
use crate::zookeeper_client::{Change, Client};
use hotconf::remote::Remote;
use hotconf::remote::zookeeper::ZooKeeperStore;
use std::io;
use std::net::{SocketAddr, TcpStream};

/// Operations of the protocol.
const GET_DATA: i32 = 4;
const ADD_WATCH: i32 = 106;

pub(crate) struct ZooKeeper {
    server: Server,
    writer: Option<Client>,
}

impl Bench for ZooKeeper {
    type Store = ZooKeeperStore;

    const NAME: &'static str = "zookeeper";
    const ROOT: &'static str = "/";

    fn start() -> Option<Self> {
        // The default; its sessions are given the 30 s that hotconf asks for, and ten seconds between heartbeats.
        Server::start_with("tickTime=2000\n".to_owned()).map(|server| Self { server, writer: None })
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn process(&self) -> &Process {
        self.server.process()
    }

    fn source(at: SocketAddr, prefix: &str) -> Remote<ZooKeeperStore> {
        hotconf::ZooKeeper::new([at.to_string()]).prefix(prefix)
    }

    fn try_put(&mut self, key: &str, value: &str) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Client::connect(self.server.address())?),
        };
        // Most are there.
        let set = writer.transact(&[Change::Set(key, value.as_bytes())]);
        set.or_else(|_| writer.change(&[(key.to_owned(), Some(value.to_owned()))]))
    }

    fn close(&mut self) {
        self.writer = None;
    }

    fn watch(stream: TcpStream, told: &mut dyn FnMut()) -> io::Result<()> {
        let mut line = Line::new(stream)?;
        // Version, transaction, timeout in ms, session and its password, read-only.
        let hello = [&[0; 12][..], &30_000_i32.to_be_bytes(), &[0; 8], &16_i32.to_be_bytes(), &[0; 17]];
        say(&mut line, &hello.concat())?;
        hear(&mut line)?;
        let question = |number: i32, kind: i32, path: &str, rest: &[u8]| {
            let length = i32::try_from(path.len()).expect("short");
            let heads = [number, kind, length].map(i32::to_be_bytes).concat();
            [&heads, path.as_bytes(), rest].concat()
        };
        // Persistent and recursive.
        say(&mut line, &question(1, ADD_WATCH, &format!("/{FOLDER}"), &1_i32.to_be_bytes()))?;
        hear(&mut line)?;
        told();
        let read = question(2, GET_DATA, &format!("/{FOLDER}/n"), &[0]);
        loop {
            hear(&mut line)?;
            say(&mut line, &read)?;
            hear(&mut line)?;
            told();
        }
    }

    fn watches(&mut self) -> Option<u64> {
        let said = self.server.says("wchs");
        said.lines().last()?.rsplit(':').next()?.trim().parse().ok()
    }
}

fn say(line: &mut Line, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).expect("short");
    line.say(&[&length.to_be_bytes()[..], message].concat())
}

fn hear(line: &mut Line) -> io::Result<()> {
    let length = line.bytes(4)?.try_into().expect("four bytes");
    line.bytes(u32::from_be_bytes(length) as usize).map(drop)
}
