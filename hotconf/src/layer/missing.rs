//! Where a required setting that nothing sets was looked for, and the key that was probably meant for it.

use super::Stack;
use crate::error::{Problem, ProblemKind};

/// Sources beyond this many are counted.
const MOST_NAMED: usize = 5;

/// Completes the problems of missing settings: with the unknown key whose near name it is, as
/// `warnings` tells it, and once in a report with the sources that were looked at.
#[cold]
pub(crate) fn tell_missing(problems: &mut [Problem], warnings: &[Problem], stack: &Stack) {
    let missing = |p: &&mut Problem| p.kind == ProblemKind::Missing && p.origin.is_none();
    for problem in problems.iter_mut().filter(missing) {
        let meant = format!("did you mean `{}`?", problem.path);
        if let Some(warning) = warnings.iter().find(|warning| warning.message.ends_with(&meant))
            && let Some(origin) = &warning.origin
        {
            let more = format!("; `{}` at {origin} is unknown and looks like it", warning.path);
            problem.message.push_str(&more);
        }
    }
    let sources = stack.names();
    let more = sources.len().saturating_sub(MOST_NAMED);
    let mut names: Vec<_> = sources.take(MOST_NAMED).map(ToString::to_string).collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    if let Some(first) = problems.iter_mut().find(missing)
        && !names.is_empty()
    {
        first.message.push_str(&format!(" (looked in {})", names.join(", ")));
    }
}
