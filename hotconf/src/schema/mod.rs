//! What a type says of itself: fields, defaults, ranges, flags and tokens.
//!
//! [`meta`] is what the derive writes as constants; [`section`] is what a type and a field must offer;
//! [`field`] is what users see of a type; [`tokens`] are the compile-checked names of fields; [`index`]
//! finds leaves by number and by path; [`unsaid`] is what a field makes of silence; [`render`] writes the
//! table of fields as documents. Nothing here loads or compares: that is to the right.

pub(crate) mod field;
pub(crate) mod index;
mod json_schema;
pub(crate) mod keys;
pub(crate) mod meta;
mod moved;
pub(crate) mod nearest;
mod render;
mod secrecy;
pub(crate) mod section;
pub(crate) mod tokens;
mod unsaid;
mod variable;
mod walk;

pub(crate) use walk::Spot;

pub use field::{FieldInfo, FieldKind, Fields};
pub(crate) use index::Index;
pub use moved::{DiffKind, Moved};
pub(crate) use section::Section;
pub use tokens::{Entry, Field, MapField, Partial, Pick, Select, Total};
