//! Documents of all layers → one tree, guided by the schema.
//!
//! A section becomes one slot per field, whatever names and aliases the documents used; a leaf points
//! into the document that won. The rules that hold:
//!
//! 1. Nothing is allocated per leaf: only what several layers, or several documents, build together
//!    has storage of its own.
//! 2. Every problem and warning names a place; none shows a value, since the type is not known yet.
//! 3. A table, list or scalar that stands where a section expects another kind is reported here, once.
//!    It stays in its slot where nothing else does, so that the loader knows that something was said.

mod fields;
mod lists;
mod open;
mod tables;
#[cfg(test)]
mod tests;

pub(super) use open::{Opened, RESERVED, open};

use super::overlays::Overlays;
use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;
use crate::schema::keys;
use crate::schema::meta::Schema;
use crate::value::{Document, Item, Kind, Layered, Tree};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// The variant of an enum section whose tag is missing or unknown: it has slot 0 and no fields.
pub(crate) const NO_VARIANT: u16 = u16::MAX;

/// What is done with keys that no field has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    /// Unknown keys are problems everywhere, not only where a type denies them.
    pub(crate) deny_unknown: bool,
}

/// What all documents say together.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The root is a section of the schema.
    pub(crate) tree: Tree,
    /// In the order of the documents within a section, sections from the top.
    pub(crate) problems: Vec<Problem>,
    /// Unknown and deprecated keys, and aliases beside their names; one per path and place.
    pub(crate) warnings: Vec<Problem>,
}

/// Merges documents, lowest first, without overlays.
pub(crate) fn merge(docs: &[Layered], schema: &'static Schema, policy: Policy) -> Merged {
    merge_with(docs, &Overlays::default(), schema, policy)
}

/// Merges documents, lowest first, each with those of its overlays that hold.
pub(super) fn merge_with(
    docs: &[Layered],
    overlays: &Overlays,
    schema: &'static Schema,
    policy: Policy,
) -> Merged {
    let opened = open(docs, overlays, false, schema);
    let mut merger = Merger {
        docs: &opened.docs,
        links: &opened.links,
        root: schema,
        policy,
        // Sections take a slot beside their leaves: with a few leaves each, these fit too.
        items: Vec::with_capacity(schema.len as usize * 9 / 8 + 8),
        entries: Vec::new(),
        path: String::new(),
        problems: opened.problems,
        warnings: Vec::new(),
        suggestions: 0,
    };
    let root = merger.section(schema, &opened.roots);
    let Merger { items, entries, problems, warnings, .. } = merger;
    Merged {
        tree: Tree { docs: opened.docs, items, entries, root, contents: None },
        problems: once(problems),
        warnings: once(warnings),
    }
}

/// The first of each path and place.
fn once(mut problems: Vec<Problem>) -> Vec<Problem> {
    if problems.len() > 1 {
        let mut seen: HashSet<(String, Option<Origin>, String)> = HashSet::with_capacity(problems.len());
        problems.retain(|p| {
            // Without a path it is the message that tells one from another.
            let message = if p.path.is_empty() { p.message.clone() } else { String::new() };
            seen.insert((p.path.clone(), p.origin.clone(), message))
        });
    }
    problems
}

/// What one document says at the place being merged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    pub(super) doc: u16,
    pub(super) node: u32,
    /// Of which field, entry or element it speaks, while those of a container are sorted out.
    pub(super) slot: u32,
}

/// From a node of a mount's tables to the document that is mounted there.
#[derive(Debug)]
pub(super) struct Link {
    mount: u16,
    node: u32,
    target: Voice,
}

pub(super) struct Merger<'d> {
    docs: &'d [Arc<Document>],
    links: &'d [Link],
    pub(super) root: &'static Schema,
    pub(super) policy: Policy,
    items: Vec<Item>,
    entries: Vec<(u16, u32, Item)>,
    /// Dotted path of the section being merged.
    path: String,
    pub(super) problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// How many unknown keys got a suggestion: it costs a comparison with every name.
    pub(super) suggestions: usize,
}

