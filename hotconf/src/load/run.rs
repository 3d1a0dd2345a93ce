//! The two ways in: a whole tree, or what moved between two.

use super::HotConf;
use super::at::{At, same_defaults};
use super::loader::Loader;
use super::nested::Nested;
use crate::error::Problem;
use crate::value::{Document, Tree};

/// Builds a value from a whole tree; tells how many leaves were read.
///
/// # Errors
///
/// Every problem. The list is empty where all that is wrong stands in a wrong place, which the merge
/// has reported.
/// The value comes in a box: it can be large, and goes through many hands.
pub(crate) fn load<T: HotConf>(tree: &Tree) -> (Result<Box<T>, Vec<Problem>>, u64) {
    let mut cx = Loader::new(tree, reparse);
    let value = T::load(&mut cx, At::root(T::SCHEMA, tree.root(), None)).map(Box::new);
    let result = match value {
        Some(value) if !cx.refused => Ok(value),
        _ => Err(cx.problems),
    };
    (result, cx.decoded)
}

/// Brings `value`, loaded from `old`, to what `new` says: only what moved is read and checked.
///
/// # Errors
///
/// Every problem, as [`load`]; `value` is then half-updated and must be thrown away.
pub(crate) fn update<T: HotConf>(value: &mut T, old: &Tree, new: &Tree) -> (Result<(), Vec<Problem>>, u64) {
    if new.root().same(old.root()) && same_defaults(T::SCHEMA, new, old) {
        return (Ok(()), 0);
    }
    let mut cx = Loader::new(new, reparse);
    value.update(&mut cx, At::root(T::SCHEMA, new.root(), Some(old.root())));
    let result = if cx.refused { Err(cx.problems) } else { Ok(()) };
    (result, cx.decoded)
}

/// Asks every check of a section once more, of a value whose leaves were put together from two others.
///
/// Ranges and checks of single leaves held for each of the two and are not asked.
///
/// # Errors
///
/// What the checks said.
pub(crate) fn recheck<T: HotConf>(value: &T, tree: &Tree) -> Result<(), Vec<Problem>> {
    let mut cx = Loader::new(tree, reparse);
    cx.recheck = true;
    value.clone().update(&mut cx, At::root(T::SCHEMA, tree.root(), Some(tree.root())));
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
    (doc.count(Document::ROOT) == 1 && doc.problems().is_empty()).then_some(doc)
}
