//! The leaf types: bytes and the path that they were read from.

use super::handing;
use crate::secret::probe;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Under this name a deserializer of this crate knows that it reads a [`FileContent`].
pub(crate) const NAME: &str = "$hotconf::FileContent";
/// The same of a [`SecretFile`].
pub(crate) const SECRET_NAME: &str = "$hotconf::SecretFile";

/// What was read of a file; wiped when the last that has it is dropped.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// The content of a file that a setting names: the path in the document, the bytes in the value.
///
/// For certificates, word lists, templates: whatever is a file of its own. The file is followed like a source,
/// in every way of saving that a [`File`](crate::File) is: when its content changes, a new version has the new
/// content, and whoever subscribed to the field is told. Files that are replaced together, as a certificate
/// and its key, come in one version. When the path changes, the new file is followed and the old one left.
///
/// A relative path is taken from the directory of the file in which it is written; in an environment variable,
/// an argument, a default or a remote store, from the process's working directory as of the start. A file may
/// have [`Builder::max_document_bytes`](crate::Builder::max_document_bytes), 16 MiB, and a configuration may name
/// 1 024.
///
/// A file that is missing, unreadable or too large is a problem of the setting, with the place at which the
/// path was written. It fails the start; later, what was in force stays in force.
///
/// Two are equal if their bytes are, wherever these were read: a file that moved is no change. Clones share the
/// bytes. `Serialize` writes the bytes, for [`set`](crate::HotConf::set).
///
/// ```
/// use hotconf::{File, FileContent, Hot, HotConf};
///
/// #[derive(Clone, Debug, HotConf)]
/// struct Mail {
///     /// Text below every mail.
///     footer: FileContent,
/// }
///
/// let dir = std::env::temp_dir().join(format!("hotconf-doc-named-{}", std::process::id()));
/// std::fs::create_dir_all(&dir)?;
/// std::fs::write(dir.join("footer.txt"), "Yours, the shop")?;
/// std::fs::write(dir.join("mail.toml"), "footer = \"footer.txt\"")?;
///
/// let mail = Hot::<Mail>::builder().source(File::new(dir.join("mail.toml"))).read()?;
/// assert_eq!(mail.footer.as_str()?, "Yours, the shop");
/// assert_eq!(mail.footer.path(), dir.join("footer.txt"));
///
/// // In a test, without files:
/// let fixed = Mail { footer: FileContent::from_bytes("Yours") };
/// assert_eq!(format!("{fixed:?}"), "Mail { footer: FileContent(5 bytes) }");
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct FileContent(Arc<Held>);

/// A [`FileContent`] that is secret: a private key, a token. Its bytes are shown nowhere, and wiped when the last
/// clone is dropped.
///
/// The path counts as secret too, as far as `explain` and events go: somebody may have written the secret in its
/// place. An error says the path only where it has a directory that exists. There is no `Serialize`;
/// [`set`](crate::HotConf::set) takes a [`FileContent`] for it.
///
/// ```
/// use hotconf::SecretFile;
///
/// let key = SecretFile::from_bytes("-----BEGIN PRIVATE KEY-----");
/// assert_eq!(format!("{key:?}"), "SecretFile(27 bytes)");
/// assert!(key.as_str()?.starts_with("-----BEGIN"));
/// # Ok::<(), std::str::Utf8Error>(())
/// ```
#[derive(Clone, Default)]
pub struct SecretFile(Arc<Held>);

/// What the two have in common.
macro_rules! content {
    ($type:ident, $name:ident, $count:path) => {
        impl $type {
            /// A content that was read from no file, for tests.
            pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
                $count();
                Self(Arc::new(Held { path: PathBuf::new(), bytes: Zeroizing::new(bytes.into()) }))
            }

            /// The bytes as they were read.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0.bytes
            }

            /// The bytes as text.
            ///
            /// # Errors
            ///
            /// They are not UTF-8.
            pub fn as_str(&self) -> Result<&str, Utf8Error> {
                std::str::from_utf8(&self.0.bytes)
            }

            /// The path that was read, from the root; empty where it was no file.
            pub fn path(&self) -> &Path {
                &self.0.path
            }
        }

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0.bytes == other.0.bytes
            }
        }

        impl Eq for $type {}

        impl Hash for $type {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.bytes.hash(state);
            }
        }

        impl AsRef<[u8]> for $type {
            fn as_ref(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({} bytes"), self.0.bytes.len())?;
                if self.0.path.as_os_str().is_empty() {
                    f.write_str(")")
                } else {
                    write!(f, " of {})", self.0.path.display())
                }
            }
        }

        impl From<Arc<Held>> for $type {
            fn from(held: Arc<Held>) -> Self {
                Self(held)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            /// Reads a path, by a configuration of this crate alone: no other deserializer has the content.
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $count();
                deserializer.deserialize_newtype_struct($name, Handed(PhantomData))
            }
        }
    };
}

content!(FileContent, NAME, open);
content!(SecretFile, SECRET_NAME, probe::count);

/// One that is no secret is not counted.
fn open() {}

impl Serialize for FileContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.bytes)
    }
}

/// Takes the content that a deserializer of this crate hands over.
struct Handed<T>(PhantomData<T>);

impl<'de, T: From<Arc<Held>>> Visitor<'de> for Handed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path of a file")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<T, D::Error> {
        handing::take().map(T::from).ok_or_else(|| D::Error::custom(ELSEWHERE))
    }
}

/// Serde keeps what an untagged enum or a flattened struct holds in a form of its own.
const ELSEWHERE: &str = "the content of a file is read by a configuration of hotconf alone, and not within an \
                         `untagged` enum or a `flatten`ed struct";
