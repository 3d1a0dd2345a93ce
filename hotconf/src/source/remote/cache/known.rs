//! What of a document may be kept: settings that the schema knows, and secrets only where it is sealed.
//!
//! Pure. Of a document of secrets nothing is left where it is not sealed. What is not known may be a password under a mistyped key, so it is left out too.

use crate::schema::meta::{Schema, Shape};
use crate::value::{Document, Kind, Layered, Value};

/// The part of a document that may be kept, with the tables in which it is mounted.
pub(super) fn known(layered: &Layered, schema: &'static Schema, above: &[String], secrets: bool) -> Value {
    if layered.doc.is_secret() && !secrets {
        return Value::Table(Vec::new());
    }
    let whole = value(&layered.doc, Document::ROOT);
    let mounted =
        layered.under.iter().rev().fold(whole, |inside, key| Value::Table(vec![(key.clone(), inside)]));
    kept_below(mounted, schema, above, secrets)
}

/// Follows the keys that stand above the schema, and drops what stands beside them.
fn kept_below(value: Value, schema: &'static Schema, above: &[String], secrets: bool) -> Value {
    let Some((key, rest)) = above.split_first() else { return kept(value, schema, secrets) };
    let Value::Table(entries) = value else { return Value::Table(Vec::new()) };
    let below = entries.into_iter().filter(|(name, _)| name == key);
    Value::Table(below.map(|(name, inside)| (name, kept_below(inside, schema, rest, secrets))).collect())
}

fn kept(value: Value, schema: &'static Schema, secrets: bool) -> Value {
    let Value::Table(entries) = value else { return Value::Table(Vec::new()) };
    let mut kept_entries = Vec::new();
    for (key, inside) in entries {
        if schema.tag() == Some(key.as_str()) {
            kept_entries.push((key, inside));
            continue;
        }
        // A name may be a field of several variants: one that is secret anywhere is.
        let mut fields = schema
            .groups()
            .filter_map(|group| group.find(&key, usize::MAX).map(|(index, _)| &group.fields[index]));
        let Some(field) = fields.next() else { continue };
        if !secrets && (field.is_secret() || fields.any(crate::schema::meta::FieldMeta::is_secret)) {
            continue;
        }
        let inside = match (field.shape, inside) {
            (Shape::Leaf, inside) => inside,
            (_, Value::Null) => Value::Null,
            (Shape::Section(inner) | Shape::Optional(inner), inside) => kept(inside, inner, secrets),
            (Shape::List(inner), Value::Array(elements)) => {
                Value::Array(elements.into_iter().map(|element| kept(element, inner, secrets)).collect())
            }
            (Shape::Map(inner), Value::Table(entries)) => Value::Table(
                entries.into_iter().map(|(key, inside)| (key, kept(inside, inner, secrets))).collect(),
            ),
            (Shape::List(_) | Shape::Map(_), _) => continue,
        };
        kept_entries.push((key, inside));
    }
    Value::Table(kept_entries)
}

fn value(doc: &Document, node: u32) -> Value {
    match doc.kind(node) {
        Kind::Null => Value::Null,
        Kind::Bool => Value::Bool(doc.bool(node)),
        Kind::Int => Value::Integer(doc.int(node).into()),
        Kind::Uint => Value::Integer(doc.uint(node).into()),
        Kind::Float => Value::Float(doc.float(node)),
        Kind::Text => Value::Text(doc.str(node).to_owned()),
        // Dates are read from their text.
        Kind::Str | Kind::Key | Kind::Datetime => Value::String(doc.str(node).to_owned()),
        Kind::Array => Value::Array(doc.elements(node).map(|element| value(doc, element)).collect()),
        Kind::Table => {
            let entries = doc.entries(node);
            Value::Table(entries.map(|(key, inside)| (doc.str(key).to_owned(), value(doc, inside))).collect())
        }
    }
}
