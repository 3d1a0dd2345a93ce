//! A small HTTP/1.1 server of its own threads: it does what a test says, wrong things too.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) target: String,
    headers: HashMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is done with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, as they are; the connection stays open.
    Raw(Vec<u8>),
    /// These bytes, and the end.
    Cut(Vec<u8>),
    /// One byte every 20 ms.
    Drip(Vec<u8>),
    /// Nothing, ever.
    Mute,
    /// Goes on as a proxy that has opened a tunnel to this address.
    Tunnel(SocketAddr),
}

/// A whole answer.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Raw(format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes())
}

type Script = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

/// A document at an address, until a script says otherwise.
pub(crate) struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
    tls: Option<Arc<ServerConfig>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
    accepted: AtomicUsize,
    served: AtomicUsize,
}

struct State {
    body: String,
    /// The header lines of the document.
    headers: String,
    etag: Option<String>,
    frozen: bool,
    script: Option<Arc<Script>>,
    log: Vec<Request>,
    open: Vec<TcpStream>,
}

impl Server {
    pub(crate) fn new(body: &str) -> Self {
        Self::with(body, None)
    }

    pub(crate) fn tls(body: &str, config: ServerConfig) -> Self {
        Self::with(body, Some(Arc::new(config)))
    }

    fn with(body: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let state = State {
            body: body.to_owned(),
            headers: String::new(),
            etag: None,
            frozen: false,
            script: None,
            log: Vec::new(),
            open: Vec::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            served: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let mut server = Self { shared, address, accepting: None, tls };
        server.accept(listener);
        server
    }

    fn accept(&mut self, listener: TcpListener) {
        let (shared, tls) = (self.shared.clone(), self.tls.clone());
        shared.stop.store(false, Ordering::SeqCst);
        self.accepting = Some(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                shared.lock().open.push(stream.try_clone().expect("a second handle"));
                let (shared, tls) = (shared.clone(), tls.clone());
                thread::spawn(move || match tls {
                    None => shared.serve(stream.try_clone().expect("a second handle"), &stream),
                    Some(config) => {
                        let connection = ServerConnection::new(config).expect("a configuration that fits");
                        let tcp = stream.try_clone().expect("a second handle");
                        shared.serve(StreamOwned::new(connection, stream), &tcp);
                    }
                });
            }
        }));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.address.port())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the document.
    pub(crate) fn put(&self, body: &str) {
        self.change(|state| body.clone_into(&mut state.body));
    }

    /// Replaces the document and its tag.
    pub(crate) fn put_tagged(&self, body: &str, etag: &str) {
        self.change(|state| {
            body.clone_into(&mut state.body);
            state.etag = Some(etag.to_owned());
        });
    }

    /// Sets further header lines of the document.
    pub(crate) fn set_headers(&self, headers: &str) {
        self.change(|state| headers.clone_into(&mut state.headers));
    }

    /// Answers as `script` says, where it says something.
    pub(crate) fn script(&self, script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) {
        self.change(|state| state.script = Some(Arc::new(script)));
    }

    pub(crate) fn no_script(&self) {
        self.change(|state| state.script = None);
    }

    /// While it is frozen no request is answered.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.change(|state| state.frozen = frozen);
    }

    pub(crate) fn log(&self) -> Vec<Request> {
        self.shared.lock().log.clone()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.connections() - self.shared.served.load(Ordering::SeqCst)
    }

    /// Closes every connection, and goes on.
    pub(crate) fn hang_up(&self) {
        for stream in self.shared.lock().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Ends as a process that is killed does.
    pub(crate) fn kill(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("the accepting thread ends");
        }
        self.hang_up();
    }

    /// Comes back at the same address.
    pub(crate) fn restart(&mut self) {
        let end = Instant::now() + Duration::from_secs(5);
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        self.accept(listener);
    }

    /// Speaks TLS with another certificate from the next connection on.
    pub(crate) fn set_tls(&mut self, config: ServerConfig) {
        self.kill();
        self.tls = Some(Arc::new(config));
        self.restart();
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.lock());
        self.shared.changed.notify_all();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.change(|state| state.frozen = false);
        self.kill();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }

    fn serve(&self, mut stream: impl Read + Write, tcp: &TcpStream) {
        while let Some(request) = read(&mut stream) {
            let reply = self.answer(request);
            let sent = match reply {
                Reply::Raw(bytes) => stream.write_all(&bytes).and_then(|()| stream.flush()),
                Reply::Cut(bytes) => {
                    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                    break;
                }
                Reply::Drip(bytes) => bytes.iter().try_for_each(|&byte| {
                    thread::sleep(Duration::from_millis(20));
                    stream.write_all(&[byte]).and_then(|()| stream.flush())
                }),
                Reply::Mute => {
                    // Until the other side gives up.
                    let _ = stream.read(&mut [0; 64]);
                    break;
                }
                Reply::Tunnel(to) => {
                    let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
                    tunnel(tcp, &TcpStream::connect(to).expect("the other end"));
                    break;
                }
            };
            if sent.is_err() {
                break;
            }
        }
        let _ = tcp.shutdown(Shutdown::Both);
        self.served.fetch_add(1, Ordering::SeqCst);
    }

    fn answer(&self, request: Request) -> Reply {
        let mut state = self.lock();
        state.log.push(request.clone());
        while state.frozen && !self.stop.load(Ordering::SeqCst) {
            state = self.changed.wait(state).expect("no test panics while it holds this");
        }
        if let Some(script) = state.script.clone() {
            drop(state);
            if let Some(reply) = script(&request) {
                return reply;
            }
            state = self.lock();
        }
        if let Some(known) = request.header("if-none-match") {
            let hold = request.header("prefer").and_then(|prefer| prefer.strip_prefix("wait=")?.parse().ok());
            let end = Instant::now() + Duration::from_secs(hold.unwrap_or_default());
            while state.etag.as_deref() == Some(known) {
                let rest = end.saturating_duration_since(Instant::now());
                if rest.is_zero() || self.stop.load(Ordering::SeqCst) {
                    return Reply::Raw(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec());
                }
                state = self.changed.wait_timeout(state, rest).expect("no test panics while it holds this").0;
            }
        }
        let etag = state.etag.as_ref().map_or_else(String::new, |etag| format!("etag: {etag}\r\n"));
        reply(200, &format!("{etag}{}", state.headers), &state.body)
    }
}

/// Reads a request's head, byte by byte; none of these has a body.
fn read(stream: &mut (impl Read + Write)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        if head.is_empty() && !byte[0].is_ascii_uppercase() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ').map(ToOwned::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(k, v)| (k.to_lowercase(), v.to_owned()))
        .collect();
    Some(Request { at: Instant::now(), method, target, headers })
}

fn tunnel(one: &TcpStream, other: &TcpStream) {
    let copy = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) =
            (from.try_clone().expect("a second handle"), to.try_clone().expect("a second handle"));
        move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        }
    };
    let back = thread::spawn(copy(other, one));
    copy(one, other)();
    back.join().expect("copying ends");
}
