//! What differs between two values: numbers from the typed comparison, old and new by token, paths on
//! request.
//!
//! Stands left of loading: it knows schemas, numbers and tokens.

use crate::schema::{DiffKind, Index, Moved, Section, Select};
use std::any::Any;
use std::fmt;

/// What differs between two values of a configuration, the old one and the new one.
///
/// Comparing visits every field once and allocates nothing where none differs. [`get`](Self::get) gives
/// old and new of whatever a token names; [`iter`](Self::iter) writes out the paths. No value is in a
/// path, an item or the `Debug` of a diff, so that no secret is.
///
/// ```
/// use hotconf::{DiffKind, HotConf};
/// use std::collections::BTreeMap;
///
/// #[derive(Clone, Debug, HotConf)]
/// struct App {
///     workers: u32,
///     #[hotconf(nested)]
///     tls: Option<Tls>,
///     #[hotconf(nested)]
///     flags: BTreeMap<String, Flag>,
/// }
///
/// #[derive(Clone, Debug, HotConf)]
/// struct Tls {
///     port: u16,
/// }
///
/// #[derive(Clone, Debug, HotConf)]
/// struct Flag {
///     on: bool,
/// }
///
/// let a = App { workers: 1, tls: None, flags: BTreeMap::new() };
/// let mut b = App { workers: 2, tls: Some(Tls { port: 443 }), ..a.clone() };
/// b.flags.insert("ui".to_owned(), Flag { on: true });
/// let diff = a.diff(&b);
///
/// // A field that is always there; a partial one; an entry of a map; a section.
/// assert_eq!(diff.get(App::FIELDS.workers), Some((&1, &2)));
/// assert_eq!(diff.get(App::FIELDS.tls.port), Some((None, Some(&443))));
/// let (old, new) = diff.get(App::FIELDS.flags.key("ui")).expect("the flag is new");
/// assert!(old.is_none() && new.is_some_and(|flag| flag.on));
/// assert!(diff.get(App::FIELDS.flags.key("db")).is_none());
/// assert!(diff.get(App::FIELDS.tls).is_some());
///
/// let items: Vec<_> = diff.iter().map(|item| (item.path().to_owned(), item.kind())).collect();
/// assert_eq!(items[0], ("workers".to_owned(), DiffKind::Changed));
/// assert_eq!(items[1], ("tls".to_owned(), DiffKind::Added));
/// assert_eq!(items[2], ("tls.port".to_owned(), DiffKind::Added));
/// assert_eq!(items[3], ("flags.ui".to_owned(), DiffKind::Added));
/// assert!(a.diff(&a).is_empty());
/// ```
pub struct Diff<'v, T> {
    old: &'v T,
    new: &'v T,
    moved: Moved,
}

/// One place that differs: its path, and what became of it.
///
/// ```
/// use hotconf::{DiffKind, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     port: u16,
/// }
///
/// let (a, b) = (App { port: 80 }, App { port: 81 });
/// for item in a.diff(&b) {
///     assert_eq!((item.path(), item.kind()), ("port", DiffKind::Changed));
///     assert_eq!(item.to_string(), "port");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffItem {
    path: String,
    kind: DiffKind,
}

impl DiffItem {
    /// The dotted path; in a map of sections that of the entry, e.g. `flags.new-checkout`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it was added, removed or changed.
    pub fn kind(&self) -> DiffKind {
        self.kind
    }
}

impl fmt::Display for DiffItem {
    /// The path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl<'v, T> Diff<'v, T> {
    pub(crate) fn between(old: &'v T, new: &'v T, moved: Moved) -> Self {
        Self { old, new, moved }
    }

    /// Tells whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty()
    }

    /// Old and new of what a token names: a field, a section, an entry of a map; `None` where it does not
    /// differ. Below an `Option`, in a variant and in a map, each of the two is an `Option`.
    pub fn get<Out, S: Select<T, Out>>(&self, token: S) -> Option<(S::Ref<'v>, S::Ref<'v>)> {
        let numbers = token.__numbers();
        let moved = self.moved.as_slice();
        let first = moved.partition_point(|number| *number < numbers.start);
        let hit = moved.get(first).is_some_and(|number| *number < numbers.end);
        // Of a variant that neither has all numbers moved, and of a map the entry may be another one.
        (hit && !token.__same(self.old, self.new)).then(|| (token.__find(self.old), token.__find(self.new)))
    }
}

impl<T: Section> Diff<'_, T> {
    /// The places that differ, in the order of declaration. Paths are made now.
    pub fn iter(&self) -> std::vec::IntoIter<DiffItem> {
        if self.is_empty() {
            return Vec::new().into_iter();
        }
        let index = Index::new(T::SECTION);
        let mut items = Vec::with_capacity(self.moved.as_slice().len());
        for &number in self.moved.as_slice() {
            let path = index.path(number);
            let (old, new) = (leaf(self.old, number), leaf(self.new, number));
            let details = self.moved.details_of(number);
            match (old, new) {
                // A field of a variant that is neither the old nor the new one.
                (None, None) => {}
                (Some(_), Some(_)) if !details.is_empty() => items.extend(details.iter().map(|detail| {
                    let mut path = path.to_owned();
                    if let Some(entry) = &detail.entry {
                        crate::value::path::append(&mut path, entry);
                    }
                    DiffItem { path, kind: detail.kind }
                })),
                _ => {
                    let kind = DiffKind::of(old.is_some(), new.is_some());
                    items.push(DiffItem { path: path.to_owned(), kind });
                }
            }
        }
        items.into_iter()
    }

    /// The paths of [`iter`](Self::iter).
    pub fn paths(&self) -> Vec<String> {
        self.iter().map(|item| item.path).collect()
    }
}

/// What stands at `number`, if anything does.
fn leaf<T: Section>(root: &T, number: u32) -> Option<&dyn Any> {
    root.__at(number, u32::MAX)
}

impl<T> Clone for Diff<'_, T> {
    fn clone(&self) -> Self {
        Self { moved: self.moved.clone(), ..*self }
    }
}

impl<T: Section> IntoIterator for &Diff<'_, T> {
    type Item = DiffItem;
    type IntoIter = std::vec::IntoIter<DiffItem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Section> IntoIterator for Diff<'_, T> {
    type Item = DiffItem;
    type IntoIter = std::vec::IntoIter<DiffItem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Section> fmt::Display for Diff<'_, T> {
    /// The paths, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, item.path)?;
        }
        Ok(())
    }
}

impl<T: Section> fmt::Debug for Diff<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|item| item.path)).finish()
    }
}
