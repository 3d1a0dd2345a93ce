//! The first load: which sources have to have answered, and what stands for those that have not.
//!
//! A source that must be there and is not fails the start, which then names every such source at once. One
//! that is optional and has not answered by the deadline is left out: it is down, and what it brings later
//! is a change like any other.

use super::words::Answer;
use crate::error::{Problem, ProblemKind};
use crate::source::SourceError;
use std::sync::Arc;

/// What a source did by the deadline of the start.
#[derive(Debug, Clone)]
pub(crate) struct Asked<D> {
    pub(crate) name: Arc<str>,
    /// None: it has not answered.
    pub(crate) answer: Option<Answer<D>>,
    /// It may be absent.
    pub(crate) optional: bool,
    /// Why it failed last, of a source that tries again and again.
    pub(crate) trouble: Option<String>,
}

/// What the first load is made from.
#[derive(Debug, Clone)]
pub(crate) struct First<D> {
    /// One per source.
    pub(crate) documents: Vec<D>,
    /// Why the start fails, whatever the documents say.
    pub(crate) problems: Vec<Problem>,
    /// Sources that the start goes on without.
    pub(crate) late: Vec<(usize, SourceError)>,
}

/// Decides what the first load is made from; `absent` stands for a source that brought nothing.
pub(crate) fn first<D: Clone>(asked: impl IntoIterator<Item = Asked<D>>, absent: &D) -> First<D> {
    let (mut documents, mut problems, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for (index, Asked { name, answer, optional, trouble }) in asked.into_iter().enumerate() {
        let mut document = absent.clone();
        match answer {
            Some(Answer::Brought(brought)) => document = brought,
            Some(Answer::Failed(error) | Answer::Ended(Some(error))) => {
                problems.extend(error.into_problems().into_iter().map(|problem| problem.of(&name)));
            }
            Some(Answer::Ended(None)) => {
                let message = "was cancelled before it answered";
                problems.push(Problem::new(ProblemKind::Unreadable, "", message).of(&name));
            }
            None => {
                // Why it was tried in vain is what a person needs.
                let why = trouble.map(|trouble| format!("; the last attempt: {trouble}")).unwrap_or_default();
                let message = format!("gave no answer in time{why}");
                if optional {
                    late.push((index, SourceError::down(message)));
                } else {
                    problems.push(Problem::new(ProblemKind::Unreadable, "", message).of(&name));
                }
            }
        }
        documents.push(document);
    }
    First { documents, problems, late }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, answer: Option<Answer<u32>>, optional: bool) -> Asked<u32> {
        Asked { name: name.into(), answer, optional, trouble: None }
    }

    #[test]
    fn what_is_missing_of_what_must_be_there_is_named_at_once() {
        let first = first(
            [
                asked("a", Some(Answer::Brought(1)), false),
                asked("b", None, false),
                asked("c", Some(Answer::Failed(SourceError::down("refused"))), true),
                asked("d", Some(Answer::Ended(None)), false),
            ],
            &0,
        );
        let problems: Vec<_> = first.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            ["b: gave no answer in time", "c: refused", "d: was cancelled before it answered"]
        );
        assert_eq!((first.documents, first.late.len()), (vec![1, 0, 0, 0], 0));
    }

    #[test]
    fn an_optional_source_that_has_not_answered_is_left_out() {
        let first = first([asked("a", None, true), asked("b", Some(Answer::Brought(2)), false)], &0);
        assert!(first.problems.is_empty(), "{:?}", first.problems);
        assert_eq!(first.documents, [0, 2]);
        assert_eq!(first.late.iter().map(|(source, _)| *source).collect::<Vec<_>>(), [0]);
    }
}
