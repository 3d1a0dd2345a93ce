//! The settings of a tree, one by one, and where each document speaks of one.

use super::render::scalar;
use crate::layer::merge::{NO_VARIANT, Opened, Voice};
use crate::origin::Origin;
use crate::schema::keys;
use crate::schema::meta::{Body, Fallback, FieldMeta, Form, Group, Schema, Shape};
use crate::value::{Document, Item, Kind, Ref, Tree};

/// One step from a section towards a leaf.
#[derive(Clone, Copy)]
pub(super) enum Step<'t> {
    /// A field of a group, by name or alias.
    Field(&'static Group, usize),
    /// A key as it is: an enum's tag, an entry of a map.
    Key(&'t str),
    /// An element of a list, which no layer but the winner's knows.
    Element,
}

/// A setting of the tree.
pub(super) struct Leaf<'a> {
    pub(super) path: &'a str,
    /// `None` of an enum's tag.
    pub(super) field: Option<&'static FieldMeta>,
    pub(super) steps: &'a [Step<'a>],
    pub(super) value: Ref<'a>,
}

/// Visits every setting in the order of the schema: leaves, tags, and containers that hold none.
pub(super) fn leaves<'t>(tree: &'t Tree, schema: &'static Schema, visit: &mut dyn FnMut(Leaf<'_>)) {
    let mut walk = Walk { path: String::new(), steps: Vec::new(), visit };
    walk.section(schema, tree.root());
}

struct Walk<'t, 'v> {
    path: String,
    steps: Vec<Step<'t>>,
    visit: &'v mut dyn FnMut(Leaf<'_>),
}

impl<'t> Walk<'t, '_> {
    fn emit(&mut self, field: Option<&'static FieldMeta>, value: Ref<'t>) {
        (self.visit)(Leaf { path: &self.path, field, steps: &self.steps, value });
    }

    fn below(&mut self, name: &str, step: Step<'t>, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        match step {
            Step::Element => self.path.push_str(name),
            _ => keys::push(&mut self.path, name),
        }
        self.steps.push(step);
        work(self);
        self.steps.pop();
        self.path.truncate(length);
    }

    fn section(&mut self, schema: &'static Schema, at: Ref<'t>) {
        let (group, first) = match &schema.body {
            Body::Struct(group) => (group, 0),
            Body::Enum { tag, variants } => {
                self.below(tag, Step::Key(tag), |walk| walk.emit(None, at.slot(0)));
                match at.item {
                    Item::Section { variant, .. } if variant != NO_VARIANT => {
                        (&variants[usize::from(variant)].group, 1)
                    }
                    _ => return,
                }
            }
        };
        for (index, field) in group.fields.iter().enumerate() {
            let value = at.slot(index + first);
            self.below(field.name, Step::Field(group, index), |walk| walk.field(field, value));
        }
    }

    fn field(&mut self, field: &'static FieldMeta, value: Ref<'t>) {
        let value = said(field, value);
        let absent = value.is_absent();
        match (field.shape, value.item) {
            (Shape::Section(inner) | Shape::Optional(inner), Item::Section { .. }) => {
                self.section(inner, value);
            }
            // A section that no layer mentions has its defaults, unless it has one as a whole.
            (Shape::Section(inner), _) if absent && matches!(field.default, Fallback::Required) => {
                self.section(inner, value);
            }
            (Shape::Map(inner), Item::Table { len, .. }) if len > 0 => {
                for (name, entry) in value.entries() {
                    self.below(name, Step::Key(name), |walk| match entry.item {
                        Item::Section { .. } => walk.section(inner, entry),
                        _ => walk.emit(Some(field), entry),
                    });
                }
            }
            (Shape::List(inner), Item::List { len, .. }) if len > 0 => {
                for (at, element) in value.elements().into_iter().enumerate() {
                    self.below(&format!("[{at}]"), Step::Element, |walk| match element.item {
                        Item::Section { .. } => walk.section(inner, element),
                        _ => walk.emit(Some(field), element),
                    });
                }
            }
            _ => self.emit(Some(field), value),
        }
    }
}

/// What is said of a field: a null that is no value of it took back what was said.
fn said<'t>(field: &FieldMeta, value: Ref<'t>) -> Ref<'t> {
    match value.kind() {
        Some(Kind::Null) if !field.takes_null() => value.tree.at(Item::Absent),
        _ => value,
    }
}

/// What one document says of a setting.
pub(super) struct Said<'d> {
    pub(super) doc: &'d Document,
    pub(super) node: u32,
    pub(super) owner: usize,
    pub(super) origin: Origin,
    /// The last key as it was written, where that is not the field's name.
    pub(super) alias: Option<&'d str>,
    /// The number of the overlay that says it.
    pub(super) overlay: Option<usize>,
}

