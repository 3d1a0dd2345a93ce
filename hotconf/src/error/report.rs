//! The opaque error: one word wide, with predicates; its `Debug` is the full report.

use super::problem::{Problem, ProblemKind};
use std::fmt;

/// Everything that was wrong, in one report.
///
/// `Display` is one line for a log; `Debug` is the full report, since that is what `main` prints:
///
/// ```
/// use hotconf::{HotConf, Hot, Inline};
///
/// #[derive(Clone, Debug, HotConf)]
/// struct App {
///     #[hotconf(range = "1..=65535")]
///     port: u32,
///     name: String,
/// }
///
/// let error = Hot::<App>::builder().source(Inline::toml("app.toml", "port = 0")).read().unwrap_err();
/// assert_eq!(error.problems().len(), 2);
/// assert!(error.to_string().contains("`port` at app.toml:1:8: expected 1 to 65535, found 0"));
/// ```
pub struct Error(Box<Report>);

#[derive(Clone)]
struct Report {
    /// What was attempted, e.g. `the new configuration`.
    what: String,
    problems: Vec<Problem>,
    /// What stops nothing and may explain a problem: a mistyped key explains a missing one.
    warnings: Vec<Problem>,
    /// The version that stays in force; 0 where there is none.
    keeping: u64,
}

impl Error {
    /// Problems found in `what`, which completes "2 problems in …".
    pub(crate) fn problems_in(what: impl Into<String>, problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "an error has at least one problem");
        Self(Box::new(Report { what: what.into(), problems, warnings: Vec::new(), keeping: 0 }))
    }

    /// A call that cannot work as it was made.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::problems_in("this call", vec![Problem::new(ProblemKind::Usage, "", message)])
    }

    /// Adds what was warned of in the same pass.
    #[must_use]
    pub(crate) fn warned(mut self, warnings: Vec<Problem>) -> Self {
        self.0.warnings = warnings;
        self
    }

    /// Says which version stays in force.
    #[must_use]
    pub(crate) fn keeping(mut self, version: u64) -> Self {
        self.0.keeping = version;
        self
    }

    /// Tells whether another report names the same problems, whatever version is kept meanwhile.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let (a, b) = (self.problems(), other.problems());
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_string() == b.to_string())
    }

    /// Every problem, in the order of the sources and then of the fields.
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }

    /// What the same pass warned of: it stops nothing, and may explain a problem.
    pub fn warnings(&self) -> &[Problem] {
        &self.0.warnings
    }

    /// The version that stays in force, where there is one.
    pub fn keeping_version(&self) -> Option<u64> {
        (self.0.keeping > 0).then_some(self.0.keeping)
    }

    /// Tells whether the configuration itself was refused: its syntax, types, ranges or checks.
    pub fn is_invalid(&self) -> bool {
        self.0.problems.iter().any(|p| !matches!(p.kind, ProblemKind::Usage | ProblemKind::Unreadable))
    }

    /// Tells whether a source could not be read.
    pub fn is_unreadable(&self) -> bool {
        self.0.problems.iter().any(|p| p.kind == ProblemKind::Unreadable)
    }

    /// Tells whether the call itself was the mistake: blocking inside an async task, use after shutdown.
    pub fn is_usage(&self) -> bool {
        self.0.problems.iter().any(|p| p.kind == ProblemKind::Usage)
    }
}

impl Clone for Error {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    /// One line: all problems, then what stays in force.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        if self.0.keeping > 0 {
            write!(f, "; keeping version {}", self.0.keeping)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    /// The full report, one paragraph a problem; warnings stand last and are not counted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { what, problems, warnings, keeping } = &*self.0;
        let count = problems.len();
        write!(f, "{count} problem{} in {what}", if count == 1 { "" } else { "s" })?;
        if *keeping > 0 {
            write!(f, "; keeping version {keeping}")?;
        }
        let marked = problems.iter().map(|p| ("", p)).chain(warnings.iter().map(|p| ("warning: ", p)));
        for (mark, problem) in marked {
            write!(f, "\n  {mark}")?;
            if !problem.path.is_empty() {
                write!(f, "{}: ", problem.path)?;
            }
            f.write_str(&problem.message)?;
            if let Some(origin) = &problem.origin {
                write!(f, "\n      at      {origin}")?;
            }
            for hidden in &problem.hides {
                write!(f, "\n      hides   {hidden}")?;
            }
            for line in problem.excerpt.iter().flat_map(|e| e.lines()) {
                write!(f, "\n      {line}")?;
            }
        }
        Ok(())
    }
}
