//! A store that does what a test says, step by step.
#![allow(clippy::unnecessary_wraps)] // answers are made in the shape in which they are given

use crate::rig::lock;
use hotconf::remote::{Entry, Map, Remote, Session, Step, Store};
use hotconf::{Context, Cursor, SourceError, Verdict};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// What a session answers; `None`: it waits until the script is said anew.
pub(crate) type Answer = Option<Result<Step, SourceError>>;

type Connects = Box<dyn FnMut() -> Result<(), SourceError> + Send>;
type Answers = Box<dyn FnMut(bool) -> Answer + Send>;

struct Script {
    connects: Mutex<Connects>,
    /// Given whether it is to follow: else it is to list.
    answers: Mutex<Answers>,
    changed: Notify,
    connected: AtomicUsize,
    asked: AtomicUsize,
}

/// The store; a clone is the same store. `ACKS`: it wants to know what became of what it said; `CONFIRM`: a listing
/// that lacks keys is read twice.
pub(crate) struct Stub<const ACKS: bool = false, const CONFIRM: bool = false>(Arc<Script>);

impl<const ACKS: bool, const CONFIRM: bool> Clone for Stub<ACKS, CONFIRM> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<const ACKS: bool, const CONFIRM: bool> Stub<ACKS, CONFIRM> {
    pub(crate) fn new(answers: impl FnMut(bool) -> Answer + Send + 'static) -> Self {
        Self(Arc::new(Script {
            connects: Mutex::new(Box::new(|| Ok(()))),
            answers: Mutex::new(Box::new(answers)),
            changed: Notify::new(),
            connected: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn source(&self) -> Remote<Self> {
        Remote::of(self.clone()).keys("")
    }

    /// What connecting brings from now on.
    pub(crate) fn connects(&self, connects: impl FnMut() -> Result<(), SourceError> + Send + 'static) {
        *lock(&self.0.connects) = Box::new(connects);
    }

    /// What sessions say from now on.
    pub(crate) fn says(&self, answers: impl FnMut(bool) -> Answer + Send + 'static) {
        *lock(&self.0.answers) = Box::new(answers);
        self.0.changed.notify_one();
    }

    /// How often it was connected to, well or not.
    pub(crate) fn connected(&self) -> usize {
        self.0.connected.load(Ordering::SeqCst)
    }

    /// How often a session was asked.
    pub(crate) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

impl<const ACKS: bool, const CONFIRM: bool> Store for Stub<ACKS, CONFIRM> {
    type Session = Self;

    const CONFIRM_SHRINK: bool = CONFIRM;

    fn describe(&self) -> String {
        "stub".into()
    }

    async fn connect(&self, _: &Context, _: u32) -> Result<Self, SourceError> {
        self.0.connected.fetch_add(1, Ordering::SeqCst);
        let opened = lock(&self.0.connects)();
        opened.map(|()| self.clone())
    }
}

impl<const ACKS: bool, const CONFIRM: bool> Session for Stub<ACKS, CONFIRM> {
    const ACKS: bool = ACKS;

    async fn next(&mut self, _: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        loop {
            self.0.asked.fetch_add(1, Ordering::SeqCst);
            let answer = lock(&self.0.answers)(after.is_some());
            match answer {
                Some(answer) => return answer,
                None => self.0.changed.notified().await,
            }
        }
    }

    fn quiet(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn settle(&mut self, _: &Cursor, _: &Verdict) -> Result<(), SourceError> {
        Ok(())
    }
}

pub(crate) fn at(order: u64) -> Cursor {
    Cursor { epoch: 1, order, token: None }
}

/// All that there is as of a revision.
pub(crate) fn listing(order: u64, keys: &[(&str, &str)]) -> Answer {
    let all: Map =
        keys.iter().map(|(key, value)| ((*key).into(), Entry::new(value.as_bytes(), order))).collect();
    Some(Ok(Step::Listing { all, cursor: at(order) }))
}

/// One key that was written.
pub(crate) fn written(order: u64, key: &str, value: &str) -> Answer {
    let changes = vec![(key.into(), Some(Entry::new(value.as_bytes(), order)))];
    Some(Ok(Step::Delta { changes, cursor: at(order) }))
}

pub(crate) fn same(order: u64) -> Answer {
    Some(Ok(Step::Same { cursor: at(order) }))
}

pub(crate) fn down() -> SourceError {
    SourceError::down("connection refused")
}