impl Said<'_> {
    /// Whether it takes back what lower documents say.
    pub(super) fn is_null(&self) -> bool {
        self.doc.kind(self.node) == Kind::Null
    }
}

/// What every document says of the setting that `steps` lead to, topmost first; a null on the way, too.
pub(super) fn said_by<'d>(opened: &'d Opened, steps: &[Step<'_>]) -> Vec<Said<'d>> {
    let overlay = |index| opened.overlays.iter().find(|(root, _)| *root == index).map(|(_, number)| *number);
    let roots = opened.roots.iter().enumerate().rev();
    roots.filter_map(|(index, &root)| descend(opened, root, overlay(index), steps)).collect()
}

fn descend<'d>(
    opened: &'d Opened,
    root: Voice,
    overlay: Option<usize>,
    steps: &[Step<'_>],
) -> Option<Said<'d>> {
    let (mut at, mut alias) = (root, None);
    for step in steps {
        let doc = &opened.docs[usize::from(at.doc)];
        match doc.kind(at.node) {
            Kind::Table => {}
            Kind::Null => {
                alias = None;
                break;
            }
            _ => return None,
        }
        let (key, node) = match *step {
            Step::Field(group, index) => {
                let names = |&(key, _): &(u32, u32)| {
                    group.find(doc.str(key), index).is_some_and(|(found, _)| found == index)
                };
                let name = group.fields[index].name;
                let exact = doc.entries(at.node).find(|&(key, _)| doc.str(key) == name);
                exact.or_else(|| doc.entries(at.node).find(names))?
            }
            Step::Key(name) => doc.entries(at.node).find(|&(key, _)| doc.str(key) == name)?,
            Step::Element => return None,
        };
        alias = match *step {
            Step::Field(group, index) if group.fields[index].name != doc.str(key) => Some(doc.str(key)),
            _ => None,
        };
        at = opened.follow(Voice { node, ..at });
    }
    let doc = &opened.docs[usize::from(at.doc)];
    Some(Said {
        doc,
        node: at.node,
        owner: usize::from(opened.owners[usize::from(at.doc)]),
        origin: doc.origin(at.node),
        alias,
        overlay,
    })
}

/// The keys of a path with `[0]` split off into a key `0` of its own.
pub(super) fn indexed(path: &[String]) -> Vec<String> {
    let mut keys = Vec::with_capacity(path.len());
    for key in path {
        match key.strip_suffix(']').and_then(|k| k.split_once('[')) {
            Some((name, indices)) if indices.split("][").all(|i| i.parse::<usize>().is_ok()) => {
                keys.push(name.to_owned());
                keys.extend(indices.split("][").map(str::to_owned));
            }
            _ => keys.push(key.clone()),
        }
    }
    keys
}

/// What a tree has at a path.
pub(super) struct Standing<'t> {
    pub(super) place: Ref<'t>,
    /// The last field on the way, of the variant that is there; `None` of a tag.
    pub(super) field: Option<&'static FieldMeta>,
    /// Nobody speaks of a section around it, which then has its default as a whole.
    pub(super) whole: bool,
}

/// What a tree has at a path; `None` where there is no such setting at present: in an optional section
/// that is missing, in another variant, below a key or an element that is not there.
pub(super) fn stand<'t>(tree: &'t Tree, schema: &'static Schema, path: &str) -> Option<Standing<'t>> {
    let mut at = Standing { place: tree.root(), field: None, whole: false };
    let mut shape = Shape::Section(schema);
    for key in indexed(&keys::split(path).ok()?) {
        match shape {
            Shape::Section(section) | Shape::Optional(section) => {
                let absent = at.place.is_absent();
                at.whole |= absent && at.field.is_some_and(FieldMeta::is_defaulted_whole);
                let null = at.place.kind() == Some(Kind::Null);
                if matches!(shape, Shape::Optional(_)) && (null || absent && !at.whole) {
                    return None;
                }
                (at.place, at.field) = slot(section, at.place, &key, at.whole)?;
                shape = at.field.map_or(Shape::Leaf, |field| field.shape);
            }
            Shape::Map(inner) | Shape::List(inner) => {
                (at.place, shape) = (inside(at.place, &key)?, Shape::Section(inner));
            }
            Shape::Leaf => at.place = inside(at.place, &key)?,
        }
    }
    Some(at)
}

