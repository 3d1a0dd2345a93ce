//! Whether a section has a field with a variable of its own, which it cannot have below a list or a map.
//!
//! Asked at compile time: `env` there would be read for none of the many fields that it means.

use super::meta::{Body, Group, Schema, Shape};

impl Schema {
    /// Tells whether a field of it has a variable whose name is used as it is.
    pub(super) const fn names_variable(&self) -> bool {
        match &self.body {
            Body::Struct(group) => group.names_variable(),
            Body::Enum { variants, .. } => {
                let mut i = 0;
                while i < variants.len() {
                    if variants[i].group.names_variable() {
                        return true;
                    }
                    i += 1;
                }
                false
            }
        }
    }
}

impl Group {
    const fn names_variable(&self) -> bool {
        let mut i = 0;
        while i < self.fields.len() {
            let field = &self.fields[i];
            if field.env.is_some() {
                return true;
            }
            // Below another list or map it was asked already.
            if let Shape::Section(inner) | Shape::Optional(inner) = field.shape
                && inner.names_variable()
            {
                return true;
            }
            i += 1;
        }
        false
    }
}
