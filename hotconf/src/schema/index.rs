//! Finds leaves by number and by path. Built once per configuration, on the first question: a load
//! that nobody asks for a path does not pay for writing out all of them.
//!
//! An index covers what has numbers: it ends at lists and maps of sections, which are one number each.
//! What lies below them is in the table that users see, [`Fields`](super::Fields).

use super::meta::{Body, FieldMeta, Group, Schema, Shape};
use std::ops::Range;
use std::sync::OnceLock;

/// The leaves of a type in the order of their numbers, and the sections that enclose them.
#[derive(Debug)]
pub(crate) struct Index {
    schema: &'static Schema,
    tables: OnceLock<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    leaves: Vec<Leaf>,
    sections: Vec<Enclosing>,
}

/// One number.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// `http.timeout`; of a presence the section's path, of a tag the tag's.
    pub(crate) path: String,
    /// What was declared; `None` for an enum's tag.
    pub(crate) field: Option<&'static FieldMeta>,
    /// What the number stands for.
    pub(crate) role: Role,
}

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A value.
    Leaf,
    /// Whether an optional section is there.
    Presence,
    /// Which variant an enum section is.
    Tag,
}

/// A section: its path and its numbers.
#[derive(Debug)]
struct Enclosing {
    path: String,
    numbers: Range<u32>,
}

impl Index {
    pub(crate) fn new(schema: &'static Schema) -> Self {
        Self { schema, tables: OnceLock::new() }
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::new(self.schema))
    }

    /// How many numbers there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> u32 {
        self.schema.len
    }

    /// What `number` stands for.
    pub(crate) fn leaf(&self, number: u32) -> Option<&Leaf> {
        self.tables().leaves.get(number as usize)
    }

    /// The path of `number`; empty where there is no such number.
    pub(crate) fn path(&self, number: u32) -> &str {
        self.leaf(number).map_or("", |leaf| &leaf.path)
    }

    /// The path of what has exactly these numbers: a leaf, or a section; of a section within a section
    /// of the same numbers the inner one.
    pub(crate) fn path_of(&self, numbers: &Range<u32>) -> &str {
        if numbers.len() == 1
            && let Some(leaf) = self.leaf(numbers.start)
            && leaf.role != Role::Presence
        {
            return &leaf.path;
        }
        self.tables().sections.iter().rev().find(|section| section.numbers == *numbers).map_or("", |s| &s.path)
    }

}

impl Tables {
    fn new(schema: &'static Schema) -> Self {
        let mut tables = Self { leaves: Vec::with_capacity(schema.len as usize), sections: Vec::new() };
        tables.section("", schema, None);
        tables
    }

    /// Adds a section; `own` is the field that holds it.
    fn section(&mut self, path: &str, schema: &'static Schema, own: Option<&'static FieldMeta>) {
        let optional = own.filter(|field| matches!(field.shape, Shape::Optional(_)));
        let first = u32::try_from(self.leaves.len()).expect("numbers are u32");
        let len = schema.len + u32::from(optional.is_some());
        self.sections.push(Enclosing { path: path.to_owned(), numbers: first..first + len });
        if optional.is_some() {
            self.leaves.push(Leaf { path: path.to_owned(), field: own, role: Role::Presence });
        }
        match &schema.body {
            Body::Struct(group) => self.group(path, group),
            Body::Enum { tag, variants } => {
                let tag = join(path, tag);
                self.leaves.push(Leaf { path: tag, field: None, role: Role::Tag });
                for variant in *variants {
                    self.group(path, &variant.group);
                }
            }
        }
    }

    fn group(&mut self, path: &str, group: &Group) {
        for field in group.fields {
            let path = join(path, field.name);
            match field.shape {
                Shape::Leaf | Shape::List(_) | Shape::Map(_) => {
                    self.leaves.push(Leaf { path, field: Some(field), role: Role::Leaf });
                }
                Shape::Section(schema) | Shape::Optional(schema) => {
                    self.section(&path, schema, Some(field));
                }
            }
        }
    }
}

/// Appends a key to a path.
pub(super) fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let mut joined = String::with_capacity(path.len() + 1 + key.len());
    joined.push_str(path);
    if !path.is_empty() {
        joined.push('.');
    }
    if plain {
        joined.push_str(key);
    } else {
        joined.push_str(&format!("{key:?}"));
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::super::meta::{Variant, based, numbered};
    use super::*;

    const TLS: &Schema = &Schema::of_struct(
        "Tls",
        "",
        Group::new(
            const { &numbered([FieldMeta::leaf("cert", "", "String"), FieldMeta::leaf("key", "", "String")]) },
            &[("cert", 0, false), ("key", 1, false)],
        ),
        false,
    );
    const STORE: &Schema = &Schema::of_enum(
        "Store",
        "",
        "type",
        const {
            &based([
                Variant::new("memory", &[], "", Group::new(&[], &[])),
                Variant::new(
                    "s3",
                    &[],
                    "",
                    Group::new(
                        const { &numbered([FieldMeta::leaf("bucket", "", "String")]) },
                        &[("bucket", 0, false)],
                    ),
                ),
            ])
        },
        false,
    );
    const ROOT: &Schema = &Schema::of_struct(
        "Root",
        "",
        Group::new(
            const {
                &numbered([
                    FieldMeta::leaf("listen", "", "String").restart(),
                    FieldMeta::section("tls", "", "Option<Tls>", Shape::Optional(TLS)),
                    FieldMeta::section("store", "", "Store", Shape::Section(STORE)),
                    FieldMeta::section("tenants", "", "Vec<Tls>", Shape::List(TLS)),
                ])
            },
            &[("listen", 0, false), ("store", 2, false), ("tenants", 3, false), ("tls", 1, false)],
        ),
        false,
    );

    #[test]
    fn numbers_follow_declaration_depth_first() {
        let index = Index::new(ROOT);
        let paths: Vec<_> = (0..index.len()).map(|number| index.path(number)).collect();
        assert_eq!(paths, ["listen", "tls", "tls.cert", "tls.key", "store.type", "store.bucket", "tenants"]);
        assert_eq!(index.len(), ROOT.len);
    }

    #[test]
    fn numbers_find_the_path_of_a_leaf_or_of_a_section() {
        let index = Index::new(ROOT);
        assert_eq!(index.path_of(&(1..4)), "tls");
        assert_eq!(index.path_of(&(3..4)), "tls.key");
        assert_eq!(index.path_of(&(4..6)), "store");
        assert_eq!(index.path_of(&(6..7)), "tenants");
        assert_eq!(index.path_of(&(0..7)), "");
    }
}
