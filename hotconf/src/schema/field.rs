//! What users see of a type: the table of its fields.
//!
//! The table lists every leaf once, `tenants.*.api_key` below containers, and the sections' own lines
//! where they say something of their own (an optional section, a list, a map, a tag). No value is in
//! it: a default is text that the type's author wrote.

use super::index::join;
use super::meta::{Body, Fallback, FieldMeta, Form, Group, Merge, Schema, Shape};
use std::fmt;

/// The fields of a configuration type, in the order of declaration.
///
/// ```
/// use hotconf::HotConf;
///
/// #[derive(Clone, HotConf)]
/// struct Http {
///     /// Attempts per request.
///     #[hotconf(default = 3, range = 1..=10)]
///     retries: u32,
/// }
///
/// let fields = Http::fields();
/// let retries = fields.get("retries").expect("the field is declared above");
/// assert_eq!(retries.doc(), "Attempts per request.");
/// assert_eq!(retries.default(), Some("3"));
/// assert_eq!(retries.range(), Some("1..=10"));
/// ```
#[derive(Clone)]
pub struct Fields {
    name: &'static str,
    doc: &'static str,
    fields: Vec<FieldInfo>,
    pub(super) schema: &'static Schema,
}

/// One field: its path, type, doc, default, range and flags.
///
/// ```
/// use hotconf::{HotConf, Secret};
/// use std::collections::HashMap;
///
/// #[derive(Clone, HotConf)]
/// struct Tenant {
///     api_key: Secret<String>,
/// }
///
/// #[derive(Clone, HotConf)]
/// struct Shop {
///     #[hotconf(nested)]
///     tenants: HashMap<String, Tenant>,
/// }
///
/// let fields = Shop::fields();
/// let key = fields.get("tenants.*.api_key").expect("the field is declared above");
/// assert!(key.is_secret() && key.is_required());
/// ```
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the declaration, and independent")]
pub struct FieldInfo {
    path: String,
    ty: &'static str,
    doc: &'static str,
    kind: FieldKind,
    default: Option<&'static str>,
    literal: bool,
    range: Option<&'static str>,
    restart: bool,
    /// It belongs to a variant that is not its enum's first.
    dormant: bool,
    /// It is in a section that has a default as a whole.
    whole: bool,
    form: Form,
    secret: bool,
    deprecated: Option<&'static str>,
    merge: Option<String>,
    env: Option<&'static str>,
    aliases: Vec<&'static str>,
    variant: Option<&'static str>,
    values: Vec<&'static str>,
}

/// What a field has from the sections around it.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    restart: bool,
    dormant: bool,
    whole: bool,
}

/// What stands at a field's path.
///
/// ```
/// use hotconf::{FieldKind, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     port: u16,
///     #[hotconf(nested)]
///     tls: Option<Tls>,
/// }
///
/// #[derive(Clone, HotConf)]
/// struct Tls {
///     cert: String,
/// }
///
/// let kinds: Vec<_> = App::fields().iter().map(|field| (field.path().to_owned(), field.kind())).collect();
/// assert_eq!(kinds[0], ("port".to_owned(), FieldKind::Value));
/// assert_eq!(kinds[1], ("tls".to_owned(), FieldKind::Optional));
/// assert_eq!(kinds[2], ("tls.cert".to_owned(), FieldKind::Value));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// One value.
    Value,
    /// A section that may be missing.
    Optional,
    /// A list of sections.
    List,
    /// Sections by name.
    Map,
    /// The key that names an enum section's variant.
    Tag,
}

impl Fields {
    pub(crate) fn of(schema: &'static Schema) -> Self {
        let mut fields = Self { name: schema.name, doc: schema.doc, fields: Vec::new(), schema };
        fields.section("", schema, Around::default());
        fields
    }

    /// The Rust name of the type.
    pub fn type_name(&self) -> &str {
        self.name
    }

    /// The doc comment of the type.
    pub fn doc(&self) -> &str {
        self.doc
    }

    /// All fields, in the order of declaration.
    pub fn iter(&self) -> std::slice::Iter<'_, FieldInfo> {
        self.fields.iter()
    }

    /// The field at `path`; of variants that share a key, the first.
    pub fn get(&self, path: &str) -> Option<&FieldInfo> {
        self.fields.iter().find(|field| field.path == path)
    }

    fn section(&mut self, path: &str, schema: &'static Schema, around: Around) {
        match &schema.body {
            Body::Struct(group) => self.group(path, group, None, around),
            Body::Enum { tag, variants } => {
                let mut info = FieldInfo::new(join(path, tag), schema.name, schema.doc, FieldKind::Tag);
                info.restart = around.restart;
                info.dormant = around.dormant;
                info.whole = around.whole;
                info.default = around.whole.then_some(WHOLE);
                info.values = variants.iter().map(|variant| variant.name).collect();
                self.fields.push(info);
                for (index, variant) in variants.iter().enumerate() {
                    let around = Around { dormant: around.dormant || index > 0, ..around };
                    self.group(path, &variant.group, Some(variant.name), around);
                }
            }
        }
    }

    fn group(&mut self, path: &str, group: &Group, variant: Option<&'static str>, around: Around) {
        for (index, field) in group.fields.iter().enumerate() {
            let path = join(path, field.name);
            let around = Around { restart: around.restart || field.restart, ..around };
            let (kind, below, schema) = match field.shape {
                Shape::Section(schema) => {
                    self.section(&path, schema, around.within(field));
                    continue;
                }
                Shape::Leaf => (FieldKind::Value, None, None),
                Shape::Optional(schema) => (FieldKind::Optional, Some(path.clone()), Some(schema)),
                Shape::List(schema) => (FieldKind::List, Some(path.clone() + ".*"), Some(schema)),
                Shape::Map(schema) => (FieldKind::Map, Some(path.clone() + ".*"), Some(schema)),
            };
            let aliases = group.names.iter().filter(|(_, of, alias)| *alias && usize::from(*of) == index);
            let aliases = aliases.map(|(name, ..)| *name).collect();
            self.fields.push(FieldInfo::declared(path, field, kind, aliases, variant, around));
            if let (Some(below), Some(schema)) = (below, schema) {
                self.section(&below, schema, around.within(field));
            }
        }
    }
}

