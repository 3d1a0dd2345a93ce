//! What generated code calls to load one field after another.
//!
//! The good path allocates nothing of its own; what is wrong is written out by [`super::refusal`].
//! Methods that take a `fn` do so for compile time: one instance a type, not one a field.

use super::at::{At, MovedFields, is_unset};
use super::nested::Nested;
use super::patch::Patch;
use super::{HotConf, panics};
use crate::error::{Problem, ProblemKind};
use crate::schema::meta::Shape;
use crate::secret::probe;
use crate::value::de::{De, LeafError, Reparse};
use crate::value::{Item, Ref, Tree};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::str::FromStr;

/// Collects problems while a value is built or updated.
#[derive(Debug)]
pub struct Loader<'t> {
    /// An empty place, for types that can be read from nothing.
    pub(super) nothing: Ref<'t>,
    pub(super) reparse: Reparse,
    pub(super) problems: Vec<Problem>,
    /// What was expected and found by the first problem, for the typed error of a setter.
    pub(super) detail: Option<(String, Option<String>)>,
    /// Something was refused, by this stage or by the merge.
    pub(super) refused: bool,
    /// A setter is at work: what the tree does not mention stays as it is.
    pub(super) patch: Option<Patch>,
    /// Only the checks of sections are asked; no leaf is read.
    pub(super) recheck: bool,
    /// Leaves decoded so far.
    pub(super) decoded: u64,
}

/// What holds where no source speaks of a leaf.
enum Fallback<T> {
    /// None; a type that can be read from nothing is.
    Required,
    /// None, and nothing is read.
    Missing,
    Made(fn() -> T),
    Text(&'static str),
}

impl<'t> Loader<'t> {
    pub(super) fn new(tree: &'t Tree, reparse: Reparse) -> Self {
        Self {
            nothing: tree.at(Item::Absent),
            reparse,
            problems: Vec::new(),
            detail: None,
            refused: false,
            patch: None,
            recheck: false,
            decoded: 0,
        }
    }

    /// A leaf that must be set, or whose type can be read from nothing.
    #[inline]
    pub fn leaf<T: DeserializeOwned>(&mut self, at: At<'_>, i: usize) -> Option<T> {
        self.take(at, i, |de| T::deserialize(de), Fallback::Required)
    }

    /// A leaf with a default.
    #[inline]
    pub fn leaf_or<T: DeserializeOwned>(&mut self, at: At<'_>, i: usize, default: fn() -> T) -> Option<T> {
        self.take(at, i, |de| T::deserialize(de), Fallback::Made(default))
    }

    /// A leaf whose default is read from text.
    #[inline]
    pub fn leaf_text<T: DeserializeOwned>(
        &mut self,
        at: At<'_>,
        i: usize,
        default: &'static str,
    ) -> Option<T> {
        self.take(at, i, |de| T::deserialize(de), Fallback::Text(default))
    }

    /// A leaf read by a function of the user's: serde's `with` and `deserialize_with`.
    pub fn with<T>(
        &mut self,
        at: At<'_>,
        i: usize,
        read: for<'a> fn(De<'a>) -> Result<T, LeafError>,
    ) -> Option<T> {
        self.take(at, i, read, Fallback::Missing)
    }

