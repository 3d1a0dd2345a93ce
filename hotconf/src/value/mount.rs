//! A document with its place in the configuration: which part of it is taken, and where it is put.
//!
//! Nothing is copied: the merge opens the document at `at` and builds the tables of `under` around it.

use super::Document;
use std::sync::Arc;

/// A document of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Layered {
    pub(crate) doc: Arc<Document>,
    /// Keys down to the part that is taken; empty for the whole document.
    pub(crate) at: Vec<String>,
    /// Keys that are put above it; empty for the top of the configuration.
    pub(crate) under: Vec<String>,
    /// The part that was asked for and the place it was put at exclude each other.
    pub(crate) nothing: bool,
}

impl Layered {
    /// Takes the subtree at `keys` of what this document says so far.
    pub(crate) fn take(&mut self, keys: &[String]) {
        let common = self.under.iter().zip(keys).take_while(|(a, b)| a == b).count();
        if common == self.under.len() {
            self.under.clear();
            self.at.extend_from_slice(&keys[common..]);
        } else if common == keys.len() {
            self.under.drain(..common);
        } else {
            self.nothing = true;
        }
    }

    /// The node of the part that is taken; none where it is not there.
    pub(crate) fn part(&self) -> Option<u32> {
        let doc = &self.doc;
        let step = |node: u32, key: &String| {
            let entries = (doc.kind(node) == super::Kind::Table).then(|| doc.entries(node))?;
            entries.into_iter().find(|&(k, _)| doc.str(k) == key).map(|(_, value)| value)
        };
        if self.nothing { None } else { self.at.iter().try_fold(Document::ROOT, step) }
    }

    /// Whether anything stands at the part that is taken.
    pub(crate) fn says(&self) -> bool {
        self.part().is_some()
    }

    /// Puts what this document says so far under `keys`.
    pub(crate) fn mount(&mut self, keys: &[String]) {
        self.under.splice(0..0, keys.iter().cloned());
    }
}

impl From<Arc<Document>> for Layered {
    fn from(doc: Arc<Document>) -> Self {
        Self { doc, at: Vec::new(), under: Vec::new(), nothing: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Builder;

    fn keys(path: &str) -> Vec<String> {
        path.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn taking_and_mounting_undo_each_other() {
        let mut layered = Layered::from(Arc::new(Builder::new("x", String::new()).finish()));
        layered.take(&keys("a.b"));
        assert_eq!((layered.at.len(), layered.under.len()), (2, 0));
        layered.mount(&keys("c.d"));
        layered.take(&keys("c"));
        assert_eq!(layered.under, ["d"]);
        layered.take(&keys("d.e"));
        assert_eq!((layered.at.join("."), layered.under.len()), ("a.b.e".into(), 0));
        layered.mount(&keys("x"));
        layered.take(&keys("y"));
        assert!(layered.nothing);
    }
}
