//! Leaves that name a file: the path is read here, the content comes with the tree.

use super::{De, LeafError, Place};
use crate::named::{Contents, Held, Looked, Unread, hand, want};
use crate::value::tape::Kind;
use serde::de::Visitor;
use serde::de::value::UnitDeserializer;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

const EXPECTED: &str = "the path of a file";

impl<'a> De<'a> {
    /// The files at hand, and the directory from which a relative path is taken.
    pub(super) fn files(self) -> (Option<&'a Arc<Contents>>, Option<&'a Arc<Path>>) {
        match self.place {
            Place::At(at) => (at.tree.contents.as_ref(), at.node().and_then(|(doc, _)| doc.dir())),
            Place::Text(_, tree) => (tree.and_then(|tree| tree.contents.as_ref()), None),
            Place::Key(_) => (None, None),
        }
    }

    /// The content of the file whose path stands here.
    pub(super) fn named<'de, V: Visitor<'de>>(self, secret: bool, visitor: V) -> Result<V::Value, LeafError> {
        if let Place::At(at) = self.place
            && matches!(at.kind(), None | Some(Kind::Null))
        {
            return Err(LeafError::missing());
        }
        let held = self.held(secret)?;
        hand(held, || visitor.visit_newtype_struct(UnitDeserializer::new()))
    }

    fn held(self, secret: bool) -> Result<Arc<Held>, LeafError> {
        let (contents, dir) = self.files();
        let mismatch =
            || LeafError::mismatch(EXPECTED, if secret { "another value".into() } else { self.found() });
        let Some(contents) = contents else { return Err(mismatch()) };
        if contents.is_given() {
            return self.given();
        }
        let text = self.as_str().filter(|text| !text.is_empty()).ok_or_else(mismatch)?;
        let dir = dir.map(|dir| &**dir);
        let (path, unread) = match contents.look(dir, text) {
            Looked::Held(held) => return Ok(held),
            Looked::Unread(path, unread) => (path, unread),
            Looked::Wanted(path) => {
                want(path.clone());
                (path, Unread::late())
            }
        };
        Err(LeafError::unread(unread.sentence(&path, contents.base(dir), secret.then_some(text))))
    }

    /// What a setter gives: the bytes themselves.
    fn given(self) -> Result<Arc<Held>, LeafError> {
        let Place::At(at) = self.place else { return Err(LeafError::mismatch(GIVEN, "a text".into())) };
        let byte = |at: crate::value::Ref<'_>| {
            let (doc, node) = at.node()?;
            (doc.kind(node) == Kind::Int).then(|| u8::try_from(doc.int(node)).ok())?
        };
        let bytes: Option<Vec<u8>> = match at.kind() {
            Some(Kind::Array) => at.elements().into_iter().map(byte).collect(),
            _ => None,
        };
        let bytes = Zeroizing::new(bytes.ok_or_else(|| LeafError::mismatch(GIVEN, "another value".into()))?);
        Ok(Arc::new(Held { path: PathBuf::new(), bytes }))
    }
}

/// A setter opens no file.
const GIVEN: &str =
    "the content of a file, as `FileContent::from_bytes` makes it: setting a value reads no file";
