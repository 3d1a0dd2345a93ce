//! The place at which loading stands: a section's schema, its slots in both trees, and the way to it.
//!
//! All of it is borrowed from the stack of the load; a path is written out only for a problem.

use crate::schema::meta::{Body, Fallback, FieldMeta, Group, Schema, Shape};
use crate::value::de::push_key;
use crate::value::{Item, Kind, Ref, Tree};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A section being loaded: its schema and its place in the new and the old tree.
#[derive(Clone, Copy, Debug)]
pub struct At<'t> {
    pub(super) schema: &'static Schema,
    pub(super) new: Ref<'t>,
    /// `None` on a first load.
    pub(super) old: Option<Ref<'t>>,
    pub(super) trail: Option<&'t Step<'t>>,
    /// Slots before the first field's: 1 where the tag has one.
    offset: usize,
    /// Problems there were when this section began.
    pub(super) since: usize,
}

/// One step of the way from the root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'t> {
    parent: Option<&'t Step<'t>>,
    name: Name<'t>,
}

/// The name of a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'t> {
    Key(&'t str),
    Index(usize),
}

impl<'t> At<'t> {
    pub(super) fn root(schema: &'static Schema, new: Ref<'t>, old: Option<Ref<'t>>) -> Self {
        Self { schema, new, old, trail: None, offset: offset(schema), since: 0 }
    }

    /// The step to field `i`.
    pub(super) fn step(&self, i: usize) -> Step<'t> {
        Step { parent: self.trail, name: Name::Key(self.field(i).map_or("", |field| field.name)) }
    }

    /// The step to an entry or element.
    pub(super) fn step_to(&self, name: Name<'t>) -> Step<'t> {
        Step { parent: self.trail, name }
    }

    /// Field `i`, a section or a container of sections, reached by `step`.
    pub(super) fn below<'s>(&self, i: usize, step: &'s Step<'s>, since: usize) -> At<'s>
    where
        't: 's,
    {
        let schema = match self.field(i).map(|field| field.shape) {
            Some(Shape::Section(s) | Shape::Optional(s) | Shape::List(s) | Shape::Map(s)) => s,
            _ => self.schema,
        };
        let (new, old) = (self.slot(i), self.old_slot(i));
        At { schema, new, old, trail: Some(step), offset: offset(schema), since }
    }

    /// An entry or element of the container that stands here.
    pub(super) fn inside<'s>(
        &self,
        new: Ref<'s>,
        old: Option<Ref<'s>>,
        step: &'s Step<'s>,
        since: usize,
    ) -> At<'s>
    where
        't: 's,
    {
        At { schema: self.schema, new, old, trail: Some(step), offset: self.offset, since }
    }

    /// The fields of the active variant as a struct of their own.
    pub(super) fn newtype(&self, schema: &'static Schema) -> Self {
        Self { schema, offset: 1, ..*self }
    }

    /// The value of field `i` in the new tree.
    #[inline]
    pub(super) fn slot(&self, i: usize) -> Ref<'t> {
        self.new.slot(i + self.offset)
    }

    #[inline]
    pub(super) fn old_slot(&self, i: usize) -> Option<Ref<'t>> {
        self.old.map(|old| old.slot(i + self.offset))
    }

    /// The fields of the struct, or of the active variant.
    pub(super) fn group(&self) -> Option<&'static Group> {
        match &self.schema.body {
            Body::Struct(group) => Some(group),
            Body::Enum { variants, .. } => match self.new.item {
                Item::Section { variant, .. } => variants.get(usize::from(variant)).map(|v| &v.group),
                _ => None,
            },
        }
    }

    #[inline]
    pub(super) fn field(&self, i: usize) -> Option<&'static FieldMeta> {
        self.group()?.fields.get(i)
    }

    /// Tells whether nothing is said of what stands here.
    pub(super) fn is_unset(&self) -> bool {
        is_unset(self.new)
    }

    /// Tells whether something stands here that is no section: the merge has reported it.
    pub(super) fn is_misplaced(&self) -> bool {
        !self.is_unset() && !matches!(self.new.item, Item::Section { .. })
    }

    /// How many steps lead here from the root.
    pub(super) fn depth(&self) -> usize {
        std::iter::successors(self.trail, |step| step.parent).count()
    }

    /// The dotted path of the section.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        if let Some(step) = self.trail {
            step.write(&mut path);
        }
        path
    }

    /// The dotted path of field `i`.
    pub(super) fn path_of(&self, i: usize) -> String {
        let mut path = String::new();
        self.step(i).write(&mut path);
        path
    }

    /// The dotted path of a key of the section that is no field: an enum's tag.
    pub(super) fn path_of_key(&self, key: &str) -> String {
        let mut path = String::new();
        Step { parent: self.trail, name: Name::Key(key) }.write(&mut path);
        path
    }

    /// The fields whose slots differ; for a recheck all that hold sections, and no other.
    pub(super) fn moved(&self, recheck: bool) -> MovedFields<'t> {
        let len = self.group().map_or(0, |group| group.fields.len());
        MovedFields { at: *self, next: 0, len, recheck }
    }
}

