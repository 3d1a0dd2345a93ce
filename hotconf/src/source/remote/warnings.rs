//! What a store warned of: kept for all who follow it, those that come later included.

use std::sync::Arc;

/// How many are kept; who is slower loses the oldest.
const KEPT: usize = 64;

/// The newest warnings of a store, and how many there were.
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings {
    said: u64,
    newest: Vec<Arc<str>>,
}

impl Warnings {
    /// Adds one, unless it is known; tells whether it was not.
    pub(super) fn add(&mut self, text: String) -> bool {
        if self.newest.iter().any(|known| **known == *text) {
            return false;
        }
        if self.newest.len() == KEPT {
            self.newest.remove(0);
        }
        self.newest.push(text.into());
        self.said += 1;
        true
    }

    /// Those that came after the first `heard`, which then are all.
    pub(super) fn since(&self, heard: &mut u64) -> &[Arc<str>] {
        let news = usize::try_from(self.said - *heard).unwrap_or(usize::MAX);
        *heard = self.said;
        &self.newest[self.newest.len().saturating_sub(news)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_heard_once_and_a_flood_is_bounded() {
        let (mut warnings, mut heard) = (Warnings::default(), 0);
        assert!(warnings.add("a".into()) && !warnings.add("a".into()) && warnings.add("b".into()));
        let texts: Vec<&str> = warnings.since(&mut heard).iter().map(|text| &**text).collect();
        assert_eq!(texts, ["a", "b"]);
        assert!(warnings.since(&mut heard).is_empty());
        (0..1000).for_each(|n| assert!(warnings.add(n.to_string())));
        assert_eq!(warnings.since(&mut heard).len(), KEPT);
    }
}
