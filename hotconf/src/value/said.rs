//! What a source says of a document as a whole: that it is secret, that it has no types.

use super::Document;
#[cfg(feature = "remote")]
use super::Kind;
#[cfg(feature = "remote")]
use crate::origin::Origin;

impl Document {
    /// Whether each value of it is a secret: shown nowhere, and kept only where it is sealed.
    #[inline]
    pub(crate) fn is_secret(&self) -> bool {
        self.secret
    }

    /// From now on each value of it is a secret.
    pub(crate) fn set_secret(&mut self) {
        self.secret = true;
    }

    /// From now on it is as one says it who has no types and no lines: a string is text that its field's type reads, and
    /// all stands at the document as a whole.
    #[cfg(feature = "remote")]
    pub(crate) fn make_untyped(&mut self) {
        self.places = vec![Origin::whole(self.name.clone())];
        for node in &mut self.nodes {
            node.pos = 0;
            if node.kind == Kind::Str {
                node.kind = Kind::Text;
            }
        }
    }
}