/// Where the setting at a path was set: the default where no source speaks of it.
pub(crate) fn origin_of(tree: &Tree, schema: &'static Schema, path: &str) -> Origin {
    stand(tree, schema, path).map_or_else(Origin::default_value, |at| at.place.origin())
}

/// The slot of a section's field, or of its tag. Which variant a section's default is of, nobody knows.
fn slot<'t>(
    schema: &'static Schema,
    place: Ref<'t>,
    key: &str,
    whole: bool,
) -> Option<(Ref<'t>, Option<&'static FieldMeta>)> {
    let (group, first) = match (&schema.body, place.item) {
        (Body::Struct(group), _) => (group, 0),
        (Body::Enum { tag, .. }, _) if *tag == key => return Some((place.slot(0), None)),
        (Body::Enum { variants, .. }, Item::Section { variant, .. }) => {
            (&variants.get(usize::from(variant))?.group, 1)
        }
        (Body::Enum { .. }, _) if whole => return Some((place.slot(0), Some(schema.field(key)?))),
        _ => return None,
    };
    let (index, _) = group.find(key, usize::MAX)?;
    let field = &group.fields[index];
    Some((said(field, place.slot(index + first)), Some(field)))
}

/// An entry of a table or an element of a list.
fn inside<'t>(place: Ref<'t>, key: &str) -> Option<Ref<'t>> {
    match place.kind()? {
        Kind::Array => place.elements().get(key.parse::<usize>().ok()?).copied(),
        _ => place.entries().into_iter().find(|(name, _)| *name == key).map(|(_, value)| value),
    }
}

/// A hash of everything that is in force and not secret, as 16 hexadecimal digits.
///
/// 64-bit FNV-1a over every setting in the order of the schema (entries of maps by name): its path and
/// its value as text, each preceded by its length. The same content has the same fingerprint, whatever
/// sources, formats, spellings and processes it came from; a default that is set explicitly counts as
/// the default, as long as it is a literal, `None` or empty: what an expression gives is not known here. It
/// tells versions apart; it is no protection against somebody who builds a collision.
pub(crate) fn fingerprint(tree: &Tree, schema: &'static Schema) -> String {
    let mut lines: Vec<(String, Fnv)> = Vec::new();
    leaves(tree, schema, &mut |leaf| {
        if leaf.field.is_some_and(super::is_secret) || leaf.value.is_secret() {
            return;
        }
        let mut value = Fnv::new();
        match (leaf.value.kind(), leaf.field) {
            (None, Some(field)) => value.default(field),
            (None | Some(Kind::Null), _) => value.text("none"),
            (_, field) => {
                let names = field.is_some_and(|field| field.ty.contains("FileContent"));
                value.place(leaf.value, names);
            }
        }
        lines.push((leaf.path.to_owned(), value));
    });
    // The entries of a map come in the order of their documents.
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    let mut all = Fnv::new();
    for (path, value) in &lines {
        all.text(path);
        all.bytes(&value.0.to_le_bytes());
    }
    format!("{:016x}", all.0)
}

/// FNV-1a, 64 bit: stable across processes and versions, unlike the standard library's hasher.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    /// What holds of a field that nobody speaks of: as a document that says the same would be counted.
    fn default(&mut self, field: &FieldMeta) {
        match (field.default, field.form, field.shape) {
            (Fallback::Implicit("empty"), Form::List, _)
            | (Fallback::Implicit("empty"), _, Shape::List(_)) => {
                self.text("[0");
            }
            (Fallback::Implicit("empty"), ..) => self.text("{0"),
            (Fallback::Shown(text) | Fallback::Implicit(text), ..) => self.text(text),
            (Fallback::Required, ..) => self.text("none"),
        }
    }

    /// A value; numbers and booleans as text, so that `5`, `"5"` and an environment's `5` are the same. Of a name
    /// of a file the content counts too.
    fn place(&mut self, place: Ref<'_>, names: bool) {
        match (place.kind(), place.node()) {
            (Some(Kind::Array), _) => {
                let elements = place.elements();
                self.text(&format!("[{}", elements.len()));
                for element in elements {
                    self.place(element, names);
                }
            }
            (Some(Kind::Table), _) => {
                let mut entries = place.entries();
                entries.sort_by_key(|(key, _)| *key);
                self.text(&format!("{{{}", entries.len()));
                for (key, value) in entries {
                    self.text(key);
                    self.place(value, names);
                }
            }
            (_, Some((doc, node))) => {
                self.text(&scalar(doc, node));
                let contents = if names { place.contents() } else { Vec::new() };
                for held in contents.into_iter().filter_map(|(_, held)| held) {
                    self.bytes(&held.bytes);
                }
            }
            _ => self.text("none"),
        }
    }
}
