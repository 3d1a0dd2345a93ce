//! Why a leaf could not be read: expected, found, and where below the leaf.
//!
//! The path and the place are filled in on the way up, by the containers that the error passes.

use super::words;
use crate::origin::Origin;
use crate::secret::WITHHELD;
use crate::value::tree::Ref;
use serde::de::{Expected, Unexpected};
use std::fmt;

/// What was wrong with a leaf; one word wide, since every good read carries the room for it.
#[derive(Debug)]
pub struct LeafError(Box<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Keys and indices below the leaf: `.port`, `[3].port`.
    tail: String,
    expected: Option<String>,
    found: Option<String>,
    /// The sentence of a type that has its own.
    custom: Option<String>,
    /// The place below the leaf; none where it is the leaf itself.
    origin: Option<Origin>,
    /// Nothing stands there.
    missing: bool,
    /// It names a file that could not be read; the sentence holds nothing that is secret.
    unread: bool,
}

impl LeafError {
    #[cold]
    pub(crate) fn missing() -> Self {
        Self(Box::new(Inner { missing: true, ..Inner::default() }))
    }

    #[cold]
    pub(crate) fn mismatch(expected: &str, found: String) -> Self {
        Self(Box::new(Inner { expected: Some(expected.to_owned()), found: Some(found), ..Inner::default() }))
    }

    /// What it names could not be read.
    #[cold]
    pub(crate) fn unread(sentence: String) -> Self {
        Self(Box::new(Inner { custom: Some(sentence), unread: true, ..Inner::default() }))
    }

    /// Tells whether what it names could not be read.
    pub(crate) fn is_unread(&self) -> bool {
        self.0.unread
    }

    /// What stands for the message of a secret.
    pub(crate) const NOT_SHOWN: &'static str = crate::secret::NOT_SHOWN;

    /// A type of the user's panicked while it was read.
    pub(crate) fn panicked<T>(message: String) -> Result<T, Self> {
        Err(serde::de::Error::custom(format_args!("reading it panicked: {message}")))
    }

    /// Tells whether a secret's own type has hidden the reason.
    pub(crate) fn is_hidden(&self) -> bool {
        let hides = |custom: &str| custom.contains(Self::NOT_SHOWN) || custom.contains(WITHHELD);
        self.0.custom.as_deref().is_some_and(hides)
    }

    /// The same without anything of the value, for a secret: what was expected is the type's to say.
    #[cold]
    pub(crate) fn withheld(mut self) -> Self {
        if !self.is_hidden() && !self.0.unread {
            self.0.custom = Some(match self.0.expected.take() {
                Some(expected) => format!("expected {expected} {WITHHELD}"),
                None => Self::NOT_SHOWN.to_owned(),
            });
        }
        self.0.found = None;
        self
    }

    /// Tells whether nothing stood at the leaf itself.
    pub(crate) fn is_missing(&self) -> bool {
        self.0.missing && self.0.tail.is_empty()
    }

    /// Where below the leaf: `""`, `.port`, `[3].port`.
    pub(crate) fn tail(&self) -> &str {
        &self.0.tail
    }

    pub(crate) fn take_origin(&mut self) -> Option<Origin> {
        self.0.origin.take()
    }

    pub(crate) fn expected(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    pub(crate) fn found(&self) -> Option<&str> {
        self.0.found.as_deref()
    }

    /// Completes an error that does not say what was found.
    pub(crate) fn or_found(&mut self, found: impl FnOnce() -> String) {
        if self.0.found.is_none()
            && !self.0.missing
            && !self.0.unread
            && self.0.tail.is_empty()
            && !self.is_hidden()
        {
            self.0.found = Some(found());
        }
    }

    /// Forgets places in a document that was made in between and that nobody can look up.
    pub(super) fn elsewhere(mut self) -> Self {
        self.0.origin = None;
        self
    }

    #[cold]
    pub(super) fn in_element(mut self, index: usize, at: Ref<'_>) -> Self {
        self.0.tail.insert_str(0, &format!("[{index}]"));
        self.0.origin.get_or_insert_with(|| at.origin());
        self
    }

    #[cold]
    pub(super) fn in_entry(mut self, key: &str, at: Ref<'_>) -> Self {
        let mut tail = String::from(".");
        push_key(&mut tail, key);
        self.0.tail.insert_str(0, &tail);
        self.0.origin.get_or_insert_with(|| at.origin());
        self
    }
}

/// Adds a key as a part of a TOML dotted path, quoted where it has to be.
pub(crate) fn push_key(path: &mut String, key: &str) {
    let mut name = String::new();
    crate::value::path::append(&mut name, key);
    path.push_str(&name);
}

impl std::error::Error for LeafError {}

impl fmt::Display for LeafError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { expected, found, custom, missing, .. } = &*self.0;
        match (custom, expected) {
            _ if *missing => return f.write_str("required, and no source sets it"),
            (Some(custom), _) => f.write_str(custom)?,
            (None, Some(expected)) => write!(f, "expected {expected}")?,
            (None, None) => f.write_str("not valid")?,
        }
        found.as_ref().map_or(Ok(()), |found| write!(f, ", found {found}"))
    }
}

impl serde::de::Error for LeafError {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        let (custom, expected) = match words::known(&message) {
            Some(expected) => (None, Some(expected.to_owned())),
            None => (Some(message), None),
        };
        Self(Box::new(Inner { expected, custom, ..Inner::default() }))
    }

    #[cold]
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(&words::expected(&expected.to_string()), words::unexpected(unexpected))
    }

    #[cold]
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    #[cold]
    fn invalid_length(len: usize, expected: &dyn Expected) -> Self {
        Self::mismatch(&words::expected(&expected.to_string()), format!("a list of {len}"))
    }

    #[cold]
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::mismatch(&words::one_of(expected), words::quoted(variant))
    }

    #[cold]
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::mismatch(&format!("{} as a key", words::one_of(expected)), words::quoted(field))
    }

    #[cold]
    fn missing_field(field: &'static str) -> Self {
        Self(Box::new(Inner { custom: Some(format!("the key `{field}` is missing")), ..Inner::default() }))
    }

    #[cold]
    fn duplicate_field(field: &'static str) -> Self {
        let custom = Some(format!("the key `{field}` is given twice"));
        Self(Box::new(Inner { custom, ..Inner::default() }))
    }
}
