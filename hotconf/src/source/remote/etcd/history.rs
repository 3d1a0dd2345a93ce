//! What the answers of a watch mean: changes, a sign of life, or a history that we can no longer follow.
//!
//! Pure. A [`History`] begins with a listing and hears what its watch says, in order. What must hold:
//!
//! 1. The cluster stays the same, and the revision in the header never falls: else the store was wiped or
//!    restored, and what we hold is of another history. The first answer says so even where nothing changes.
//! 2. An answer is taken whole: its fragments are kept until the last of them is there.
//! 3. Nothing is told twice. A proxy may begin before the listing; what the listing has is left out.

use super::refusal::{Refusal, judge};
use super::wire::{Event, Header, MOST_EVENTS, Pair, Span, Watched};
use crate::source::remote::{Entry, Step};
use crate::source::{Cursor, SourceError};
use std::sync::Arc;

/// One history of one store, from a listing on.
#[derive(Debug)]
pub(super) struct History {
    span: Span,
    cluster: u64,
    /// As of when everything was listed.
    listed: u64,
    /// The revision of the last change that was told, or of the listing.
    told: u64,
    /// The highest revision that was heard of.
    seen: u64,
    /// Of an answer that comes in fragments: what is there, and how many bytes that is.
    partial: Vec<Event>,
    held: usize,
    /// How many bytes are held at most.
    most: usize,
}

impl History {
    pub(super) fn new(span: Span, listed: Header, most: usize) -> Self {
        let revision = listed.revision;
        Self {
            span,
            cluster: listed.cluster,
            listed: revision,
            told: revision,
            seen: revision,
            partial: Vec::new(),
            held: 0,
            most,
        }
    }

    /// Where we are in it. A progress notice moves it no further than the last change: servers before 3.5.8
    /// send one ahead of the events that it speaks of.
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { epoch: self.cluster, order: self.told, token: None }
    }

    /// What an answer says; `None`: nothing yet.
    pub(super) fn hear(&mut self, said: Watched) -> Result<Option<Step>, Refusal> {
        if said.canceled {
            return Err(canceled(&said, self.told));
        }
        let Header { cluster, revision } = said.header;
        // A proxy leaves the cluster out where it answers by itself.
        if cluster != 0 && cluster != self.cluster {
            let expected = self.cluster;
            return Err(gap(format!(
                "expected cluster {expected:x}, found {cluster:x}: the store is another"
            )));
        }
        if revision < self.seen {
            let seen = self.seen;
            return Err(gap(format!(
                "expected revision {seen} or a later one, found {revision}: the store was restored or wiped"
            )));
        }
        self.seen = revision;
        self.held +=
            said.events.iter().map(|event| event.pair.key.len() + event.pair.value.len()).sum::<usize>();
        self.partial.extend(said.events);
        if self.held > self.most || self.partial.len() > MOST_EVENTS {
            return Err(gap("one answer has more changes than there is room for".to_owned()));
        }
        if said.fragment || said.created {
            return Ok(None);
        }
        self.held = 0;
        let events = std::mem::take(&mut self.partial);
        self.step(events).map(Some)
    }

    /// What whole answers say, in order.
    fn step(&mut self, events: Vec<Event>) -> Result<Step, Refusal> {
        let before = self.told;
        let mut changes = Vec::with_capacity(events.len());
        for Event { deleted, pair } in events {
            let revision = pair.revision;
            if revision <= self.listed {
                continue;
            }
            if revision <= before || revision < self.told {
                let told = self.told;
                return Err(gap(format!("expected a change after revision {told}, found one of {revision}")));
            }
            if !self.span.contains(&pair.key) {
                return Err(gap("found a change of a key that was not asked for".to_owned()));
            }
            self.told = revision;
            let (key, entry) = entry(&pair);
            changes.push((key, (!deleted).then_some(entry)));
        }
        self.seen = self.seen.max(self.told);
        let cursor = self.cursor();
        Ok(if changes.is_empty() { Step::Same { cursor } } else { Step::Delta { changes, cursor } })
    }
}

/// What stands at a key. A key that is no text gets a name that shows its bytes, and fits no field.
pub(super) fn entry(pair: &Pair) -> (Arc<str>, Entry) {
    let name = match std::str::from_utf8(&pair.key) {
        Ok(name) => Arc::from(name),
        Err(_) => Arc::from(pair.key.escape_ascii().to_string()),
    };
    (name, Entry::new(&*pair.value, pair.revision))
}

fn canceled(said: &Watched, told: u64) -> Refusal {
    if said.compacted > 0 {
        let compacted = said.compacted;
        return gap(format!("revisions up to {compacted} were compacted, and we have seen {told} only"));
    }
    if said.reason.is_empty() {
        return Refusal::Error(SourceError::down("the server ended the watch and says no reason"));
    }
    judge(None, &said.reason, &[])
}

fn gap(message: String) -> Refusal {
    Refusal::Error(SourceError::gap(message))
}
