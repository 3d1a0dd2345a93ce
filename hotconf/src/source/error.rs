//! Why a source has nothing to give just now.

use crate::error::Problem;
use std::fmt;
use std::time::Duration;

/// What sort of failure a source met.
///
/// ```
/// use hotconf::{Format, SourceError, SourceErrorKind, Update};
///
/// assert_eq!(SourceError::denied("the token has expired").kind(), SourceErrorKind::Denied);
/// let broken = Update::parse(Format::Toml, "settings", b"retries = ").unwrap_err();
/// assert_eq!(broken.kind(), SourceErrorKind::Invalid);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceErrorKind {
    /// Not reachable, or not there: what it brought last stays in force.
    Down,
    /// The place in its history is lost: forget the cursor and list again.
    Gap,
    /// Not allowed: one login anew, then a visible, slow retry.
    Denied,
    /// It was read and is not a document: refused, with every problem.
    Invalid,
}

/// Why a source could not answer.
///
/// ```
/// use hotconf::{SourceError, SourceErrorKind};
///
/// let error = SourceError::down("connection refused");
/// assert_eq!(error.kind(), SourceErrorKind::Down);
/// ```
#[derive(Clone, Debug)]
pub struct SourceError {
    kind: SourceErrorKind,
    problems: Vec<Problem>,
    /// Nothing is there: an optional source then counts as empty.
    absent: bool,
    /// How long the source asks to be left alone.
    retry_after: Option<Duration>,
}

impl SourceError {
    /// A source that cannot be reached or read; `message` says why and what to do.
    pub fn down(message: impl Into<String>) -> Self {
        Self::of(SourceErrorKind::Down, message)
    }

    /// A document that is not what its format asks for.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::of(SourceErrorKind::Invalid, message)
    }

    /// A source that refuses to answer us.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::of(SourceErrorKind::Denied, message)
    }

    /// A source whose history cannot be followed from the cursor.
    pub fn gap(message: impl Into<String>) -> Self {
        Self::of(SourceErrorKind::Gap, message)
    }

    fn of(kind: SourceErrorKind, message: impl Into<String>) -> Self {
        use crate::error::ProblemKind;
        let problem = match kind {
            SourceErrorKind::Invalid => ProblemKind::Syntax,
            _ => ProblemKind::Unreadable,
        };
        Self { kind, problems: vec![Problem::new(problem, "", message)], absent: false, retry_after: None }
    }

    pub(crate) fn problems(kind: SourceErrorKind, problems: Vec<Problem>) -> Self {
        Self { kind, problems, absent: false, retry_after: None }
    }

    /// The source is gone or empty: where it is optional, that is a change and no failure.
    #[must_use]
    pub(crate) fn absent(mut self) -> Self {
        self.absent = true;
        self
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.absent
    }

    /// Asks for no attempt before `delay` has passed, as HTTP's `Retry-After` does.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// How long the source asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> SourceErrorKind {
        self.kind
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

impl std::error::Error for SourceError {}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
