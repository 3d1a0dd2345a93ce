//! Many documents merged into one tree, by reference.
//!
//! A [`Tree`] copies no value: its leaves point into the tapes of the documents they came from. Where
//! layers met, it has tables, lists and sections of its own. [`Ref`] is how everybody reads it.

use super::names;
use super::tape::{Document, Kind};
use crate::named::Contents;
use crate::origin::Origin;
use std::sync::Arc;

/// What stands at one place of a merged tree.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Item {
    /// No layer speaks of it.
    #[default]
    Absent,
    /// A whole subtree of one document.
    Doc { doc: u16, node: u32 },
    /// A table merged from several documents: `entries[start..start + len]`.
    Table { start: u32, len: u32 },
    /// A list joined from several documents: `items[start..start + len]`.
    List { start: u32, len: u32 },
    /// A section of the schema: `items[start..start + len]`, one per field, in the schema's order.
    ///
    /// For an enum, item 0 is the tag's value and the rest are the fields of variant `variant`.
    Section { start: u32, len: u32, variant: u16 },
}

/// The documents of all layers, lowest first, and what they say together.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) docs: Vec<Arc<Document>>,
    pub(crate) items: Vec<Item>,
    /// Key (document, node) and value of merged tables.
    pub(crate) entries: Vec<(u16, u32, Item)>,
    pub(crate) root: Item,
    /// The files that it names, as far as they are at hand.
    pub(crate) contents: Option<Arc<Contents>>,
}

impl Tree {
    /// A tree of one document as it is, with no schema applied.
    pub(crate) fn single(doc: Document) -> Self {
        Self {
            docs: vec![Arc::new(doc)],
            root: Item::Doc { doc: 0, node: Document::ROOT },
            ..Self::default()
        }
    }

    pub(crate) fn root(&self) -> Ref<'_> {
        self.at(self.root)
    }

    pub(crate) fn at(&self, item: Item) -> Ref<'_> {
        Ref { tree: self, item }
    }
}

/// A place in a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ref<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) item: Item,
}

impl<'t> Ref<'t> {
    pub(crate) fn is_absent(self) -> bool {
        matches!(self.item, Item::Absent)
    }

    /// The document and node that stand here, where one document gave the whole of it.
    pub(crate) fn node(self) -> Option<(&'t Document, u32)> {
        match self.item {
            Item::Doc { doc, node } => Some((&self.tree.docs[usize::from(doc)], node)),
            _ => None,
        }
    }

    /// Whether a document of secrets has said all of it, or a part of it.
    pub(crate) fn is_secret(self) -> bool {
        let any = |items: &[Item]| items.iter().any(|item| self.tree.at(*item).is_secret());
        match self.item {
            Item::Absent => false,
            Item::Doc { doc, .. } => self.tree.docs[usize::from(doc)].is_secret(),
            Item::Table { start, len } => self.tree.entries[start as usize..(start + len) as usize]
                .iter()
                .any(|(_, _, item)| self.tree.at(*item).is_secret()),
            Item::List { start, len } | Item::Section { start, len, .. } => {
                any(&self.tree.items[start as usize..(start + len) as usize])
            }
        }
    }

    /// What stands here; `None` where nothing does. Merged tables and sections are `Table`s.
    pub(crate) fn kind(self) -> Option<Kind> {
        match self.item {
            Item::Absent => None,
            Item::Doc { doc, node } => Some(self.tree.docs[usize::from(doc)].kind(node)),
            Item::Table { .. } | Item::Section { .. } => Some(Kind::Table),
            Item::List { .. } => Some(Kind::Array),
        }
    }

