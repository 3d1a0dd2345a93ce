//! Untyped text, read by what the type asks for.
//!
//! A `String` takes the text as it is and does not come here. Lists, tables and values without a
//! wish are read as one TOML value where that format is there.

use super::{De, LeafError, quoted, words};
use crate::value::tree::{Ref, Tree};
use serde::de::{Deserializer as _, Error as _, Unexpected, Visitor};

/// A whole number; the visitor checks the range.
pub(super) fn integer<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, LeafError> {
    let trimmed = text.trim();
    if let Ok(n) = trimmed.parse::<i64>() {
        return visitor.visit_i64(n);
    }
    if let Ok(n) = trimmed.parse::<u64>() {
        return visitor.visit_u64(n);
    }
    // The visitors of shorter integers have no method for these two; they answer with a type error.
    if let Ok(n) = trimmed.parse::<i128>() {
        return visitor.visit_i128(n);
    }
    if let Ok(n) = trimmed.parse::<u128>() {
        return visitor.visit_u128(n);
    }
    Err(LeafError::invalid_type(Unexpected::Str(text), &visitor))
}

/// Text for a type that takes anything: one TOML value where it reads as one, else a string.
#[cold]
pub(super) fn guess<'de, V: Visitor<'de>>(text: &str, of: De<'_>, visitor: V) -> Result<V::Value, LeafError> {
    let Some(tree) = parsed(text, of) else { return visitor.visit_str(text) };
    // Text inside would come back here; a parser of typed documents makes none.
    De::new(value(&tree), of.reparse).deserialize_any(visitor).map_err(LeafError::elsewhere)
}

/// Text for a list or a table.
#[cold]
pub(super) fn container<'de, V: Visitor<'de>>(
    text: &str,
    of: De<'_>,
    expected: &str,
    visitor: V,
) -> Result<V::Value, LeafError> {
    let tree = parsed(text, of).ok_or_else(|| LeafError::mismatch(expected, quoted(text)))?;
    De::new(value(&tree), of.reparse).deserialize_any(visitor).map_err(LeafError::elsewhere)
}

/// Text for an enum whose variant carries data: `{ variant = … }`.
#[cold]
pub(super) fn variant<'de, V: Visitor<'de>>(
    text: &str,
    of: De<'_>,
    variants: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, LeafError> {
    let tree = parsed(text, of).ok_or_else(|| LeafError::mismatch(&words::one_of(variants), quoted(text)))?;
    De::new(value(&tree), of.reparse).deserialize_enum("", variants, visitor).map_err(LeafError::elsewhere)
}

fn parsed(text: &str, of: De<'_>) -> Option<Tree> {
    let (contents, dir) = of.files();
    let doc = (of.reparse)(text)?.in_dir(dir.cloned());
    Some(Tree { contents: contents.cloned(), ..Tree::single(doc) })
}

/// The one value of the document that a [`Reparse`] gives: a table with one entry.
fn value(tree: &Tree) -> Ref<'_> {
    let entry = tree.root().entries().first().map(|&(_, value)| value);
    entry.unwrap_or_else(|| tree.at(crate::value::Item::Absent))
}
