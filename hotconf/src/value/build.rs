//! Documents that no parser made: from a [`Value`], or copied from a part of another document.

use super::{Builder, Document, Kind, Value};

impl Document {
    /// A document that says what `value` says; every node stands at the source as a whole.
    pub(crate) fn of(name: &str, value: &Value) -> Self {
        let mut builder = Builder::keyed(name);
        builder.value(0, value);
        builder.finish()
    }
}

impl Builder {
    /// Pushes a whole value, every node of it at `pos`.
    ///
    /// A number that fits neither `i64` nor `u64` becomes text, which no number reads.
    pub(crate) fn value(&mut self, pos: usize, value: &Value) {
        match value {
            Value::Null => self.null(pos),
            Value::Bool(b) => self.bool(pos, *b),
            Value::Integer(n) => match (i64::try_from(*n), u64::try_from(*n)) {
                (Ok(n), _) => self.int(pos, n),
                (_, Ok(n)) => self.uint(pos, n),
                // Of more than 64 bits the digits are text, which the field's type reads.
                _ => self.str_owned(Kind::Text, pos, &n.to_string()),
            },
            Value::Float(f) => self.float(pos, *f),
            Value::String(s) => self.str_owned(Kind::Str, pos, s),
            Value::Text(s) => self.str_owned(Kind::Text, pos, s),
            Value::Array(elements) => {
                let open = self.array(pos);
                for element in elements {
                    self.value(pos, element);
                }
                self.close(open, elements.len());
            }
            Value::Table(entries) => {
                let open = self.table(pos);
                for (key, value) in entries {
                    self.key_owned(pos, key);
                    self.value(pos, value);
                }
                self.close(open, entries.len());
            }
        }
    }

    /// Copies a subtree of another document, every node of it at `pos`.
    pub(crate) fn copy(&mut self, pos: usize, doc: &Document, node: u32) {
        match doc.kind(node) {
            Kind::Null => self.null(pos),
            Kind::Bool => self.bool(pos, doc.bool(node)),
            Kind::Int => self.int(pos, doc.int(node)),
            Kind::Uint => self.uint(pos, doc.uint(node)),
            Kind::Float => self.float(pos, doc.float(node)),
            kind @ (Kind::Str | Kind::Text | Kind::Datetime) => self.str_owned(kind, pos, doc.str(node)),
            Kind::Key => self.key_owned(pos, doc.str(node)),
            Kind::Array => {
                let open = self.array(pos);
                for element in doc.elements(node) {
                    self.copy(pos, doc, element);
                }
                self.close(open, doc.count(node));
            }
            Kind::Table => {
                let open = self.table(pos);
                for (key, value) in doc.entries(node) {
                    self.key_owned(pos, doc.str(key));
                    self.copy(pos, doc, value);
                }
                self.close(open, doc.count(node));
            }
        }
    }
}