impl<'d> Merger<'d> {
    fn doc(&self, voice: Voice) -> &'d Document {
        &self.docs[usize::from(voice.doc)]
    }

    fn kind(&self, voice: Voice) -> Kind {
        self.doc(voice).kind(voice.node)
    }

    fn origin(&self, voice: Voice) -> Origin {
        self.doc(voice).origin(voice.node)
    }

    /// Goes on into the mounted document where `voice` is the place it is mounted at.
    fn follow(&self, voice: Voice) -> Voice {
        follow(self.links, voice)
    }

    /// Whether the subtree is all in one document, so that it can be pointed to as a whole.
    fn is_whole(&self, voice: Voice) -> bool {
        self.links.iter().all(|link| link.mount != voice.doc)
    }

    /// Makes room for `count` slots.
    fn reserve(&mut self, count: usize) -> u32 {
        let start = narrow(self.items.len());
        self.items.resize(self.items.len() + count, Item::Absent);
        start
    }

    /// Works below `key` of the present path.
    fn below<R>(&mut self, key: &str, work: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        keys::push(&mut self.path, key);
        let result = work(self);
        self.path.truncate(length);
        result
    }

    /// The path of `key` in the section being merged.
    pub(in crate::layer) fn path_of(&self, key: &str) -> String {
        let mut path = self.path.clone();
        keys::push(&mut path, key);
        path
    }

    /// The voices that count where a container of `kind` is expected: those above the last null that
    /// are one. Others are reported at the present path.
    fn standing<'v>(&mut self, voices: &'v [Voice], kind: Kind) -> Cow<'v, [Voice]> {
        let cut = voices.iter().rposition(|&v| self.kind(v) == Kind::Null).map_or(0, |at| at + 1);
        let voices = &voices[cut..];
        if voices.iter().all(|&v| self.kind(v) == kind) {
            return Cow::Borrowed(voices);
        }
        let (good, bad): (Vec<Voice>, Vec<Voice>) = voices.iter().partition(|&&v| self.kind(v) == kind);
        for voice in bad {
            let at = voices.iter().position(|v| (v.doc, v.node) == (voice.doc, voice.node));
            let (below, above) = voices.split_at(at.expect("it is one of them"));
            self.clash(voice, kind, below, above);
        }
        Cow::Owned(good)
    }

    /// Reports a value that is not the container that the schema, and maybe other layers, have there.
    fn clash(&mut self, voice: Voice, expected: Kind, below: &[Voice], above: &[Voice]) {
        let mut message = format!("expected {}, found {}", noun(expected), noun(self.kind(voice)));
        let hidden: Vec<&Voice> = below.iter().rev().filter(|v| self.kind(**v) == expected).collect();
        let over = above.iter().rev().find(|v| self.kind(**v) == expected);
        if let Some(over) = over {
            message.push_str(&format!("; {} sets {}", self.origin(*over), noun(expected)));
        } else if let Some(hidden) = hidden.first() {
            message.push_str(&format!("; {} sets {}", self.origin(**hidden), noun(expected)));
        }
        let conflict = over.is_some() || !hidden.is_empty();
        let kind = if conflict { ProblemKind::Conflict } else { ProblemKind::Type };
        let mut problem = Problem::new(kind, self.path.clone(), message).at(self.origin(voice));
        problem.hides = hidden.iter().map(|v| format!("{} {}", noun(expected), self.origin(**v))).collect();
        self.problems.push(problem);
    }
}

/// The mounted document's voice where `voice` is the place of a mount.
fn follow(links: &[Link], voice: Voice) -> Voice {
    match links.iter().find(|link| link.mount == voice.doc && link.node == voice.node) {
        Some(link) => Voice { slot: voice.slot, ..link.target },
        None => voice,
    }
}

/// What a person calls a node of this kind.
pub(super) fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Null => "null",
        Kind::Bool => "a boolean",
        Kind::Int | Kind::Uint => "an integer",
        Kind::Float => "a float",
        Kind::Str | Kind::Key => "a string",
        Kind::Text => "a text",
        Kind::Datetime => "a date-time",
        Kind::Array => "a list",
        Kind::Table => "a table",
    }
}

fn whole(voice: Voice) -> Item {
    Item::Doc { doc: voice.doc, node: voice.node }
}

/// Documents are capped far below `u32::MAX` nodes, and so is what is built of them.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("a tree has fewer than 2^32 nodes")
}
