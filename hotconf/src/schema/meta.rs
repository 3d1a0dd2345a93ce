//! The constants that the derive writes: one [`Schema`] per type, one [`FieldMeta`] per field.
//!
//! Numbering: every leaf has a number within its root, in the order of declaration, depth first. A
//! leaf, a list or a map takes one number; a section as many as its leaves; an optional section one
//! for its presence and then its leaves; an enum one for its tag and then all variants' leaves.

pub(crate) use super::secrecy::Secrecy;

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
#[derive(Debug, Clone, Copy)]
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
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// In the order of declaration; skipped fields are not in it.
    pub fields: &'static [FieldMeta],
    /// Every name and alias, sorted bytewise, with the index of its field; the flag marks an alias.
    pub names: &'static [(&'static str, u16, bool)],
}

/// One variant of an enum section.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// The tag's value, after `rename` and `rename_all`.
    pub name: &'static str,
    /// Other values of the tag that mean it.
    pub aliases: &'static [&'static str],
    /// The variant's doc comment.
    pub doc: &'static str,
    /// Its fields. Their numbers count from [`base`](Self::base).
    pub group: Group,
    /// Its first number, counted from its enum's first.
    pub base: u32,
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct FieldMeta {
    /// The key, after `rename` and `rename_all`.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The type as the user wrote it, e.g. `Duration`, `Option<u16>`.
    pub ty: &'static str,
    /// What can be told of the type from its name.
    pub form: Form,
    /// The type is an `Option`: a null is a value of it.
    pub optional: bool,
    /// It is a map of leaves whose entries can be set one by one.
    pub keyed: bool,
    /// What it is made of.
    pub shape: Shape,
    /// What holds where no source speaks of it.
    pub default: Fallback,
    /// The range as written, e.g. `1ms..=10m`.
    pub range: Option<&'static str>,
    /// Applies on restart only.
    pub restart: bool,
    /// Whether the value is shown nowhere; asked by `is_secret`.
    pub secret: Secrecy,
    /// Why it should not be used any more.
    pub deprecated: Option<&'static str>,
    /// How lists of several layers are put together.
    pub merge: Merge,
    /// A variable's name that is used as it is, instead of the one made from the path.
    pub env: Option<&'static str>,
    /// Its first number, counted from its section's first.
    pub number: u32,
}

/// What can be told of a leaf's type from its name, whatever wraps it (`Option`, `Secret`, `Box`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Nothing: a type of the user's or of another crate.
    Unknown,
    /// Takes any text as it is.
    Text,
    /// A list, a set or a tuple.
    List,
    /// A table whose keys are the user's.
    Map,
    /// A number, an address, a duration: a scalar that not every text is.
    Scalar,
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
    /// `None`, an empty container, or what the type's own `Default` or that of the type around it says:
    /// shown as `none`, `empty`, `default`; or an expression, shown as it was written.
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

impl Schema {
    /// A struct. `foreign` tells of its own leaves; its sections are asked here.
    #[must_use]
    pub const fn of_struct(name: &'static str, doc: &'static str, group: Group, foreign: bool) -> Self {
        let body = Body::Struct(group);
        let foreign = foreign || group.foreign();
        Self { name, doc, body, removed: &[], deny_unknown: false, len: group.len(), foreign }
    }

    /// An internally tagged enum.
    #[must_use]
    pub const fn of_enum(
        name: &'static str,
        doc: &'static str,
        tag: &'static str,
        variants: &'static [Variant],
        mut foreign: bool,
    ) -> Self {
        let mut len = 1;
        let mut i = 0;
        while i < variants.len() {
            len += variants[i].group.len();
            foreign = foreign || variants[i].group.foreign();
            i += 1;
        }
        let body = Body::Enum { tag, variants };
        Self { name, doc, body, removed: &[], deny_unknown: false, len, foreign }
    }

    /// Adds the keys that once were settings.
    #[must_use]
    pub const fn removed(mut self, removed: &'static [(&'static str, &'static str)]) -> Self {
        self.removed = removed;
        self
    }

    /// Refuses unknown keys.
    #[must_use]
    pub const fn deny_unknown(mut self) -> Self {
        self.deny_unknown = true;
        self
    }

