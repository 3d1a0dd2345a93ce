//! What is told of a configuration: the events, each with what a person needs to act on it.

use crate::error::{Error, Problem};
use crate::layer;
use crate::origin::Origin;
use crate::publish::Meta;
use crate::schema::index::Role;
use crate::schema::meta::Shape;
use crate::schema::{Moved, keys};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Something that happened to a configuration.
///
/// `Display` is one line for a log. No event holds a secret.
///
/// ```
/// use hotconf::{Event, Format, Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let (source, text) = Inline::channel("app", Format::Toml, "retries = 4");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let mut events = config.events();
/// text.set("retires = 5");
/// let warning = loop {
///     match events.blocking_next()? {
///         Some(Event::Warning(warning)) => break warning,
///         Some(Event::Applied(applied)) => assert_eq!((applied.previous(), applied.version()), (1, 2)),
///         other => panic!("{other:?}"),
///     }
/// };
/// assert_eq!(warning.path(), "retires");
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A new version is in force.
    Applied(Applied),
    /// What a source brought was refused; the error says every problem and what stays in force.
    Rejected(Error),
    /// A source is gone or cannot be read; what it brought last stays in force.
    SourceDown(SourceDown),
    /// A source that was down, or whose content was refused, is well again.
    SourceUp(SourceUp),
    /// Something that stops nothing and that a person should know.
    Warning(Warning),
    /// Fields that apply on restart only have a new value waiting.
    RestartRequired(RestartRequired),
    /// This reader was slower than the events came: so many of the oldest are lost to it.
    Lagged(u64),
}

/// A new version, and what moved.
///
/// ```
/// use hotconf::{Event, Format, Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let (source, text) = Inline::channel("app", Format::Toml, "retries = 4");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let mut events = config.events();
/// text.set("retries = 5");
/// let Some(Event::Applied(applied)) = events.blocking_next()? else { panic!("a version is next") };
/// assert_eq!((applied.previous(), applied.version()), (1, 2));
/// assert_eq!(applied.paths(), ["retries"]);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone)]
pub struct Applied {
    pub(crate) before: Arc<Meta>,
    pub(crate) after: Arc<Meta>,
    pub(crate) moved: Moved,
}

/// One leaf that moved, of [`Applied::changes`].
///
/// ```
/// use hotconf::{Event, Format, Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let (source, text) = Inline::channel("app", Format::Toml, "retries = 4");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let mut events = config.events();
/// text.set("retries = 5");
/// let Some(Event::Applied(applied)) = events.blocking_next()? else { panic!("a version is next") };
/// let change = &applied.changes()[0];
/// assert_eq!((change.old.as_deref(), change.new.as_deref()), (Some("4"), Some("5")));
/// assert_eq!(change.to_string(), "retries: 4 -> 5 (app:1:11)");
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldChange {
    /// The leaf's dotted path.
    pub path: String,
    /// The value before, as its source wrote it; `None` where it was not there, `(secret)` for a secret.
    pub old: Option<String>,
    /// The value now.
    pub new: Option<String>,
    /// Where the value now was set.
    pub origin: Origin,
}

impl Applied {
    /// The version that is in force now.
    pub fn version(&self) -> u64 {
        self.after.number
    }

    /// The version that was in force before.
    pub fn previous(&self) -> u64 {
        self.before.number
    }

    /// The leaves that moved, in the order of declaration; of maps and lists of sections, the leaves
    /// inside. Made on each call: nothing is rendered for an event that nobody looks at.
    pub fn changes(&self) -> Vec<FieldChange> {
        let (mut changes, mut seen) = (Vec::new(), HashSet::new());
        let retagged = self.retagged();
        for number in self.moved.as_slice() {
            let path = self.after.index.path(*number);
            let field = self.after.index.leaf(*number).and_then(|leaf| leaf.field);
            let holds_sections =
                field.is_some_and(|field| matches!(field.shape, Shape::List(_) | Shape::Map(_)));
            let paths = if holds_sections {
                layer::moved_paths(&self.before.tree, &self.after.tree, self.after.schema, path)
            } else {
                vec![path.to_owned()]
            };
            for path in paths {
                let (before, after) = (&self.before.tree, &self.after.tree);
                let old = layer::rendered(before, self.before.schema, &path);
                let new = layer::rendered(after, self.after.schema, &path);
                // Variants share paths, a leaf of both may be the same in both, and one of a third is in neither.
                let inside =
                    |section: &Vec<String>| keys::split(&path).is_ok_and(|at| at.starts_with(section));
                if retagged.iter().any(inside) {
                    let stays = layer::is_same(before, after, self.after.schema, &path);
                    let nowhere = old.is_none() && new.is_none();
                    if stays || nowhere || !seen.insert(path.clone()) {
                        continue;
                    }
                }
                let origin = layer::origin_of(after, self.after.schema, &path);
                changes.push(FieldChange { path, old, new, origin });
            }
        }
        changes
    }

