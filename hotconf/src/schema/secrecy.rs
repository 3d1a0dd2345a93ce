//! Whether a leaf's value is shown nowhere: what the derive saw, or what the type answers.
//!
//! Every question goes through [`FieldMeta::is_secret`]. The types are asked at the start, on the thread of
//! the program: their answers are kept, and none of their code runs for a question later.

use super::meta::{Body, Fallback, FieldMeta, Group, Schema};

/// Whether a leaf's value is shown nowhere.
#[derive(Debug, Clone, Copy)]
pub enum Secrecy {
    /// It is a plain type of std's or of this crate.
    Open,
    /// Its type says `Secret`.
    Sealed,
    /// The type answers; `true` tells it that a secret was seen.
    Asked(fn(bool) -> bool),
}

impl FieldMeta {
    /// Tells whether the value is shown nowhere.
    pub(crate) fn is_secret(&self) -> bool {
        match self.secret {
            Secrecy::Open => false,
            Secrecy::Sealed => true,
            Secrecy::Asked(hides) => hides(false),
        }
    }

    /// A value of the type was read, and a secret was made.
    #[cold]
    pub(crate) fn hid(&self) {
        if let Secrecy::Asked(hides) = self.secret {
            hides(true);
        }
    }

    /// What the default is shown as, of a secret only if it is a word for nothing.
    pub(crate) fn shown_default(&self) -> Option<&'static str> {
        match self.default {
            Fallback::Required => None,
            Fallback::Implicit(word @ ("none" | "empty" | "default")) => Some(word),
            Fallback::Shown(_) | Fallback::Implicit(_) if self.is_secret() => None,
            Fallback::Shown(text) | Fallback::Implicit(text) => Some(text),
        }
    }
}

impl Schema {
    /// Asks the types of all leaves whether they hold secrets, so that no answer has to be waited for later.
    pub(crate) fn ask_for_secrets(&self) {
        if !self.foreign {
            return;
        }
        let ask = |group: &Group| {
            for field in group.fields {
                field.is_secret();
                if let Some(section) = field.shape.section() {
                    section.ask_for_secrets();
                }
            }
        };
        match &self.body {
            Body::Struct(group) => ask(group),
            Body::Enum { variants, .. } => variants.iter().for_each(|variant| ask(&variant.group)),
        }
    }
}
