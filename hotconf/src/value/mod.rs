//! The untyped tree: what a document says, before any type is known, with an origin on every node.
//!
//! A parser fills a tape ([`tape`]); layers are merged into a [`tree`] that points into the tapes;
//! [`de`] reads typed leaves from it and [`ser`] makes a [`Value`] of what a program hands in.

mod build;
pub(crate) mod de;
mod mount;
mod names;
pub(crate) mod path;
#[cfg(any(feature = "json", feature = "toml"))]
mod replace;
mod said;
mod same;
pub(crate) mod ser;
pub(crate) mod tape;
pub(crate) mod tree;

pub(crate) use mount::Layered;
pub(crate) use tape::{Builder, Document, Kind};
pub(crate) use tree::{Item, Ref, Tree};

/// An untyped value that a program hands in or gets back: no origin, no schema.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline, Value};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let table = Value::Table(vec![("retries".to_owned(), Value::Integer(6))]);
/// let loaded = Hot::<App>::builder().source(Inline::value("test", &table)).read()?;
/// assert_eq!(loaded.retries, 6);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: `None` on an `Option`, and elsewhere as if no lower source had spoken.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer, exact over all of `i64` and `u64`.
    Integer(i128),
    /// A finite floating-point number.
    Float(f64),
    /// A string.
    String(String),
    /// Untyped text, read by the field's type: `"8080"` is a number where the field is one.
    Text(String),
    /// A list.
    Array(Vec<Value>),
    /// A table, in the order in which its keys were put in.
    Table(Vec<(String, Value)>),
}
