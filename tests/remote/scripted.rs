//! A server over TCP that does to each connection what a test says: for what no honest server sends.

use crate::rig::lock;
use std::io::{BufRead, BufReader, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Path and query.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// The server; gone, with all its connections, when it is dropped.
pub(crate) struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<Head>>,
    open: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

impl Scripted {
    /// `answer` is given the number of the request, from 0 on, its head and its connection, which it closes when it
    /// returns.
    pub(crate) fn start(answer: impl Fn(usize, &Head, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (shared, answer) = (Arc::new(Shared::default()), Arc::new(answer));
        let of = shared.clone();
        let accepting = std::thread::spawn(move || {
            let mut talks = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                lock(&of.open).push(stream.try_clone().expect("a second handle"));
                if of.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (of, answer) = (of.clone(), answer.clone());
                talks.push(std::thread::spawn(move || talk(stream, &of, &*answer)));
            }
            for stream in lock(&of.open).drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            for talk in talks {
                let _ = talk.join();
            }
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Head> {
        lock(&self.shared.asked).clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn talk(mut stream: TcpStream, shared: &Shared, answer: &dyn Fn(usize, &Head, &mut TcpStream)) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    let target = request.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let line = lines.next()?.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let head = Head { target, headers };
    let number = {
        let mut asked = lock(&shared.asked);
        asked.push(head.clone());
        asked.len() - 1
    };
    answer(number, &head, &mut stream);
    let _ = stream.shutdown(Shutdown::Both);
    Some(())
}

/// Waits until the client closes the connection.
pub(crate) fn stay(stream: &mut TcpStream) {
    let mut piece = [0; 256];
    while matches!(stream.read(&mut piece), Ok(1..)) {}
}