    /// The enum sections that became another variant: of these the leaves of all variants moved.
    fn retagged(&self) -> Vec<Vec<String>> {
        let index = &self.after.index;
        let moved = self.moved.as_slice().iter().filter_map(|number| index.leaf(*number));
        let tags = moved.filter(|leaf| leaf.role == Role::Tag);
        let sections = tags.filter_map(|leaf| keys::split(&leaf.path).ok());
        sections
            .map(|mut keys| {
                keys.pop();
                keys
            })
            .collect()
    }

    /// The paths of [`changes`](Self::changes).
    pub fn paths(&self) -> Vec<String> {
        self.changes().into_iter().map(|change| change.path).collect()
    }
}

impl fmt::Display for FieldChange {
    /// One line: `http.timeout: 5s -> 2s (shop.toml:8:11)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "unset".to_owned());
        write!(f, "{}: {} -> {} ({})", self.path, show(&self.old), show(&self.new), self.origin)
    }
}

impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied").field("version", &self.version()).field("changes", &self.changes()).finish()
    }
}

/// A source that is gone or cannot be read.
///
/// ```
/// use hotconf::Event;
///
/// /// What a person who is woken by it needs.
/// fn page(event: &Event) -> Option<String> {
///     let Event::SourceDown(down) = event else { return None };
///     Some(format!("{} is down: {}", down.source(), down.error()))
/// }
/// assert_eq!(page(&Event::Lagged(3)), None);
/// ```
#[derive(Clone, Debug)]
pub struct SourceDown {
    pub(crate) source: Arc<str>,
    pub(crate) error: Error,
}

impl SourceDown {
    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Why, and what stays in force.
    pub fn error(&self) -> &Error {
        &self.error
    }
}

/// A source that is well again.
///
/// ```
/// use hotconf::{Event, Format, Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let (source, text) = Inline::channel("app", Format::Toml, "retries = 4");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let mut events = config.events();
/// text.set("retries = 50");
/// assert!(matches!(events.blocking_next()?, Some(Event::Rejected(_))));
/// text.set("retries = 4");
/// let Some(Event::SourceUp(up)) = events.blocking_next()? else { panic!("the source is well again") };
/// assert_eq!(up.source(), "app");
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SourceUp {
    pub(crate) source: Arc<str>,
}

impl SourceUp {
    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Something that stops nothing and that a person should know.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder().source(Inline::toml("app", "retires = 5")).blocking_start()?;
/// let warning = &config.status().warnings[0];
/// assert_eq!(warning.path(), "retires");
/// assert_eq!(warning.message(), "unknown key, did you mean `retries`?");
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Warning {
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) origin: Option<Origin>,
}

impl Warning {
    /// What a source said of itself.
    pub(crate) fn of_source(source: Arc<str>, message: String) -> Self {
        Self { path: String::new(), message, origin: Some(Origin::whole(source)) }
    }

    /// The dotted path that it is about; empty where it is about a source or the program.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What there is to know, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it stands.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }
}

impl From<Problem> for Warning {
    /// What stops nothing is told as a warning.
    fn from(problem: Problem) -> Self {
        Self { path: problem.path, message: problem.message, origin: problem.origin }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, self.path.is_empty()) {
            (Some(origin), false) => write!(f, "`{}` at {origin}: {}", self.path, self.message),
            (Some(origin), true) => write!(f, "{origin}: {}", self.message),
            (None, false) => write!(f, "`{}`: {}", self.path, self.message),
            (None, true) => f.write_str(&self.message),
        }
    }
}

/// Fields that apply on restart only have a new value waiting.
///
/// ```
/// use hotconf::{Event, Format, Hot, HotConf, Inline};
///
/// #[derive(Clone, Debug, HotConf)]
/// struct App {
///     #[hotconf(restart)]
///     port: u16,
/// }
///
/// let (source, text) = Inline::channel("app", Format::Toml, "port = 80");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let mut events = config.events();
/// text.set("port = 81");
/// let restart = loop {
///     match events.blocking_next()? {
///         Some(Event::RestartRequired(restart)) => break restart,
///         other => assert!(other.is_some()),
///     }
/// };
/// assert_eq!(restart.paths(), ["port"]);
/// assert_eq!(config.load().port, 80);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartRequired {
    pub(crate) paths: Vec<String>,
}

impl RestartRequired {
    /// The fields that wait for a restart.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied(applied) => {
                write!(f, "version {} applied", applied.version())?;
                for (i, change) in applied.changes().iter().enumerate() {
                    write!(f, "{} {change}", if i == 0 { ":" } else { "," })?;
                }
                Ok(())
            }
            Self::Rejected(error) => write!(f, "rejected: {error}"),
            Self::SourceDown(down) => write!(f, "source {} is down: {}", down.source, down.error),
            Self::SourceUp(up) => write!(f, "source {} is up", up.source),
            Self::Warning(warning) => write!(f, "warning: {warning}"),
            Self::RestartRequired(restart) => {
                write!(f, "restart required for {}", restart.paths.join(", "))
            }
            Self::Lagged(lost) => write!(f, "{lost} events were lost to this reader"),
        }
    }
}
