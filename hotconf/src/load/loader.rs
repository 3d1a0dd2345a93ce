//! What generated code calls to load one field after another.
use crate::error::Problem;
use crate::schema::meta::Schema;
use crate::value::{Ref, Tree};

/// Collects problems while a value is built or updated.
#[derive(Debug)]
pub struct Loader<'t> {
    pub(crate) tree: &'t Tree,
    /// The tree that the value at hand was loaded from; `None` for a first load.
    pub(crate) old: Option<&'t Tree>,
    pub(crate) problems: Vec<Problem>,
}

/// A section being loaded: its schema and its place in the new and the old tree.
#[derive(Clone, Copy, Debug)]
pub struct At<'t> {
    pub(crate) schema: &'static Schema,
    pub(crate) new: Ref<'t>,
    pub(crate) old: Option<Ref<'t>>,
}
