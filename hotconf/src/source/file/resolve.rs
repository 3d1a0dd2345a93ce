//! Walks a path link by link and says what must be watched to hear of every change of it.
//!
//! The walk is physical: it starts at the root, asks `lstat` of every component and follows links
//! itself, so `.`, `..`, a linked parent and a chain of links all come out as real paths, which are
//! those that events carry. What it returns:
//!
//! 1. every directory in which a link of the path lies, the directory of the file, and the file;
//! 2. where the path breaks off, the directory that exists and the name that it lacks;
//! 3. the identity of each, so that a directory replaced under the same name is noticed.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

/// More links than the kernel follows (`ELOOP` on Linux at 40).
const MAX_LINKS: usize = 40;

/// What a thing on disk is, whatever its name. The time of birth tells a file from its successor that
/// was given the same inode, which ext4 does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    dev: u64,
    ino: u64,
    born: Option<SystemTime>,
}

impl FileId {
    /// Reads it from metadata.
    pub(crate) fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        let (dev, ino) =
            (std::os::unix::fs::MetadataExt::dev(meta), std::os::unix::fs::MetadataExt::ino(meta));
        #[cfg(not(unix))]
        let (dev, ino) = (0, 0);
        Self { dev, ino, born: meta.created().ok() }
    }

    /// Reads it of what `path` leads to.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

/// Identity, size and times: equal before and after means that nobody wrote meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    id: FileId,
    size: u64,
    pub(super) modified: Option<SystemTime>,
    changed: (i64, i64),
}

impl Stamp {
    /// Reads it from metadata.
    pub(super) fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        let changed =
            (std::os::unix::fs::MetadataExt::ctime(meta), std::os::unix::fs::MetadataExt::ctime_nsec(meta));
        #[cfg(not(unix))]
        let changed = (0, 0);
        Self { id: FileId::of(meta), size: meta.len(), modified: meta.modified().ok(), changed }
    }
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A directory.
    Dir(PathBuf),
    /// Anything else that exists.
    File(PathBuf, Stamp),
    /// A component does not exist.
    Missing,
    /// More links than can be followed.
    Loop,
    /// A component cannot be passed: no permission, or not a directory.
    Barred,
}

/// What to watch for a path, and where it leads.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    /// Real paths to watch, with what is there now.
    pub(super) watch: Vec<(PathBuf, Option<FileId>)>,
    /// The paths about which a hint matters.
    pub(super) names: HashSet<PathBuf>,
    /// Where it leads.
    pub(super) end: End,
}

impl Trail {
    /// A trail that leads nowhere yet.
    pub(super) fn empty() -> Self {
        Self { watch: Vec::new(), names: HashSet::new(), end: End::Missing }
    }

    /// Joins another: what it watches is watched too; the end stays.
    pub(super) fn join(&mut self, other: Self) {
        for (path, id) in other.watch {
            self.watch(path, id);
        }
        self.names.extend(other.names);
    }

    fn watch(&mut self, path: PathBuf, id: Option<FileId>) {
        if !self.watch.iter().any(|(known, _)| *known == path) {
            self.names.insert(path.clone());
            self.watch.push((path, id));
        }
    }

    fn watch_dir(&mut self, dir: &Path) {
        if !self.watch.iter().any(|(known, _)| known == dir) {
            self.watch(dir.to_owned(), FileId::at(dir));
        }
    }
}

