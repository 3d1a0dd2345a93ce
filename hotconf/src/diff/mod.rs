//! Which fields differ between two values: numbers from the typed comparison, paths on request.
//!
//! Stands left of loading: it knows schemas and numbers, no values.

use crate::schema::meta::Schema;
use crate::schema::{Index, Moved};
use std::fmt;

/// The fields that differ between two values; allocates nothing where none does.
///
/// ```
/// use hotconf::HotConf;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     workers: u32,
///     port: u16,
/// }
///
/// let (a, b) = (App { workers: 1, port: 80 }, App { workers: 1, port: 81 });
/// assert_eq!(a.diff(&b).paths(), ["port"]);
/// assert!(a.diff(&a).is_empty());
/// ```
#[derive(Clone)]
pub struct Diff {
    schema: &'static Schema,
    moved: Moved,
}

/// One place that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffItem {
    path: String,
}

impl DiffItem {
    /// The dotted path; in a map of sections that of the entry, e.g. `flags.new-checkout`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Diff {
    pub(crate) fn new(schema: &'static Schema, moved: Moved) -> Self {
        Self { schema, moved }
    }

    /// The numbers of the leaves that differ, ascending.
    pub(crate) fn numbers(&self) -> &[u32] {
        self.moved.as_slice()
    }

    /// Tells whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty()
    }

    /// The places that differ, in the order of declaration. Paths are made now.
    pub fn iter(&self) -> std::vec::IntoIter<DiffItem> {
        if self.is_empty() {
            return Vec::new().into_iter();
        }
        let index = Index::new(self.schema);
        let mut items = Vec::with_capacity(self.numbers().len());
        for &number in self.numbers() {
            let path = index.path(number);
            let names = self.moved.names_of(number);
            items.extend(names.iter().map(|name| {
                let mut path = path.to_owned();
                crate::value::path::append(&mut path, name);
                DiffItem { path }
            }));
            if names.is_empty() {
                items.push(DiffItem { path: path.to_owned() });
            }
        }
        items.into_iter()
    }
}

impl Diff {
    /// The paths of [`iter`](Self::iter).
    pub fn paths(&self) -> Vec<String> {
        self.iter().map(|item| item.path).collect()
    }
}

impl IntoIterator for &Diff {
    type Item = DiffItem;
    type IntoIter = std::vec::IntoIter<DiffItem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Diff {
    type Item = DiffItem;
    type IntoIter = std::vec::IntoIter<DiffItem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diff {
    /// The paths, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, item.path)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|item| item.path)).finish()
    }
}
