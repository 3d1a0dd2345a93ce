//! The two ways in: a whole tree, or what moved between two.

use super::HotConf;
use super::at::At;
use super::loader::Loader;
use super::nested::Nested;
use crate::error::Problem;
use crate::value::{Document, Tree};

/// Builds a value from a whole tree; `decoded` is raised by the number of leaves that were read.
///
/// # Errors
///
/// Every problem. The list is empty where all that is wrong stands in a wrong place, which the merge
/// has reported.
pub(crate) fn load<T: HotConf>(tree: &Tree, decoded: &mut u64) -> Result<T, Vec<Problem>> {
    let mut cx = Loader::new(tree, reparse);
    let value = T::load(&mut cx, At::root(T::SCHEMA, tree.root(), None));
    *decoded += cx.decoded;
    match value {
        Some(value) if !cx.refused => Ok(value),
        _ => Err(cx.problems),
    }
}

/// Brings `value`, loaded from `old`, to what `new` says: only what moved is read and checked.
///
/// # Errors
///
/// Every problem, as [`load`]; `value` is then half-updated and must be thrown away.
pub(crate) fn update<T: HotConf>(
    value: &mut T,
    old: &Tree,
    new: &Tree,
    decoded: &mut u64,
) -> Result<(), Vec<Problem>> {
    if new.root().same(old.root()) {
        return Ok(());
    }
    let mut cx = Loader::new(new, reparse);
    value.update(&mut cx, At::root(T::SCHEMA, new.root(), Some(old.root())));
    *decoded += cx.decoded;
    if cx.refused { Err(cx.problems) } else { Ok(()) }
}

/// One value written as a text, as the right-hand side of a TOML assignment.
pub(super) fn reparse(text: &str) -> Option<Document> {
    if cfg!(not(feature = "toml")) {
        return None;
    }
    let source = format!("v = {text}");
    let doc = crate::format::parse(crate::format::Format::Toml, "a value", source.as_bytes()).ok()?;
    // A line break in the text must not make a second key.
    (doc.count(Document::ROOT) == 1).then_some(doc)
}
