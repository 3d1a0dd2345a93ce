//! What becomes of a judged candidate: it is put in force, or it stays out, and everybody hears of it.
//!
//! The order of a version: judged, swapped (with lives and views), watches, callbacks, events.

use super::driver::{Driver, Offer};
use super::judge::{Base, Candidate};
use crate::error::{Error, Problem};
use crate::load::HotConf;
use crate::observe::{Applied, Board, Event, RestartRequired, SourceState, SourceUp, Warning, trace};
use crate::publish::{Meta, Scope, Snapshot, Version};
use crate::source::Verdict;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

/// How many of the sources' own warnings are remembered as told.
const TOLD: usize = 1024;

impl<T: HotConf> Driver<T> {
    /// Puts a candidate in force, where it moves anything, and tells of it.
    pub(super) fn install(&mut self, candidate: Candidate<T>) -> Verdict {
        self.board.decoded.fetch_add(candidate.decoded, Ordering::Relaxed);
        let before = self.base.running.clone();
        let moved = !candidate.moved.is_empty();
        let (value, tree, desired) = match candidate.running {
            Some((running, tree)) => (running, tree, Some(candidate.desired)),
            None => (candidate.desired, candidate.tree.clone(), None),
        };
        let meta = Arc::new(Meta {
            number: if moved { before.version() + 1 } else { before.version() },
            at: if moved { SystemTime::now() } else { before.time() },
            schema: T::SCHEMA,
            index: before.0.meta.index.clone(),
            tree,
            waiting: candidate.waiting.clone(),
            stack: candidate.stack,
            fingerprint: OnceLock::new(),
        });
        let after = Snapshot(Arc::new(Version { value: *value, meta, scope: Scope::default() }));
        let verdict = if moved {
            self.board.installed(Instant::now());
            Board::count(&self.board.applied);
            trace::publish(&self.plan.name, after.version(), || {
                self.topic.install(&after, candidate.moved.as_slice());
                self.topic.tell(&before, &after, candidate.moved.as_slice());
            });
            Verdict::Applied { version: after.version() }
        } else {
            // Same values, newer places: lines may have shifted.
            self.topic.core.cell.refresh(after.clone());
            Verdict::Unchanged
        };
        self.base = Arc::new(Base {
            desired,
            tree: candidate.tree,
            running: after.clone(),
            start: self.base.start.clone(),
        });
        // The board first: who hears of a version and asks for the status finds it.
        let restart = self.note_waiting(candidate.waiting, candidate.desired_moved.as_slice());
        let warnings = self.note_warnings(candidate.warnings);
        if moved {
            self.tell(Event::Applied(Applied {
                before: before.0.meta.clone(),
                after: after.0.meta.clone(),
                moved: candidate.moved,
            }));
        }
        for event in restart.into_iter().chain(warnings) {
            self.tell(event);
        }
        verdict
    }

    /// Notes which fields wait for a restart; the event says so, once per change.
    fn note_waiting(&mut self, waiting: Vec<u32>, desired_moved: &[u32]) -> Option<Event> {
        let index = self.base.running.0.meta.index.clone();
        let paths: Vec<String> = waiting.iter().map(|n| index.path(*n).to_string()).collect();
        self.board.set_pending(paths.clone());
        let news = self.pending.settle(waiting, |n| desired_moved.binary_search(&n).is_ok());
        news.then_some(Event::RestartRequired(RestartRequired { paths }))
    }

    /// Notes that sources are well whose documents come in; returns those that were not.
    pub(super) fn well(&self, sources: &[usize]) -> Vec<usize> {
        let now = Instant::now();
        let mut recovered = Vec::new();
        for &source in sources {
            let before = self.board.set_source(source, self.plan.sources[source].well(), None, now);
            if matches!(before, SourceState::Refused | SourceState::Down) {
                recovered.push(source);
            }
        }
        // The status first: who hears that a source is up finds it healthy.
        self.board.clear_rejected_if_well();
        recovered
    }

    /// Tells sources what became of their documents, and everybody which sources recovered.
    pub(super) fn accepted(&self, offers: &[(usize, Offer)], recovered: &[usize], verdict: &Verdict) {
        for (source, offer) in offers {
            self.settle(*source, offer, verdict.clone());
        }
        for &source in recovered {
            let name = self.plan.sources[source].name.clone();
            self.tell(Event::SourceUp(SourceUp { source: name }));
        }
    }

    /// Sources whose documents stay out.
    pub(super) fn refuse(
        &self,
        sources: &[usize],
        offers: &[(usize, Offer)],
        (problems, warnings): (Vec<Problem>, Vec<Problem>),
    ) -> Error {
        Board::count(&self.board.refused);
        let error = Error::problems_in("the new configuration", problems).warned(warnings);
        let error = error.keeping(self.version());
        for &source in sources {
            self.board.set_source(source, SourceState::Refused, Some(error.clone()), Instant::now());
            if let Some((_, offer)) = offers.iter().find(|(s, _)| *s == source) {
                self.settle(source, offer, Verdict::Refused);
            }
        }
        self.board.set_rejected(Some(error.clone()));
        self.tell(Event::Rejected(error.clone()));
        error
    }

    /// Keeps the documents' warnings for the status; the events are those that are new.
    pub(super) fn note_warnings(&mut self, warnings: Vec<Problem>) -> Vec<Event> {
        let warnings: Vec<Warning> = warnings.into_iter().map(Into::into).collect();
        let known = std::mem::take(&mut self.warnings);
        let mut news = Vec::new();
        for warning in &warnings {
            if !known.contains(warning) && !self.warnings.contains(warning) {
                news.push(Event::Warning(warning.clone()));
            }
            self.warnings.insert(warning.clone());
        }
        self.board.set_warnings(warnings);
        news
    }

    /// Tells of a source's own warning, once.
    pub(super) fn warn_from(&mut self, source: usize, message: String) {
        let origin = crate::origin::Origin::whole(self.plan.sources[source].name.clone());
        let warning = Warning { path: String::new(), message, origin: Some(origin) };
        if self.told.len() >= TOLD {
            self.told.clear();
        }
        if self.told.insert(warning.clone()) {
            self.tell(Event::Warning(warning));
        }
    }
}
