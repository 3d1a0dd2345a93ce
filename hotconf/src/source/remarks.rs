//! What a source has to say of itself as of now, for `status()`; the events of it are told elsewhere.
//!
//! Rule: whoever says something about a matter says all there is to say of it, so that what has healed
//! is gone.

use crate::sync::lock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

/// What a remark is about, in the order in which `status()` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Matter {
    /// Whether changes are heard of.
    Watching,
    /// What the source holds.
    Content,
    /// Whether the part that is taken is there.
    Part,
}

/// The remarks of one source.
#[derive(Debug, Default)]
pub(crate) struct Remarks(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    standing: BTreeMap<Matter, Vec<String>>,
    /// What nobody takes back, the newest last.
    lasting: VecDeque<String>,
}

/// How many remarks that nobody takes back are kept.
const MOST: usize = 16;

impl Remarks {
    /// Puts `remarks` in the place of what was said of the matter.
    pub(crate) fn set(&self, matter: Matter, remarks: Vec<String>) {
        lock(&self.0).standing.insert(matter, remarks);
    }

    /// Adds a remark for good; the oldest go where there are too many.
    pub(crate) fn add(&self, remark: String) {
        let lasting = &mut lock(&self.0).lasting;
        if lasting.contains(&remark) {
            return;
        }
        if lasting.len() >= MOST {
            lasting.pop_front();
        }
        lasting.push_back(remark);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<String> {
        let said = lock(&self.0);
        said.standing.values().flatten().chain(&said.lasting).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_anew_of_a_matter_replaces_what_was_said_of_it() {
        let remarks = Remarks::default();
        remarks.add("odd".to_owned());
        remarks.set(Matter::Content, vec!["empty".to_owned()]);
        remarks.set(Matter::Watching, vec!["deaf".to_owned(), "blind".to_owned()]);
        assert_eq!(remarks.all(), ["deaf", "blind", "empty", "odd"]);
        remarks.set(Matter::Watching, Vec::new());
        assert_eq!(remarks.all(), ["empty", "odd"]);
    }

    #[test]
    fn remarks_for_good_are_bounded_and_said_once() {
        let remarks = Remarks::default();
        for n in 0..3 * MOST {
            remarks.add(n.to_string());
            remarks.add(n.to_string());
        }
        let all = remarks.all();
        assert_eq!((all.len(), all.last().map(String::as_str)), (MOST, Some("47")));
    }
}
