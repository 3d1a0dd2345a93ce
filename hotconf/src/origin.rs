//! Where a value was set: the place that a person can go to and change.
//!
//! An [`Origin`] names a source and a place in it. It holds no value, so it may be shown anywhere.

use std::fmt;
use std::sync::Arc;

/// The place at which a value was set, as a person would name it.
///
/// Its `Display` is what errors, events and `explain` print:
///
/// ```
/// use hotconf::{HotConf, Hot, Inline};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = 1)]
///     workers: u32,
///     port: u16,
/// }
///
/// let app = Hot::<App>::builder().source(Inline::toml("app", "\nport = 80")).read()?;
/// assert_eq!(app.origin(App::FIELDS.port).to_string(), "app:2:8");
/// assert_eq!(app.origin(App::FIELDS.workers).to_string(), "default");
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    source: Arc<str>,
    place: Place,
}

/// The place within a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The source as a whole: a file that is missing, a document that is empty.
    Whole,
    /// A line and a column, both counted from 1; the column counts characters.
    Line { line: u32, column: u32 },
    /// A thing with a name of its own: a variable, an argument, a key at a revision.
    Named(Arc<str>),
    /// No source set it; the derive's default holds.
    Default,
}

impl Origin {
    /// A source as a whole.
    pub(crate) fn whole(source: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), place: Place::Whole }
    }

    /// A line and column, both from 1, of a document.
    pub(crate) fn line(source: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self { source: source.into(), place: Place::Line { line, column } }
    }

    /// A variable, argument or key that names itself, e.g. `environment variable SHOP_PORT`.
    pub(crate) fn named(source: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), place: Place::Named(name.into()) }
    }

    /// The default that the type itself gives.
    pub(crate) fn default_value() -> Self {
        Self { source: Arc::from("default"), place: Place::Default }
    }

    /// Names the source: a file's path as it was given, `environment`, a store's address.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the line, counted from 1, where the source is a text.
    pub fn line_number(&self) -> Option<u32> {
        match self.place {
            Place::Line { line, .. } => Some(line),
            _ => None,
        }
    }

    /// Returns the column in characters, counted from 1, where the source is a text.
    pub fn column(&self) -> Option<u32> {
        match self.place {
            Place::Line { column, .. } => Some(column),
            _ => None,
        }
    }

    /// Tells whether no source set the value and the type's default holds.
    pub fn is_default(&self) -> bool {
        self.place == Place::Default
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Whole | Place::Default => f.write_str(&self.source),
            Place::Line { line, column } => write!(f, "{}:{line}:{column}", self.source),
            Place::Named(name) => f.write_str(name),
        }
    }
}