    /// Tells whether anything in it applies on restart only.
    pub(crate) fn waits(&self) -> bool {
        let any = |group: &Group| {
            group.fields.iter().any(|f| f.restart || f.shape.section().is_some_and(Schema::waits))
        };
        match &self.body {
            Body::Struct(group) => any(group),
            Body::Enum { variants, .. } => variants.iter().any(|variant| any(&variant.group)),
        }
    }

    /// The group of fields that `number`, counted from this section's first, lies in: the variant's
    /// index (0 for a struct) and the number that the group's fields count from.
    ///
    /// `None` for an enum's tag.
    pub(crate) fn group_of(&'static self, number: u32) -> Option<(usize, &'static Group, u32)> {
        match &self.body {
            Body::Struct(group) => Some((0, group, 0)),
            Body::Enum { .. } if number == 0 => None,
            Body::Enum { variants, .. } => {
                let at = variants.partition_point(|variant| variant.base <= number).checked_sub(1)?;
                // Variants without fields share their base with the next one; the last of them has the fields.
                Some((at, &variants[at].group, variants[at].base))
            }
        }
    }
}

impl Group {
    /// Fields and their names; `names` is sorted bytewise.
    #[must_use]
    pub const fn new(fields: &'static [FieldMeta], names: &'static [(&'static str, u16, bool)]) -> Self {
        Self { fields, names }
    }

    /// The fields of a struct section, for the variant of an enum that holds one.
    ///
    /// # Panics
    /// When the section is an enum: a document has one tag per table.
    #[must_use]
    pub const fn of(section: &'static Schema) -> Self {
        match section.body {
            Body::Struct(group) => group,
            Body::Enum { .. } => {
                panic!("a variant of an enum section holds a struct section, not another enum")
            }
        }
    }

    /// Every field by its name, then by each of its aliases.
    pub(crate) fn spellings(&'static self) -> impl Iterator<Item = (&'static FieldMeta, &'static str)> {
        self.fields.iter().enumerate().flat_map(|(index, field)| {
            let aliases = self.names.iter().filter(move |(_, of, alias)| *alias && usize::from(*of) == index);
            std::iter::once((field, field.name)).chain(aliases.map(move |(alias, ..)| (field, *alias)))
        })
    }

    /// How many numbers its fields take.
    const fn len(&self) -> u32 {
        match self.fields.last() {
            Some(last) => last.number + last.shape.numbers(),
            None => 0,
        }
    }

    const fn foreign(&self) -> bool {
        let mut i = 0;
        while i < self.fields.len() {
            if let Some(section) = self.fields[i].shape.section()
                && section.foreign
            {
                return true;
            }
            i += 1;
        }
        false
    }

    /// The field that `number`, counted from the group's first, belongs to.
    pub(crate) fn field_at(&self, number: u32) -> Option<usize> {
        let flat = number as usize;
        if self.fields.get(flat).is_some_and(|field| field.number == number) {
            return Some(flat);
        }
        self.fields.partition_point(|field| field.number <= number).checked_sub(1)
    }

    /// The index of the field that `key` names, and whether by an alias.
    ///
    /// `hint` is the field that would come next: documents mostly keep the order of declaration.
    #[inline]
    pub(crate) fn find(&self, key: &str, hint: usize) -> Option<(usize, bool)> {
        if self.fields.get(hint).is_some_and(|field| field.name == key) {
            return Some((hint, false));
        }
        let at = self.names.binary_search_by(|(name, ..)| (*name).cmp(key)).ok()?;
        let (_, index, alias) = self.names[at];
        Some((usize::from(index), alias))
    }
}

impl Shape {
    /// The section below it, if there is one.
    #[must_use]
    pub const fn section(&self) -> Option<&'static Schema> {
        match self {
            Self::Leaf => None,
            Self::Section(s) | Self::Optional(s) | Self::List(s) | Self::Map(s) => Some(*s),
        }
    }

    /// How many numbers it takes.
    #[must_use]
    pub const fn numbers(&self) -> u32 {
        match self {
            Self::Leaf | Self::List(_) | Self::Map(_) => 1,
            Self::Section(section) => section.len,
            Self::Optional(section) => section.len + 1,
        }
    }
}

impl Variant {
    /// A variant with the names of its tag.
    #[must_use]
    pub const fn new(
        name: &'static str,
        aliases: &'static [&'static str],
        doc: &'static str,
        group: Group,
    ) -> Self {
        Self { name, aliases, doc, group, base: 0 }
    }
}

