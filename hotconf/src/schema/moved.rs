//! The numbers of the leaves that moved between two values.

/// Numbers of the leaves that differ, ascending. Allocates only when there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    numbers: Vec<u32>,
    /// The entries of maps that differ, by the map's number; only where they were asked for.
    names: Option<Vec<(u32, Vec<String>)>>,
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

    /// An empty list that also collects which entries of maps of sections differ.
    pub(crate) fn with_names() -> Self {
        Self { numbers: Vec::new(), names: Some(Vec::new()) }
    }

    pub(crate) fn wants_names(&self) -> bool {
        self.names.is_some()
    }

    /// Names the entries that differ in the map of a number.
    pub(crate) fn name(&mut self, number: u32, entries: Vec<String>) {
        if let Some(names) = &mut self.names {
            names.push((number, entries));
        }
    }

    /// The entries that differ in the map of `number`.
    pub(crate) fn names_of(&self, number: u32) -> &[String] {
        let names = self.names.as_deref().unwrap_or_default();
        names.iter().find(|(of, _)| *of == number).map_or(&[], |(_, names)| names)
    }
}
