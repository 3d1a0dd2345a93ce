//! A store of lines over TCP: the smallest that has all that a store may have, server and client.
//!
//! The client is written through the public API alone, as a user's own would be. The server lives in this
//! process, keeps its data across a kill, and can be frozen, wiped and set back.
//!
//! ```text
//! > list 3                       the answer carries the number
//! < all 3 7 12 2                 request, history, revision, how many keys follow
//! < =12 a 5                      revision, key, value to the end of the line
//! < =11 text hello
//! < change 7 13 1                one transaction: history, revision, how many keys follow
//! < -13 text                     a key that is gone
//! < alive 7 13                   a heartbeat
//! ```

use crate::rig::{Rig, lock};
use hotconf::remote::{Entry, Identity, Map, Remote, Session, Step, Store};
use hotconf::{Context, Cursor, SourceError};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

const HEARTBEAT: Duration = Duration::from_millis(100);
/// A store that lives says something within this.
pub(crate) const QUIET: Duration = Duration::from_millis(400);
/// The longest line, and the most keys, that a client takes.
const LONGEST: usize = 1 << 20;

/// The client: where the store is.
pub(crate) struct Lines {
    pub(crate) address: SocketAddr,
}

/// The bytes of a connection that are not yet a line.
struct Reader {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Reader {
    /// The next line. A dropped future loses nothing: what was read lies in `bytes`.
    async fn line(&mut self) -> Result<String, SourceError> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line = self.bytes.drain(..=end).take(end).collect();
                return String::from_utf8(line).map_err(|_| SourceError::down("sent a line that is no text"));
            }
            if self.bytes.len() > LONGEST {
                return Err(SourceError::down(format!("sent a line of more than {LONGEST} bytes")));
            }
            let read = self.stream.read_buf(&mut self.bytes).await;
            if read.map_err(|error| SourceError::down(format!("cannot be read: {error}")))? == 0 {
                return Err(SourceError::down("closed the connection"));
            }
        }
    }
}

/// The client's session.
pub(crate) struct LinesSession {
    reader: Reader,
    asked: u64,
}

fn number(word: Option<&str>) -> Result<u64, SourceError> {
    let word = word.unwrap_or_default();
    word.parse()
        .map_err(|_| SourceError::gap(format!("expected a number, found {:.40}", word.escape_debug())))
}

impl LinesSession {
    /// The keys that follow a head.
    async fn keys(&mut self, count: u64) -> Result<Vec<(Arc<str>, Option<Entry>)>, SourceError> {
        let mut keys = Vec::new();
        for _ in 0..count {
            let line = self.reader.line().await?;
            let (kind, rest) = line.split_at_checked(1).unwrap_or_default();
            let mut words = rest.splitn(3, ' ');
            let revision = number(words.next())?;
            let key = words.next().filter(|key| !key.is_empty());
            let entry = match (kind, words.next()) {
                ("=", Some(value)) => Some(Entry::new(value.as_bytes(), revision)),
                ("-", None) => None,
                _ => return Err(SourceError::gap("expected a key")),
            };
            keys.push((key.ok_or_else(|| SourceError::gap("expected a key"))?.into(), entry));
        }
        Ok(keys)
    }
}

impl Store for Lines {
    type Session = LinesSession;

    fn describe(&self) -> String {
        format!("lines {}", self.address)
    }

    fn identity(&self) -> Identity {
        Identity::of([self.address.to_string()])
    }

    async fn connect(&self, _: &Context, _: u32) -> Result<LinesSession, SourceError> {
        let failed = |error| SourceError::down(format!("{}: {error}", self.address));
        let stream = TcpStream::connect(self.address).await.map_err(failed)?;
        Ok(LinesSession { reader: Reader { stream, bytes: Vec::new() }, asked: 0 })
    }
}

impl Session for LinesSession {
    async fn next(&mut self, _: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        if after.is_none() {
            self.asked += 1;
            let question = format!("list {}\n", self.asked);
            let sent = self.reader.stream.write_all(question.as_bytes()).await;
            sent.map_err(|error| SourceError::down(format!("cannot be asked: {error}")))?;
        }
        loop {
            let line = self.reader.line().await?;
            let mut words = line.split(' ');
            let head = words.next();
            if head == Some("all") {
                let request = number(words.next())?;
                if after.is_some() || request != self.asked {
                    // The answer to a question that was given up: its keys are skipped as they come.
                    continue;
                }
            } else if after.is_none() {
                continue;
            }
            let (epoch, order) = (number(words.next())?, number(words.next())?);
            let cursor = Cursor { epoch, order, token: None };
            return match head {
                Some("alive") => Ok(Step::Same { cursor }),
                Some("all") => {
                    let keys = self.keys(number(words.next())?).await?;
                    let all: Map = keys.into_iter().filter_map(|(key, entry)| Some((key, entry?))).collect();
                    Ok(Step::Listing { all, cursor })
                }
                Some("change") => {
                    Ok(Step::Delta { changes: self.keys(number(words.next())?).await?, cursor })
                }
                _ => Err(SourceError::gap(format!("expected a head, found {:.40}", line.escape_debug()))),
            };
        }
    }

