//! Sections: one slot per field, names and aliases resolved.

use super::{Merger, NO_VARIANT, Voice, narrow, whole};
use crate::error::{Problem, ProblemKind};
use crate::schema::meta::{Body, FieldMeta, Group, Merge, Schema, Shape, Variant};
use crate::value::{Item, Kind};

impl Merger<'_> {
    /// Merges tables into a section; every voice is a table.
    pub(super) fn section(&mut self, schema: &'static Schema, voices: &[Voice]) -> Item {
        match &schema.body {
            Body::Struct(group) => {
                let start = self.reserve(group.fields.len());
                self.fields(schema, group, None, voices, start);
                Item::Section { start, len: narrow(group.fields.len()), variant: 0 }
            }
            Body::Enum { tag, variants } => self.tagged(schema, tag, variants, voices),
        }
    }

    /// Merges tables into an enum section: another tag replaces what lies below, none goes along.
    fn tagged(
        &mut self,
        schema: &'static Schema,
        tag: &'static str,
        variants: &'static [Variant],
        voices: &[Voice],
    ) -> Item {
        let (mut current, mut from, mut said) = (None, 0, Item::Absent);
        for (at, &voice) in voices.iter().enumerate() {
            let doc = self.doc(voice);
            let Some((_, node)) = doc.entries(voice.node).find(|&(key, _)| doc.str(key) == tag) else {
                continue;
            };
            let value = self.follow(Voice { node, ..voice });
            let doc = self.doc(value);
            let named = matches!(doc.kind(value.node), Kind::Str | Kind::Text)
                .then(|| doc.str(value.node))
                .and_then(|name| variants.iter().position(|v| v.name == name || v.aliases.contains(&name)));
            if matches!(said, Item::Absent) || named != current {
                // What came before the first tag is of unknown variant: it goes along with it.
                from = if matches!(said, Item::Absent) { 0 } else { at };
                current = named;
            }
            said = whole(value);
        }
        let Some(variant) = current else {
            let start = self.reserve(1);
            self.items[start as usize] = said;
            return Item::Section { start, len: 1, variant: NO_VARIANT };
        };
        let group = &variants[variant].group;
        let start = self.reserve(group.fields.len() + 1);
        self.items[start as usize] = said;
        self.fields(schema, group, Some(tag), &voices[from..], start + 1);
        let variant = u16::try_from(variant).expect("an enum has fewer than 2^16 variants");
        Item::Section { start, len: narrow(group.fields.len() + 1), variant }
    }

    /// Fills the slots from `start` on with what the tables say of a group's fields.
    fn fields(
        &mut self,
        schema: &'static Schema,
        group: &'static Group,
        tag: Option<&str>,
        voices: &[Voice],
        start: u32,
    ) {
        // What cannot be decided by the last voice alone: sections, and leaves with tables or joined lists.
        let mut joint: Vec<Voice> = Vec::new();
        let linked = !self.links.is_empty();
        for (rank, &voice) in voices.iter().enumerate() {
            let doc = self.doc(voice);
            let mut hint = 0;
            for (key, node) in doc.entries(voice.node) {
                let name = doc.str(key);
                let Some((index, alias)) = group.find(name, hint) else {
                    let reserved = self.path.is_empty() && name == super::open::RESERVED;
                    if tag != Some(name) && !reserved {
                        self.unknown(schema, group, doc, key);
                    }
                    continue;
                };
                hint = index + 1;
                let mut value = Voice { doc: voice.doc, node, slot: narrow(index) };
                let mut kind = doc.kind(node);
                if linked {
                    value = self.follow(value);
                    kind = self.kind(value);
                }
                let field = &group.fields[index];
                let slot = start as usize + index;
                if let Item::Doc { doc: before, node: at } = self.items[slot] {
                    let twice = before == voice.doc && at > voice.node && at < doc.end(voice.node);
                    if twice && !self.alias_beside_name(field, alias, voice, key, value.slot, &mut joint) {
                        continue;
                    }
                }
                if let Some(hint) = field.deprecated {
                    self.deprecated(field, hint, value);
                }
                if is_joint(field, kind) || (rank > 0 && self.holds_container(field, self.items[slot])) {
                    joint.push(value);
                }
                self.items[slot] = whole(value);
            }
        }
        // Stable: the voices of a field stay lowest first.
        joint.sort_by_key(|voice| voice.slot);
        for run in joint.chunk_by(|a, b| a.slot == b.slot) {
            let index = run[0].slot as usize;
            self.items[start as usize + index] = self.field(&group.fields[index], run);
        }
    }

    /// Whether what a lower voice said of the field has to be put together with what is said above it.
    fn holds_container(&self, field: &FieldMeta, before: Item) -> bool {
        matches!(before, Item::Doc { doc, node } if is_joint(field, self.docs[usize::from(doc)].kind(node)))
    }

    /// Puts together what the voices, lowest first, say of one field.
    fn field(&mut self, field: &'static FieldMeta, voices: &[Voice]) -> Item {
        let last = *voices.last().expect("a field is put together from what was said");
        let (Shape::Section(inner) | Shape::Optional(inner) | Shape::Map(inner) | Shape::List(inner)) =
            field.shape
        else {
            return self.leaf(field, voices);
        };
        self.below(field.name, |merger| {
            let kind = if matches!(field.shape, Shape::List(_)) { Kind::Array } else { Kind::Table };
            let standing = merger.standing(voices, kind);
            if standing.is_empty() {
                return whole(last);
            }
            match field.shape {
                Shape::List(_) => merger.sections(inner, field.merge, &standing),
                Shape::Map(_) => merger.map(inner, &standing),
                _ => merger.section(inner, &standing),
            }
        })
    }

    /// A leaf: the last voice wins, and takes along what it can be joined with.
    fn leaf(&mut self, field: &'static FieldMeta, voices: &[Voice]) -> Item {
        let last = *voices.last().expect("a leaf is put together from what was said");
        let kind = self.kind(last);
        let from = voices.iter().rposition(|&v| self.kind(v) != kind).map_or(0, |at| at + 1);
        let standing = &voices[from..];
        match kind {
            Kind::Table => self.table(standing, field.optional),
            Kind::Array if field.merge != Merge::Replace => self.joined(field, standing),
            _ => whole(last),
        }
    }

    /// A field that one table names twice. Returns whether the present voice counts.
    fn alias_beside_name(
        &mut self,
        field: &FieldMeta,
        alias: bool,
        table: Voice,
        key: u32,
        slot: u32,
        joint: &mut Vec<Voice>,
    ) -> bool {
        let doc = self.doc(table);
        let message = if alias {
            format!("`{}` is another name of `{}`, which is set here too and wins", doc.str(key), field.name)
        } else {
            format!("another name of `{}` is set here too; `{}` wins", field.name, field.name)
        };
        self.warn(ProblemKind::Conflict, self.path_of(field.name), message, doc.origin(key));
        if !alias {
            // The alias came first: what it said is as if unsaid.
            if let Some(at) = joint.iter().rposition(|v| v.slot == slot && v.doc == table.doc) {
                joint.remove(at);
            }
        }
        !alias
    }

    fn deprecated(&mut self, field: &FieldMeta, hint: &str, value: Voice) {
        let message = if hint.is_empty() { "is deprecated".into() } else { format!("is deprecated: {hint}") };
        self.warn(ProblemKind::Deprecated, self.path_of(field.name), message, self.origin(value));
    }

    pub(in crate::layer) fn warn(
        &mut self,
        kind: ProblemKind,
        path: String,
        message: String,
        origin: crate::origin::Origin,
    ) {
        self.warnings.push(Problem::new(kind, path, message).at(origin));
    }
}

/// Whether a value of this kind has to be put together with what other voices say of the field.
fn is_joint(field: &FieldMeta, kind: Kind) -> bool {
    match kind {
        _ if !matches!(field.shape, Shape::Leaf) => true,
        Kind::Table => true,
        Kind::Array => field.merge != Merge::Replace,
        _ => false,
    }
}
