//! The numbers of the leaves that moved between two values.

/// Numbers of the leaves that differ, ascending. Allocates only when there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    numbers: Vec<u32>,
    /// What became of what; only where it was asked for.
    details: Option<Vec<Detail>>,
}

/// What became of a leaf that may be missing, or of an entry of a map of sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) number: u32,
    /// The entry's key; `None` of a leaf.
    pub(crate) entry: Option<String>,
    pub(crate) kind: DiffKind,
}

/// What became of a part of a configuration.
///
/// ```
/// use hotconf::{DiffKind, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     proxy: Option<String>,
///     port: u16,
/// }
///
/// let a = App { proxy: None, port: 80 };
/// let b = App { proxy: Some("http://proxy:3128".to_owned()), port: 81 };
/// let kinds: Vec<_> = a.diff(&b).iter().map(|item| item.kind()).collect();
/// assert_eq!(kinds, [DiffKind::Added, DiffKind::Changed]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiffKind {
    /// Only the new value has it: an entry of a map, an `Option`, a field of another variant.
    Added,
    /// Only the old value has it.
    Removed,
    /// Both have it, and differ.
    Changed,
}

impl DiffKind {
    /// Of what the old and the new value have or have not.
    pub(crate) fn of(old: bool, new: bool) -> Self {
        match (old, new) {
            (false, true) => Self::Added,
            (true, false) => Self::Removed,
            _ => Self::Changed,
        }
    }
}

impl Moved {
    /// Adds a number; generated code calls it in ascending order.
    #[inline]
    pub fn push(&mut self, number: u32) {
        self.numbers.push(number);
    }

    /// Tells whether nothing moved.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The numbers, ascending.
    pub fn as_slice(&self) -> &[u32] {
        &self.numbers
    }

    /// An empty list that also collects what became of options and of entries of maps of sections.
    pub(crate) fn with_details() -> Self {
        Self { numbers: Vec::new(), details: Some(Vec::new()) }
    }

    pub(crate) fn wants_details(&self) -> bool {
        self.details.is_some()
    }

    /// Tells which of the two values have a leaf that may be missing.
    pub(crate) fn kind(&mut self, number: u32, old: bool, new: bool) {
        if let Some(details) = &mut self.details {
            details.push(Detail { number, entry: None, kind: DiffKind::of(old, new) });
        }
    }

    /// Names the entries that differ in the map of a number.
    pub(crate) fn entries(&mut self, number: u32, entries: Vec<(String, DiffKind)>) {
        if let Some(details) = &mut self.details {
            let named = entries.into_iter().map(|(key, kind)| Detail { number, entry: Some(key), kind });
            details.extend(named);
        }
    }

    /// What became of `number`, of a map entry by entry; empty where nothing was collected.
    pub(crate) fn details_of(&self, number: u32) -> &[Detail] {
        let details = self.details.as_deref().unwrap_or_default();
        let from = details.partition_point(|detail| detail.number < number);
        let to = details.partition_point(|detail| detail.number <= number);
        &details[from..to]
    }
}
