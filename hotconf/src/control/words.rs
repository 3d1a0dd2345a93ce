//! What control is told, and what it has the engine do.

use crate::error::{Error, Problem};
use crate::source::{SourceError, Verdict};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Input<D> {
    /// A source answered: by itself, or the refresh of that ticket.
    Answered { source: usize, answer: Answer<D>, ticket: Option<u64> },
    /// No source is about to bring anything.
    Calm,
    /// The instant that [`Effect::WakeAt`] named has come.
    Time,
    /// An overlay of a document in force begins or ends to hold by now.
    Flipped,
    /// Somebody asks for every source to be read anew. Not while an earlier one is unanswered.
    Reload,
    /// The candidate that [`Effect::Judge`] asked for was judged.
    Judged(Judged),
}

/// A document, of which maybe a part can be taken where the whole is refused.
pub(crate) trait Document: Clone {
    /// What is new in it and not broken, and all else as it was accepted; `None` where that is nothing.
    fn mended(&self, accepted: &Self) -> Option<Self>;
}

/// How a source answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer<D> {
    /// With its state as of now.
    Brought(D),
    /// It could not.
    Failed(SourceError),
    /// Its token was cancelled, or it failed for good: nothing more will come.
    Ended(Option<SourceError>),
}

/// How a candidate fared.
#[derive(Debug, Clone)]
pub(crate) enum Judged {
    /// What is desired is valid.
    Good(Good),
    /// It is not.
    Bad(Refusal),
    /// It cannot be told: it names files that are not at hand. What would be said of it without them.
    Wants(BTreeSet<PathBuf>, Refusal),
}

/// What is to be known of a candidate whose desired value is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Good {
    /// What would run.
    pub(crate) runs: Runs,
    /// Leaves whose desired value would not run: those that apply on restart, or, where what would run
    /// fails, all that differ from what runs.
    pub(crate) waiting: Vec<u32>,
    /// Leaves whose desired value is another than the one desired before, ascending.
    pub(crate) moved: Vec<u32>,
}

/// What would run: what is desired, with every restart field as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// It is valid, and differs from what runs.
    Moves,
    /// It is what runs.
    Stays,
    /// It fails a check.
    Fails,
}

/// Why a candidate is not valid: every problem, and the warnings that may explain one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusal {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

/// What the engine shall do, in this order.
#[derive(Debug, Clone)]
pub(crate) enum Effect<D> {
    /// Have every source that has not ended answer anew, with this ticket.
    Refresh { ticket: u64 },
    /// Load a candidate from these documents, one per source, and say how it fared.
    Judge { candidate: Vec<D>, second: bool },
    /// Have these files read and followed too, and those that are followed read anew: what comes of it is an
    /// answer of the source that stands for the named files.
    Fetch(BTreeSet<PathBuf>),
    /// Put the candidate judged last in force as this version. Where that is the version before, nothing
    /// moves: only places and what waits are noted.
    Install { version: u64, waiting: Vec<u32> },
    /// Tell a source what became of what it brought.
    Settle { source: usize, document: D, verdict: Verdict },
    /// Note how a source stands.
    Stand { source: usize, standing: Standing },
    /// Note the refusal that stands.
    Refused(Option<Error>),
    /// Tell everybody.
    Tell(News),
    /// Answer whoever asked for a reload.
    Answer(Result<u64, Error>),
    /// Look again at this instant and at no other: [`Input::Time`].
    WakeAt(Option<Instant>),
}

/// How a source stands.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// What it holds is in force.
    Well,
    /// What it holds was refused.
    Refused(Error),
    /// It is gone or cannot be read.
    Down(Error),
    /// Its token was cancelled.
    Stopped,
}

/// What is told.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// What a source brought was refused.
    Rejected(Error),
    /// A source is gone or cannot be read.
    Down { source: usize, error: Error },
    /// A source that was down, or whose content was refused, is well again.
    Up { source: usize },
    /// These leaves have a new value waiting for a restart.
    RestartRequired(Vec<u32>),
}
