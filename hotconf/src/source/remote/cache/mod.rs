//! The last good content of a store on disk, from which a program can start while the store is away.
//!
//! [`known`] takes what may be kept, [`codec`] writes it as bytes and reads it back, `seal`
//! hides them, [`shelf`] has the files, [`keeper`] decides when. Nothing here is on the way from a change to its version.

mod codec;
mod keeper;
mod known;
#[cfg(feature = "sealed")]
mod seal;
mod shelf;

pub(super) use keeper::Keeper;

use crate::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// Where the last good content of a remote store is kept, for a start while the store is away.
///
/// Kept is what was applied last, of settings that the schema knows and that are not secret; raw bytes of
/// the store never are. So a required secret that no other source brings makes such a start fail, and the
/// error says so. One that is [sealed](Self::sealed_with) keeps secrets too.
///
/// A file is written beside, flushed to disk and renamed into place; three generations are kept, readable by
/// their owner alone. One that is damaged is passed over, with a warning, for the one before it.
///
/// It is written off the way of applying, so a process that ends without [`shutdown`](crate::Hot::shutdown) may end
/// before that; a shutdown waits for it, within its grace.
///
/// ```
/// use hotconf::remote::Cache;
/// use std::time::Duration;
///
/// let cache = Cache::in_dir("/var/cache/shop").max_age(Duration::from_secs(7 * 24 * 3600));
/// assert_eq!(cache.dir(), std::path::Path::new("/var/cache/shop"));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a cache does nothing until a source is given it with `cached`"]
pub struct Cache {
    dir: PathBuf,
    max_age: Option<Duration>,
    key: Option<Secret<[u8; 32]>>,
}

impl Cache {
    /// A cache in this directory, which is made where it is missing. Several programs may share one.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), max_age: None, key: None }
    }

    /// Takes nothing that was last known to be current longer ago than `age`. Default: however old it is.
    pub fn max_age(self, age: Duration) -> Self {
        Self { max_age: Some(age), ..self }
    }

    /// Seals what is kept with a key, by XChaCha20-Poly1305, and keeps secrets too: a start without the store
    /// then needs nothing else. What was kept without a key, or with another one, is not taken.
    ///
    /// ```
    /// use hotconf::Secret;
    /// use hotconf::remote::Cache;
    ///
    /// let key = Secret::from([0x2a; 32]); // in a program: from a file that only it can read
    /// let cache = Cache::in_dir("/var/cache/shop").sealed_with(key);
    /// assert!(!format!("{cache:?}").contains("42"));
    /// ```
    #[cfg(feature = "sealed")]
    pub fn sealed_with(self, key: Secret<[u8; 32]>) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The directory.
    pub fn dir(&self) -> &std::path::Path {
        &self.dir
    }
}
