//! What is at hand of the files that a configuration names.

use super::Held;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files by their paths from the root: what was read, or why not.
pub(crate) type Named = BTreeMap<PathBuf, Result<Arc<Held>, Unread>>;

/// Everything that a load may know of files.
#[derive(Clone)]
pub(crate) struct Contents {
    /// From where a relative path is taken that stands in no file.
    working: Arc<Path>,
    files: Named,
    /// A setter gives contents as bytes, and names no file.
    given: bool,
}

/// Why there is no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The end of a sentence that begins with the path.
    pub(crate) why: String,
    /// The directory of the path exists, and is not the root: it is a path beyond doubt.
    pub(crate) plausible: bool,
}

/// What there is of a file.
pub(crate) enum Looked {
    Held(Arc<Held>),
    /// It is not at hand: this is its path.
    Wanted(PathBuf),
    Unread(PathBuf, Unread),
}

impl Contents {
    /// Nothing is at hand.
    pub(crate) fn none(working: Arc<Path>) -> Self {
        Self { working, files: Named::new(), given: false }
    }

    /// Of a setter, which names no file.
    pub(crate) fn given() -> Self {
        Self { given: true, ..Self::none(Arc::from(Path::new(""))) }
    }

    /// The same with these files.
    pub(crate) fn with(&self, files: Named) -> Self {
        Self { files, ..self.clone() }
    }

    pub(crate) fn is_given(&self) -> bool {
        self.given
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The directory from which a relative path is taken that stands in a file of `dir`.
    pub(crate) fn base<'p>(&'p self, dir: Option<&'p Path>) -> &'p Path {
        dir.unwrap_or(&self.working)
    }

    /// What there is of the file that `text` names, in a document of `dir`.
    pub(crate) fn look(&self, dir: Option<&Path>, text: &str) -> Looked {
        let path = self.resolve(dir, text).into_owned();
        match self.files.get(&path) {
            Some(Ok(held)) => Looked::Held(held.clone()),
            Some(Err(unread)) => Looked::Unread(path, unread.clone()),
            None => Looked::Wanted(path),
        }
    }

    /// The file that `text` would name, where that is one of these.
    pub(crate) fn named(&self, dir: Option<&Path>, text: &str) -> Option<(&Path, Option<&Held>)> {
        if self.files.is_empty() {
            return None;
        }
        let (path, read) = self.files.get_key_value(&*self.resolve(dir, text))?;
        Some((path, read.as_deref().ok()))
    }

    /// All paths.
    pub(crate) fn paths(&self) -> BTreeSet<PathBuf> {
        self.files.keys().cloned().collect()
    }

    /// The same with those that cannot be read as they were `before`; `None` where nothing is gained by it.
    pub(crate) fn mended(&self, before: &Self) -> Option<Self> {
        let (mut gained, mut broken) = (false, false);
        let files = self.files.iter().map(|(path, read)| {
            let known = before.files.get(path).and_then(|read| read.as_ref().ok());
            let read = match (read, known) {
                (Err(_), Some(known)) => {
                    broken = true;
                    Ok(known.clone())
                }
                (Ok(held), known) => {
                    gained |= known.is_none_or(|known| known.bytes != held.bytes);
                    Ok(held.clone())
                }
                (Err(unread), None) => Err(unread.clone()),
            };
            (path.clone(), read)
        });
        let files = files.collect();
        (gained && broken).then(|| self.with(files))
    }

    fn resolve<'p>(&self, dir: Option<&Path>, text: &'p str) -> Cow<'p, Path> {
        let path = Path::new(text);
        if path.is_absolute() { Cow::Borrowed(path) } else { Cow::Owned(self.base(dir).join(path)) }
    }
}

impl fmt::Debug for Contents {
    /// How many; what is in them may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl Unread {
    /// The sentence of an error. `secret` is what was written for the path of a secret file: it may be the secret
    /// itself.
    pub(crate) fn sentence(&self, path: &Path, base: &Path, secret: Option<&str>) -> String {
        // A plain word would lead into the document's own directory, whatever it is.
        let has_dir = |text: &str| Path::new(text).parent().is_some_and(|dir| dir != Path::new(""));
        if secret.is_none_or(|text| self.plausible && has_dir(text)) {
            return format!("the file {} {}", path.display(), self.why);
        }
        format!(
            "the file that it names {} (path not shown: this may be the secret itself); a relative path is taken \
             from {}",
            self.why,
            base.display()
        )
    }

    /// It was not read in time.
    pub(crate) fn late() -> Self {
        Self { why: "was not read in time".to_owned(), plausible: false }
    }
}
