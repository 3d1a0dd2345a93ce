//! A server of NATS with a bucket, and a small client of its own that writes to it.

use crate::rig::{lock, until};
use crate::servers::nats::Nats;
use crate::servers::process::Process;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

/// A server, and how tests log in to it.
pub(crate) struct Node {
    server: Nats,
    login: Value,
    writer: Mutex<Option<Writer>>,
}

/// What a write says besides its value.
pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];

impl Node {
    /// Nothing where no server is here. It has a bucket `config`, which takes batches.
    pub(crate) fn start() -> Option<Self> {
        let node = Self::bare(&[], json!({}))?;
        node.make("config", &json!({}));
        Some(node)
    }

    /// A server without a bucket.
    pub(crate) fn bare(more: &[&str], login: Value) -> Option<Self> {
        Some(Self { server: Nats::start_with(more)?, login, writer: Mutex::new(None) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn process(&self) -> &Process {
        self.server.process()
    }

    /// Makes a bucket, with these settings besides.
    pub(crate) fn make(&self, bucket: &str, more: &Value) {
        let mut config = json!({
            "name": format!("KV_{bucket}"), "subjects": [format!("$KV.{bucket}.>")], "max_msgs_per_subject": 1,
            "discard": "new", "allow_rollup_hdrs": true, "deny_delete": true, "allow_direct": true,
            "allow_atomic": true, "num_replicas": 1, "storage": "file",
        });
        config.as_object_mut().expect("a table").extend(more.as_object().expect("a table").clone());
        self.api(&format!("STREAM.CREATE.KV_{bucket}"), &config);
    }

    /// Asks `JetStream` what must go well.
    pub(crate) fn api(&self, what: &str, question: &Value) -> Value {
        let question = if question.is_null() { String::new() } else { question.to_string() };
        self.ask(&|writer| writer.ask(&format!("$JS.API.{what}"), &[], &question))
    }

    /// Writes one message, with headers.
    pub(crate) fn write(&self, key: &str, headers: Headers<'_>, value: &str) {
        self.ask(&|writer| writer.ask(&format!("$KV.config.{key}"), headers, value));
    }

    /// Writes and deletes keys: one as one message, several as one batch.
    pub(crate) fn change(&self, changes: &[(String, Option<String>)]) {
        if let [(key, value)] = changes {
            let gone: Headers<'_> = if value.is_none() { &[("KV-Operation", "DEL")] } else { &[] };
            return self.write(key, gone, value.as_deref().unwrap_or_default());
        }
        self.ask(&|writer| writer.batch(changes));
    }

    /// Asks until it is answered.
    fn ask(&self, ask: &dyn Fn(&mut Writer) -> io::Result<Value>) -> Value {
        let answer = Mutex::new(Value::Null);
        until("it is written", || {
            let mut writer = lock(&self.writer);
            if writer.is_none() {
                *writer = Writer::open(self.address(), &self.login).ok();
            }
            let asked = writer.as_mut().map(ask);
            match asked {
                Some(Ok(said)) if said["error"]["code"] != 503 => {
                    assert!(said["error"].is_null(), "{said}");
                    *lock(&answer) = said;
                    true
                }
                _ => {
                    *writer = None;
                    std::thread::sleep(Duration::from_millis(20));
                    false
                }
            }
        });
        answer.into_inner().expect("nobody holds it")
    }
}

struct Writer {
    stream: BufReader<TcpStream>,
    asked: u64,
}

impl Writer {
    fn open(at: SocketAddr, login: &Value) -> io::Result<Self> {
        let stream = TcpStream::connect(at)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut connect =
            json!({"verbose": false, "pedantic": false, "headers": true, "no_responders": true});
        connect.as_object_mut().expect("a table").extend(login.as_object().expect("a table").clone());
        let mut writer = Self { stream: BufReader::new(stream), asked: 0 };
        // What is said before the greeting counts as TLS where the server waits for that.
        writer.stream.read_line(&mut String::new())?;
        writer.say(format!("CONNECT {connect}\r\nSUB _INBOX.writer.* 1\r\n").as_bytes())?;
        Ok(writer)
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    fn publish(&mut self, subject: &str, headers: &[(&str, &str)], value: &str) -> io::Result<()> {
        self.asked += 1;
        let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("NATS/1.0\r\n{}\r\n", lines.concat());
        let (first, all) = (head.len(), head.len() + value.len());
        let asked = self.asked;
        self.say(
            format!("HPUB {subject} _INBOX.writer.{asked} {first} {all}\r\n{head}{value}\r\n").as_bytes(),
        )
    }

    fn ask(&mut self, subject: &str, headers: &[(&str, &str)], value: &str) -> io::Result<Value> {
        self.publish(subject, headers, value)?;
        self.answer()
    }

    fn batch(&mut self, changes: &[(String, Option<String>)]) -> io::Result<Value> {
        let name = format!("{}-{}", std::process::id(), self.asked);
        let mut said = Value::Null;
        for (n, (key, value)) in changes.iter().enumerate() {
            let place = (n + 1).to_string();
            let mut headers = vec![("Nats-Batch-Id", &*name), ("Nats-Batch-Sequence", &place)];
            headers.extend(value.is_none().then_some(("KV-Operation", "DEL")));
            headers.extend((n + 1 == changes.len()).then_some(("Nats-Batch-Commit", "1")));
            said = self.ask(&format!("$KV.config.{key}"), &headers, value.as_deref().unwrap_or_default())?;
            if !said["error"].is_null() {
                break;
            }
        }
        Ok(said)
    }

    /// The answer to the last question; an empty one is `null`.
    fn answer(&mut self) -> io::Result<Value> {
        let wanted = format!("_INBOX.writer.{}", self.asked);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            match *words.first().unwrap_or(&"") {
                "PING" => self.say(b"PONG\r\n")?,
                "-ERR" => return Err(io::Error::other(line)),
                "MSG" | "HMSG" => {
                    let length: usize = words.last().and_then(|word| word.parse().ok()).expect("a length");
                    let mut body = vec![0; length + 2];
                    self.stream.read_exact(&mut body)?;
                    if words[1] != wanted {
                        continue;
                    }
                    if words[0] == "HMSG" {
                        return Ok(json!({"error": {"code": 503}})); // nobody answers yet
                    }
                    return Ok(serde_json::from_slice(&body[..length]).unwrap_or(Value::Null));
                }
                _ => {}
            }
        }
    }
}