/// Setters for what the derive has to say of a field beyond its name and type.
impl FieldMeta {
    /// A required leaf.
    #[must_use]
    pub const fn leaf(name: &'static str, doc: &'static str, ty: &'static str) -> Self {
        Self::section(name, doc, ty, Shape::Leaf)
    }

    /// A field that holds sections.
    ///
    /// # Panics
    /// When a field below a list or a map names a variable of its own: there are many of that field.
    #[must_use]
    #[track_caller] // so that the error, at compile time, is found at the user's field
    pub const fn section(name: &'static str, doc: &'static str, ty: &'static str, shape: Shape) -> Self {
        if let Shape::List(inner) | Shape::Map(inner) = shape {
            assert!(
                !inner.names_variable(),
                "`env` below a list or a map: one variable cannot mean a field of each of its sections"
            );
        }
        let default = match shape {
            Shape::Leaf | Shape::Section(_) => Fallback::Required,
            Shape::Optional(_) => Fallback::Implicit("none"),
            Shape::List(_) | Shape::Map(_) => Fallback::Implicit("empty"),
        };
        Self {
            name,
            doc,
            ty,
            form: Form::Unknown,
            optional: false,
            keyed: false,
            shape,
            default,
            range: None,
            restart: false,
            secret: Secrecy::Open,
            deprecated: None,
            merge: Merge::Replace,
            env: None,
            number: 0,
        }
    }

    /// What can be told of the type from its name.
    #[must_use]
    pub const fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// Takes a null for a value.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// A map of leaves whose entries can be set one by one.
    #[must_use]
    pub const fn keyed(mut self) -> Self {
        self.keyed = true;
        self
    }

    /// A default that can be shown as it was written.
    #[must_use]
    pub const fn shown(mut self, text: &'static str) -> Self {
        self.default = Fallback::Shown(text);
        self
    }

    /// A default that is described.
    #[must_use]
    pub const fn implicit(mut self, text: &'static str) -> Self {
        self.default = Fallback::Implicit(text);
        self
    }

    /// The range as written.
    #[must_use]
    pub const fn range(mut self, range: &'static str) -> Self {
        self.range = Some(range);
        self
    }

    /// Applies on restart only.
    #[must_use]
    pub const fn restart(mut self) -> Self {
        self.restart = true;
        self
    }

    /// Shown nowhere.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = Secrecy::Sealed;
        self
    }

    /// Shown nowhere, if the type says so when it is asked.
    #[must_use]
    pub const fn asked(mut self, hides: fn(bool) -> bool) -> Self {
        self.secret = Secrecy::Asked(hides);
        self
    }

    /// Not to be used any more.
    #[must_use]
    pub const fn deprecated(mut self, hint: &'static str) -> Self {
        self.deprecated = Some(hint);
        self
    }

    /// How lists of several layers are put together.
    #[must_use]
    pub const fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    /// A variable of its own.
    #[must_use]
    pub const fn env(mut self, name: &'static str) -> Self {
        self.env = Some(name);
        self
    }
}

/// Gives fields their numbers.
#[must_use]
pub const fn numbered<const N: usize>(mut fields: [FieldMeta; N]) -> [FieldMeta; N] {
    let mut next = 0;
    let mut i = 0;
    while i < N {
        fields[i].number = next;
        next += fields[i].shape.numbers();
        i += 1;
    }
    fields
}

/// Gives variants their first numbers; 0 is the tag.
#[must_use]
pub const fn based<const N: usize>(mut variants: [Variant; N]) -> [Variant; N] {
    let mut next = 1;
    let mut i = 0;
    while i < N {
        variants[i].base = next;
        next += variants[i].group.len();
        i += 1;
    }
    variants
}
