//! Consul: the watch is a question that the server holds until its index moves.

use super::line::Line;
use super::{Bench, FOLDER};
use crate::servers::consul::{Consul as Server, ROOT};
use crate::servers::process::Process;
use hotconf::remote::Remote;
use hotconf::remote::consul::ConsulStore;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) struct Consul {
    server: Server,
    writer: Option<Line>,
}

fn token() -> String {
    format!("x-consul-token: {ROOT}\r\n")
}

impl Bench for Consul {
    type Store = ConsulStore;

    const NAME: &'static str = "consul";
    const PUTS: u64 = 10;
    /// hotconf does not ask again within 150 ms, but for once after a rest.
    const PAUSE: Duration = Duration::from_millis(170);

    fn start() -> Option<Self> {
        Server::start().map(|server| Self { server, writer: None })
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn process(&self) -> &Process {
        self.server.process()
    }

    fn source(at: SocketAddr, prefix: &str) -> Remote<ConsulStore> {
        hotconf::Consul::new(&format!("http://{at}")).prefix(prefix).token(ROOT)
    }

    fn try_put(&mut self, key: &str, value: &str) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Line::open(self.server.address())?),
        };
        writer.http(&format!("PUT /v1/kv/{key}"), &token(), value, "").map(drop)
    }

    fn close(&mut self) {
        self.writer = None;
    }

    fn watch(stream: TcpStream, told: &mut dyn FnMut()) -> io::Result<()> {
        let mut line = Line::new(stream)?;
        let mut behind = String::new();
        loop {
            let asked = format!("GET /v1/kv/{FOLDER}/?recurse=&wait=55s{behind}");
            let (index, _) = line.http(&asked, &token(), "", "x-consul-index")?;
            told();
            behind = format!("&index={index}");
        }
    }

    /// It does not tell. A connection holds one question.
    fn watches(&mut self) -> Option<u64> {
        None
    }

    fn fill(&mut self, folder: &str, pairs: &[(String, String)]) {
        let keys: Vec<_> = pairs.iter().map(|(path, value)| (Self::key(folder, path), value)).collect();
        // As many as one transaction takes.
        for some in keys.chunks(64) {
            let some: Vec<_> = some.iter().map(|(key, value)| (&**key, Some(value.as_str()))).collect();
            self.server.change(&some);
        }
    }
}
