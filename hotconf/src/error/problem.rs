//! One thing that is wrong, with its place and its remedy.

use crate::origin::Origin;
use std::fmt;
use std::sync::Arc;

/// What sort of thing is wrong.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline, ProblemKind};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let kind = |text: &str| {
///     let error = Hot::<App>::builder().source(Inline::toml("app", text)).read().unwrap_err();
///     error.problems()[0].kind()
/// };
/// assert_eq!(kind("retries = "), ProblemKind::Syntax);
/// assert_eq!(kind("retries = \"x\""), ProblemKind::Type);
/// assert_eq!(kind("retries = 11"), ProblemKind::Range);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A document is not what its format asks for.
    Syntax,
    /// A source could not be read.
    Unreadable,
    /// A required field was set by no source.
    Missing,
    /// A value is not of the field's type.
    Type,
    /// A value is of the field's type and outside its range.
    Range,
    /// A check of the program refused the value, or panicked.
    Check,
    /// A key is not known.
    Unknown,
    /// A field is no longer there.
    Removed,
    /// A field is set that should not be used any more; a warning.
    Deprecated,
    /// Two sources, or two places of one, contradict each other.
    Conflict,
    /// A call was used in a way in which it cannot work.
    Usage,
    /// A source said something of itself that stops nothing; a warning.
    Remark,
}

/// One thing that is wrong: what, where, what was expected and what was found.
///
/// The fields are read through methods; [`Display`](fmt::Display) gives one line, e.g.
/// ``invalid value for `http.timeout` at shop.toml:14:11: expected 1ms to 10m, found "3h"``.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline, ProblemKind};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let error = Hot::<App>::builder().source(Inline::toml("app", "retries = 50")).read().unwrap_err();
/// let problem = &error.problems()[0];
/// assert_eq!((problem.kind(), problem.path()), (ProblemKind::Range, "retries"));
/// assert_eq!(problem.message(), "expected 1 to 10, found 50");
/// assert_eq!(problem.origin().unwrap().to_string(), "app:1:11");
/// ```
#[derive(Clone, Debug)]
pub struct Problem {
    pub(crate) kind: ProblemKind,
    /// Dotted path of the setting; empty where the problem is a whole document's.
    pub(crate) path: String,
    /// The sentence: completes "`http.timeout`: …" in lower case, without a full stop.
    pub(crate) message: String,
    pub(crate) origin: Option<Origin>,
    /// What the refused value hides, nearest first, e.g. `default "5s"`.
    pub(crate) hides: Vec<String>,
    /// The line with a marker below the place; only where showing it is safe.
    pub(crate) excerpt: Option<String>,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            path: path.into(),
            message: message.into(),
            origin: None,
            hides: Vec::new(),
            excerpt: None,
        }
    }

    #[must_use]
    pub(crate) fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Says whose it is, where it does not yet: a problem always does.
    #[must_use]
    pub(crate) fn of(self, source: &Arc<str>) -> Self {
        if self.origin.is_some() { self } else { self.at(Origin::whole(source.clone())) }
    }

    /// What sort of thing is wrong.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The setting's dotted path; empty where the problem is a whole document's.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong in one sentence, without path and place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where the offending value was set.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// What the refused value hides, nearest first: the places of the values below it, and the default.
    pub fn hides(&self) -> &[String] {
        &self.hides
    }

    /// The line of the document with a marker below the place; none where showing it might tell a secret.
    pub fn excerpt(&self) -> Option<&str> {
        self.excerpt.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}`", self.path)?;
        }
        if let Some(origin) = &self.origin {
            if !self.path.is_empty() {
                f.write_str(" at ")?;
            }
            write!(f, "{origin}")?;
        }
        if !self.path.is_empty() || self.origin.is_some() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}
