//! Sections inside fields: a section itself, an optional one, lists and maps of them.

/// A field type that holds sections.
pub trait Nested: Sized {}