    /// The same with a default.
    pub fn with_or<T>(
        &mut self,
        at: At<'_>,
        i: usize,
        read: for<'a> fn(De<'a>) -> Result<T, LeafError>,
        default: fn() -> T,
    ) -> Option<T> {
        self.take(at, i, read, Fallback::Made(default))
    }

    /// The same with a default that is read from text.
    pub fn with_text<T>(
        &mut self,
        at: At<'_>,
        i: usize,
        read: for<'a> fn(De<'a>) -> Result<T, LeafError>,
        default: &'static str,
    ) -> Option<T> {
        self.take(at, i, read, Fallback::Text(default))
    }

    /// A leaf read from text by `FromStr`.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, at: At<'_>, i: usize) -> Option<T> {
        self.take(at, i, |de| de.parsed(), Fallback::Required)
    }

    /// The same with a default.
    pub fn parsed_or<T: FromStr<Err: Display>>(
        &mut self,
        at: At<'_>,
        i: usize,
        default: fn() -> T,
    ) -> Option<T> {
        self.take(at, i, |de| de.parsed(), Fallback::Made(default))
    }

    /// The same with a default that is read from text.
    pub fn parsed_text<T: FromStr<Err: Display>>(
        &mut self,
        at: At<'_>,
        i: usize,
        default: &'static str,
    ) -> Option<T> {
        self.take(at, i, |de| de.parsed(), Fallback::Text(default))
    }

    /// A leaf read from text by `FromStr`, or none.
    pub fn parsed_option<T: FromStr<Err: Display>>(&mut self, at: At<'_>, i: usize) -> Option<Option<T>> {
        self.take(at, i, |de| de.parsed_option(), Fallback::Required)
    }

    /// The same with a default.
    pub fn parsed_option_or<T: FromStr<Err: Display>>(
        &mut self,
        at: At<'_>,
        i: usize,
        default: fn() -> Option<T>,
    ) -> Option<Option<T>> {
        self.take(at, i, |de| de.parsed_option(), Fallback::Made(default))
    }

    /// The same with a default that is read from text.
    pub fn parsed_option_text<T: FromStr<Err: Display>>(
        &mut self,
        at: At<'_>,
        i: usize,
        default: &'static str,
    ) -> Option<Option<T>> {
        self.take(at, i, |de| de.parsed_option(), Fallback::Text(default))
    }

    #[inline]
    fn take<T>(
        &mut self,
        at: At<'_>,
        i: usize,
        read: impl Fn(De<'_>) -> Result<T, LeafError>,
        fallback: Fallback<T>,
    ) -> Option<T> {
        self.decoded += 1;
        let slot = at.slot(i);
        if !slot.is_absent() {
            match Self::guarded((at, i), &read, De::new(slot, self.reparse)) {
                Ok(value) => return Some(value),
                // Null on a type that knows none: as if nothing had been said.
                Err(_) if is_unset(slot) => {}
                Err(error) => {
                    self.refuse_leaf(at, i, De::new(slot, self.reparse), error);
                    return None;
                }
            }
        }
        let (de, result) = match fallback {
            Fallback::Made(default) => {
                let result = Self::guarded((at, i), &|_| Ok(default()), De::new(self.nothing, self.reparse));
                (De::new(self.nothing, self.reparse), result)
            }
            Fallback::Text(text) => {
                let de = De::default(text, self.nothing.tree, self.reparse);
                (de, Self::guarded((at, i), &read, de))
            }
            // A function is not asked of nothing, an `Option`'s neither: so it is in serde.
            Fallback::Missing => (De::new(self.nothing, self.reparse), Err(LeafError::missing())),
            Fallback::Required => {
                let de = De::new(self.nothing, self.reparse);
                // Whatever the type says of nothing, a secret for one: there is nothing.
                (de, Self::guarded((at, i), &read, de).map_err(|_| LeafError::missing()))
            }
        };
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse_leaf(at, i, de, error);
                None
            }
        }
    }

    /// Reads a leaf; a panic in code of the user is an error like any other.
    #[inline]
    fn guarded<T>(
        (at, i): (At<'_>, usize),
        read: &impl Fn(De<'_>) -> Result<T, LeafError>,
        de: De<'_>,
    ) -> Result<T, LeafError> {
        if at.schema.foreign {
            let before = probe::made();
            let read = panics::caught(|| read(de)).unwrap_or_else(LeafError::panicked);
            // What the type makes of this value says more than what it made of samples.
            if probe::made() != before
                && let Some(field) = at.field(i)
            {
                field.hid();
            }
            read
        } else {
            read(de)
        }
    }

    /// A section, or a container of sections.
    pub fn nested<S: Nested>(&mut self, at: At<'_>, i: usize) -> Option<S> {
        let step = at.step(i);
        S::load(self, at.below(i, &step, self.problems.len()))
    }

    /// The same with a value that holds where no source speaks of it.
    pub fn nested_or<S: Nested>(&mut self, at: At<'_>, i: usize, default: fn() -> S) -> Option<S> {
        // A null is a value of an option, default or not.
        let null = at.field(i).is_some_and(|field| matches!(field.shape, Shape::Optional(_)));
        let unsaid = if null { at.slot(i).is_absent() } else { is_unset(at.slot(i)) };
        if unsaid { self.made(at, i, default) } else { self.nested(at, i) }
    }

    /// Brings a section, or a container of sections, to what the new tree says.
    pub fn update_nested<S: Nested>(&mut self, at: At<'_>, i: usize, place: &mut S) {
        let step = at.step(i);
        place.update(self, at.below(i, &step, self.problems.len()));
    }

    /// The same with a value that holds where no source speaks of it.
    pub fn update_nested_or<S: Nested>(&mut self, at: At<'_>, i: usize, place: &mut S, default: fn() -> S) {
        let was_unset = at.old_slot(i).is_none_or(is_unset);
        if self.recheck {
            self.update_nested(at, i, place);
        } else if is_unset(at.slot(i)) || (was_unset && self.patch.is_none()) {
            // What the default made up is no base for what a source says.
            let value = self.nested_or(at, i, default);
            self.put(place, value);
        } else {
            self.update_nested(at, i, place);
        }
    }

    fn made<S>(&mut self, at: At<'_>, i: usize, default: fn() -> S) -> Option<S> {
        match panics::caught(default) {
            Ok(value) => Some(value),
            Err(message) => {
                let problem = Problem::new(
                    ProblemKind::Check,
                    at.path_of(i),
                    format!("the default panicked: {message}"),
                );
                self.refuse(problem);
                None
            }
        }
    }

    /// The active variant of an enum as a struct of its own.
    pub fn newtype<S: HotConf>(&mut self, at: At<'_>) -> Option<S> {
        S::__load(self, at.newtype(S::SCHEMA))
    }

    /// Brings the active variant of an enum to what the new tree says.
    pub fn update_newtype<S: HotConf>(&mut self, at: At<'_>, place: &mut S) {
        place.__update(self, at.newtype(S::SCHEMA));
    }

    /// Indices of the fields whose slots differ between the two trees.
    pub fn moved<'a>(&self, at: At<'a>) -> MovedFields<'a> {
        at.moved(self.recheck)
    }

    /// Assigns what could be loaded.
    #[inline]
    pub fn put<T>(&mut self, place: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *place = value;
        }
    }
}
