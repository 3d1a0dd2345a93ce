//! NATS: the watch is a consumer of the bucket's stream, as that of every client of its KV is.

use super::line::Line;
use super::{Bench, FOLDER};
use crate::nats_node::Node;
use crate::servers::process::Process;
use hotconf::remote::Remote;
use hotconf::remote::nats::NatsStore;
use serde_json::{Value, json};
use std::io;
use std::net::{SocketAddr, TcpStream};

pub(crate) struct Nats(Node);

impl Bench for Nats {
    type Store = NatsStore;

    const NAME: &'static str = "nats";
    const SEPARATOR: &'static str = ".";

    fn start() -> Option<Self> {
        Node::start().map(Self)
    }

    fn address(&self) -> SocketAddr {
        self.0.address()
    }

    fn process(&self) -> &Process {
        self.0.process()
    }

    fn source(at: SocketAddr, prefix: &str) -> Remote<NatsStore> {
        hotconf::Nats::new([format!("nats://{at}")]).bucket("config").prefix(prefix)
    }

    fn try_put(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.0.write(key, &[], value);
        Ok(())
    }

    /// It sees to that itself.
    fn close(&mut self) {}

    fn watch(stream: TcpStream, told: &mut dyn FnMut()) -> io::Result<()> {
        // Of its own: consumers whose listener is gone are there for some seconds.
        let inbox = format!("_INBOX.{}", stream.local_addr()?.port());
        let mut line = Line::new(stream)?;
        let consumer = json!({"stream_name": "KV_config", "config": {
            "deliver_subject": format!("{inbox}.watch"), "deliver_policy": "new", "ack_policy": "none",
            "filter_subject": format!("$KV.config.{FOLDER}.>"), "mem_storage": true, "num_replicas": 1,
        }});
        let consumer = consumer.to_string();
        line.line()?; // the greeting
        line.say(
            format!(
                "CONNECT {{\"verbose\":false,\"headers\":true}}\r\nSUB {inbox}.watch 1\r\n\
                 SUB {inbox}.answer 2\r\n\
                 PUB $JS.API.CONSUMER.CREATE.KV_config {inbox}.answer {}\r\n{consumer}\r\n",
                consumer.len()
            )
            .as_bytes(),
        )?;
        loop {
            let head = line.line()?;
            if head == "PING" {
                line.say(b"PONG\r\n")?;
            }
            if head.starts_with("MSG ") || head.starts_with("HMSG ") {
                let length: usize =
                    head.rsplit(' ').next().and_then(|word| word.parse().ok()).expect("a length");
                let body = line.bytes(length + 2)?;
                told();
                assert!(!body.windows(7).any(|word| word == b"\"error\""), "there is a consumer");
            }
        }
    }

    fn watches(&mut self) -> Option<u64> {
        self.0.api("STREAM.INFO.KV_config", &Value::Null)["state"]["consumer_count"].as_u64()
    }
}
