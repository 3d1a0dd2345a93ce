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
    /// Whether it, or a section around it, applies on restart only.
    pub(crate) restart: bool,
    /// The innermost section around it.
    section: usize,
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
    up: Option<usize>,
}

impl Index {
    pub(crate) fn new(schema: &'static Schema) -> Self {
        Self { schema, tables: OnceLock::new() }
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Tables::new(self.schema))
    }

    /// How many numbers there are.
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

    /// All leaves, in the order of their numbers.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (u32, &Leaf)> {
        (0..).zip(&self.tables().leaves)
    }

    /// The numbers of what stands at `path`: one of a leaf, all of a section. Below a list or a map of
    /// sections, and inside a leaf that is a table, the number of that field.
    pub(crate) fn numbers(&self, path: &str) -> Option<Range<u32>> {
        if let Some(section) = self.tables().sections.iter().find(|section| section.path == path) {
            return Some(section.numbers.clone());
        }
        let mut rest = path;
        loop {
            if let Some((number, _)) =
                self.leaves().find(|(_, leaf)| leaf.path == rest && leaf.role != Role::Presence)
            {
                return Some(number..number + 1);
            }
            rest = &rest[..rest.rfind('.')?];
        }
    }

    /// The numbers of the sections around `number`, innermost first, the root last.
    pub(crate) fn around(&self, number: u32) -> impl Iterator<Item = Range<u32>> {
        let mut next = self.leaf(number).map(|leaf| leaf.section);
        std::iter::from_fn(move || {
            let section = &self.tables().sections[next?];
            next = section.up;
            Some(section.numbers.clone())
        })
    }

    /// The numbers of the leaves that apply on restart only.
    pub(crate) fn restarts(&self) -> impl Iterator<Item = u32> {
        self.leaves().filter(|(_, leaf)| leaf.restart).map(|(number, _)| number)
    }
}

impl Tables {
    fn new(schema: &'static Schema) -> Self {
        let mut tables = Self { leaves: Vec::with_capacity(schema.len as usize), sections: Vec::new() };
        tables.section(String::new(), schema, None, None, false);
        tables
    }

    /// Adds a section; `own` is the field that holds it.
    fn section(
        &mut self,
        path: String,
        schema: &'static Schema,
        own: Option<&'static FieldMeta>,
        up: Option<usize>,
        restart: bool,
    ) {
        let optional = own.filter(|field| matches!(field.shape, Shape::Optional(_)));
        let first = u32::try_from(self.leaves.len()).expect("numbers are u32");
        let section = self.sections.len();
        let len = schema.len + u32::from(optional.is_some());
        self.sections.push(Enclosing { path: path.clone(), numbers: first..first + len, up });
        if optional.is_some() {
            self.leaves.push(Leaf { path: path.clone(), field: own, role: Role::Presence, restart, section });
        }
        match &schema.body {
            Body::Struct(group) => self.group(&path, group, section, restart),
            Body::Enum { tag, variants } => {
                let tag = join(&path, tag);
                self.leaves.push(Leaf { path: tag, field: None, role: Role::Tag, restart, section });
                for variant in *variants {
                    self.group(&path, &variant.group, section, restart);
                }
            }
        }
    }

    fn group(&mut self, path: &str, group: &Group, section: usize, restart: bool) {
        for field in group.fields {
            let path = join(path, field.name);
            let restart = restart || field.restart;
            match field.shape {
                Shape::Leaf | Shape::List(_) | Shape::Map(_) => {
                    self.leaves.push(Leaf { path, field: Some(field), role: Role::Leaf, restart, section });
                }
                Shape::Section(schema) | Shape::Optional(schema) => {
                    self.section(path, schema, Some(field), Some(section), restart);
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
        let paths: Vec<_> = index.leaves().map(|(_, leaf)| leaf.path.as_str()).collect();
        assert_eq!(paths, ["listen", "tls", "tls.cert", "tls.key", "store.type", "store.bucket", "tenants"]);
        assert_eq!(index.len(), ROOT.len);
        assert_eq!(index.restarts().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_path_finds_its_numbers() {
        let index = Index::new(ROOT);
        assert_eq!(index.numbers("tls"), Some(1..4));
        assert_eq!(index.numbers("tls.key"), Some(3..4));
        assert_eq!(index.numbers("store"), Some(4..6));
        assert_eq!(index.numbers("tenants.ann.cert"), Some(6..7));
        assert_eq!(index.numbers(""), Some(0..7));
        assert_eq!(index.numbers("tls.nothing"), None);
        assert_eq!(index.numbers("nothing"), None);
    }

    #[test]
    fn sections_around_a_leaf_come_innermost_first() {
        let index = Index::new(ROOT);
        assert_eq!(index.around(3).collect::<Vec<_>>(), [1..4, 0..7]);
        assert_eq!(index.around(0).collect::<Vec<_>>(), std::iter::once(0..7).collect::<Vec<_>>());
    }
}