    fn quiet(&self) -> Duration {
        QUIET
    }
}

/// What the server keeps.
#[derive(Clone, Default)]
struct Data {
    epoch: u64,
    revision: u64,
    keys: BTreeMap<String, (u64, String)>,
}

impl Data {
    fn listing(&self, request: &str) -> String {
        let mut text = format!("all {request} {} {} {}\n", self.epoch, self.revision, self.keys.len());
        for (key, (revision, value)) in &self.keys {
            text.push_str(&format!("={revision} {key} {value}\n"));
        }
        text
    }
}

/// Who follows, and what they have yet to be sent.
type Followers = Vec<mpsc::UnboundedSender<String>>;

#[derive(Default)]
struct Shared {
    data: Mutex<Data>,
    older: Mutex<Data>,
    followers: Mutex<Followers>,
}

/// The server, and the [`Rig`] of the store.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    frozen: watch::Sender<bool>,
    running: Mutex<Option<Runtime>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let [address] = crate::servers::free();
        let listener = StdListener::bind(address).expect("a free port");
        let shared = Shared { data: Data { epoch: 1, ..Data::default() }.into(), ..Shared::default() };
        let server = Self {
            address,
            shared: shared.into(),
            frozen: watch::Sender::new(false),
            running: Mutex::default(),
        };
        server.serve(listener);
        server
    }

    fn serve(&self, listener: StdListener) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("lines")
            .enable_all()
            .build()
            .expect("a runtime");
        listener.set_nonblocking(true).expect("a socket");
        let (shared, frozen) = (self.shared.clone(), self.frozen.subscribe());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                tokio::spawn(talk(stream, shared.clone(), frozen.clone()));
            }
        });
        *lock(&self.running) = Some(runtime);
    }

    /// So many changes of `key`, one transaction each, as fast as they can be told.
    pub(crate) fn flood(&self, key: &str, values: std::ops::RangeInclusive<u64>) {
        for value in values {
            self.change(&[(key, Some(&value.to_string()))]);
        }
    }
}

/// One connection of the server.
async fn talk(mut stream: TcpStream, shared: Arc<Shared>, mut frozen: watch::Receiver<bool>) {
    let (reading, mut writing) = stream.split();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(reading));
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut follows = false;
    loop {
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        let text = tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    let Some(request) = line.strip_prefix("list ") else { return };
                    let data = lock(&shared.data);
                    if !follows {
                        follows = true;
                        lock(&shared.followers).push(tell.clone());
                    }
                    // By the same queue, so that it stands where it belongs among the changes.
                    let _ = tell.send(data.listing(request));
                    continue;
                }
                _ => return,
            },
            text = told.recv() => text.expect("this task has a sender of its own"),
            () = tokio::time::sleep(HEARTBEAT), if follows => {
                let data = lock(&shared.data);
                format!("alive {} {}\n", data.epoch, data.revision)
            }
        };
        if frozen.wait_for(|frozen| !frozen).await.is_err()
            || writing.write_all(text.as_bytes()).await.is_err()
        {
            return;
        }
    }
}

impl Rig for Server {
    type Store = Lines;

    const NAME: &'static str = "lines";

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn source(&self, at: SocketAddr) -> Remote<Lines> {
        Remote::of(Lines { address: at }).keys("")
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        let mut data = lock(&self.shared.data);
        data.revision += 1;
        let revision = data.revision;
        let mut text = format!("change {} {revision} {}\n", data.epoch, changes.len());
        for (key, value) in changes {
            if let Some(value) = value {
                data.keys.insert((*key).to_owned(), (revision, (*value).to_owned()));
                text.push_str(&format!("={revision} {key} {value}\n"));
            } else {
                data.keys.remove(*key);
                text.push_str(&format!("-{revision} {key}\n"));
            }
        }
        // With the data still held: changes are told in their order.
        lock(&self.shared.followers).retain(|follower| follower.send(text.clone()).is_ok());
    }

    fn kill(&self) {
        if let Some(runtime) = lock(&self.running).take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
        lock(&self.shared.followers).clear();
    }

    fn restart(&self) {
        self.serve(StdListener::bind(self.address).expect("the port is still ours"));
    }

    fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    fn thaw(&self) {
        self.frozen.send_replace(false);
    }

    fn keep(&self) {
        lock(&self.shared.older).clone_from(&*lock(&self.shared.data));
    }

    fn restore(&self) {
        // The same history by name: only its revisions tell, and those may be passed again.
        lock(&self.shared.data).clone_from(&*lock(&self.shared.older));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
