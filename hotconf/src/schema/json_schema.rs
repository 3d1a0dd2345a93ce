//! The type as a JSON Schema, for editors that complete and check documents.
//!
//! Only what the schema knows is said: a type that is the user's own is left open, and a value that a
//! check or a unit may refuse is not refused here.

use super::field::Fields;
use super::meta::{Body, Fallback, FieldMeta, Form, Group, Schema, Shape};
use super::render::{Plain, plain, quoted};

/// The keys and values of a JSON object, in their order.
#[derive(Default)]
struct Object(Vec<(String, String)>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<String>) {
        self.0.push((key.to_owned(), value.into()));
    }

    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.put(key, quoted(value));
        }
    }

    fn json(&self) -> String {
        let entries: Vec<String> =
            self.0.iter().map(|(key, value)| format!("{}: {value}", quoted(key))).collect();
        format!("{{{}}}", entries.join(", "))
    }
}

impl Fields {
    /// A JSON Schema (draft 2020-12) of the documents that the type takes.
    ///
    /// Types, defaults, ranges of numbers, docs and required keys are in it; a key that a lower layer may
    /// give is required all the same, so it suits a document that stands alone.
    ///
    /// ```
    /// use hotconf::HotConf;
    ///
    /// #[derive(Clone, HotConf)]
    /// struct Http {
    ///     #[hotconf(default = 3, range = 1..=10)]
    ///     retries: u32,
    /// }
    ///
    /// let schema = Http::fields().json_schema();
    /// assert!(schema.contains(r#""retries": {"type": "integer", "default": 3, "minimum": 1, "maximum": 10}"#));
    /// ```
    pub fn json_schema(&self) -> String {
        let mut object = Object::default();
        object.put("$schema", quoted("https://json-schema.org/draft/2020-12/schema"));
        object.text("title", self.schema.name);
        section(&mut object, self.schema, false);
        object.json()
    }
}

fn section(object: &mut Object, schema: &'static Schema, optional: bool) {
    object.text("description", schema.doc);
    object.put("type", if optional { r#"["object", "null"]"# } else { r#""object""# });
    match &schema.body {
        Body::Struct(group) => {
            fields(object, group, None);
            if schema.deny_unknown {
                object.put("additionalProperties", "false");
            }
        }
        Body::Enum { tag, variants } => {
            let variants: Vec<String> = variants
                .iter()
                .map(|variant| {
                    let mut object = Object::default();
                    object.text("description", variant.doc);
                    fields(&mut object, &variant.group, Some((tag, variant.name)));
                    object.json()
                })
                .collect();
            object.put("oneOf", format!("[{}]", variants.join(", ")));
        }
    }
}

fn fields(object: &mut Object, group: &'static Group, tag: Option<(&str, &str)>) {
    let (mut properties, mut required) = (Object::default(), Vec::new());
    if let Some((key, value)) = tag {
        let mut constant = Object::default();
        constant.put("const", quoted(value));
        properties.put(key, constant.json());
        required.push(quoted(key));
    }
    for (field, name) in group.spellings() {
        properties.put(name, property(field).json());
        // A field with aliases may be given by any of them.
        let alone = group.spellings().filter(|(other, _)| std::ptr::eq(*other, field)).count() == 1;
        if alone && must_be_given(field) {
            required.push(quoted(name));
        }
    }
    object.put("properties", properties.json());
    if !required.is_empty() {
        object.put("required", format!("[{}]", required.join(", ")));
    }
}

/// Whether a document without the field cannot be loaded.
fn must_be_given(field: &FieldMeta) -> bool {
    match (field.shape, field.default) {
        (Shape::Leaf, Fallback::Required) => true,
        (Shape::Section(inner), Fallback::Required) => match &inner.body {
            Body::Struct(group) => group.fields.iter().any(must_be_given),
            Body::Enum { .. } => true,
        },
        _ => false,
    }
}

fn property(field: &'static FieldMeta) -> Object {
    let mut object = Object::default();
    let restart = if field.restart { "Applies on restart." } else { "" };
    let lines: Vec<&str> = [field.doc, restart].into_iter().filter(|line| !line.is_empty()).collect();
    match field.shape {
        Shape::Leaf => leaf(&mut object, field),
        Shape::Section(inner) => section(&mut object, inner, false),
        Shape::Optional(inner) => section(&mut object, inner, true),
        Shape::List(inner) => within(&mut object, "array", "items", inner),
        Shape::Map(inner) => within(&mut object, "object", "additionalProperties", inner),
    }
    if !lines.is_empty() {
        // What the field says of itself goes before what its type says.
        object.0.retain(|(key, _)| key != "description");
        object.put("description", quoted(&lines.join("\n")));
    }
    if field.deprecated.is_some() {
        object.put("deprecated", "true");
    }
    if field.is_secret() {
        object.put("writeOnly", "true");
    }
    object
}

fn within(object: &mut Object, ty: &str, key: &str, inner: &'static Schema) {
    let mut element = Object::default();
    section(&mut element, inner, false);
    object.put("type", quoted(ty));
    object.put(key, element.json());
}

fn leaf(object: &mut Object, field: &FieldMeta) {
    let scalar = plain(field.ty);
    let ty = match (field.form, scalar) {
        (Form::Unknown, _) => None,
        (Form::List, _) => Some("array"),
        (Form::Map, _) => Some("object"),
        (_, Plain::Boolean) => Some("boolean"),
        (_, Plain::Integer) => Some("integer"),
        (_, Plain::Number) => Some("number"),
        // A size may be a bare number, and only its type tells.
        (Form::Scalar, Plain::Text) if field.ty.contains("ByteSize") => None,
        (Form::Text | Form::Scalar, Plain::Text) => Some("string"),
    };
    if let Some(ty) = ty {
        let null = if field.optional { format!("[{}, \"null\"]", quoted(ty)) } else { quoted(ty) };
        object.put("type", null);
    }
    if let (Fallback::Shown(text), false) = (field.default, field.is_secret()) {
        object.put("default", if scalar == Plain::Text { quoted(text) } else { text.to_owned() });
    }
    if let (Some((low, high)), Plain::Integer | Plain::Number) =
        (field.range.and_then(|range| range.split_once("..")), scalar)
    {
        let (below, high) = match high.strip_prefix('=') {
            Some(high) => ("maximum", high),
            None => ("exclusiveMaximum", high),
        };
        for (key, bound) in [("minimum", low.trim()), (below, high.trim())] {
            if !bound.is_empty() {
                object.put(key, bound);
            }
        }
    }
}
