//! Offers, refusals, second tries and versions.

use super::pending::Pending;
use super::standing::Source;
use super::window::{FETCH, Reload, Window};
use super::words::{Answer, Document, Effect, Good, Input, Judged, News, Refusal, Runs};
use crate::error::Error;
use crate::source::{SourceError, SourceErrorKind, Verdict};
use crate::sync::later;
use std::sync::Arc;
use std::time::Instant;

/// What is accepted of each source, what was set aside, and what is under way.
#[derive(Debug, Clone)]
pub(crate) struct Control<D> {
    /// The version in force.
    version: u64,
    sources: Vec<Source<D>>,
    window: Window<D>,
    trial: Option<Trial<D>>,
    reload: Option<Reload>,
    pending: Pending,
    /// Numbers tickets and refusals.
    count: u64,
    /// The number of the refusal that was noted last as the one that stands.
    stands: Option<u64>,
    /// The instant that was asked for last.
    wake: Option<Instant>,
    /// The source that stands for the files that settings name.
    files: Option<usize>,
    /// Until when a candidate waits for such files.
    fetching: Option<Instant>,
}

/// A candidate that is being judged.
#[derive(Debug, Clone)]
struct Trial<D> {
    newcomers: Vec<(usize, D)>,
    /// The first candidate held documents that had been set aside earlier: those sources.
    older: Vec<usize>,
    /// Why the first candidate was refused; this is the second then: accepted documents and the newcomers alone.
    first: Option<Refusal>,
    /// The newcomer of the named files as it came, where the second candidate has it without what is broken.
    broken: Option<D>,
}

impl<D: Document> Control<D> {
    /// Begins with what the first load accepted, as version 1.
    pub(crate) fn new(accepted: impl IntoIterator<Item = (Arc<str>, D)>) -> Self {
        Self {
            version: 1,
            sources: accepted.into_iter().map(|(name, document)| Source::new(name, document)).collect(),
            window: Window::default(),
            trial: None,
            reload: None,
            pending: Pending::default(),
            count: 0,
            stands: None,
            wake: None,
            files: None,
            fetching: None,
        }
    }

    /// The same with the source that stands for the files that settings name. While none does, it is asked
    /// nothing.
    pub(crate) fn with_files(mut self, source: usize, none: bool) -> Self {
        self.sources[source].ended = none;
        self.files = Some(source);
        self
    }

    /// Whether a window is open that closes as soon as no source is about to bring anything.
    pub(crate) fn waits_for_calm(&self) -> bool {
        self.window.is_open() && !self.window.is_held() && self.reload.is_none() && self.trial.is_none()
    }

    /// Whether a reload is unanswered.
    pub(crate) fn is_reloading(&self) -> bool {
        self.reload.is_some()
    }

    /// Takes one input and says what to do.
    pub(crate) fn step(&mut self, input: Input<D>, now: Instant) -> Vec<Effect<D>> {
        let mut effects = Vec::new();
        let calm = matches!(input, Input::Calm);
        match input {
            Input::Answered { source, answer, ticket } => {
                self.answered(source, answer, now, &mut effects);
                if let Some(reload) = &mut self.reload {
                    reload.answered(source, ticket);
                }
            }
            Input::Calm | Input::Time => {}
            Input::Flipped => {
                if self.trial.is_none() {
                    self.offer(&mut effects);
                }
            }
            Input::Reload => self.ask(now, &mut effects),
            Input::Judged(judged) => {
                if let Some(trial) = self.trial.take() {
                    self.judged(trial, judged, now, &mut effects);
                }
            }
        }
        if self.trial.is_none() {
            self.look(calm, now, &mut effects);
        }
        if !self.window.is_open() && self.trial.is_none() {
            self.fetching = None;
        }
        self.note_refusal(&mut effects);
        let wake = [self.window.closes(), self.reload.as_ref().map(Reload::deadline)];
        // While a candidate is judged, nothing can be done at any instant.
        let wake = wake.into_iter().flatten().min().filter(|_| self.trial.is_none());
        if wake != self.wake {
            self.wake = wake;
            effects.push(Effect::WakeAt(wake));
        }
        effects
    }

    fn answered(&mut self, source: usize, answer: Answer<D>, now: Instant, effects: &mut Vec<Effect<D>>) {
        // Whatever it says, what it brought earlier in this window is no longer what it holds.
        let earlier = match answer {
            Answer::Brought(document) => self.window.put(source, document, now),
            Answer::Failed(error) => {
                self.failed(source, error, effects);
                self.window.remove(source)
            }
            Answer::Ended(error) => {
                self.sources[source].ended = true;
                if let Some(reload) = &mut self.reload {
                    reload.ended(source);
                }
                if let Some(error) = error {
                    self.failed(source, error, effects);
                } else {
                    self.sources[source].stop();
                    self.stand(source, effects);
                }
                self.window.remove(source)
            }
        };
        if self.files == Some(source) {
            self.window.release(now);
        }
        if let Some(document) = earlier {
            effects.push(Effect::Settle { source, document, verdict: Verdict::Superseded });
        }
    }

