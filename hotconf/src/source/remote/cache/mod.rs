//! The last good content of a store on disk, from which a program can start while the store is away.
//!
//! [`known`] takes what may be kept, [`codec`] writes it as bytes and reads it back, [`shelf`] has the files,
//! [`keeper`] decides when. Nothing here is on the way from a change to its version.

mod codec;
mod keeper;
mod known;
mod shelf;

pub(super) use keeper::Keeper;

use std::path::PathBuf;
use std::time::Duration;

/// Where the last good content of a remote store is kept, for a start while the store is away.
///
/// Kept is what was applied last, of settings that the schema knows and that are not secret; raw bytes of
/// the store never are. So a required secret that no other source brings makes such a start fail, and the
/// error says so.
///
/// A file is written beside, flushed to disk and renamed into place; three generations are kept, readable by
/// their owner alone. One that is damaged is passed over, with a warning, for the one before it.
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
}

impl Cache {
    /// A cache in this directory, which is made where it is missing. Several programs may share one.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), max_age: None }
    }

    /// Takes nothing that was last known to be current longer ago than `age`. Default: however old it is.
    pub fn max_age(self, age: Duration) -> Self {
        Self { max_age: Some(age), ..self }
    }

    /// The directory.
    pub fn dir(&self) -> &std::path::Path {
        &self.dir
    }
}