impl Step<'_> {
    fn write(&self, path: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(path);
        }
        match self.name {
            Name::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                push_key(path, key);
            }
            Name::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
}

/// Indices of the fields whose slots differ between the two trees; borrows no loader.
#[derive(Clone, Debug)]
pub struct MovedFields<'t> {
    at: At<'t>,
    next: usize,
    len: usize,
    recheck: bool,
}

impl Iterator for MovedFields<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.next < self.len {
            let i = self.next;
            self.next += 1;
            if self.recheck {
                match self.at.field(i).map(|field| field.shape) {
                    None | Some(Shape::Leaf) => continue,
                    Some(_) => return Some(i),
                }
            }
            // Where both trees share the document this is a comparison of two pointers.
            let same = self.at.old_slot(i).is_some_and(|old| {
                self.at.slot(i).same(old)
                    && (self.at.new.tree.same_contents(old.tree)
                        || self
                            .at
                            .field(i)
                            .is_none_or(|field| same_by_default(field, self.at.new.tree, old.tree)))
            });
            if !same {
                return Some(i);
            }
        }
        None
    }
}

/// Whether the defaults at and below a field name the same files, of the same content. A default that does
/// not hold counts too: what is read once more for it comes out the same.
fn same_by_default(field: &FieldMeta, new: &Tree, old: &Tree) -> bool {
    match (field.shape.section(), field.default) {
        (Some(inner), _) => same_defaults(inner, new, old),
        (None, Fallback::Shown(text)) => new.same_by_default(old, text),
        (None, _) => true,
    }
}

/// The same of all fields of a section.
pub(super) fn same_defaults(schema: &'static Schema, new: &Tree, old: &Tree) -> bool {
    new.same_contents(old)
        || schema.groups().flat_map(|group| group.fields).all(|field| same_by_default(field, new, old))
}

/// The files at hand that defaults name, whether these hold or not.
pub(crate) fn named_by_default(schema: &'static Schema, tree: &Tree, found: &mut BTreeSet<PathBuf>) {
    for field in schema.groups().flat_map(|group| group.fields) {
        match (field.shape.section(), field.default) {
            (Some(inner), _) => named_by_default(inner, tree, found),
            (None, Fallback::Shown(text)) => {
                found.extend(tree.named_by_default(text).map(|(path, _)| path.to_owned()));
            }
            (None, _) => {}
        }
    }
}

pub(super) fn is_unset(at: Ref<'_>) -> bool {
    matches!(at.kind(), None | Some(Kind::Null))
}

fn offset(schema: &Schema) -> usize {
    usize::from(matches!(schema.body, Body::Enum { .. }))
}
