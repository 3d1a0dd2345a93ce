//! Which overlays the documents carry, and which of them hold here and now.
//!
//! An overlay is a table in a document that speaks directly above it. Who we are and what time it is come from
//! outside; they are kept, so that it can be told later why an overlay holds.

use crate::grey::{Instance, Moment, Overlay, read};
use crate::value::{Kind, Layered};
use std::sync::Arc;

/// The overlays of all documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlays {
    list: Vec<Carried>,
    asked: Option<(Arc<Instance>, Moment)>,
}

/// An overlay of one document.
#[derive(Clone, Debug)]
struct Carried {
    /// Index of the document.
    doc: usize,
    overlay: Overlay,
    holds: bool,
}

impl Overlays {
    /// Finds those that `docs` carry, and asks each whether it holds. Also the next instant at which one flips.
    pub(super) fn ask(docs: &[Layered], here: &Arc<Instance>, now: Moment) -> (Self, Option<Moment>) {
        let (mut list, mut flips) = (Vec::new(), None);
        for (index, layered) in docs.iter().enumerate() {
            let Some(when) = layered.part().and_then(|node| list_of(layered, node)) else { continue };
            // What is wrong with them is told by the merge.
            for overlay in read(&layered.doc, when).0 {
                let outcome = overlay.scope.outcome(here, now);
                flips = flips.into_iter().chain(outcome.flips).min();
                list.push(Carried { doc: index, overlay, holds: outcome.holds });
            }
        }
        let asked = (!list.is_empty()).then(|| (here.clone(), now));
        (Self { list, asked }, flips)
    }

    /// Of one document: number, the node of the table, and whether it holds; in the document's order.
    pub(super) fn of(&self, doc: usize) -> impl Iterator<Item = (usize, u32, bool)> + '_ {
        let all = self.list.iter().enumerate().filter(move |(_, carried)| carried.doc == doc);
        all.map(|(number, carried)| (number, carried.overlay.set, carried.holds))
    }

    /// Whether that of this number holds.
    pub(super) fn holds(&self, number: usize) -> bool {
        self.list[number].holds
    }

    /// What `explain` says of one: that it holds, or why it does not.
    pub(super) fn note(&self, number: usize) -> String {
        let Carried { overlay, holds, .. } = &self.list[number];
        let name = overlay.scope.name();
        let why = self.asked.as_ref().map(|(here, now)| overlay.scope.why(here, *now)).unwrap_or_default();
        let verb = if *holds { "holds" } else { "does not hold" };
        format!("overlay `{name}` {verb}: {why}")
    }

    /// Each that does not hold, by its name, with what would be if it did.
    pub(super) fn others(&self) -> impl Iterator<Item = (Arc<str>, Self)> + '_ {
        let away = self.list.iter().enumerate().filter(|(_, carried)| !carried.holds);
        away.map(|(number, carried)| {
            let mut with = self.clone();
            with.list[number].holds = true;
            (carried.overlay.scope.name().clone(), with)
        })
    }
}

/// The list `hotconf.when` of a document's part.
fn list_of(layered: &Layered, part: u32) -> Option<u32> {
    let doc = &layered.doc;
    let entry = |table: u32, key: &str| {
        let entries = (doc.kind(table) == Kind::Table).then(|| doc.entries(table))?;
        entries.into_iter().find(|&(k, _)| doc.str(k) == key).map(|(_, value)| value)
    };
    entry(entry(part, super::merge::RESERVED)?, "when")
}
