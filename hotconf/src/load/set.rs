//! Setting a field by its path: as if one more document had said it.
//!
//! The value becomes a document that says this and nothing else; it goes through the same merge, the
//! same decoding and the same checks up to the root as a document of a source. The rule that holds:
//! the value is assigned only if all of it passes.

use super::HotConf;
use super::at::At;
use super::loader::Loader;
use super::nested::Nested;
use super::patch::{Patch, Stray, Turn, turns};
use super::run::reparse;
use crate::error::{Problem, ProblemKind};
use crate::layer::{Policy, merge};
use crate::named::Contents;
use crate::schema::meta::Shape;
use crate::value::path::Path;
use crate::value::{Document, Layered, Tree, Value};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Why a field could not be set: the path, what was expected, and what was found.
///
/// ```
/// use hotconf::HotConf;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = 3, range = "..=10")]
///     retries: u32,
/// }
///
/// let mut app = App { retries: 3 };
/// app.set("retries", 5)?;
/// assert_eq!(app.retries, 5);
///
/// let error = app.set("retries", 11).unwrap_err();
/// assert!(error.is_range());
/// assert_eq!((error.path(), error.expected(), error.found()), ("retries", "at most 10", Some("11")));
/// assert!(app.set("retires", 5).unwrap_err().is_unknown_path());
/// assert_eq!(app.retries, 5);
/// # Ok::<(), hotconf::SetError>(())
/// ```
#[derive(Clone)]
pub struct SetError(Box<Refusal>);

#[derive(Clone)]
struct Refusal {
    /// The first is what the predicates speak of; there is at least one.
    problems: Vec<Problem>,
    expected: String,
    found: Option<String>,
}

impl SetError {
    fn new(problems: Vec<Problem>, detail: Option<(String, Option<String>)>) -> Self {
        let first = problems.first().map_or("a value in its place", Problem::message).to_owned();
        let (expected, found) = detail.unwrap_or((first, None));
        Self(Box::new(Refusal { problems, expected, found }))
    }

    fn kind(&self) -> Option<ProblemKind> {
        self.0.problems.first().map(Problem::kind)
    }

    /// The path of the field that was refused: the given one, or one below it.
    pub fn path(&self) -> &str {
        self.0.problems.first().map_or("", Problem::path)
    }

    /// What was expected, e.g. `at most 10`; of a check and of an unknown path the whole sentence.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What was found; `None` of a secret, a check and an unknown path.
    pub fn found(&self) -> Option<&str> {
        self.0.found.as_deref()
    }

    /// Everything that is wrong; more than one thing where a whole section was set.
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }

    /// Tells whether there is no such field, or not in the enum's present variant.
    pub fn is_unknown_path(&self) -> bool {
        matches!(self.kind(), Some(ProblemKind::Unknown | ProblemKind::Removed))
    }

    /// Tells whether the value is not of the field's type.
    pub fn is_type(&self) -> bool {
        self.kind() == Some(ProblemKind::Type)
    }

    /// Tells whether something is missing that has no default, as in a section that was not there before;
    /// [`problems`](Self::problems) names all of it.
    pub fn is_missing(&self) -> bool {
        self.kind() == Some(ProblemKind::Missing)
    }

    /// Tells whether the value is of the field's type and outside its range.
    pub fn is_range(&self) -> bool {
        self.kind() == Some(ProblemKind::Range)
    }

    /// Tells whether a check of the program refused the value.
    pub fn is_check(&self) -> bool {
        self.kind() == Some(ProblemKind::Check)
    }
}

impl std::error::Error for SetError {}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.problems.iter().enumerate() {
            f.write_str(if i > 0 { "; " } else { "" })?;
            if !problem.path().is_empty() {
                write!(f, "`{}`: ", problem.path())?;
            }
            f.write_str(problem.message())?;
        }
        Ok(())
    }
}

