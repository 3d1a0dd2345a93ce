//! The numbers of the leaves that moved between two values.

/// Numbers of the leaves that differ, ascending. Allocates only when there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    numbers: Vec<u32>,
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
}
