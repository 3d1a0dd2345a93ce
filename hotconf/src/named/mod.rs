//! Files that configuration only names: the path in the document, the content in the value.
//!
//! [`content`] has the leaf types, [`contents`] what is at hand of the named files while a candidate is
//! loaded, [`handing`] how a content reaches its leaf through serde. Nothing here opens a file: the engine
//! has them read and followed, and hands the contents to a load. The rules that hold:
//!
//! 1. What a load gives depends on the tree and the contents alone. A file that is not at hand is
//!    [noted](gather), and the load asked again once it is.
//! 2. A path is written by a person, and in the place of a secret file's path there may be the secret:
//!    [`Unread`] says it only where that cannot be.

mod content;
mod contents;
mod handing;

pub use content::{FileContent, SecretFile};
pub(crate) use content::{Held, NAME, SECRET_NAME};
pub(crate) use contents::{Contents, Looked, Named, Unread};
pub(crate) use handing::{gather, hand, want};