    /// A source could not answer: that is said once, and what it brought last stays.
    fn failed(&mut self, source: usize, error: SourceError, effects: &mut Vec<Effect<D>>) {
        let kind = error.kind();
        let name = &self.sources[source].name;
        let problems = error.into_problems().into_iter().map(|problem| problem.of(name)).collect();
        let error = Error::problems_in(name.to_string(), problems).keeping(self.version);
        let news = if kind == SourceErrorKind::Invalid {
            let number = self.number();
            self.sources[source].spoil(number, error.clone());
            Some(News::Rejected(error.clone()))
        } else {
            let news = self.sources[source].go_down(error.clone());
            news.then(|| News::Down { source, error: error.clone() })
        };
        if let Some(reload) = &mut self.reload {
            reload.met(&error);
        }
        self.stand(source, effects);
        self.note_refusal(effects);
        effects.extend(news.map(Effect::Tell));
    }

    /// Somebody asks for a reload.
    fn ask(&mut self, now: Instant, effects: &mut Vec<Effect<D>>) {
        debug_assert!(self.reload.is_none(), "one reload at a time");
        let ticket = self.number();
        let asked = (0..self.sources.len()).filter(|source| !self.sources[*source].ended);
        self.reload = Some(Reload::new(ticket, asked, now));
        effects.push(Effect::Refresh { ticket });
    }

    /// Offers what came, and answers who waits, where it is time for that.
    fn look(&mut self, calm: bool, now: Instant, effects: &mut Vec<Effect<D>>) {
        let through = self.reload.as_ref().is_some_and(|reload| reload.is_through(now));
        let due = self.window.closes().is_some_and(|at| now >= at);
        let held = self.window.is_held();
        if self.window.is_open() && (due || !held && (through || calm && self.reload.is_none())) {
            self.offer(effects);
        } else if let Some(reload) = self.reload.take_if(|_| through && !held) {
            let names: Vec<_> = self.sources.iter().map(|source| source.name.clone()).collect();
            let ended = self.sources.iter().filter(|source| source.ended);
            let gone = ended.filter_map(Source::why_down).cloned().collect();
            effects.push(Effect::Answer(reload.answer(self.version, &names, gone)));
        }
    }

    /// The first candidate: the newest document of every source.
    fn offer(&mut self, effects: &mut Vec<Effect<D>>) {
        let newcomers = self.window.take();
        let is_new = |source: usize| newcomers.iter().any(|(s, _)| *s == source);
        let older =
            (0..self.sources.len()).filter(|s| self.sources[*s].aside.is_some() && !is_new(*s)).collect();
        let newest = |source: &Source<D>| source.aside.as_ref().unwrap_or(&source.accepted).clone();
        let candidate = with(self.sources.iter().map(newest).collect(), &newcomers);
        self.trial = Some(Trial { newcomers, older, first: None, broken: None });
        effects.push(Effect::Judge { candidate, second: false });
    }

    fn judged(&mut self, trial: Trial<D>, judged: Judged, now: Instant, effects: &mut Vec<Effect<D>>) {
        let refusal = match (judged, self.files) {
            (Judged::Good(good), _) => return self.accept(trial, good, effects),
            (Judged::Wants(paths, _), Some(files)) if self.fetching.is_none_or(|until| now < until) => {
                let until = *self.fetching.get_or_insert_with(|| later(now, FETCH));
                self.sources[files].ended = false;
                self.window.hold(trial.newcomers, until);
                return effects.push(Effect::Fetch(paths));
            }
            // Where the time of files is over, it is wrong that they are not there.
            (Judged::Bad(refusal) | Judged::Wants(_, refusal), _) => refusal,
        };
        let mended = self.mended(&trial.newcomers).filter(|_| trial.first.is_none());
        if trial.first.is_none() && (!trial.older.is_empty() || mended.is_some()) {
            let accepted = self.sources.iter().map(|source| source.accepted.clone()).collect();
            let Trial { mut newcomers, older, .. } = trial;
            let broken = mended.map(|(at, mended)| std::mem::replace(&mut newcomers[at].1, mended));
            let candidate = with(accepted, &newcomers);
            self.trial = Some(Trial { newcomers, older, first: Some(refusal), broken });
            effects.push(Effect::Judge { candidate, second: true });
        } else {
            // The problems of the first candidate: it is what the sources hold.
            let Trial { mut newcomers, first, broken, .. } = trial;
            if let Some(broken) = broken {
                newcomers
                    .iter_mut()
                    .filter(|(s, _)| Some(*s) == self.files)
                    .for_each(|n| n.1 = broken.clone());
            }
            self.refuse(newcomers, first.unwrap_or(refusal), effects);
        }
    }

