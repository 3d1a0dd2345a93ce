//! Settings that arrive one by one as text: paths and texts → one document.
//!
//! Used by the environment, by arguments and by stores of keys. A leaf keeps its text and the field's type reads it
//! later; what is made of sections, and a list that layers join, is read here as one TOML value.

use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;
use crate::schema::Spot;
use crate::schema::meta::{FieldMeta, Merge, Shape};
use crate::value::{Builder, Document, Kind};
use std::collections::HashMap;

/// The tables of a document in the making.
#[derive(Default)]
pub(super) struct Texts {
    entries: Vec<(String, Node)>,
    /// Where in `entries` a key stands: a store may have thousands of them.
    index: HashMap<String, usize>,
    /// Each text counts as a secret.
    secret: bool,
}

enum Node {
    Table(Texts),
    Text(String, Origin),
    Value(Document, u32, Origin),
}

impl Texts {
    /// Texts that count as secrets, where `secret`.
    #[cfg(feature = "remote")]
    pub(super) fn of(secret: bool) -> Self {
        Self { secret, ..Self::default() }
    }

    /// Sets what `path` leads to; a later text replaces an earlier one.
    pub(super) fn put(
        &mut self,
        path: &[String],
        field: Option<&'static FieldMeta>,
        inside: bool,
        text: &str,
        origin: Origin,
    ) -> Result<(), Problem> {
        let whole = !inside
            && field.is_some_and(|field| match field.shape {
                Shape::Leaf => field.merge != Merge::Replace && text.trim_start().starts_with('['),
                _ => true,
            });
        let node = if whole {
            let secret = self.secret || field.is_some_and(FieldMeta::is_secret);
            let (doc, node) = toml_value(text, path, &origin, secret)?;
            Node::Value(doc, node, origin)
        } else {
            Node::Text(text.to_owned(), origin)
        };
        self.insert(path, node);
        Ok(())
    }

    fn insert(&mut self, path: &[String], node: Node) {
        let Some((key, rest)) = path.split_first() else { return };
        let at = self.index.get(key).copied();
        if rest.is_empty() {
            match at {
                Some(at) => self.entries[at].1 = node,
                None => {
                    self.push(key, node);
                }
            }
            return;
        }
        let at = at.unwrap_or_else(|| self.push(key, Node::Table(Self::default())));
        if !matches!(self.entries[at].1, Node::Table(_)) {
            self.entries[at].1 = Node::Table(Self::default());
        }
        if let Node::Table(table) = &mut self.entries[at].1 {
            table.insert(rest, node);
        }
    }

    fn push(&mut self, key: &str, node: Node) -> usize {
        self.index.insert(key.to_owned(), self.entries.len());
        self.entries.push((key.to_owned(), node));
        self.entries.len() - 1
    }

    /// The document that says all of it.
    pub(super) fn into_document(self, name: &str) -> Document {
        let mut builder = Builder::keyed(name);
        let secret = self.secret;
        self.write(&mut builder);
        let mut doc = builder.finish();
        if secret {
            doc.set_secret();
        }
        doc
    }

    fn write(self, builder: &mut Builder) {
        let open = builder.table(0);
        let count = self.entries.len();
        for (key, node) in self.entries {
            match node {
                Node::Table(table) => {
                    builder.key_owned(0, &key);
                    table.write(builder);
                }
                Node::Text(text, origin) => {
                    let place = builder.place(origin);
                    builder.key_owned(place, &key);
                    builder.str_owned(Kind::Text, place, &text);
                }
                Node::Value(doc, node, origin) => {
                    let place = builder.place(origin);
                    builder.key_owned(place, &key);
                    builder.copy(place, &doc, node);
                }
            }
        }
        builder.close(open, count);
    }
}

/// Whether a text may stand at a spot: a section takes an inline table, and nothing else.
pub(super) fn takes_text(spot: &Spot, text: &str) -> bool {
    spot.schema.is_none() || text.trim_start().starts_with('{')
}

/// Reads a text as one TOML value; the syntax error does not show it.
#[cfg(feature = "toml")]
fn toml_value(
    text: &str,
    path: &[String],
    origin: &Origin,
    secret: bool,
) -> Result<(Document, u32), Problem> {
    use crate::format::{Format, parse};
    let path = crate::schema::keys::join(path.iter().map(String::as_str));
    let source = format!("v = {text}");
    let parsed = parse(Format::Toml, origin.source(), source.as_bytes());
    let whole =
        parsed.and_then(|doc| if doc.problems().is_empty() { Ok(doc) } else { Err(doc.problems().to_vec()) });
    let doc = whole.map_err(|problems| {
        let reason = problems.first().map_or("", |p| p.message()).to_owned();
        let mut message = "expected one TOML value, such as `[1, 2]` or `{ a = 1 }`".to_owned();
        if !secret && !reason.is_empty() {
            // The parser's own words: of a secret even the names of its keys are not passed on.
            message = format!("{message}: {reason}");
        }
        Problem::new(ProblemKind::Syntax, path.clone(), message).at(origin.clone())
    })?;
    let mut entries = doc.entries(Document::ROOT);
    if let (Some((_, node)), None) = (entries.next(), entries.next()) {
        drop(entries);
        Ok((doc, node))
    } else {
        let message = "expected one TOML value, found several lines of them";
        Err(Problem::new(ProblemKind::Syntax, path, message).at(origin.clone()))
    }
}

#[cfg(not(feature = "toml"))]
fn toml_value(
    _text: &str,
    path: &[String],
    origin: &Origin,
    _secret: bool,
) -> Result<(Document, u32), Problem> {
    let path = crate::schema::keys::join(path.iter().map(String::as_str));
    let message = "lists and tables as text need the feature `toml`";
    Err(Problem::new(ProblemKind::Usage, path, message).at(origin.clone()))
}
