//! A schema written by hand, and documents for it: what the tests of this stage share.

use crate::schema::meta::{Body, Fallback, FieldMeta, Group, Merge, Schema, Secrecy, Shape, Variant};
use crate::value::{Document, Item, Kind, Layered, Ref, Value};
use std::sync::Arc;

pub(super) const fn leaf(name: &'static str, number: u32) -> FieldMeta {
    FieldMeta { number, ..FieldMeta::leaf(name, "", "u32") }
}

pub(super) static HTTP: Schema = Schema {
    name: "Http",
    doc: "",
    body: Body::Struct(Group {
        fields: &[
            FieldMeta { default: Fallback::Shown("5s"), ty: "Duration", ..leaf("timeout", 0) },
            FieldMeta { default: Fallback::Shown("3"), ..leaf("retries", 1) },
        ],
        names: &[("retries", 1, false), ("timeout", 0, false), ("wait", 0, true)],
    }),
    removed: &[("tries", "use `retries`")],
    deny_unknown: false,
    len: 2,
    foreign: false,
};

pub(super) static STORE: Schema = Schema {
    name: "Store",
    doc: "",
    body: Body::Enum {
        tag: "kind",
        variants: &[
            Variant {
                name: "file",
                aliases: &[],
                doc: "",
                base: 1,
                group: Group { fields: &[leaf("path", 0)], names: &[("path", 0, false)] },
            },
            Variant {
                name: "net",
                aliases: &[],
                doc: "",
                base: 2,
                group: Group {
                    fields: &[leaf("host", 0), leaf("port", 1)],
                    names: &[("host", 0, false), ("port", 1, false)],
                },
            },
        ],
    },
    removed: &[],
    deny_unknown: false,
    len: 4,
    foreign: false,
};

pub(super) static ROOT: Schema = Schema {
    name: "Root",
    doc: "",
    body: Body::Struct(Group {
        fields: &[
            leaf("a", 0),
            FieldMeta { ty: "HashMap<String, u32>", ..leaf("labels", 1) },
            FieldMeta { shape: Shape::Section(&HTTP), ..leaf("http", 2) },
            FieldMeta { shape: Shape::Map(&HTTP), ..leaf("flags", 4) },
            FieldMeta { shape: Shape::List(&HTTP), merge: Merge::ByKey("timeout"), ..leaf("ups", 5) },
            FieldMeta { merge: Merge::Append, ty: "Vec<u32>", ..leaf("joined", 6) },
            FieldMeta { shape: Shape::Optional(&STORE), ..leaf("store", 7) },
            FieldMeta { secret: Secrecy::Sealed, ty: "Secret<String>", ..leaf("token", 12) },
            FieldMeta { deprecated: Some("use `a`"), ..leaf("old", 13) },
        ],
        names: &[
            ("a", 0, false),
            ("flags", 3, false),
            ("http", 2, false),
            ("joined", 5, false),
            ("labels", 1, false),
            ("old", 8, false),
            ("store", 6, false),
            ("token", 7, false),
            ("ups", 4, false),
        ],
    }),
    removed: &[],
    deny_unknown: false,
    len: 14,
    foreign: false,
};

pub(super) fn int(n: i128) -> Value {
    Value::Integer(n)
}

pub(super) fn text(s: &str) -> Value {
    Value::String(s.into())
}

pub(super) fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

pub(super) fn layered(name: &str, value: &Value) -> Layered {
    Layered::from(Arc::new(Document::of(name, value)))
}

/// What stands at a place of a merged tree, sections spelled with their fields' names.
pub(super) fn value(place: Ref<'_>, shape: Shape) -> Value {
    if let (Item::Section { variant, .. }, Some(schema)) = (place.item, shape.schema()) {
        let (group, first) = match &schema.body {
            Body::Struct(group) => (group, 0),
            Body::Enum { variants, .. } => match variants.get(usize::from(variant)) {
                Some(variant) => (&variant.group, 1),
                None => return Value::Table(Vec::new()),
            },
        };
        let tag = schema.tag().map(|tag| (tag.to_owned(), value(place.slot(0), Shape::Leaf)));
        let fields = group.fields.iter().enumerate().filter_map(|(i, field)| {
            let slot = place.slot(i + first);
            (!slot.is_absent()).then(|| (field.name.to_owned(), value(slot, field.shape)))
        });
        return Value::Table(tag.into_iter().chain(fields).collect());
    }
    match place.kind() {
        Some(Kind::Table) => {
            Value::Table(place.entries().into_iter().map(|(k, v)| (k.to_owned(), value(v, shape))).collect())
        }
        Some(Kind::Array) => {
            Value::Array(place.elements().into_iter().map(|element| value(element, shape)).collect())
        }
        _ => {
            let (doc, node) = place.node().expect("a scalar stands in one document");
            match doc.kind(node) {
                Kind::Null => Value::Null,
                Kind::Bool => Value::Bool(doc.bool(node)),
                Kind::Int => Value::Integer(doc.int(node).into()),
                Kind::Uint => Value::Integer(doc.uint(node).into()),
                Kind::Float => Value::Float(doc.float(node)),
                _ => Value::String(doc.str(node).to_owned()),
            }
        }
    }
}
