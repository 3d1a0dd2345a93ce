//! The files that settings name: one task for all of them, which begins when the first is named.
//!
//! For control they are one more source, and what it brings are the contents. Which files are followed is
//! here: those of what is accepted, and those of what was set aside, since a file of it may be what it waits
//! for.

use super::pull::{Answer, Arrival, Order};
use crate::named::Contents;
use crate::race::{Either, race};
use crate::source::{Context, NamedFiles};
use crate::sync::lock;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What the status and the events call it.
pub(crate) const NAME: &str = "files that settings name";

/// Tasks of a configuration, which are waited for when it ends.
pub(crate) type Tasks = Arc<Mutex<Vec<JoinHandle<()>>>>;

/// What is needed to begin the task.
pub(crate) struct Start {
    pub(crate) index: usize,
    pub(crate) cx: Context,
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
    pub(crate) tasks: Tasks,
}

/// Which files are followed.
pub(crate) struct Files {
    start: Option<Start>,
    orders: mpsc::UnboundedSender<Order>,
    /// Nothing is at hand.
    none: Arc<Contents>,
    /// Named by what is accepted.
    accepted: BTreeSet<PathBuf>,
    /// Named by what was set aside.
    aside: BTreeSet<PathBuf>,
    followed: BTreeSet<PathBuf>,
}

impl Files {
    /// None so far.
    pub(crate) fn new(start: Start, orders: mpsc::UnboundedSender<Order>) -> Self {
        let (accepted, aside, followed) = Default::default();
        Self { start: Some(start), orders, none: none(), accepted, aside, followed }
    }

    /// What is at hand before anything was read.
    pub(crate) fn none(&self) -> Arc<Contents> {
        self.none.clone()
    }

    /// Whether some were ever named.
    pub(crate) fn runs(&self) -> bool {
        self.start.is_none()
    }

    /// Whether none is named at present.
    pub(crate) fn is_empty(&self) -> bool {
        self.followed.is_empty()
    }

    /// Follows more files, and has all of them read.
    pub(crate) fn fetch(&mut self, paths: BTreeSet<PathBuf>, at_once: bool) {
        if let Some(start) = self.start.take() {
            let tasks = start.tasks.clone();
            lock(&tasks).push(tokio::spawn(run(start)));
        }
        self.aside.extend(paths);
        self.followed = self.accepted.union(&self.aside).cloned().collect();
        // A task that has ended was cancelled, and nothing is judged any more.
        drop(self.orders.send(Order::Follow { paths: self.followed.clone(), at_once }));
    }

    /// A candidate that names these is accepted; `all`: nothing else is set aside.
    pub(crate) fn accepted(&mut self, named: BTreeSet<PathBuf>, all: bool) {
        self.accepted = named;
        if all {
            self.aside.clear();
        }
    }

    /// The newest documents, which name these, are refused.
    pub(crate) fn refused(&mut self, named: BTreeSet<PathBuf>) {
        self.aside = named;
    }

    /// Leaves those that nobody names any more; whether there were such.
    pub(crate) fn tidy(&mut self) -> bool {
        let left =
            self.followed.iter().any(|path| !self.accepted.contains(path) && !self.aside.contains(path));
        if left {
            self.followed = self.accepted.union(&self.aside).cloned().collect();
            drop(self.orders.send(Order::Leave(self.followed.clone())));
        }
        left
    }
}

/// Nothing at hand, of this process.
pub(super) fn none() -> Arc<Contents> {
    // Without a working directory a relative path stays one, and what opening it says is told.
    let working = std::env::current_dir().unwrap_or_default();
    Arc::new(Contents::none(Arc::from(Path::new(&working))))
}

async fn run(start: Start) {
    let Start { index, cx, arrivals, mut orders, tasks: _ } = start;
    let mut files = NamedFiles::new();
    let mut ticket = None;
    let token = cx.cancelled().clone();
    while let Some(woken) = token.run_until_cancelled(race(orders.recv(), files.next(&cx))).await {
        let answer = match woken {
            Either::First(None) => return,
            Either::First(Some(order)) => {
                match order {
                    Order::Follow { paths, at_once } => files.follow(&cx, paths, at_once),
                    Order::Leave(paths) => files.leave(&cx, paths),
                    Order::Refresh(id) => {
                        files.refresh();
                        ticket = Some(id);
                    }
                    Order::Settled(..) => {}
                }
                continue;
            }
            Either::Second(Ok(named)) => Answer::Files(named),
            Either::Second(Err(error)) => Answer::Failed(error),
        };
        let arrival = Arrival { source: index, answer, ticket: ticket.take() };
        if !matches!(token.run_until_cancelled(arrivals.send(arrival)).await, Some(Ok(()))) {
            return;
        }
        // The driver first: watches are set anew off the way from a change to its version.
        tokio::task::yield_now().await;
    }
}
