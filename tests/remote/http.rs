//! A document behind a URL under the suite: asked for again and again, and held until there is news.
//!
//! The server lives in this process, keeps its document across a kill, and can be frozen and set back.

use crate::rig::{Rig, lock};
use hotconf::Http;
use hotconf::remote::Remote;
use hotconf::remote::http::HttpStore;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

crate::conformance::suite!(asked_again_and_again, Some(crate::http::Server::start(false)));
crate::conformance::suite!(held_until_there_is_news, Some(crate::http::Server::start(true)));

/// Keys with their values.
pub(crate) type Document = BTreeMap<String, String>;

/// A document at an address.
pub(crate) struct Server {
    address: SocketAddr,
    /// Clients let it hold their questions.
    holds: bool,
    document: Arc<watch::Sender<Document>>,
    older: Mutex<Document>,
    frozen: watch::Sender<bool>,
    running: Mutex<Option<Runtime>>,
}

impl Server {
    pub(crate) fn start(holds: bool) -> Self {
        let [address] = crate::servers::free();
        let server = Self {
            address,
            holds,
            document: Arc::default(),
            older: Mutex::default(),
            frozen: watch::Sender::new(false),
            running: Mutex::default(),
        };
        server.restart();
        server
    }
}

/// One connection, kept open from question to question.
async fn talk(
    mut stream: TcpStream,
    mut document: watch::Receiver<Document>,
    mut frozen: watch::Receiver<bool>,
) -> Option<()> {
    let (reading, mut writing) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    loop {
        let (mut known, mut wait) = (None, 0);
        if !lines.next_line().await.ok()??.starts_with("GET /app.json ") {
            return None;
        }
        loop {
            let line = lines.next_line().await.ok()??.to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(tag) = line.strip_prefix("if-none-match: ") {
                known = Some(tag.to_owned());
            } else if let Some(seconds) = line.strip_prefix("prefer: wait=") {
                wait = seconds.parse().ok()?;
            }
        }
        frozen.wait_for(|frozen| !frozen).await.ok()?;
        let news = document.wait_for(|document| known.as_deref() != Some(&*tag(document)));
        let limit = Duration::from_secs(wait);
        let answer = match tokio::time::timeout(limit, news).await {
            Err(_) => format!("HTTP/1.1 304 Not Modified\r\netag: {}\r\n\r\n", known.unwrap_or_default()),
            Ok(news) => {
                let news = news.ok()?;
                let (tag, body) = (tag(&news), body(&news));
                format!("HTTP/1.1 200 OK\r\netag: {tag}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
        };
        frozen.wait_for(|frozen| !frozen).await.ok()?;
        writing.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// Differs where the document does.
pub(crate) fn tag(document: &Document) -> String {
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    format!("\"{:x}\"", hasher.finish())
}

/// The document as JSON; numbers are written as such.
pub(crate) fn body(document: &Document) -> String {
    let value =
        |text: &String| text.parse::<u64>().map_or_else(|_| text.clone().into(), serde_json::Value::from);
    let table: serde_json::Map<_, _> =
        document.iter().map(|(key, text)| (key.clone(), value(text))).collect();
    serde_json::Value::from(table).to_string()
}

impl Rig for Server {
    type Store = HttpStore;

    const NAME: &'static str = "http";
    const STEP: u64 = 7;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn source(&self, at: SocketAddr) -> Remote<HttpStore> {
        let source = Http::new(&format!("http://{at}/app.json")).every(Duration::from_millis(10));
        if self.holds { source.long_poll(Duration::from_secs(1)) } else { source }
    }

    fn place(&self, _: &str) -> String {
        format!("http://{}/app.json:1:", self.address)
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        self.document.send_modify(|document| {
            for (key, value) in changes {
                match value {
                    Some(value) => document.insert((*key).to_owned(), (*value).to_owned()),
                    None => document.remove(*key),
                };
            }
        });
    }

    fn kill(&self) {
        if let Some(runtime) = lock(&self.running).take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    fn restart(&self) {
        let listener = StdListener::bind(self.address).expect("the port is ours");
        listener.set_nonblocking(true).expect("a socket");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("http")
            .enable_all()
            .build()
            .expect("a runtime");
        let (document, frozen) = (self.document.clone(), self.frozen.subscribe());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                tokio::spawn(talk(stream, document.subscribe(), frozen.clone()));
            }
        });
        *lock(&self.running) = Some(runtime);
    }

    fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    fn thaw(&self) {
        self.frozen.send_replace(false);
    }

    fn keep(&self) {
        lock(&self.older).clone_from(&*self.document.borrow());
    }

    fn restore(&self) {
        self.document.send_replace(lock(&self.older).clone());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