impl fmt::Debug for SetError {
    /// The sentence: it is what `main` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Sets what stands at `path` of `target`.
pub(super) fn set<T: HotConf, V: Serialize + ?Sized>(
    target: &mut T,
    path: &str,
    value: &V,
) -> Result<(), SetError> {
    let refused =
        |kind, path: &str, message: String| SetError::new(vec![Problem::new(kind, path, message)], None);
    let keys: Path = path.parse().map_err(|error| {
        refused(ProblemKind::Unknown, path, format!("unknown key, `{path}` is no path: {error}"))
    })?;
    locate::<T>(&keys).map_err(|message| refused(ProblemKind::Unknown, path, message))?;
    let value = Value::of(value).map_err(|error| refused(ProblemKind::Type, path, error.to_string()))?;

    let keys = keys.segments();
    let mut known: Vec<usize> = Vec::new();
    loop {
        let turns = turns(T::SCHEMA, keys, &known);
        let Some(stray) = attempt(target, keys, &turns, &value)? else { return Ok(()) };
        let at = turns.iter().position(|turn| turn.depth == stray.depth).unwrap_or_default();
        let (turn, key) = (&turns[at], &keys[stray.depth]);
        match stray.variant {
            // The guess was wrong, and the variant that it is has such a field, too.
            Some(variant) if turn.variant != variant && turn.has(variant, key) => {
                known = turns[..at].iter().map(|turn| turn.variant).collect();
                known.push(variant);
            }
            _ => {
                return Err(refused(
                    ProblemKind::Unknown,
                    path,
                    turned(&keys[..stray.depth], turn, stray.variant, key),
                ));
            }
        }
    }
}

/// Sets the path, with the enums on the way taken for the variants of `turns`; which of these is wrong.
fn attempt<T: HotConf>(
    target: &mut T,
    keys: &[String],
    turns: &[Turn],
    value: &Value,
) -> Result<Option<Stray>, SetError> {
    // In tables of its own and not mounted: a document that is null says nothing, a null that is set does.
    let mut said = value.clone();
    for (depth, key) in keys.iter().enumerate().rev() {
        let mut table = Vec::with_capacity(2);
        if let Some(turn) = turns.iter().find(|turn| turn.depth == depth) {
            let (tag, name) = turn.tag();
            table.push((tag.to_owned(), Value::String(name.to_owned())));
        }
        table.push((key.clone(), said));
        said = Value::Table(table);
    }
    let layer = Layered::from(Arc::new(Document::of("the value that was set", &said)));
    let merged = merge(&[layer], T::SCHEMA, Policy { deny_unknown: true });
    if !merged.problems.is_empty() {
        return Err(SetError::new(merged.problems, None));
    }
    let contents = Some(Arc::new(Contents::given()));
    let (before, after) = (Tree::default(), Tree { contents, ..merged.tree });
    let mut cx = Loader::new(&after, reparse);
    cx.patch = Some(Patch {
        keys: keys.to_vec(),
        guessed: turns.last().map_or(0, |turn| turn.depth + 1),
        null: *value == Value::Null,
        stray: None,
    });
    let mut changed = target.clone();
    changed.update(&mut cx, At::root(T::SCHEMA, after.root(), Some(before.root())));
    if let Some(stray) = cx.patch.and_then(|patch| patch.stray) {
        return Ok(Some(stray));
    }
    if cx.refused {
        return Err(SetError::new(cx.problems, cx.detail));
    }
    *target = changed;
    Ok(None)
}

/// Says that a field is one of another variant than the value's.
fn turned(section: &[String], turn: &Turn, variant: Option<usize>, key: &str) -> String {
    let section: Path = section.iter().cloned().collect();
    let section = section.to_string();
    let whole = if section.is_empty() { "the value".to_owned() } else { format!("`{section}`") };
    let (tag, name) = turn.tag();
    match variant {
        Some(variant) => format!(
            "{whole} is `{}`, `{key}` belongs to {tag} = \"{name}\"; to change it, set {whole} as a whole, with its `{tag}`",
            turn.name(variant)
        ),
        None => format!("{whole} is not there yet: set it as a whole, with its `{tag}`"),
    }
}

/// Tells what is wrong with a path that leads nowhere.
fn locate<T: HotConf>(path: &Path) -> Result<(), String> {
    let keys = path.segments();
    match T::SCHEMA.locate(keys) {
        Ok(spot) if spot.inside && is_entry::<T>(keys) => Ok(()),
        Ok(spot) if spot.inside => Err(match spot.field {
            Some(field) => format!("`{}` is one value, which is set as a whole", field.name),
            None => "unknown key".to_owned(),
        }),
        Ok(spot) => match spot.field.map(|field| field.shape) {
            // Below a list there is an index, which no document can say alone.
            Some(Shape::List(_)) if spot.schema.is_some() => Err("a list is set as a whole".to_owned()),
            _ => Ok(()),
        },
        Err(miss) => {
            let gone = miss.schema.removed.iter().find(|(removed, _)| *removed == keys[miss.at]);
            if let Some((_, hint)) = gone {
                return Err(format!("was removed: {hint}"));
            }
            let hint = miss.suggestion(T::SCHEMA, &keys[miss.at]);
            Err(format!("unknown key{}", crate::schema::nearest::did_you_mean(hint.as_deref())))
        }
    }
}

/// Tells whether a path leads to an entry of a map of leaves that is set entry by entry.
fn is_entry<T: HotConf>(keys: &[String]) -> bool {
    let above = keys.split_last().and_then(|(_, map)| T::SCHEMA.locate(map).ok());
    above.is_some_and(|spot| {
        !spot.inside && spot.schema.is_none() && spot.field.is_some_and(|field| field.keyed)
    })
}
