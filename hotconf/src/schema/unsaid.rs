//! What a field makes of silence: whether a null is a value of it, and whether its section has a default
//! as a whole. Loading decides it by the types; this is what can be told of it from the schema.

use super::meta::{Fallback, FieldMeta, Form, Shape};

impl FieldMeta {
    /// Whether it is a section with a default as a whole: the defaults of the section's own fields hold
    /// only once a source speaks of it.
    pub(crate) fn is_defaulted_whole(&self) -> bool {
        match self.shape {
            Shape::Section(_) => !matches!(self.default, Fallback::Required),
            Shape::Optional(_) => !matches!(self.default, Fallback::Implicit("none")),
            Shape::Leaf | Shape::List(_) | Shape::Map(_) => false,
        }
    }

    /// Whether a null is a value of it. Elsewhere it takes back what lower layers said.
    ///
    /// Of a type whose name tells nothing it is a guess, right for all but an alias of an `Option`: where
    /// there is a default the null is taken for refused, as the loader then takes the default; where
    /// there is none, for accepted, as it was loaded.
    pub(crate) fn takes_null(&self) -> bool {
        match self.shape {
            Shape::Optional(_) => true,
            Shape::Section(_) | Shape::List(_) | Shape::Map(_) => false,
            Shape::Leaf => {
                let loaded = self.form == Form::Unknown && matches!(self.default, Fallback::Required);
                self.optional || loaded || wraps_option(self.ty)
            }
        }
    }
}

/// Whether a type is an `Option`, or reads as the one that it holds, by its name.
fn wraps_option(mut ty: &str) -> bool {
    while let Some((wrapper, inner)) = ty.split_once('<') {
        match wrapper.rsplit("::").next() {
            Some("Option") => return true,
            Some("Secret" | "Box" | "Arc" | "Rc") => ty = inner,
            _ => return false,
        }
    }
    false
}