impl fmt::Debug for Fields {
    /// Without the schema as it was declared, which has the defaults of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, doc, fields, schema: _ } = self;
        let mut shown = f.debug_struct("Fields");
        shown.field("name", name).field("doc", doc).field("fields", fields).finish()
    }
}

impl Around {
    /// What the fields in the section, or the sections, of `field` have from around them.
    fn within(self, field: &FieldMeta) -> Self {
        let whole = match field.shape {
            // An element is there because a source, or the list's default, gives all of it.
            Shape::List(_) | Shape::Map(_) => false,
            _ => self.whole || field.is_defaulted_whole(),
        };
        Self { whole, ..self }
    }
}

/// What holds of a field in a section that has a default as a whole.
const WHOLE: &str = "default";

impl<'f> IntoIterator for &'f Fields {
    type Item = &'f FieldInfo;
    type IntoIter = std::slice::Iter<'f, FieldInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FieldInfo {
    fn new(path: String, ty: &'static str, doc: &'static str, kind: FieldKind) -> Self {
        Self {
            path,
            ty,
            doc,
            kind,
            default: None,
            literal: false,
            range: None,
            restart: false,
            dormant: false,
            whole: false,
            form: Form::Unknown,
            secret: false,
            deprecated: None,
            merge: None,
            env: None,
            aliases: Vec::new(),
            variant: None,
            values: Vec::new(),
        }
    }

    fn declared(
        path: String,
        field: &'static FieldMeta,
        kind: FieldKind,
        aliases: Vec<&'static str>,
        variant: Option<&'static str>,
        around: Around,
    ) -> Self {
        let (default, literal) = match field.default {
            _ if around.whole => (Some(WHOLE), false),
            Fallback::Required => (None, false),
            // A secret's default is the author's, and still nobody's business.
            Fallback::Shown(_) | Fallback::Implicit(_) if field.shown_default().is_none() => {
                (Some("<secret>"), false)
            }
            Fallback::Shown(text) => (Some(text), true),
            Fallback::Implicit(word) => (Some(word), false),
        };
        Self {
            default,
            literal,
            range: field.range,
            restart: around.restart,
            dormant: around.dormant,
            whole: around.whole,
            form: field.form,
            secret: field.is_secret(),
            deprecated: field.deprecated,
            merge: match field.merge {
                Merge::Replace => None,
                Merge::Append => Some("append".to_owned()),
                Merge::ByKey(key) => Some(format!("by_key({key})")),
            },
            env: field.env,
            aliases,
            variant,
            ..Self::new(path, field.ty, field.doc, kind)
        }
    }

    /// Its path, as TOML writes a dotted key; `*` stands for a name, or a place in a list.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its type, as it is written in the source.
    pub fn type_name(&self) -> &str {
        self.ty
    }

    /// Its doc comment.
    pub fn doc(&self) -> &str {
        self.doc
    }

    /// What stands at its path.
    pub fn kind(&self) -> FieldKind {
        self.kind
    }

    /// What holds where no source speaks of it: a literal as it was written, or a word such as `none`.
    ///
    /// The word is `default` where the type, or a section around the field, has a default as a whole.
    pub fn default(&self) -> Option<&str> {
        self.default
    }

    /// Whether [`default`](Self::default) is a value, not a word for one.
    pub fn has_literal_default(&self) -> bool {
        self.literal
    }

    /// Its range, e.g. `1ms..=10m`.
    pub fn range(&self) -> Option<&str> {
        self.range
    }

    /// Whether a source has to give it.
    ///
    /// A field of a section that has a default as a whole has to be given by none; once a source speaks of
    /// the section, what counts is the field's own default, and a field without one is asked for.
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }

    /// Whether a change applies on restart only.
    pub fn is_restart(&self) -> bool {
        self.restart
    }

    pub(super) fn is_dormant(&self) -> bool {
        self.dormant
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Whether its value is shown nowhere.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Why it should not be used any more.
    pub fn deprecated(&self) -> Option<&str> {
        self.deprecated
    }

    /// How lists of several layers are put together, where they do not replace each other.
    pub fn merge(&self) -> Option<&str> {
        self.merge.as_deref()
    }

    /// The environment variable that is used as it is, instead of the one made from the path.
    pub fn env(&self) -> Option<&str> {
        self.env
    }

    /// Other keys that mean it.
    pub fn aliases(&self) -> &[&str] {
        &self.aliases
    }

    /// The variant that it belongs to, below an enum section.
    pub fn variant(&self) -> Option<&str> {
        self.variant
    }

    /// Of a tag, the values it may have.
    pub fn values(&self) -> &[&str] {
        &self.values
    }
}