    /// Where among the newcomers the named files are, and what of them is not broken.
    fn mended(&self, newcomers: &[(usize, D)]) -> Option<(usize, D)> {
        let files = self.files?;
        let at = newcomers.iter().position(|(source, _)| *source == files)?;
        newcomers[at].1.mended(&self.sources[files].accepted).map(|mended| (at, mended))
    }

    fn accept(&mut self, trial: Trial<D>, good: Good, effects: &mut Vec<Effect<D>>) {
        self.fetching = None;
        let mut changed: Vec<(usize, bool)> = Vec::new();
        let broken = trial.broken.zip(trial.first.clone()).zip(self.files);
        for (source, document) in &trial.newcomers {
            changed.push((*source, self.sources[*source].accept(document.clone())));
        }
        for &source in trial.older.iter().filter(|_| trial.first.is_none()) {
            changed.push((source, self.sources[source].accept_aside()));
        }
        changed.sort_unstable();
        let verdict = match good.runs {
            Runs::Moves => {
                self.version += 1;
                Verdict::Applied { version: self.version }
            }
            // Only places moved, or what would run fails its checks: then the whole change is pending.
            Runs::Stays | Runs::Fails => Verdict::Unchanged,
        };
        // The status first: who hears of a version, or that a source is up, and asks for it finds it.
        for (source, _) in &changed {
            self.stand(*source, effects);
        }
        self.note_refusal(effects);
        effects.push(Effect::Install { version: self.version, waiting: good.waiting.clone() });
        let news = self.pending.settle(good.waiting.clone(), |leaf| good.moved.binary_search(&leaf).is_ok());
        if news {
            effects.push(Effect::Tell(News::RestartRequired(good.waiting)));
        }
        for (source, document) in trial.newcomers {
            effects.push(Effect::Settle { source, document, verdict: verdict.clone() });
        }
        // What was set aside had its verdict, and now has another.
        for source in trial.older.into_iter().filter(|_| trial.first.is_none()) {
            let document = self.sources[source].accepted.clone();
            effects.push(Effect::Settle { source, document, verdict: verdict.clone() });
        }
        let whole = |source: usize| broken.as_ref().is_none_or(|(_, files)| *files != source);
        let recovered = changed.into_iter().filter(|(source, recovered)| *recovered && whole(*source));
        effects.extend(recovered.map(|(source, _)| Effect::Tell(News::Up { source })));
        if let Some(((document, refusal), files)) = broken {
            self.refuse(vec![(files, document)], refusal, effects);
        }
    }

    fn refuse(&mut self, newcomers: Vec<(usize, D)>, refusal: Refusal, effects: &mut Vec<Effect<D>>) {
        self.fetching = None;
        let error = Error::problems_in("the new configuration", refusal.problems)
            .warned(refusal.warnings)
            .keeping(self.version);
        let number = self.number();
        for (source, document) in newcomers {
            self.sources[source].set_aside(document.clone(), number, error.clone());
            self.stand(source, effects);
            effects.push(Effect::Settle { source, document, verdict: Verdict::Refused });
        }
        if let Some(reload) = &mut self.reload {
            reload.met(&error);
        }
        self.note_refusal(effects);
        effects.push(Effect::Tell(News::Rejected(error)));
    }

    fn stand(&self, source: usize, effects: &mut Vec<Effect<D>>) {
        effects.push(Effect::Stand { source, standing: self.sources[source].standing() });
    }

    /// Notes the newest refusal of what a source still holds, where that is another than before.
    fn note_refusal(&mut self, effects: &mut Vec<Effect<D>>) {
        let newest = self.sources.iter().filter_map(Source::refusal).max_by_key(|(number, _)| *number);
        let number = newest.map(|(number, _)| *number);
        if number != self.stands {
            self.stands = number;
            effects.push(Effect::Refused(newest.map(|(_, error)| error.clone())));
        }
    }

    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// The documents, with those of the newcomers in their places.
fn with<D: Clone>(mut documents: Vec<D>, newcomers: &[(usize, D)]) -> Vec<D> {
    for (source, document) in newcomers {
        documents[*source] = document.clone();
    }
    documents
}

#[cfg(test)]
impl<D> Control<D> {
    /// The accepted document of each source.
    pub(super) fn accepted(&self) -> Vec<&D> {
        self.sources.iter().map(|source| &source.accepted).collect()
    }

    /// The documents that are set aside.
    pub(super) fn aside(&self) -> Vec<&D> {
        self.sources.iter().filter_map(|source| source.aside.as_ref()).collect()
    }
}
