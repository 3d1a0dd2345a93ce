//! When the next candidate is due, and what a reload waits for.
//!
//! A window opens with the first document and closes when no source is about to bring another, at the
//! latest after [`GATHER`]. A reload keeps it open until every source has answered, within the same limit: a
//! source that is slow to answer delays the answer of the reload, and nothing that others bring.

use crate::error::{Error, Problem, ProblemKind};
use crate::sync::later;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long what one source brought waits for others that are about to bring something.
pub(super) const GATHER: Duration = Duration::from_millis(300);
/// How long `reload` waits for the slowest source.
pub(super) const RELOAD: Duration = Duration::from_secs(10);

/// How long a candidate waits for files that it names: as long as a writer may hold one, and a second for one
/// that is missing.
pub(super) const FETCH: Duration = Duration::from_secs(4);

/// The documents that came since the last candidate: the newest of each source.
#[derive(Debug, Clone)]
pub(super) struct Window<D> {
    newcomers: Vec<(usize, D)>,
    /// When it closes at the latest.
    closes: Option<Instant>,
    /// It waits for files that a document of it names.
    held: bool,
}

impl<D> Default for Window<D> {
    fn default() -> Self {
        Self { newcomers: Vec::new(), closes: None, held: false }
    }
}

impl<D> Window<D> {
    /// Takes a document in; returns the source's earlier one.
    pub(super) fn put(&mut self, source: usize, document: D, now: Instant) -> Option<D> {
        let earlier = self.remove(source);
        self.closes.get_or_insert_with(|| later(now, GATHER));
        self.newcomers.push((source, document));
        earlier
    }

    /// Takes a source's document out again.
    pub(super) fn remove(&mut self, source: usize) -> Option<D> {
        let at = self.newcomers.iter().position(|(s, _)| *s == source)?;
        let (_, document) = self.newcomers.remove(at);
        if self.newcomers.is_empty() {
            (self.closes, self.held) = (None, false);
        }
        Some(document)
    }

    /// Closes it, and takes all that came.
    pub(super) fn take(&mut self) -> Vec<(usize, D)> {
        (self.closes, self.held) = (None, false);
        std::mem::take(&mut self.newcomers)
    }

    /// Takes back what was taken, until the files are there that it names, or until `until`.
    pub(super) fn hold(&mut self, newcomers: Vec<(usize, D)>, until: Instant) {
        (self.newcomers, self.closes, self.held) = (newcomers, Some(until), true);
    }

    /// The files are there.
    pub(super) fn release(&mut self, now: Instant) {
        if std::mem::take(&mut self.held) {
            self.closes = Some(later(now, GATHER));
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    pub(super) fn is_open(&self) -> bool {
        self.closes.is_some()
    }

    /// When it closes at the latest.
    pub(super) fn closes(&self) -> Option<Instant> {
        self.closes
    }
}

/// A reload that somebody waits for.
#[derive(Debug, Clone)]
pub(super) struct Reload {
    ticket: u64,
    /// Sources that have not answered yet.
    waiting: BTreeSet<usize>,
    deadline: Instant,
    /// What was refused or failed meanwhile.
    errors: Vec<Error>,
}

impl Reload {
    pub(super) fn new(ticket: u64, asked: impl Iterator<Item = usize>, now: Instant) -> Self {
        Self { ticket, waiting: asked.collect(), deadline: later(now, RELOAD), errors: Vec::new() }
    }

    pub(super) fn answered(&mut self, source: usize, ticket: Option<u64>) {
        if ticket == Some(self.ticket) {
            self.waiting.remove(&source);
        }
    }

    pub(super) fn ended(&mut self, source: usize) {
        self.waiting.remove(&source);
    }

    pub(super) fn met(&mut self, error: &Error) {
        self.errors.push(error.clone());
    }

    /// Whether nothing more is waited for.
    pub(super) fn is_through(&self, now: Instant) -> bool {
        self.waiting.is_empty() || now >= self.deadline
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The answer: the version in force, or everything that is wrong. `gone` is why sources that have ended,
    /// and were not asked, are not well: what they hold now, nobody knows.
    pub(super) fn answer(self, version: u64, names: &[Arc<str>], gone: Vec<Error>) -> Result<u64, Error> {
        let mut errors = self.errors;
        if !self.waiting.is_empty() {
            let message = format!("gave no answer within {RELOAD:?}");
            let late = |source: &usize| {
                Problem::new(ProblemKind::Unreadable, "", message.as_str()).of(&names[*source])
            };
            let late = self.waiting.iter().map(late).collect();
            errors.push(Error::problems_in("this reload", late).keeping(version));
        }
        for error in gone {
            if !errors.iter().any(|known| known.says_the_same(&error)) {
                errors.push(error);
            }
        }
        if errors.len() < 2 {
            return errors.pop().map_or(Ok(version), Err);
        }
        let warnings = errors.iter().flat_map(|error| error.warnings().to_vec()).collect();
        let problems = errors.iter().flat_map(|error| error.problems().to_vec()).collect();
        Err(Error::problems_in("this reload", problems).warned(warnings).keeping(version))
    }
}
