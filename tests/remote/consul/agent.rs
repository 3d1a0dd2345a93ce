//! An agent that answers as a test says: what no real server does when it is asked to.

use crate::rig::lock;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// A question as it came.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) target: String,
    pub(crate) at: Instant,
    /// Which connection it came by, counted from 0.
    pub(crate) connection: usize,
    number: u64,
}

impl Question {
    /// How many came before it.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Behind which index it waits.
    pub(crate) fn index(&self) -> Option<u64> {
        self.target.split(['?', '&']).find_map(|part| part.strip_prefix("index="))?.parse().ok()
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.target.split(['?', '&']).any(|part| part == "stale")
    }
}

/// What is done with a question.
pub(crate) enum Answer {
    Said(String),
    /// It is answered when there is another turn.
    Held,
    /// The connection is closed.
    Closed,
}

impl Answer {
    pub(crate) fn new(status: u16, headers: &str, body: &str) -> Self {
        Self::Said(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
    }
}

type Script = dyn Fn(&Question, u64) -> Answer + Send + Sync;

struct Shared {
    script: Box<Script>,
    turn: Mutex<u64>,
    turned: Condvar,
    asked: Mutex<Vec<Question>>,
    open: Mutex<Vec<TcpStream>>,
    stop: AtomicBool,
}

/// The agent; gone, with all its connections, when it is dropped.
pub(crate) struct Agent {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Agent {
    /// One that answers so, given the question and the number of the turn, which is 0 at first.
    pub(crate) fn new(script: impl Fn(&Question, u64) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            turn: Mutex::default(),
            turned: Condvar::new(),
            asked: Mutex::default(),
            open: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let state = shared.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                if state.stop.load(Ordering::SeqCst) {
                    return;
                }
                lock(&state.open).push(stream.try_clone().expect("a second handle"));
                let state = state.clone();
                thread::spawn(move || {
                    talk(&stream, number, &state);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins another turn: what is held is thought over.
    pub(crate) fn turn(&self, number: u64) {
        *lock(&self.shared.turn) = number;
        self.shared.turned.notify_all();
    }

    /// All questions so far.
    pub(crate) fn asked(&self) -> Vec<Question> {
        lock(&self.shared.asked).clone()
    }

    /// How many connections were there.
    pub(crate) fn accepted(&self) -> usize {
        lock(&self.shared.open).len()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.turned.notify_all();
        for stream in &*lock(&self.shared.open) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(self.address);
    }
}

fn talk(stream: &TcpStream, connection: usize, shared: &Shared) -> Option<()> {
    let (mut reading, mut writing) = (BufReader::new(stream), stream);
    loop {
        let mut line = String::new();
        reading.read_line(&mut line).ok()?;
        let target = line.split(' ').nth(1)?.to_owned();
        while line.trim() != "" {
            line.clear();
            reading.read_line(&mut line).ok()?;
        }
        let question = {
            let mut asked = lock(&shared.asked);
            let question = Question { target, at: Instant::now(), connection, number: asked.len() as u64 };
            asked.push(question.clone());
            question
        };
        let mut turn = lock(&shared.turn);
        let answer = loop {
            match (shared.script)(&question, *turn) {
                Answer::Said(answer) => break answer,
                Answer::Closed => return None,
                Answer::Held if shared.stop.load(Ordering::SeqCst) => return None,
                Answer::Held => turn = shared.turned.wait(turn).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(turn);
        writing.write_all(answer.as_bytes()).ok()?;
    }
}
