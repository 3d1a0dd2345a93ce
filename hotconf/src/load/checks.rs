//! Ranges, checks of the program, and enum tags.

use super::at::At;
use super::loader::Loader;
use super::panics;
use super::refusal::{is_secret, reveals};
use crate::error::{Problem, ProblemKind};
use crate::schema::meta::Body;
use crate::value::Item;
use crate::value::de::{De, LeafError};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::str::FromStr;

impl Loader<'_> {
    /// Holds a leaf to its range; bounds are read by the leaf's own type. `None` in an `Option` passes.
    pub fn ranged<T: DeserializeOwned + PartialOrd>(
        &mut self,
        at: At<'_>,
        i: usize,
        value: Option<T>,
    ) -> Option<T> {
        self.hold(at, i, value, |de| T::deserialize(de))
    }

    /// The same for a leaf that is read by `FromStr`.
    pub fn ranged_parsed<T: FromStr<Err: Display> + PartialOrd>(
        &mut self,
        at: At<'_>,
        i: usize,
        value: Option<T>,
    ) -> Option<T> {
        self.hold(at, i, value, |de| de.parsed())
    }

    /// The same for an optional one.
    pub fn ranged_parsed_option<T: FromStr<Err: Display> + PartialOrd>(
        &mut self,
        at: At<'_>,
        i: usize,
        value: Option<Option<T>>,
    ) -> Option<Option<T>> {
        self.hold(at, i, value, |de| de.parsed_option())
    }

    fn hold<T: PartialOrd>(
        &mut self,
        at: At<'_>,
        i: usize,
        value: Option<T>,
        read: impl Fn(De<'_>) -> Result<T, LeafError>,
    ) -> Option<T> {
        let value = value?;
        let Some(text) = at.field(i).and_then(|field| field.range) else { return Some(value) };
        let range = Range::of(text);
        let bound = |text: &str| match text {
            "" => Ok(None),
            text => read(De::text(text, self.reparse)).map(Some),
        };
        let (low, high) = match (bound(range.low), bound(range.high)) {
            (Ok(low), Ok(high)) => (low, high),
            (Err(error), _) | (_, Err(error)) => {
                let message = format!("the range `{text}` cannot be read: {error}");
                self.refuse(Problem::new(ProblemKind::Usage, at.path_of(i), message));
                return None;
            }
        };
        // Written so that what cannot be compared (a NaN) is outside.
        let above = low.is_none_or(|low| value >= low);
        let below = high.is_none_or(|high| if range.inclusive { value <= high } else { value < high });
        // Only an `Option` can be read from nothing; its `None` is less than any bound.
        if (above && below) || read(De::new(self.nothing, self.reparse)).is_ok_and(|none| none == value) {
            return Some(value);
        }
        let (expected, found) = (range.words(), self.found(at, i));
        let shown = found.as_deref().map_or_else(
            || format!("expected {expected} (value not shown: secret)"),
            |found| format!("expected {expected}, found {found}"),
        );
        self.expected(expected, found);
        self.refuse_value(at, i, ProblemKind::Range, shown);
        None
    }

    /// Asks the program's check of a leaf.
    pub fn field_checked<T, E: Display>(
        &mut self,
        at: At<'_>,
        i: usize,
        value: Option<T>,
        check: impl FnOnce(&T) -> Result<(), E>,
    ) -> Option<T> {
        let value = value?;
        let Some(message) = asked(|| check(&value)) else { return Some(value) };
        let message = if is_secret(at, i) {
            "refused by its check (message not shown: secret)".to_owned()
        } else {
            message
        };
        self.refuse_value(at, i, ProblemKind::Check, message);
        None
    }

    /// Asks the program's check of a section that was loaded.
    pub fn checked<S, E: Display>(
        &mut self,
        at: At<'_>,
        value: S,
        check: impl FnOnce(&S) -> Result<(), E>,
    ) -> Option<S> {
        self.section_passes(at, || check(&value)).then_some(value)
    }

    /// Asks the program's check of a section that was updated.
    ///
    /// Not asked where one of the section's fields was refused: that one still has its former value.
    pub fn check<S, E: Display>(&mut self, at: At<'_>, value: &S, check: impl FnOnce(&S) -> Result<(), E>) {
        if self.problems.len() == at.since {
            self.section_passes(at, || check(value));
        }
    }

    fn section_passes<E: Display>(&mut self, at: At<'_>, check: impl FnOnce() -> Result<(), E>) -> bool {
        let Some(mut message) = asked(check) else { return true };
        if reveals(&message, at.schema, at.new) {
            "refused by its check (message not shown: it holds a secret)".clone_into(&mut message);
        }
        let mut problem = Problem::new(ProblemKind::Check, at.path(), message);
        if at.trail.is_some() && !at.new.is_absent() {
            problem = problem.at(at.new.origin());
        }
        self.refuse(problem);
        false
    }

    /// The active variant of an enum.
    pub fn variant(&mut self, at: At<'_>) -> Option<usize> {
        let Body::Enum { variants, .. } = &at.schema.body else { return None };
        if let Item::Section { variant, .. } = at.new.item
            && usize::from(variant) < variants.len()
        {
            // A setter's guess makes no enum: which one is meant is not said.
            if self.stray(at, None) {
                return None;
            }
            return Some(usize::from(variant));
        }
        self.refuse_tag(at);
        None
    }
}

/// Runs a check; the message of a refusal or a panic.
fn asked<E: Display>(check: impl FnOnce() -> Result<(), E>) -> Option<String> {
    // The message is made in here too: `Display` is code of the user.
    match panics::caught(|| check().err().map(|error| error.to_string())) {
        Ok(refusal) => refusal,
        Err(message) => Some(format!("the check panicked: {message}")),
    }
}

/// A range as it was written: `1ms..=10m`, `..10`, `1..`.
struct Range<'a> {
    low: &'a str,
    high: &'a str,
    inclusive: bool,
}

impl<'a> Range<'a> {
    fn of(text: &'a str) -> Self {
        let (low, high, inclusive) = match (text.split_once("..="), text.split_once("..")) {
            (Some((low, high)), _) => (low, high, true),
            (None, Some((low, high))) => (low, high, false),
            (None, None) => (text, text, true),
        };
        Self { low: low.trim(), high: high.trim(), inclusive }
    }

    fn words(&self) -> String {
        let Self { low, high, inclusive } = self;
        match (low.is_empty(), high.is_empty(), inclusive) {
            (true, true, _) => "any value".to_owned(),
            (false, true, _) => format!("at least {low}"),
            (true, false, true) => format!("at most {high}"),
            (true, false, false) => format!("less than {high}"),
            (false, false, true) => format!("{low} to {high}"),
            (false, false, false) => format!("{low} to below {high}"),
        }
    }
}
