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
        if moved {
            self.tell(Event::Applied(Applied {
                before: before.0.meta.clone(),
                after: after.0.meta.clone(),
                moved: candidate.moved,
            }));
        }
        self.wait_for_restart(candidate.waiting, candidate.desired_moved.as_slice());
        self.warn_of(candidate.warnings);
        verdict
    }

    /// Says which fields wait for a restart, once per change.
    fn wait_for_restart(&mut self, waiting: Vec<u32>, desired_moved: &[u32]) {
        let index = self.base.running.0.meta.index.clone();
        let paths: Vec<String> = waiting.iter().map(|n| index.path(*n).to_string()).collect();
        self.board.set_pending(paths.clone());
        if self.pending.settle(waiting, |n| desired_moved.binary_search(&n).is_ok()) {
            self.tell(Event::RestartRequired(RestartRequired { paths }));
        }
    }

    /// Sources whose documents came in.
    pub(super) fn accepted(&self, sources: &[usize], offers: &[(usize, Offer)], verdict: &Verdict) {
        let now = Instant::now();
        let mut up = Vec::new();
        for &source in sources {
            let handle = &self.plan.sources[source];
            let before = self.board.set_source(source, handle.well(), None, now);
            if let Some((_, offer)) = offers.iter().find(|(s, _)| *s == source) {
                self.settle(source, offer, verdict.clone());
            }
            if matches!(before, SourceState::Refused | SourceState::Down) {
                up.push(handle.name.clone());
            }
        }
        // The status first: who hears that a source is up finds it healthy.
        self.board.clear_rejected_if_well();
        for source in up {
            self.tell(Event::SourceUp(SourceUp { source }));
        }
    }

    /// Sources whose documents stay out.
    pub(super) fn refuse(
        &self,
        sources: &[usize],
        offers: &[(usize, Offer)],
        problems: Vec<Problem>,
    ) -> Error {
        Board::count(&self.board.refused);
        let error = Error::problems_in("the new configuration", problems).keeping(self.version());
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

    /// Tells of the documents' warnings that are new, and keeps all for the status.
    pub(super) fn warn_of(&mut self, warnings: Vec<Warning>) {
        let known = std::mem::take(&mut self.warnings);
        for warning in &warnings {
            if !known.contains(warning) && !self.warnings.contains(warning) {
                self.tell(Event::Warning(warning.clone()));
            }
            self.warnings.insert(warning.clone());
        }
        self.board.set_warnings(warnings);
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
