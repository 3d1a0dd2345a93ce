//! Restart fields: what is desired, what runs, and when that is news.

/// Remembers which restart fields are pending, so that each change of them is told once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Numbers of the leaves whose desired value is not the running one.
    leaves: Vec<u32>,
}

impl Pending {
    /// Takes what is pending now; says whether that is to be told.
    ///
    /// `moved` tells whether a desired value of a leaf that was pending already changed again. When
    /// nothing is pending any more nothing has to be restarted, and nothing is told.
    pub(crate) fn settle(&mut self, leaves: Vec<u32>, moved: impl Fn(u32) -> bool) -> bool {
        let news = leaves.iter().any(|n| !self.leaves.contains(n) || moved(*n));
        self.leaves = leaves;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_field_is_told_once_per_change() {
        let mut pending = Pending::default();
        assert!(pending.settle(vec![3], |_| true), "it became pending");
        assert!(!pending.settle(vec![3], |_| false), "nothing new");
        assert!(pending.settle(vec![3], |n| n == 3), "another desired value");
        assert!(pending.settle(vec![3, 5], |_| false), "one more field");
        assert!(!pending.settle(vec![3], |_| false), "one field less");
        assert!(!pending.settle(vec![], |_| true), "back to what runs");
    }
}
