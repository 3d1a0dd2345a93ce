//! How a version is put in force, and how what control decided reaches the status and the events.
//!
//! The order of a version: judged, swapped (with lives and views), watches, callbacks, events.

use super::driver::Driver;
use super::judge::Candidate;
use crate::control::{News, Standing};
use crate::error::Problem;
use crate::load::HotConf;
use crate::observe::{
    Applied, Board, Event, RestartRequired, SourceDown, SourceState, SourceUp, Warning, trace,
};
use crate::publish::{Meta, Scope, Snapshot, Version};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

impl<T: HotConf> Driver<T> {
    /// Puts a candidate in force as `version`, and tells of it where that is a new one.
    pub(super) fn install(&mut self, candidate: Candidate<T>, version: u64, waiting: Vec<u32>) {
        let before = self.base.running.clone();
        let moved = version != before.version();
        let (value, tree, desired) = match candidate.running {
            Some((running, tree)) => (running, tree, Some(candidate.desired)),
            None => (candidate.desired, candidate.tree.clone(), None),
        };
        let index = before.0.meta.index.clone();
        self.out.board.set_pending(waiting.iter().map(|leaf| index.path(*leaf).to_string()).collect());
        let meta = Arc::new(Meta {
            number: version,
            at: if moved { SystemTime::now() } else { before.time() },
            schema: T::SCHEMA,
            index,
            tree,
            waiting,
            stack: candidate.stack,
            fingerprint: OnceLock::new(),
        });
        let after = Snapshot(Arc::new(Version { value: *value, meta, scope: Scope::default() }));
        if moved {
            self.out.board.installed(Instant::now());
            Board::count(&self.out.board.applied);
            trace::publish(&self.plan.name, version, || {
                self.topic.install(&after, candidate.moved.as_slice());
                self.topic.tell(&before, &after, candidate.moved.as_slice());
            });
        } else {
            // Same values, newer places: lines may have shifted.
            self.topic.core.cell.refresh(after.clone());
        }
        let next = Arc::new(self.base.next(desired, candidate.tree, after.clone()));
        let gone = std::mem::replace(&mut self.base, next);
        if moved {
            self.tell(Event::Applied(Applied {
                before: before.0.meta.clone(),
                after: after.0.meta.clone(),
                moved: candidate.moved,
            }));
        }
        self.note_warnings(candidate.warnings);
        if T::SCHEMA.foreign {
            self.out.teller.retire((before, gone));
        }
    }

    /// Keeps the documents' warnings for the status, and tells those that are new.
    pub(super) fn note_warnings(&mut self, warnings: Vec<Problem>) {
        let warnings: Vec<Warning> = warnings.into_iter().map(Into::into).collect();
        let news = self.told.of_documents(&warnings);
        self.out.board.set_warnings(warnings);
        for warning in news {
            self.tell(Event::Warning(warning));
        }
    }

    /// Notes in the status how a source stands.
    pub(super) fn note_standing(&self, source: usize, standing: Standing) {
        let (state, error) = match standing {
            Standing::Well => (self.plan.sources[source].well(), None),
            Standing::Refused(error) => (SourceState::Refused, Some(error)),
            Standing::Down(error) => (SourceState::Down, Some(error)),
            Standing::Stopped => (SourceState::Stopped, None),
        };
        self.out.board.set_source(source, state, error, Instant::now());
    }

    /// Makes the event of what control tells.
    pub(super) fn tell_news(&self, news: News) {
        let name = |source: usize| self.plan.sources[source].name.clone();
        self.tell(match news {
            News::Rejected(error) => {
                Board::count(&self.out.board.refused);
                return trace::refuse(&self.plan.name, &error.clone(), || self.tell(Event::Rejected(error)));
            }
            News::Down { source, error } => Event::SourceDown(SourceDown { source: name(source), error }),
            News::Up { source } => Event::SourceUp(SourceUp { source: name(source) }),
            News::RestartRequired(leaves) => {
                let index = &self.base.running.0.meta.index;
                let paths = leaves.iter().map(|leaf| index.path(*leaf).to_string()).collect();
                Event::RestartRequired(RestartRequired { paths })
            }
        });
    }

    pub(super) fn tell(&self, event: Event) {
        self.out.teller.tell(&event);
    }
}
