//! Which files of a directory are fragments, in which order, and how they are read as one generation.

use super::piece::{Lack, Piece};
use super::resolve::Stamp;
use crate::format::Format;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a directory that changes while it is read is read anew.
const ATTEMPTS: usize = 5;

/// Whether a file of this name is a fragment: a known extension, and neither hidden nor an editor's.
pub(super) fn is_fragment(name: &OsStr) -> bool {
    is_plain(name) && Format::from_path(name).is_some()
}

/// Whether a name is neither hidden (`.#name` and `.name.swp` are) nor a backup that an editor leaves.
pub(super) fn is_plain(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    // vim tries whether it may create files with the name 4913.
    !name.starts_with(b".") && !name.ends_with(b"~") && !name.starts_with(b"#") && name != b"4913"
}

/// The names in `dir` that `pick` takes, bytewise in order.
pub(super) fn list(dir: &Path, pick: impl Fn(&OsStr) -> bool) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        if pick(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// How many bytes the picked files of `dir` have.
pub(super) fn weight(dir: &Path, pick: impl Fn(&OsStr) -> bool) -> u64 {
    let names = list(dir, pick).unwrap_or_default();
    names.iter().filter_map(|name| std::fs::metadata(dir.join(name)).ok()).map(|meta| meta.len()).sum()
}

/// Reads the picked files of `dir`, which errors call `shown`, so that all are of one generation: the
/// names, the link `..data` of a Kubernetes volume and every file are the same before and after.
pub(super) fn read(
    dir: &Path,
    shown: &Path,
    max: usize,
    pick: impl Fn(&OsStr) -> bool,
) -> Result<Vec<Piece>, Lack> {
    let mut last = Lack::Unsteady;
    for _ in 0..ATTEMPTS {
        let before = generation(dir, &pick).map_err(|error| unlisted(shown, &error))?;
        let pieces: Result<Vec<_>, _> = before
            .files
            .iter()
            .filter(|(name, _)| !is_subdirectory(&dir.join(name)))
            .map(|(name, _)| Piece::read(&dir.join(name), &shown_name(shown, name), max))
            .collect();
        let after = generation(dir, &pick).map_err(|error| unlisted(shown, &error))?;
        let steady = before == after;
        match pieces {
            Ok(pieces) if steady => return Ok(pieces),
            // A link that leads nowhere is the trouble of one fragment, not an absent source.
            Err(Lack::Lacking { name, why, .. }) if steady => {
                return Err(Lack::Lacking { name, why, absent: false });
            }
            Err(lack) => last = lack,
            Ok(_) => last = Lack::Unsteady,
        }
    }
    Err(last)
}

/// What a directory held at one time.
#[derive(PartialEq, Eq)]
struct Generation {
    data: Option<PathBuf>,
    files: Vec<(OsString, Option<Stamp>)>,
}

fn generation(dir: &Path, pick: impl Fn(&OsStr) -> bool) -> std::io::Result<Generation> {
    let data = std::fs::read_link(dir.join("..data")).ok();
    let stamp = |name: &OsString| std::fs::metadata(dir.join(name)).ok().as_ref().map(Stamp::of);
    let files = list(dir, pick)?.into_iter().map(|name| (stamp(&name), name)).map(|(s, n)| (n, s)).collect();
    Ok(Generation { data, files })
}

/// A directory with a fragment's name is refused by the reader; one without an extension is skipped.
fn is_subdirectory(path: &Path) -> bool {
    Format::from_path(path).is_none() && path.is_dir()
}

fn shown_name(shown: &Path, name: &OsStr) -> Arc<str> {
    Arc::from(shown.join(name).display().to_string())
}

fn unlisted(shown: &Path, error: &std::io::Error) -> Lack {
    let absent = error.kind() == std::io::ErrorKind::NotFound;
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        std::io::ErrorKind::NotADirectory => "is not a directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "permission denied: the directory must be readable for this process".to_owned()
        }
        _ => error.to_string(),
    };
    Lack::Lacking { name: Arc::from(shown.display().to_string()), why, absent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn droppings_of_editors_are_no_fragments() {
        for name in ["10-a.toml", "B.TOML", "c.yml"] {
            assert!(is_fragment(OsStr::new(name)), "{name}");
        }
        for name in
            [".a.toml", ".#a.toml", "a.toml~", ".a.toml.swp", "4913", "a.toml.bak", "#a.toml#", "..data"]
        {
            assert!(!is_fragment(OsStr::new(name)), "{name}");
        }
    }
}