    /// Field `index` of a section.
    pub(crate) fn slot(self, index: usize) -> Ref<'t> {
        match self.item {
            Item::Section { start, len, .. } if index < len as usize => {
                self.tree.at(self.tree.items[start as usize + index])
            }
            _ => self.tree.at(Item::Absent),
        }
    }

    /// Where it stands: of a merged table, its topmost entry's document.
    pub(crate) fn origin(self) -> Origin {
        match self.item {
            Item::Absent => Origin::default_value(),
            Item::Doc { doc, node } => self.tree.docs[usize::from(doc)].origin(node),
            Item::Table { start, len } => self.tree.entries[start as usize..(start + len) as usize]
                .iter()
                .max_by_key(|(doc, ..)| *doc)
                .map_or_else(Origin::default_value, |(doc, key, _)| {
                    self.tree.docs[usize::from(*doc)].origin(*key)
                }),
            Item::List { start, len } | Item::Section { start, len, .. } => self.tree.items
                [start as usize..(start + len) as usize]
                .iter()
                .rev()
                .find(|item| !matches!(item, Item::Absent))
                .map_or_else(Origin::default_value, |item| self.tree.at(*item).origin()),
        }
    }

    /// The keys and values of a table, in the lowest document's order; empty for anything else.
    ///
    /// A section has no keys of its own: read it by [`slot`](Self::slot).
    pub(crate) fn entries(self) -> Vec<(&'t str, Ref<'t>)> {
        match self.item {
            Item::Doc { doc, node } => {
                let document = &*self.tree.docs[usize::from(doc)];
                if document.kind(node) != Kind::Table {
                    return Vec::new();
                }
                document
                    .entries(node)
                    .map(|(k, v)| (document.str(k), self.tree.at(Item::Doc { doc, node: v })))
                    .collect()
            }
            Item::Table { start, len } => self.tree.entries[start as usize..(start + len) as usize]
                .iter()
                .map(|&(doc, key, item)| (self.tree.docs[usize::from(doc)].str(key), self.tree.at(item)))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The elements of an array; empty for anything else.
    pub(crate) fn elements(self) -> Vec<Ref<'t>> {
        match self.item {
            Item::Doc { doc, node } => {
                let document = &*self.tree.docs[usize::from(doc)];
                if document.kind(node) != Kind::Array {
                    return Vec::new();
                }
                document.elements(node).map(|e| self.tree.at(Item::Doc { doc, node: e })).collect()
            }
            Item::List { start, len } => self.tree.items[start as usize..(start + len) as usize]
                .iter()
                .map(|&item| self.tree.at(item))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Tells whether two places say the same, whatever documents they came from: the same values, and files
    /// of the same content where they name some.
    pub(crate) fn same(self, other: Ref<'_>) -> bool {
        match (self.item, other.item) {
            (Item::Absent, Item::Absent) => true,
            (Item::Absent, _) | (_, Item::Absent) => false,
            (Item::Doc { doc, node }, Item::Doc { doc: other_doc, node: other_node }) => {
                let (ours, theirs) =
                    (&self.tree.docs[usize::from(doc)], &other.tree.docs[usize::from(other_doc)]);
                ours.same(node, theirs, other_node) && names::same(self, other)
            }
            (Item::Section { start, len, variant }, Item::Section { start: s, len: l, variant: v }) => {
                len == l
                    && variant == v
                    && (0..len).all(|i| {
                        self.tree
                            .at(self.tree.items[(start + i) as usize])
                            .same(other.tree.at(other.tree.items[(s + i) as usize]))
                    })
            }
            _ => match (self.kind(), other.kind()) {
                (Some(Kind::Table), Some(Kind::Table)) => {
                    let (mut a, mut b) = (self.entries(), other.entries());
                    if a.len() != b.len() {
                        return false;
                    }
                    if a.iter().zip(&b).any(|((key, _), (other_key, _))| key != other_key) {
                        a.sort_unstable_by_key(|(key, _)| *key);
                        b.sort_unstable_by_key(|(key, _)| *key);
                    }
                    a.iter().zip(&b).all(|((key, x), (other_key, y))| key == other_key && x.same(*y))
                }
                (Some(Kind::Array), Some(Kind::Array)) => {
                    let (a, b) = (self.elements(), other.elements());
                    a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| x.same(*y))
                }
                _ => false,
            },
        }
    }
}
