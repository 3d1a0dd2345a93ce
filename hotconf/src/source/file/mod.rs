//! Files as sources: one file, a directory of fragments, a search path, secrets, variables.
//!
//! [`resolve`] says what to watch, [`settle`] when to read, [`read`] reads, [`piece`] compares with
//! what was told, [`followed`] drives them. No file here names `notify`, and none but [`read`] opens a
//! file. The rule that holds: events are a wake-up, bytes are the truth.

#[cfg(test)]
mod clockwork;
mod dotenv;
#[cfg(test)]
pub(crate) mod fake;
mod followed;
mod fragments;
mod mount;
mod named;
mod piece;
mod read;
pub(crate) mod resolve;
mod secrets_dir;
mod settle;
#[cfg(all(test, target_os = "linux"))]
mod tests;

pub use dotenv::Dotenv;
pub(crate) use named::{NamedFiles, read_named};
pub use secrets_dir::SecretsDir;

use crate::error::{Problem, ProblemKind};
use crate::format::Format;
use crate::origin::Origin;
use crate::value::Document;
use followed::{Followed, followed_source};
use piece::{Found, Good, Lack, Parsed, Piece, Pieced, Pieces, Target, Told, Wanted, examine};
use resolve::{End, Stamp, Trail, resolve};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The bytes of a small file that is no document: a token, a certificate, a key. They are wiped when dropped.
///
/// # Errors
///
/// Why it was not read, as the end of a sentence that begins with its path.
#[cfg(feature = "_net")]
pub(super) fn read_small(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, String> {
    match read::read(path, 4 << 20) {
        Ok(read) => Ok(read.bytes),
        Err(read::Unread::Missing(why) | read::Unread::Barred(why)) => Err(why),
        Err(read::Unread::Unsteady) => Err("changed each time that it was read".to_owned()),
    }
}

/// A configuration file, a directory of fragments, or the first that exists of several paths.
///
/// The format is told by the extension (`toml`, `yaml`, `yml`, `json`, in any letter case) or by
/// [`format`](File::format). Every way of saving is followed: in place, by rename, through links, as a
/// mounted Kubernetes volume. Later sources override earlier ones.
///
/// A file that is missing, unreadable or broken at the start fails the start; later, what it said last
/// stays in force and the failure is told. One that is empty at the start says nothing; one that is
/// emptied later counts as gone. A writer that holds the file open and keeps modifying it is waited
/// for until it closes, or pauses for 2 s.
///
/// ```
/// use hotconf::{File, Hot, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     port: u16,
/// }
///
/// let path = std::env::temp_dir().join(format!("hotconf-doc-{}.toml", std::process::id()));
/// std::fs::write(&path, "port = 8080")?;
/// let app = Hot::<App>::builder().source(File::new(&path)).read()?;
/// assert_eq!(app.port, 8080);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a source does nothing until a builder has it"]
pub struct File {
    followed: Followed<Paths>,
}

impl File {
    /// Follows the file at `path`, or, if it has no known extension and is a directory, its fragments.
    ///
    /// A relative path is taken from the working directory as of now.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::of([path.as_ref()], Kind::Auto)
    }

    /// Follows the directory at `path`: every file in it with a known extension is a fragment; later
    /// names override earlier ones, bytewise. Hidden files and backups of editors are left out.
    pub fn dir(path: impl AsRef<Path>) -> Self {
        Self::of([path.as_ref()], Kind::Dir)
    }

    /// Follows the first of `paths` that exists; an earlier one that appears later takes over.
    pub fn search<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::of(paths, Kind::Auto)
    }

    /// Reads the file in this format, whatever its extension.
    pub fn format(mut self, format: Format) -> Self {
        self.followed = self.followed.change(|paths| paths.format = Some(format));
        self
    }

    /// Looks at the file this often, whatever events say; zero turns it off. Default: the builder's, 2 s.
    ///
    /// It is read where its size, its times or its identity differ from what was read last, and now and then
    /// all the same: at the sixteenth look, and after twice as many each time, up to every 128th.
    pub fn poll(mut self, every: Duration) -> Self {
        self.followed = self.followed.poll_every(every);
        self
    }

    fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>, kind: Kind) -> Self {
        let paths: Vec<_> = paths.into_iter().map(|path| Candidate::new(path.as_ref())).collect();
        let name = paths.iter().map(|path| &*path.name).collect::<Vec<_>>().join(" or ");
        Self { followed: Followed::new(Paths { candidates: paths, name, kind, format: None }) }
    }
}

followed_source!(File);

/// How a path is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A file, or a directory where no format says otherwise.
    Auto,
    /// A directory of fragments.
    Dir,
}

/// A path as it was given, and from the root.
struct Candidate {
    name: Arc<str>,
    path: PathBuf,
}

impl Candidate {
    fn new(path: &Path) -> Self {
        // Without a working directory the path stays relative, and what opening it says is told.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { name: Arc::from(path.display().to_string()), path: absolute }
    }
}

/// The paths of a [`File`].
struct Paths {
    candidates: Vec<Candidate>,
    /// All of them, for errors.
    name: String,
    kind: Kind,
    format: Option<Format>,
}

impl Paths {
    /// The first path that is there, and where it leads.
    fn chosen(&self) -> Option<(usize, End)> {
        (0..self.candidates.len()).find_map(|rank| match resolve(&self.candidates[rank].path).end {
            End::Missing => None,
            end => Some((rank, end)),
        })
    }

