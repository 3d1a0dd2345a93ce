//! The constants that the derive writes: one [`Schema`] per type, one [`FieldMeta`] per field.
//!
//! Numbering: every leaf has a number within its root, in the order of declaration, depth first. A
//! leaf, a list or a map takes one number; a section as many as its leaves; an optional section one
//! for its presence and then its leaves; an enum one for its tag and then all variants' leaves.

/// A struct or an internally tagged enum.
#[derive(Debug)]
pub struct Schema {
    /// The Rust type's name.
    pub name: &'static str,
    /// The type's doc comment.
    pub doc: &'static str,
    /// Its fields or variants.
    pub body: Body,
    /// Keys that once were settings: name and what to do instead.
    pub removed: &'static [(&'static str, &'static str)],
    /// Unknown keys here are refused, whatever the builder says (`deny_unknown_fields`).
    pub deny_unknown: bool,
    /// How many numbers it takes.
    pub len: u32,
    /// Whether loading it runs code of the user: checks, `parse`, `with`, leaf types of their own.
    pub foreign: bool,
}

/// What a type is made of.
#[derive(Debug)]
pub enum Body {
    /// A struct's fields.
    Struct(Group),
    /// An internally tagged enum. Number 0 is the tag.
    Enum {
        /// The key that names the variant.
        tag: &'static str,
        /// The variants, in the order of declaration.
        variants: &'static [Variant],
    },
}

/// The fields of a struct or of one variant.
#[derive(Debug)]
pub struct Group {
    /// In the order of declaration; skipped fields are not in it.
    pub fields: &'static [FieldMeta],
    /// Every name and alias, sorted bytewise, with the index of its field; the flag marks an alias.
    pub names: &'static [(&'static str, u16, bool)],
}

/// One variant of an enum section.
#[derive(Debug)]
pub struct Variant {
    /// The tag's value, after `rename` and `rename_all`.
    pub name: &'static str,
    /// Other values of the tag that mean it.
    pub aliases: &'static [&'static str],
    /// The variant's doc comment.
    pub doc: &'static str,
    /// Its fields.
    pub group: Group,
}

/// One field.
#[derive(Debug)]
pub struct FieldMeta {
    /// The key, after `rename` and `rename_all`.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The type as the user wrote it, e.g. `Duration`, `Option<u16>`.
    pub ty: &'static str,
    /// What it is made of.
    pub shape: Shape,
    /// What holds where no source speaks of it.
    pub default: Fallback,
    /// The range as written, e.g. `1ms..=10m`.
    pub range: Option<&'static str>,
    /// Applies on restart only.
    pub restart: bool,
    /// The type is a `Secret`: the value is shown nowhere.
    pub secret: bool,
    /// Why it should not be used any more.
    pub deprecated: Option<&'static str>,
    /// How lists of several layers are put together.
    pub merge: Merge,
    /// A variable's name that is used as it is, instead of the one made from the path.
    pub env: Option<&'static str>,
    /// Its first number, counted from its section's first.
    pub number: u32,
}

/// What a field is made of.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A value that serde, or `FromStr`, reads in one piece.
    Leaf,
    /// A section: a struct or an enum of its own.
    Section(&'static Schema),
    /// A section that may be missing.
    Optional(&'static Schema),
    /// A list of sections.
    List(&'static Schema),
    /// Sections by name.
    Map(&'static Schema),
}

/// What holds where no source speaks of a field.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    /// Nothing: the field is required.
    Required,
    /// A value that can be shown, as it was written: `5s`, `3`, `0.0.0.0:8080`.
    Shown(&'static str),
    /// `None`, an empty container, or the type's own `Default`: shown as `none`, `empty`, `default`.
    Implicit(&'static str),
}

/// How lists of several layers are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Tables merge key by key; all else is replaced.
    Replace,
    /// Lists are joined, lower layers first.
    Append,
    /// Elements with the same value of this key merge; new ones are appended.
    ByKey(&'static str),
}

impl Group {
    /// The index of the field that `key` names, and whether by an alias.
    ///
    /// `hint` is the field that would come next: documents mostly keep the order of declaration.
    pub(crate) fn find(&self, key: &str, hint: usize) -> Option<(usize, bool)> {
        if self.fields.get(hint).is_some_and(|field| field.name == key) {
            return Some((hint, false));
        }
        let at = self.names.binary_search_by(|(name, ..)| (*name).cmp(key)).ok()?;
        let (_, index, alias) = self.names[at];
        Some((usize::from(index), alias))
    }
}
