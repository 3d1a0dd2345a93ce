//! What a setter changes: one path, of a value that otherwise stays as it is.
//!
//! The document of a setter says nothing but its path. What it cannot say is asked of the value that is
//! set: which variant an enum on the way is, and what else is in a map of which one entry is set.

use super::at::At;
use super::loader::Loader;
use crate::schema::meta::{Body, Schema, Shape};
use crate::value::Item;

/// The path that is set.
#[derive(Debug)]
pub(super) struct Patch {
    pub(super) keys: Vec<String>,
    /// Enums on the way were given tags, from the root to below this depth; they are guesses.
    pub(super) guessed: usize,
    /// The path is unset.
    pub(super) null: bool,
    /// The first guess that was wrong.
    pub(super) stray: Option<Stray>,
}

/// An enum that is not the variant that was guessed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray {
    pub(super) depth: usize,
    /// What it is; `None` where there is no value yet.
    pub(super) variant: Option<usize>,
}

/// An enum on the way of a path, and the variant that it is taken for.
pub(super) struct Turn {
    /// How many keys lead to it.
    pub(super) depth: usize,
    pub(super) schema: &'static Schema,
    pub(super) variant: usize,
}

impl Turn {
    pub(super) fn tag(&self) -> (&'static str, &'static str) {
        match &self.schema.body {
            Body::Enum { tag, variants } => (*tag, variants[self.variant].name),
            Body::Struct(_) => ("", ""),
        }
    }

    /// Tells whether a variant has a field of this name.
    pub(super) fn has(&self, variant: usize, key: &str) -> bool {
        match &self.schema.body {
            Body::Enum { variants, .. } => {
                variants.get(variant).is_some_and(|v| v.group.find(key, usize::MAX).is_some())
            }
            Body::Struct(_) => false,
        }
    }

    /// The name of a variant.
    pub(super) fn name(&self, variant: usize) -> &'static str {
        match &self.schema.body {
            Body::Enum { variants, .. } => variants.get(variant).map_or("", |variant| variant.name),
            Body::Struct(_) => "",
        }
    }
}

/// The enums whose fields a path goes through. `known` are those of which the variant is known, from the
/// root on; others are taken for the first variant that has the field.
pub(super) fn turns(root: &'static Schema, keys: &[String], known: &[usize]) -> Vec<Turn> {
    let (mut turns, mut schema, mut depth) = (Vec::new(), Some(root), 0);
    while let (Some(section), Some(key)) = (schema, keys.get(depth)) {
        let group = match &section.body {
            Body::Struct(group) => group,
            Body::Enum { tag, .. } if tag == key => break,
            Body::Enum { variants, .. } => {
                let first = || variants.iter().position(|v| v.group.find(key, usize::MAX).is_some());
                let Some(variant) = known.get(turns.len()).copied().or_else(first) else { break };
                turns.push(Turn { depth, schema: section, variant });
                &variants[variant].group
            }
        };
        let Some((index, _)) = group.find(key, usize::MAX) else { break };
        depth += 1;
        schema = match group.fields[index].shape {
            Shape::Section(inner) | Shape::Optional(inner) => Some(inner),
            Shape::Map(inner) => {
                depth += 1;
                Some(inner)
            }
            Shape::Leaf | Shape::List(_) => None,
        };
    }
    turns
}

impl Patch {
    /// The entry that is set, if it is one of the map at `depth` keys from the root.
    pub(super) fn entry(&self, depth: usize) -> Option<&str> {
        (self.keys.len() == depth + 1).then(|| self.keys[depth].as_str())
    }
}

impl Loader<'_> {
    /// The entry that is unset in the map of sections that stands here.
    pub(super) fn unset_entry(&self, at: At<'_>) -> Option<&str> {
        self.patch.as_ref().filter(|patch| patch.null)?.entry(at.depth())
    }

    /// A map of leaves of which a setter may have read one entry: with the others as they are.
    pub fn joined<M, V>(&self, at: At<'_>, place: &M, read: Option<M>) -> Option<M>
    where
        M: Clone + Default + IntoIterator<Item = (String, V)> + Extend<(String, V)>,
    {
        let read = read?;
        let Some(set) = self.patch.as_ref().and_then(|patch| patch.entry(at.depth() + 1)) else {
            return Some(read);
        };
        let mut whole = M::default();
        whole.extend(place.clone().into_iter().filter(|(key, _)| key != set));
        whole.extend(read);
        Some(whole)
    }

    /// Tells whether an enum, which is `variant` now, is to be read anew.
    pub fn retagged(&mut self, at: At<'_>, variant: usize) -> bool {
        if self.recheck {
            return false;
        }
        let said = active(at.new.item);
        if self.patch.is_none() {
            return at.old.is_none_or(|old| active(old.item) != said) || said.is_none();
        }
        if said != Some(variant) {
            self.stray(at, Some(variant));
        }
        said != Some(variant)
    }

    /// Notes that the tag that was guessed for the enum that stands here is not its own. Tells whether it
    /// was a guess.
    pub(super) fn stray(&mut self, at: At<'_>, variant: Option<usize>) -> bool {
        let depth = at.depth();
        let Some(patch) = self.patch.as_mut().filter(|patch| depth < patch.guessed) else { return false };
        patch.stray.get_or_insert(Stray { depth, variant });
        self.refused = true;
        true
    }
}

/// The variant of a section of the tree.
fn active(item: Item) -> Option<usize> {
    match item {
        Item::Section { variant, .. } => Some(usize::from(variant)),
        _ => None,
    }
}