    /// The directory of a piece that was found at the path of this rank.
    fn dir_of(&self, piece: &Piece, rank: usize) -> Option<Arc<Path>> {
        let Candidate { name, path } = self.candidates.get(rank)?;
        // What is not called as the path is a fragment in it.
        if piece.name == *name { path.parent().map(Arc::from) } else { Some(Arc::from(path.as_path())) }
    }

    /// Whether the directory at this path is to be read as one.
    fn is_dir(&self, path: &Path) -> bool {
        self.kind == Kind::Dir || (self.format.is_none() && Format::from_path(path).is_none())
    }
}

impl Target for Paths {
    type Doc = Document;

    fn name(&self) -> &str {
        &self.name
    }

    fn remark(&self) -> Option<String> {
        match self.chosen() {
            Some((_, End::File(path, _))) => mount::warning(&path),
            _ => None,
        }
    }

    fn trail(&self) -> Trail {
        let mut trail = Trail::empty();
        for candidate in &self.candidates {
            let mut next = resolve(&candidate.path);
            let end = std::mem::replace(&mut next.end, End::Missing);
            trail.join(next);
            if end == End::Missing {
                continue;
            }
            if let End::Dir(dir) = &end
                && self.is_dir(&candidate.path)
            {
                follow_links(&mut trail, dir, fragments::is_fragment);
            }
            trail.end = end;
            break;
        }
        trail
    }

    fn is_child(&self, name: &OsStr) -> bool {
        fragments::is_fragment(name) || name == "..data"
    }

    fn is_single(&self) -> bool {
        self.candidates.len() == 1
            && !(self.is_dir(&self.candidates[0].path) && self.candidates[0].path.is_dir())
    }

    fn is_as_read(&self, good: &Good) -> bool {
        let [only] = &self.candidates[..] else { return false };
        let now = std::fs::metadata(&only.path).ok().map(|meta| Stamp::of(&meta));
        good.stamp.is_some() && good.stamp == now
    }

    fn weight(&self) -> u64 {
        // The common case costs one question and no walk.
        if let [only] = &self.candidates[..]
            && !self.is_dir(&only.path)
        {
            return std::fs::metadata(&only.path).map_or(0, |meta| meta.len());
        }
        match self.chosen() {
            Some((_, End::File(path, _))) => std::fs::metadata(path).map_or(0, |meta| meta.len()),
            Some((_, End::Dir(dir))) => fragments::weight(&dir, fragments::is_fragment),
            _ => 0,
        }
    }

    fn examine(&self, wanted: &Wanted, good: Option<&Good>, told: &Told) -> Found {
        examine(self, wanted, good, told)
    }
}

impl Pieced for Paths {
    fn read(&self, max: usize) -> Result<Pieces, Lack> {
        for (rank, candidate) in self.candidates.iter().enumerate() {
            let (name, path) = (&candidate.name, &candidate.path);
            if self.is_dir(path) && (self.kind == Kind::Dir || path.is_dir()) {
                match fragments::read(path, Path::new(&**name), max, fragments::is_fragment) {
                    Err(Lack::Lacking { absent: true, .. }) => continue,
                    pieces => return Ok(Pieces { pieces: pieces?, rank }),
                }
            }
            match Piece::read(path, name, max) {
                Err(Lack::Lacking { absent: true, .. }) if self.candidates.len() > 1 => {}
                piece => return Ok(Pieces { pieces: vec![piece?], rank }),
            }
        }
        let why = if self.candidates.len() > 1 { "none of them exists" } else { "does not exist" };
        Err(Lack::Lacking { name: Arc::from(&*self.name), why: why.to_owned(), absent: true })
    }

    fn parse(&self, wanted: &Wanted, pieces: &Pieces, known: Option<&Good>) -> Result<Parsed, Vec<Problem>> {
        let (mut docs, mut problems, mut splices) = (Vec::new(), Vec::new(), 0);
        for piece in &pieces.pieces {
            let before = known.and_then(|good| good.of(&piece.name));
            if let Some((doc, print)) = before
                && print == piece.print
            {
                docs.push(doc.clone());
                continue;
            }
            let Some(format) = self.format.or_else(|| Format::from_path(&*piece.name)) else {
                let why = "its extension names no format that is known (toml, yaml, yml, json): \
                           say `.format(..)`";
                let problem = Problem::new(ProblemKind::Syntax, "", why);
                problems.push(problem.at(Origin::whole(piece.name.clone())));
                continue;
            };
            let before = before.map(|(doc, _)| &**doc);
            match crate::format::parse_again(format, &piece.name, &piece.bytes, &wanted.limits, before) {
                Ok(read) => {
                    splices += u64::from(read.spliced);
                    docs.push(Arc::new(read.doc.in_dir(self.dir_of(piece, pieces.rank))));
                }
                Err(more) => problems.extend(more),
            }
        }
        let mut warnings = Vec::new();
        if pieces.pieces.is_empty() && !wanted.optional {
            let why = "is a directory without any file of a known extension (toml, yaml, yml, json)";
            warnings.push(format!("{why}; say `.optional()` if that may be"));
        }
        if problems.is_empty() { Ok(Parsed { docs, warnings, splices }) } else { Err(problems) }
    }
}

/// Watches what the children of `dir` that are links lead to: `dir` itself says nothing of it.
fn follow_links(trail: &mut Trail, dir: &Path, pick: impl Fn(&OsStr) -> bool) {
    for name in fragments::list(dir, pick).unwrap_or_default() {
        let path = dir.join(name);
        if path.is_symlink() {
            trail.join(resolve(&path));
        }
    }
}
