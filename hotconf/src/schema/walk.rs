//! Walking a schema by names: groups, fields, paths.
//!
//! Generated constants hold no cycle (recursive nesting is a compile error), so every walk ends.

use super::keys;
use super::meta::{Body, FieldMeta, Group, Schema, Shape};

impl Schema {
    /// A schema that knows no key.
    pub(crate) const EMPTY: &'static Self = &Self {
        name: "",
        doc: "",
        body: Body::Struct(Group { fields: &[], names: &[] }),
        removed: &[],
        deny_unknown: false,
        len: 0,
        foreign: false,
    };

    /// The group of a struct, or those of all variants.
    pub(crate) fn groups(&'static self) -> impl Iterator<Item = &'static Group> {
        let (one, many) = match &self.body {
            Body::Struct(group) => (Some(group), &[][..]),
            Body::Enum { variants, .. } => (None, *variants),
        };
        one.into_iter().chain(many.iter().map(|variant| &variant.group))
    }

    /// The key that names the variant, of an enum.
    pub(crate) fn tag(&self) -> Option<&'static str> {
        match self.body {
            Body::Struct(_) => None,
            Body::Enum { tag, .. } => Some(tag),
        }
    }

    /// The field that `key` names, by its name or an alias, in the struct or in any variant.
    pub(crate) fn field(&'static self, key: &str) -> Option<&'static FieldMeta> {
        self.groups().find_map(|group| group.find(key, usize::MAX).map(|(index, _)| &group.fields[index]))
    }

    /// The names that a person may write here: fields and the tag, no aliases.
    pub(crate) fn keys(&'static self) -> impl Iterator<Item = &'static str> {
        self.tag().into_iter().chain(self.groups().flat_map(|group| group.fields).map(|field| field.name))
    }

    /// The path of a field called `key` at any other depth, e.g. `http.timeout` for `timeout`.
    pub(crate) fn elsewhere(&'static self, key: &str) -> Option<String> {
        let mut path = String::new();
        let mut first = None;
        self.search(key, &mut path, &mut first);
        first
    }

    fn search(&'static self, key: &str, path: &mut String, first: &mut Option<String>) {
        let length = path.len();
        for group in self.groups() {
            if let (Some((index, _)), None) = (group.find(key, usize::MAX), &first) {
                keys::push(path, group.fields[index].name);
                *first = Some(path.clone());
                path.truncate(length);
            }
            for field in group.fields {
                if first.is_some() {
                    return;
                }
                if let Some(inner) = field.shape.schema() {
                    keys::push(path, field.name);
                    path.push_str(if matches!(field.shape, Shape::Map(_)) { ".*" } else { "" });
                    path.push_str(if matches!(field.shape, Shape::List(_)) { "[]" } else { "" });
                    inner.search(key, path, first);
                    path.truncate(length);
                }
            }
        }
    }

    /// What stands at `keys`; aliases are resolved.
    ///
    /// # Errors
    ///
    /// How many of the keys are known, and the section in which the next one is not.
    pub(crate) fn locate(&'static self, keys: &[impl AsRef<str>]) -> Result<Spot, Miss> {
        let mut spot = Spot { path: String::new(), schema: Some(self), field: None, inside: false };
        let mut at = 0;
        while let Some(key) = keys.get(at).map(AsRef::as_ref) {
            let Some(schema) = spot.schema else {
                // Below a leaf, or a key of a map or a list.
                let below = spot.field.expect("a spot without a schema is a field's");
                keys::push(&mut spot.path, key);
                match (below.shape, spot.inside) {
                    (Shape::Map(inner) | Shape::List(inner), false) => spot.schema = Some(inner),
                    _ => spot.inside = true,
                }
                at += 1;
                continue;
            };
            let Some(field) = schema.field(key) else {
                if schema.tag() == Some(key) && at + 1 == keys.len() {
                    keys::push(&mut spot.path, key);
                    return Ok(Spot { schema: None, field: None, ..spot });
                }
                return Err(Miss { at, schema, path: spot.path });
            };
            keys::push(&mut spot.path, field.name);
            spot.field = Some(field);
            spot.inside = false;
            spot.schema = match field.shape {
                Shape::Section(inner) | Shape::Optional(inner) => Some(inner),
                Shape::Leaf | Shape::List(_) | Shape::Map(_) => None,
            };
            at += 1;
        }
        Ok(spot)
    }
}

impl Shape {
    /// The schema of the sections that it holds; `None` of a leaf.
    pub(crate) fn schema(self) -> Option<&'static Schema> {
        match self {
            Self::Leaf => None,
            Self::Section(schema) | Self::Optional(schema) | Self::List(schema) | Self::Map(schema) => {
                Some(schema)
            }
        }
    }
}

/// What a path leads to.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    /// The path, with every alias replaced by its name.
    pub(crate) path: String,
    /// The section that stands there; `None` of leaves, lists, maps and tags.
    pub(crate) schema: Option<&'static Schema>,
    /// The last field on the way; `None` of the root and of a tag.
    pub(crate) field: Option<&'static FieldMeta>,
    /// The path goes on below a leaf, e.g. to an entry of a map of numbers.
    pub(crate) inside: bool,
}

/// Where a path leaves the schema.
#[derive(Debug)]
pub(crate) struct Miss {
    /// The index of the first key that is not known.
    pub(crate) at: usize,
    /// The section in which it is not known.
    pub(crate) schema: &'static Schema,
    /// The path of that section.
    pub(crate) path: String,
}

impl Miss {
    /// The whole path that was probably meant.
    pub(crate) fn suggestion(&self, root: &'static Schema, key: &str) -> Option<String> {
        // The very name at another place is a better guess than a near one here.
        root.elsewhere(key).or_else(|| {
            let name = super::nearest::nearest(key, self.schema.keys())?;
            let mut path = self.path.clone();
            keys::push(&mut path, name);
            Some(path)
        })
    }
}
