//! The elements, entries and variants of containers, read off the tape in place.

use super::{De, LeafError, Place};
use crate::value::tape::{Document, Kind};
use crate::value::tree::{Item, Ref, Tree};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer as _, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Where in a container reading stands: in one that a document gave whole, or in one that several built.
struct Walk<'a> {
    tree: Option<&'a Tree>,
    /// The document of a container that one document gave whole, and its index.
    doc: Option<(&'a Document, u16)>,
    /// The next and the last-but-one: tape indices in a document, indices of the tree's storage otherwise.
    next: u32,
    end: u32,
}

impl<'a> Walk<'a> {
    fn new(of: De<'a>) -> Self {
        let Place::At(at) = of.place else { return Self { tree: None, doc: None, next: 0, end: 0 } };
        let (doc, next, end) = match at.item {
            Item::Doc { doc, node } => {
                let document: &Document = &at.tree.docs[usize::from(doc)];
                (Some((document, doc)), node + 1, document.end(node))
            }
            Item::List { start, len } | Item::Table { start, len } => (None, start, start + len),
            _ => (None, 0, 0),
        };
        Self { tree: Some(at.tree), doc, next, end }
    }

    /// The next element of a list.
    fn element(&mut self) -> Option<Ref<'a>> {
        let tree = self.tree.filter(|_| self.next < self.end)?;
        let node = self.next;
        Some(tree.at(if let Some((document, doc)) = self.doc {
            self.next = document.end(node);
            Item::Doc { doc, node }
        } else {
            self.next += 1;
            tree.items[node as usize]
        }))
    }

    /// The next entry of a table.
    fn entry(&mut self) -> Option<(&'a str, Ref<'a>)> {
        let tree = self.tree.filter(|_| self.next < self.end)?;
        let key = self.next;
        Some(if let Some((document, doc)) = self.doc {
            let node = key + 1;
            self.next = document.end(node);
            (document.str(key), tree.at(Item::Doc { doc, node }))
        } else {
            self.next += 1;
            let (doc, key, item) = tree.entries[key as usize];
            (tree.docs[usize::from(doc)].str(key), tree.at(item))
        })
    }
}

/// The elements of a list.
pub(super) struct Elements<'a> {
    of: De<'a>,
    walk: Walk<'a>,
    index: usize,
}

impl<'a> Elements<'a> {
    pub(super) fn new(of: De<'a>) -> Self {
        Self { of, walk: Walk::new(of), index: 0 }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = LeafError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, LeafError> {
        let Some(element) = self.walk.element() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        match seed.deserialize(De { place: Place::At(element), ..self.of }) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.in_element(index, element)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        let Place::At(at) = self.of.place else { return None };
        let left = match (self.walk.doc, at.item) {
            (Some((document, _)), Item::Doc { node, .. }) => document.count(node) - self.index,
            _ => (self.walk.end - self.walk.next) as usize,
        };
        Some(left)
    }
}

/// The entries of a table.
pub(super) struct Entries<'a> {
    of: De<'a>,
    walk: Walk<'a>,
    /// The entry whose key was read.
    current: Option<(&'a str, Ref<'a>)>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(of: De<'a>) -> Self {
        Self { of, walk: Walk::new(of), current: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = LeafError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, LeafError> {
        self.current = self.walk.entry();
        let Some((key, value)) = self.current else { return Ok(None) };
        match seed.deserialize(De { place: Place::Key(key), ..self.of }) {
            Ok(read) => Ok(Some(read)),
            Err(error) => Err(error.in_entry(key, value)),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, LeafError> {
        let (key, value) = self.current.take().expect("serde asks for a value after its key");
        seed.deserialize(De { place: Place::At(value), ..self.of })
            .map_err(|error| error.in_entry(key, value))
    }
}

/// An externally tagged enum: a name alone, or a table with one entry.
pub(super) struct Variant<'a> {
    name: &'a str,
    content: Option<(De<'a>, Ref<'a>)>,
}

impl<'a> Variant<'a> {
    /// `None` where what stands here can be no variant.
    pub(super) fn new(of: De<'a>) -> Option<Self> {
        if let Some(name) = of.as_str() {
            return Some(Self { name, content: None });
        }
        let Place::At(at) = of.place else { return None };
        if at.kind() != Some(Kind::Table) {
            return None;
        }
        let mut entries = Walk::new(of);
        let (name, value) = entries.entry()?;
        if entries.entry().is_some() {
            return None;
        }
        Some(Self { name, content: Some((De { place: Place::At(value), ..of }, value)) })
    }

    fn content(&self, expected: &str) -> Result<De<'a>, LeafError> {
        match self.content {
            Some((de, _)) => Ok(de),
            None => Err(LeafError::mismatch(
                &format!("a table that gives `{}` {expected}", self.name),
                super::quoted(self.name),
            )),
        }
    }

    fn within<T>(&self, result: Result<T, LeafError>) -> Result<T, LeafError> {
        match (&result, self.content) {
            (Err(_), Some((_, at))) => result.map_err(|error| error.in_entry(self.name, at)),
            _ => result,
        }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = LeafError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), LeafError> {
        let variant = seed.deserialize(StrDeserializer::<LeafError>::new(self.name))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = LeafError;

    fn unit_variant(self) -> Result<(), LeafError> {
        match self.content {
            None => Ok(()),
            Some((_, at)) if at.kind() == Some(Kind::Null) => Ok(()),
            Some((de, _)) => {
                let found = de.found();
                self.within(Err(LeafError::mismatch(&format!("`{}` without a value", self.name), found)))
            }
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, LeafError> {
        let de = self.content("a value")?;
        self.within(seed.deserialize(de))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, LeafError> {
        let de = self.content("a list")?;
        self.within(de.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, LeafError> {
        let de = self.content("fields")?;
        self.within(de.deserialize_map(visitor))
    }
}