/// Walks `path`, which is absolute.
pub(super) fn resolve(path: &Path) -> Trail {
    let mut trail = Trail::empty();
    let mut at = PathBuf::new();
    let mut links = 0;
    let mut rest: VecDeque<OsString> = VecDeque::new();
    enter(path, &mut at, &mut rest);
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            // `at` is real, so its parent is what `..` means.
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let meta = match std::fs::symlink_metadata(&next) {
            Ok(meta) => meta,
            Err(error) => {
                trail.watch_dir(&at);
                trail.names.insert(next);
                trail.end = if error.kind() == io::ErrorKind::NotFound { End::Missing } else { End::Barred };
                return trail;
            }
        };
        if meta.is_symlink() {
            trail.watch_dir(&at);
            trail.names.insert(next.clone());
            links += 1;
            let Ok(target) = std::fs::read_link(&next) else { continue };
            if links > MAX_LINKS {
                trail.end = End::Loop;
                return trail;
            }
            enter(&target, &mut at, &mut rest);
        } else if meta.is_dir() {
            at = next;
        } else {
            trail.watch_dir(&at);
            trail.watch(next.clone(), Some(FileId::of(&meta)));
            trail.end = if rest.is_empty() { End::File(next, Stamp::of(&meta)) } else { End::Barred };
            return trail;
        }
    }
    trail.watch_dir(&at);
    trail.end = End::Dir(at);
    trail
}

/// Puts the components of `path` before `rest`; an absolute one starts over at its root.
fn enter(path: &Path, at: &mut PathBuf, rest: &mut VecDeque<OsString>) {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::RootDir => {
                if path.is_absolute() && names.is_empty() {
                    // The root of this path, drive letter included where there are such.
                    *at = path
                        .components()
                        .take_while(|c| {
                            !matches!(c, Component::Normal(_) | Component::ParentDir | Component::CurDir)
                        })
                        .collect();
                }
            }
            Component::CurDir => {}
            Component::ParentDir => names.push(OsString::from("..")),
            Component::Normal(name) => names.push(name.to_owned()),
        }
    }
    for name in names.into_iter().rev() {
        rest.push_front(name);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::source::file::fake::TempDir;
    use std::os::unix::fs::symlink;

    fn names(trail: &Trail) -> Vec<&Path> {
        trail.watch.iter().map(|(path, _)| path.as_path()).collect()
    }

    #[test]
    fn every_directory_of_a_link_chain_is_watched_and_the_file() {
        let dir = TempDir::new();
        for name in ["a", "b", "c"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("c/f.toml"), "x = 1").unwrap();
        symlink("../c/f.toml", dir.path().join("b/f.toml")).unwrap();
        symlink(dir.path().join("b/f.toml"), dir.path().join("a/f.toml")).unwrap();
        let trail = resolve(&dir.path().join("a/./f.toml"));
        let expected: Vec<_> = ["a", "b", "c", "c/f.toml"].iter().map(|name| dir.path().join(name)).collect();
        assert_eq!(names(&trail), expected);
        assert!(matches!(trail.end, End::File(path, _) if path == dir.path().join("c/f.toml")));
    }

    #[test]
    fn a_linked_parent_and_dot_dot_come_out_as_real_paths() {
        let dir = TempDir::new();
        std::fs::create_dir_all(dir.path().join("releases/1/etc")).unwrap();
        symlink("releases/1", dir.path().join("current")).unwrap();
        std::fs::write(dir.path().join("releases/1/f.toml"), "x = 1").unwrap();
        let trail = resolve(&dir.path().join("current/etc/../f.toml"));
        let expected: Vec<_> =
            ["", "releases/1", "releases/1/f.toml"].iter().map(|name| dir.path().join(name)).collect();
        assert_eq!(names(&trail).len(), 3);
        assert_eq!(names(&trail)[1..], expected[1..]);
        assert!(trail.names.contains(&dir.path().join("current")));
    }

    #[test]
    fn a_missing_directory_is_awaited_in_the_nearest_that_exists() {
        let dir = TempDir::new();
        let trail = resolve(&dir.path().join("x/y/f.toml"));
        assert_eq!(names(&trail), [dir.path()]);
        assert!(trail.names.contains(&dir.path().join("x")));
        assert_eq!(trail.end, End::Missing);
    }

    #[test]
    fn a_loop_ends() {
        let dir = TempDir::new();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert_eq!(resolve(&dir.path().join("a")).end, End::Loop);
    }
}
