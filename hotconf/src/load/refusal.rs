//! What is wrong with a leaf, written out: path, sentence, place and, where it is safe, the line.
//!
//! The rule that holds: of a secret field, and of what a source of secrets says, no found value and no sentence of a type, a parser or a
//! check is passed on, since each may contain the value.

use super::at::At;
use super::loader::Loader;
use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;
use crate::schema::meta::{Body, Fallback, FieldMeta, Schema, Shape};
use crate::secret::WITHHELD;
use crate::value::de::{De, LeafError, excerpted};
use crate::value::{Item, Kind, Ref};

impl Loader<'_> {
    pub(super) fn refuse(&mut self, problem: Problem) {
        self.refused = true;
        self.problems.push(problem);
    }

    pub(super) fn expected(&mut self, expected: String, found: Option<String>) {
        self.detail.get_or_insert((expected, found));
    }

    #[cold]
    pub(super) fn refuse_leaf(&mut self, at: At<'_>, i: usize, de: De<'_>, mut error: LeafError) {
        let (path, secret) = (at.path_of(i) + error.tail(), is_secret(at, i));
        if error.is_missing() {
            let mut problem = Problem::new(ProblemKind::Missing, path, error.to_string());
            // A null says that no source sets it: of that one there is a place.
            let null = [at.slot(i), at.new].into_iter().find(|said| said.kind() == Some(Kind::Null));
            if let Some(null) = null.filter(|_| error.tail().is_empty()) {
                problem.message.push_str(": null here unsets it");
                problem.origin = Some(null.origin());
            }
            self.refuse(problem);
            return;
        }
        let kind = if error.is_unread() { ProblemKind::Unreadable } else { ProblemKind::Type };
        let origin = error.take_origin().or_else(|| de.origin()).unwrap_or_else(Origin::default_value);
        let message = if secret {
            error = error.withheld();
            error.to_string()
        } else {
            if de.is_scalar() {
                error.or_found(|| de.found());
            }
            if let Some(expected) = error.expected() {
                self.expected(expected.to_owned(), error.found().map(str::to_owned));
            }
            error.to_string()
        };
        let message =
            if origin.is_default() { format!("the default is not valid: {message}") } else { message };
        let mut problem = Problem::new(kind, path, message).at(origin);
        if !secret && error.tail().is_empty() && !error.is_hidden() {
            problem.excerpt = excerpt(at.slot(i));
        }
        self.refuse(problem);
    }

    /// A value of the right type that a range or a check refused.
    #[cold]
    pub(super) fn refuse_value(&mut self, at: At<'_>, i: usize, kind: ProblemKind, message: String) {
        let slot = at.slot(i);
        let mut problem = Problem::new(kind, at.path_of(i), message).at(slot.origin());
        if !is_secret(at, i) {
            problem.excerpt = excerpt(slot);
        }
        self.refuse(problem);
    }

    /// What a field's value is, as it was written; `None` of a secret.
    pub(super) fn found(&self, at: At<'_>, i: usize) -> Option<String> {
        let field = at.field(i)?;
        if is_secret(at, i) {
            return None;
        }
        let slot = at.slot(i);
        if !super::at::is_unset(slot) {
            return Some(De::new(slot, self.reparse).found());
        }
        Some(match field.default {
            Fallback::Shown(text) => format!("the default `{text}`"),
            Fallback::Implicit(_) | Fallback::Required => "the default".to_owned(),
        })
    }

    /// An enum's tag that is missing or names no variant.
    #[cold]
    pub(super) fn refuse_tag(&mut self, at: At<'_>) {
        let Body::Enum { tag, variants } = &at.schema.body else { return };
        let names: Vec<_> = variants.iter().map(|variant| variant.name).collect();
        let expected = crate::value::de::one_of(&names);
        let path = at.path_of_key(tag);
        let said = at.new.slot(0);
        if said.is_absent() {
            let message = format!("required, and no source sets it: {expected}");
            self.refuse(Problem::new(ProblemKind::Missing, path, message));
            return;
        }
        let found = (!said.is_secret()).then(|| De::new(said, self.reparse).found());
        let message = match &found {
            Some(found) => format!("expected {expected}, found {found}"),
            None => format!("expected {expected} {WITHHELD}"),
        };
        let mut problem = Problem::new(ProblemKind::Type, path, message).at(said.origin());
        problem.excerpt = found.is_some().then(|| excerpt(said)).flatten();
        self.expected(expected, found);
        self.refuse(problem);
    }
}

pub(super) fn is_secret(at: At<'_>, i: usize) -> bool {
    // A field that is not known is treated as a secret.
    at.field(i).is_none_or(FieldMeta::is_secret) || at.slot(i).is_secret()
}

fn excerpt(slot: Ref<'_>) -> Option<String> {
    let (doc, node) = slot.node()?;
    excerpted(doc, node)
}

/// Tells whether `message` contains the value of a secret below `at`.
pub(super) fn reveals(message: &str, schema: &'static Schema, at: Ref<'_>) -> bool {
    let (group, offset) = match (&schema.body, at.item) {
        (Body::Struct(group), _) => (group, 0),
        (Body::Enum { variants, .. }, Item::Section { variant, .. }) => {
            match variants.get(usize::from(variant)) {
                Some(variant) => (&variant.group, 1),
                None => return false,
            }
        }
        _ => return false,
    };
    group.fields.iter().enumerate().any(|(i, field)| {
        let slot = at.slot(i + offset);
        match field.shape {
            Shape::Leaf => {
                (contains(message, slot) || quotes(message, slot)) && (field.is_secret() || slot.is_secret())
            }
            Shape::Section(inner) | Shape::Optional(inner) => reveals(message, inner, slot),
            Shape::List(inner) => slot.elements().into_iter().any(|at| reveals(message, inner, at)),
            Shape::Map(inner) => slot.entries().into_iter().any(|(_, at)| reveals(message, inner, at)),
        }
    })
}

/// Tells whether `message` contains a line of a file that is named at or below `at`.
fn quotes(message: &str, at: Ref<'_>) -> bool {
    let below: Vec<Ref<'_>> = match at.kind() {
        Some(Kind::Array) => at.elements(),
        Some(Kind::Table) => at.entries().into_iter().map(|(_, at)| at).collect(),
        _ => Vec::new(),
    };
    let held = at.contents().into_iter().filter_map(|(_, held)| held);
    held.into_iter().any(|held| {
        let mut lines =
            held.bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        lines.any(|line| line.trim().len() >= SHORTEST && message.contains(line.trim()))
    }) || below.into_iter().any(|at| quotes(message, at))
}

/// A shorter line tells nothing, and is found in every message.
const SHORTEST: usize = 4;

/// Tells whether `message` contains any scalar at or below `at`.
fn contains(message: &str, at: Ref<'_>) -> bool {
    match at.kind() {
        None | Some(Kind::Null) => false,
        Some(Kind::Array) => at.elements().into_iter().any(|at| contains(message, at)),
        Some(Kind::Table) => at.entries().into_iter().any(|(_, at)| contains(message, at)),
        Some(Kind::Str | Kind::Text | Kind::Datetime | Kind::Key) => at.node().is_some_and(|(doc, node)| {
            let text = doc.str(node);
            !text.is_empty() && message.contains(text)
        }),
        Some(_) => at.node().is_some_and(|(doc, node)| message.contains(&crate::value::de::shown(doc, node))),
    }
}
