//! The tree of what runs, where fields that apply on restart have a new value waiting.
//!
//! It is the tree of what is desired with every `restart` slot as it runs, so that origins,
//! fingerprints and events speak of the values in force. Nothing of a document is copied, and only
//! documents that a slot points into are kept.

use crate::schema::meta::{Body, Group, Schema, Shape};
use crate::value::{Item, Tree};

/// `desired`, with the restart slots of `running`.
pub(crate) fn graft(desired: &Tree, running: &Tree, schema: &'static Schema) -> Tree {
    let mut tree = Tree {
        docs: desired.docs.clone(),
        items: desired.items.clone(),
        entries: desired.entries.clone(),
        root: desired.root,
        contents: desired.contents.clone(),
    };
    let docs = vec![None; running.docs.len()];
    Graft { tree: &mut tree, running, docs }.section(schema, desired.root, running.root);
    tree
}

/// Whether `tree` has restart slots, outside of maps and lists, that none of `known` has: in a section that
/// was missing there, or in another variant.
///
/// The entries of a map are without limit, and come and go: what is remembered of each would be too.
pub(crate) fn has_new_restart(tree: &Tree, known: &[&Tree], schema: &'static Schema) -> bool {
    let known: Vec<_> = known.iter().map(|tree| (*tree, tree.root)).collect();
    has_new(tree, tree.root, &known, schema)
}

fn has_new(tree: &Tree, now: Item, known: &[(&Tree, Item)], schema: &'static Schema) -> bool {
    let Some((variant, group, slots)) = fields(schema, tree, now) else { return false };
    let known: Vec<_> = known
        .iter()
        .filter_map(|(tree, item)| {
            let (other, _, slots) = fields(schema, tree, *item)?;
            (other == variant).then_some((*tree, slots))
        })
        .collect();
    group.fields.iter().enumerate().any(|(index, field)| match field.shape {
        _ if field.restart => known.is_empty(),
        Shape::Section(inner) | Shape::Optional(inner) => {
            let known: Vec<_> = known.iter().map(|(tree, slots)| (*tree, slots[index])).collect();
            has_new(tree, slots[index], &known, inner)
        }
        Shape::Leaf | Shape::Map(_) | Shape::List(_) => false,
    })
}

/// The variant of a section in a tree, its fields and their slots.
fn fields<'t>(
    schema: &'static Schema,
    tree: &'t Tree,
    item: Item,
) -> Option<(u16, &'static Group, &'t [Item])> {
    let Item::Section { start, len, variant } = item else { return None };
    let slots = &tree.items[start as usize..(start + len) as usize];
    match &schema.body {
        Body::Struct(group) => Some((variant, group, slots)),
        Body::Enum { variants, .. } => {
            Some((variant, &variants.get(usize::from(variant))?.group, &slots[1..]))
        }
    }
}

struct Graft<'t> {
    tree: &'t mut Tree,
    running: &'t Tree,
    /// Where the documents of `running` are in the new tree, once a slot needed them.
    docs: Vec<Option<u16>>,
}

impl Graft<'_> {
    fn section(&mut self, schema: &'static Schema, now: Item, then: Item) {
        let (
            Item::Section { start, variant, .. },
            Item::Section { start: old_start, len, variant: old_variant },
        ) = (now, then)
        else {
            return;
        };
        let (group, first): (&Group, u32) = match &schema.body {
            Body::Struct(group) => (group, 0),
            Body::Enum { variants, .. } if variant == old_variant => {
                let Some(variant) = variants.get(usize::from(variant)) else { return };
                (&variant.group, 1)
            }
            Body::Enum { .. } => return,
        };
        for (index, field) in (first..len).zip(group.fields) {
            let (at, was) = ((start + index) as usize, self.running.items[(old_start + index) as usize]);
            if field.restart {
                self.tree.items[at] = self.import(was);
                continue;
            }
            let now = self.tree.items[at];
            match field.shape {
                Shape::Leaf => {}
                Shape::Section(inner) | Shape::Optional(inner) => self.section(inner, now, was),
                Shape::Map(inner) => self.entries(inner, now, was),
                Shape::List(inner) => self.elements(inner, now, was),
            }
        }
    }

    /// Entries that run already keep their restart slots; a new entry has its own.
    fn entries(&mut self, inner: &'static Schema, now: Item, then: Item) {
        let (Item::Table { start, len }, Item::Table { .. }) = (now, then) else { return };
        let old = self.running.at(then).entries();
        for at in start..start + len {
            let (doc, key, item) = self.tree.entries[at as usize];
            let name = self.tree.docs[usize::from(doc)].str(key);
            if let Some((_, was)) = old.iter().find(|(key, _)| *key == name) {
                self.section(inner, item, was.item);
            }
        }
    }

    fn elements(&mut self, inner: &'static Schema, now: Item, then: Item) {
        let (Item::List { start, len }, Item::List { start: old_start, len: old_len }) = (now, then) else {
            return;
        };
        for at in 0..len.min(old_len) {
            let item = self.tree.items[(start + at) as usize];
            self.section(inner, item, self.running.items[(old_start + at) as usize]);
        }
    }

    /// A document of `running`, by its place in the new tree.
    fn doc(&mut self, old: u16) -> u16 {
        if let Some(new) = self.docs[usize::from(old)] {
            return new;
        }
        let doc = &self.running.docs[usize::from(old)];
        let known = self.tree.docs.iter().position(|d| std::sync::Arc::ptr_eq(d, doc));
        let at = known.unwrap_or_else(|| {
            self.tree.docs.push(doc.clone());
            self.tree.docs.len() - 1
        });
        let new = u16::try_from(at).expect("a configuration has fewer than 32768 documents");
        self.docs[usize::from(old)] = Some(new);
        new
    }

    /// An item of `running`, in the arenas of the new tree.
    fn import(&mut self, item: Item) -> Item {
        match item {
            Item::Absent => Item::Absent,
            Item::Doc { doc, node } => Item::Doc { doc: self.doc(doc), node },
            Item::Table { start, len } => {
                let old = &self.running.entries[start as usize..(start + len) as usize];
                let entries: Vec<_> =
                    old.iter().map(|(doc, key, item)| (self.doc(*doc), *key, self.import(*item))).collect();
                let start = place(self.tree.entries.len());
                self.tree.entries.extend(entries);
                Item::Table { start, len }
            }
            Item::List { start, len } => Item::List { start: self.import_items(start, len), len },
            Item::Section { start, len, variant } => {
                Item::Section { start: self.import_items(start, len), len, variant }
            }
        }
    }

    fn import_items(&mut self, start: u32, len: u32) -> u32 {
        let old = &self.running.items[start as usize..(start + len) as usize];
        let items: Vec<Item> = old.iter().map(|item| self.import(*item)).collect();
        let at = place(self.tree.items.len());
        self.tree.items.extend(items);
        at
    }
}

/// A tree has fewer places than its documents have bytes, and those are capped.
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("a tree has fewer than 2^32 places")
}
