//! What a type says of itself: fields, defaults, ranges and flags, and the [`HotConf`] trait.
//!
//! [`meta`] is what the derive writes as constants; [`field`] is what users see of it; [`tokens`] are
//! the compile-checked names of fields.

pub(crate) mod field;
pub(crate) mod keys;
pub(crate) mod meta;
mod moved;
pub(crate) mod nearest;
pub(crate) mod tokens;
mod walk;

pub(crate) use walk::{Miss, Spot};

pub use field::{FieldInfo, Fields};
pub use moved::Moved;
