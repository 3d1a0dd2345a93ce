//! Lists: replaced, joined, or merged by a key of their elements.

use super::{Merger, Voice, narrow, whole};
use crate::schema::meta::{FieldMeta, Merge, Schema};
use crate::value::{Document, Item, Kind};
use std::borrow::Cow;
use std::collections::HashMap;

impl Merger<'_> {
    /// A list of sections; every voice is an array.
    pub(super) fn sections(&mut self, schema: &'static Schema, how: Merge, voices: &[Voice]) -> Item {
        let elements = self.elements(how, voices, |key| {
            let named = schema.field(key).map_or(key, |field| field.name);
            Box::new(move |other: &str| {
                other == key || schema.field(other).is_some_and(|field| field.name == named)
            })
        });
        let length = self.path.len();
        let mut list = Vec::new();
        for (at, run) in elements.chunk_by(|a, b| a.slot == b.slot).enumerate() {
            self.path.push_str(&format!("[{at}]"));
            let standing = self.standing(run, Kind::Table);
            list.push(if standing.is_empty() {
                whole(run[run.len() - 1])
            } else {
                self.section(schema, &standing)
            });
            self.path.truncate(length);
        }
        self.list(list)
    }

    /// A leaf's list that its field says to join; every voice is an array.
    pub(super) fn joined(&mut self, field: &'static FieldMeta, voices: &[Voice]) -> Item {
        if let [voice] = voices {
            return whole(*voice);
        }
        let elements = self.elements(field.merge, voices, |key| Box::new(move |other: &str| other == key));
        let mut list = Vec::with_capacity(elements.len());
        for run in elements.chunk_by(|a, b| a.slot == b.slot) {
            let last = run[run.len() - 1];
            let tables = run.iter().all(|&v| self.kind(v) == Kind::Table);
            list.push(if tables { self.table(run, false) } else { whole(last) });
        }
        self.list(list)
    }

    fn list(&mut self, mut list: Vec<Item>) -> Item {
        let (start, len) = (narrow(self.items.len()), narrow(list.len()));
        self.items.append(&mut list);
        Item::List { start, len }
    }

    /// The elements of all lists in their final order; those that belong together share a slot.
    fn elements<'k>(
        &self,
        how: Merge,
        voices: &[Voice],
        is_key: impl FnOnce(&'static str) -> Box<dyn Fn(&str) -> bool + 'k>,
    ) -> Vec<Voice> {
        let from = if how == Merge::Replace { voices.len().saturating_sub(1) } else { 0 };
        let is_key = match how {
            Merge::ByKey(key) => Some(is_key(key)),
            _ => None,
        };
        let mut elements: Vec<Voice> = Vec::new();
        let mut known: HashMap<(bool, Cow<'_, str>), u32> = HashMap::new();
        let mut slots = 0;
        for &voice in &voices[from..] {
            let doc = self.doc(voice);
            // Two elements of one list never merge with each other: a document means what it says.
            let mut fresh = Vec::new();
            for node in doc.elements(voice.node) {
                let name = is_key.as_ref().and_then(|is_key| name_of(doc, node, is_key));
                let found = name.as_ref().and_then(|name| known.get(name).copied());
                let slot = found.unwrap_or(slots);
                if found.is_none() {
                    slots += 1;
                    fresh.extend(name.map(|name| (name, slot)));
                }
                elements.push(Voice { doc: voice.doc, node, slot });
            }
            for (name, slot) in fresh {
                known.entry(name).or_insert(slot);
            }
        }
        elements.sort_by_key(|element| element.slot);
        elements
    }
}

/// The value of an element's key as text, and whether it is a string; `None` where it has none.
fn name_of<'d>(doc: &'d Document, node: u32, is_key: &dyn Fn(&str) -> bool) -> Option<(bool, Cow<'d, str>)> {
    if doc.kind(node) != Kind::Table {
        return None;
    }
    let (_, value) = doc.entries(node).find(|&(key, _)| is_key(doc.str(key)))?;
    match doc.kind(value) {
        Kind::Str | Kind::Text | Kind::Datetime => Some((true, doc.str(value).into())),
        Kind::Int => Some((false, doc.int(value).to_string().into())),
        Kind::Uint => Some((false, doc.uint(value).to_string().into())),
        Kind::Bool => Some((false, doc.bool(value).to_string().into())),
        _ => None,
    }
}
