//! Tables whose keys the schema does not know: maps of leaves, maps of sections.

use super::{Merger, Voice, narrow, whole};
use crate::schema::meta::Schema;
use crate::value::{Item, Kind};
use std::collections::HashMap;

/// Above this many entries keys are found by hash.
const LARGE: usize = 16;

/// One entry while its table is merged.
struct Entry<'d> {
    name: &'d str,
    /// The key in the topmost document that has it.
    key: (u16, u32),
}

impl Merger<'_> {
    /// Merges the tables of a leaf, key by key at every depth; a null drops what lower layers said.
    pub(super) fn table(&mut self, voices: &[Voice], keep_null: bool) -> Item {
        if let [voice] = voices
            && self.is_whole(*voice)
            && (keep_null || !self.holds_null(*voice))
        {
            return whole(*voice);
        }
        self.keyed(voices, |merger, _, run| {
            let last = *run.last()?;
            match merger.kind(last) {
                Kind::Null if !keep_null => None,
                Kind::Table => {
                    let from = run.iter().rposition(|&v| merger.kind(v) != Kind::Table);
                    Some(merger.table(&run[from.map_or(0, |at| at + 1)..], keep_null))
                }
                _ => Some(whole(last)),
            }
        })
    }

    /// Merges the tables of a map of sections; a null drops the entry.
    pub(super) fn map(&mut self, schema: &'static Schema, voices: &[Voice]) -> Item {
        self.keyed(voices, |merger, name, run| {
            merger.below(name, |merger| {
                let standing = merger.standing(run, Kind::Table);
                let last = *run.last()?;
                match (standing.is_empty(), merger.kind(last)) {
                    (true, Kind::Null) => None,
                    (true, _) => Some(whole(last)),
                    (false, _) => Some(merger.section(schema, &standing)),
                }
            })
        })
    }

    /// Whether a table has a null as a value, at any depth of tables.
    fn holds_null(&self, voice: Voice) -> bool {
        let doc = self.doc(voice);
        (voice.node..doc.end(voice.node)).any(|node| doc.kind(node) == Kind::Null)
            && doc.entries(voice.node).any(|(_, node)| match doc.kind(node) {
                Kind::Null => true,
                Kind::Table => self.holds_null(Voice { node, ..voice }),
                _ => false,
            })
    }

    /// Brings together what the tables say of each key, lowest table's order first.
    fn keyed(
        &mut self,
        voices: &[Voice],
        mut each: impl FnMut(&mut Self, &str, &[Voice]) -> Option<Item>,
    ) -> Item {
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let mut index: HashMap<&str, usize> = HashMap::new();
        let mut said: Vec<Voice> = Vec::new();
        for (rank, &voice) in voices.iter().enumerate() {
            let doc = self.doc(voice);
            let known = entries.len();
            if rank > 0 && known > LARGE && index.is_empty() {
                index.extend(entries.iter().enumerate().map(|(at, entry)| (entry.name, at)));
            }
            let mut hint = 0;
            for (key, node) in doc.entries(voice.node) {
                let name = doc.str(key);
                // Keys of one table are unique: only what lower tables brought is looked through.
                let found = match entries[..known].get(hint) {
                    Some(entry) if entry.name == name => Some(hint),
                    _ if known == 0 => None,
                    _ if index.is_empty() => entries[..known].iter().position(|entry| entry.name == name),
                    _ => index.get(name).copied(),
                };
                let at = found.unwrap_or(entries.len());
                if let Some(at) = found {
                    entries[at].key = (voice.doc, key);
                } else {
                    entries.push(Entry { name, key: (voice.doc, key) });
                    if !index.is_empty() {
                        index.insert(name, at);
                    }
                }
                hint = at + 1;
                said.push(self.follow(Voice { doc: voice.doc, node, slot: narrow(at) }));
            }
        }
        said.sort_by_key(|voice| voice.slot);
        let mut merged = Vec::with_capacity(entries.len());
        for run in said.chunk_by(|a, b| a.slot == b.slot) {
            let entry = &entries[run[0].slot as usize];
            if let Some(item) = each(self, entry.name, run) {
                merged.push((entry.key.0, entry.key.1, item));
            }
        }
        let start = narrow(self.entries.len());
        let len = narrow(merged.len());
        self.entries.append(&mut merged);
        Item::Table { start, len }
    }
}
