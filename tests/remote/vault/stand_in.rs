//! A server that answers as a test says, over connections that are kept.

use crate::rig::lock;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A question as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// What follows `/v1/`.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A status, more lines of its head, and a body.
pub(super) struct Answer(pub(super) u16, pub(super) &'static str, pub(super) String);

impl Answer {
    pub(super) fn ok(body: &serde_json::Value) -> Self {
        Self(200, "", body.to_string())
    }

    pub(super) fn errors(status: u16, said: &str) -> Self {
        Self(status, "", serde_json::json!({"errors": [said]}).to_string())
    }
}

type Answers = Box<dyn FnMut(&Asked) -> Answer + Send>;

pub(super) struct StandIn {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answers: Mutex<Answers>,
    asked: Mutex<Vec<Asked>>,
    open: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

impl StandIn {
    pub(super) fn start(answers: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            answers: Mutex::new(Box::new(answers)),
            asked: Mutex::default(),
            open: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let serves = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                if serves.ended.load(Ordering::SeqCst) {
                    return;
                }
                lock(&serves.open).extend(stream.try_clone());
                let shared = serves.clone();
                std::thread::spawn(move || shared.talk(&stream));
            }
        });
        Self { address, shared }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How it answers from now on.
    pub(super) fn says(&self, answers: impl FnMut(&Asked) -> Answer + Send + 'static) {
        *lock(&self.shared.answers) = Box::new(answers);
    }

    /// How often a target that begins so was asked for.
    pub(super) fn count(&self, target: &str) -> usize {
        self.asked(target).len()
    }

    pub(super) fn asked(&self, target: &str) -> Vec<Asked> {
        lock(&self.shared.asked).iter().filter(|asked| asked.target.starts_with(target)).cloned().collect()
    }

    /// Ends all connections.
    pub(super) fn sever(&self) {
        for stream in lock(&self.shared.open).drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.sever();
    }
}

impl Shared {
    fn talk(&self, stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream);
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).ok().filter(|length| *length > 0)?;
            let mut words = line.split(' ');
            let (method, target) = (words.next()?.to_owned(), words.next()?.strip_prefix("/v1/")?.to_owned());
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                lines.read_line(&mut line).ok()?;
                let Some((name, value)) = line.trim().split_once(':') else { break };
                headers.push((name.to_lowercase(), value.trim().to_owned()));
            }
            let mut asked = Asked { method, target, headers, body: String::new() };
            let mut body = vec![0; asked.header("content-length").parse().unwrap_or(0)];
            lines.read_exact(&mut body).ok()?;
            asked.body = String::from_utf8(body).ok()?;
            let Answer(status, head, body) = lock(&self.answers)(&asked);
            lock(&self.asked).push(asked);
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} So\r\n{head}content-length: {length}\r\n\r\n{body}");
            (&mut &*stream).write_all(answer.as_bytes()).ok()?;
        }
    }
}
