//! What following a file, a directory of fragments, secrets or variables have in common.
//!
//! A [`Target`] says what to watch, and what it finds there compared with what was told last. One that
//! brings documents is [`Pieced`]: it reads the pieces as they are now and makes documents of them, and
//! [`examine`] compares them. Nothing here waits or knows a clock that matters, so that a large document
//! can be examined on a worker.

use super::read::{self, Unread};
use super::resolve::{Stamp, Trail};
use super::settle::Seen;
use crate::error::{Problem, ProblemKind};
use crate::format::Limits;
use crate::origin::Origin;
use crate::schema::meta::Schema;
use crate::value::Document;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// Something on disk that is followed as one source.
pub(super) trait Target: Send + Sync + 'static {
    /// What it brings.
    type Doc: Send + Sync + 'static;

    /// What errors, events and origins call it: the path as it was given.
    fn name(&self) -> &str;

    /// What is to be said of it once, before it is followed.
    fn remark(&self) -> Option<String> {
        None
    }

    /// What to watch, and where the path leads.
    fn trail(&self) -> Trail;

    /// The directory of which every child that [`is_child`](Self::is_child) picks matters, if it has one.
    fn is_child(&self, name: &OsStr) -> bool {
        let _ = name;
        false
    }

    /// Whether it can be one file, whose rename into place is the whole change.
    fn is_single(&self) -> bool;

    /// How many bytes a read would bring, roughly.
    fn weight(&self) -> u64;

    /// Whether it is as it was read, by a question to the file system for each file and without opening one.
    fn is_as_read(&self, good: &Good<Self::Doc>) -> bool {
        let _ = good;
        false
    }

    /// Reads it, and compares it with what was told.
    fn examine(&self, wanted: &Wanted, good: Option<&Good<Self::Doc>>, told: &Told) -> Found<Self::Doc>;
}

/// A target that is made of files, of which documents are made.
pub(super) trait Pieced: Target<Doc = Document> {
    /// Reads everything, from one generation.
    fn read(&self, max: usize) -> Result<Pieces, Lack>;

    /// Makes documents of the pieces; `known` has those of pieces that did not change, and what those
    /// that did said before.
    fn parse(&self, wanted: &Wanted, pieces: &Pieces, known: Option<&Good>) -> Result<Parsed, Vec<Problem>>;
}

/// What the documents are for: names of variables are made from it.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) schema: &'static Schema,
    /// Keys that stand above the schema in what the source brings.
    pub(super) above: Vec<String>,
    /// How large a document may be.
    pub(super) limits: Limits,
    /// The source may be absent: that a directory is empty is then no news.
    pub(super) optional: bool,
}

/// The documents, lowest first, and what the user should know of them.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) docs: Vec<Arc<Document>>,
    pub(super) warnings: Vec<String>,
    /// How many of them were read by looking at one changed value alone.
    pub(super) splices: u64,
}

/// What was read at one time.
pub(super) struct Pieces {
    pub(super) pieces: Vec<Piece>,
    /// Which path of a search was found: 0 for the first.
    pub(super) rank: usize,
}

/// One file.
pub(super) struct Piece {
    /// What errors call it.
    pub(super) name: Arc<str>,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) stamp: Stamp,
    pub(super) print: Print,
}

/// Length and keyed hash of a content: what is compared instead of keeping the bytes, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Print {
    len: usize,
    hash: u64,
    blank: bool,
}

/// Why there is nothing to parse.
pub(super) enum Lack {
    /// `absent`: an optional source then counts as empty.
    Lacking { name: Arc<str>, why: String, absent: bool },
    /// It changed under each attempt to read it.
    Unsteady,
}

/// What was told last that was good.
pub(super) struct Good<D = Document> {
    pub(super) prints: Vec<(Arc<str>, Print)>,
    pub(super) docs: Vec<Arc<D>>,
    pub(super) rank: usize,
    pub(super) stamp: Option<Stamp>,
}

impl<D> Clone for Good<D> {
    fn clone(&self) -> Self {
        let Self { prints, docs, rank, stamp } = self;
        Self { prints: prints.clone(), docs: docs.clone(), rank: *rank, stamp: *stamp }
    }
}

/// What was told last.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// Nothing so far.
    Nothing,
    /// The last good content.
    Good,
    /// A text that is no document: its digest, and what is wrong with it.
    Invalid(u64, Vec<Problem>),
    /// That it is missing, empty or unreadable, and why.
    Lacking(String),
}

/// What an examination found.
pub(super) struct Found<D = Document> {
    pub(super) seen: Seen,
    pub(super) what: What<D>,
    pub(super) parses: u64,
    /// How many of the parses looked at one changed value alone.
    pub(super) splices: u64,
    pub(super) warnings: Vec<String>,
}

/// What there is to tell.
pub(super) enum What<D = Document> {
    Good(Good<D>),
    Invalid(u64, Vec<Problem>),
    Lacking { problem: Problem, absent: bool },
}

/// A time of modification as young as this contradicts a quiet of 20 ms; the kernel's clock for it ticks
/// every 4 to 10 ms, so it cannot be closer to those 20.
const FRESH: Duration = Duration::from_millis(12);

impl Piece {
    /// Reads the file at `path`, which errors call `name`.
    pub(super) fn read(path: &Path, name: &Arc<str>, max: usize) -> Result<Self, Lack> {
        let read = read::read(path, max).map_err(|unread| match unread {
            Unread::Missing(why) => Lack::Lacking { name: name.clone(), why, absent: true },
            Unread::Barred(why) => Lack::Lacking { name: name.clone(), why, absent: false },
            Unread::Unsteady => Lack::Unsteady,
        })?;
        let print = Print::of(&read.bytes);
        Ok(Self { name: name.clone(), bytes: read.bytes, stamp: read.stamp, print })
    }
}

impl Print {
    /// Of what cannot be read, and why.
    pub(super) fn lacking(why: &str) -> Self {
        Self { blank: true, ..Self::of(why.as_bytes()) }
    }

    /// Whether there is nothing but blanks.
    pub(super) fn is_blank(self) -> bool {
        self.blank
    }

    pub(super) fn of(bytes: &[u8]) -> Self {
        // Keyed anew in each process, so nobody can prepare two contents with one print.
        static KEYS: OnceLock<RandomState> = OnceLock::new();
        let hash = KEYS.get_or_init(RandomState::new).hash_one(bytes);
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Self { len: bytes.len(), hash, blank: text.iter().all(u8::is_ascii_whitespace) }
    }
}

impl Good {
    /// What the piece of this name said, and its print.
    pub(super) fn of(&self, name: &str) -> Option<(&Arc<Document>, Print)> {
        let at = self.prints.iter().position(|(known, _)| **known == *name)?;
        Some((self.docs.get(at)?, self.prints[at].1))
    }
}

impl Pieces {
    fn prints(&self) -> Vec<(Arc<str>, Print)> {
        self.pieces.iter().map(|piece| (piece.name.clone(), piece.print)).collect()
    }

    /// The one file's stamp, where it is one.
    fn stamp(&self) -> Option<Stamp> {
        match &self.pieces[..] {
            [one] => Some(one.stamp),
            _ => None,
        }
    }

    fn is_fresh(&self) -> bool {
        is_fresh(self.pieces.iter().map(|piece| piece.stamp))
    }
}

/// Whether one of the files was modified within the last milliseconds.
pub(super) fn is_fresh(stamps: impl Iterator<Item = Stamp>) -> bool {
    let now = SystemTime::now();
    stamps
        .filter_map(|stamp| stamp.modified)
        .filter_map(|modified| now.duration_since(modified).ok())
        .any(|age| age < FRESH)
}

pub(super) fn digest(prints: &[(Arc<str>, Print)], rank: usize) -> u64 {
    static KEYS: OnceLock<RandomState> = OnceLock::new();
    KEYS.get_or_init(RandomState::new).hash_one((prints, rank))
}

fn is_blank(prints: &[(Arc<str>, Print)]) -> bool {
    prints.iter().all(|(_, print)| print.blank)
}

/// Whether a piece that said something is gone or emptied.
fn shrank(good: &Good, prints: &[(Arc<str>, Print)], rank: usize) -> bool {
    rank > good.rank
        || (rank == good.rank
            && good.prints.iter().filter(|(_, print)| !print.blank).any(|(name, _)| {
                prints.iter().find(|(known, _)| known == name).is_none_or(|(_, print)| print.blank)
            }))
}

/// Reads `target` and compares it with what was told.
pub(super) fn examine<T: Pieced + ?Sized>(
    target: &T,
    wanted: &Wanted,
    good: Option<&Good>,
    told: &Told,
) -> Found {
    let pieces = match target.read(wanted.limits.bytes) {
        Ok(pieces) => pieces,
        Err(Lack::Lacking { name, why, absent }) => return lacking(&name, why, absent, told),
        Err(Lack::Unsteady) => {
            let why = "is being written to all the time: no two looks at it agree".to_owned();
            let found = lacking(&Arc::from(target.name()), why, false, told);
            let seen = if found.seen == Seen::Same { Seen::Same } else { Seen::Unsteady };
            return Found { seen, ..found };
        }
    };
    let prints = pieces.prints();
    if let Some(good) = good
        && good.prints == prints
        && good.rank == pieces.rank
    {
        // Back to the exact bytes after trouble is news, and needs no parser.
        let seen = if matches!(told, Told::Good) { Seen::Same } else { content(&pieces, &prints, true) };
        return Found {
            seen,
            what: What::Good(Good { stamp: pieces.stamp(), ..good.clone() }),
            parses: 0,
            splices: 0,
            warnings: Vec::new(),
        };
    }
    // An empty file is a document where it is empty from the start; later it means that somebody is
    // about to write it, or that it was lost.
    let began_blank = good.map_or(matches!(told, Told::Nothing), |good| is_blank(&good.prints));
    if is_blank(&prints) && !began_blank {
        let why = if target.is_single() { "is empty" } else { "holds nothing any more" };
        return lacking(&Arc::from(target.name()), why.to_owned(), true, told);
    }
    let digest = digest(&prints, pieces.rank);
    if let Told::Invalid(last, problems) = told
        && *last == digest
    {
        return Found {
            seen: Seen::Same,
            what: What::Invalid(digest, problems.clone()),
            parses: 0,
            splices: 0,
            warnings: Vec::new(),
        };
    }
    parsed(target, wanted, &pieces, prints, good)
}

/// Parses, and says what came of it.
fn parsed<T: Pieced + ?Sized>(
    target: &T,
    wanted: &Wanted,
    pieces: &Pieces,
    prints: Vec<(Arc<str>, Print)>,
    good: Option<&Good>,
) -> Found {
    let is_known = |print| good.is_some_and(|good| good.prints.contains(print));
    let parses = prints.iter().filter(|print| !is_known(*print)).count() as u64;
    match target.parse(wanted, pieces, good) {
        Ok(Parsed { docs, warnings, splices }) => {
            let seen = match good {
                Some(good) if shrank(good, &prints, pieces.rank) => Seen::Shrunk,
                _ => content(pieces, &prints, true),
            };
            let good = Good { prints, docs, rank: pieces.rank, stamp: pieces.stamp() };
            Found { seen, what: What::Good(good), parses, splices, warnings }
        }
        Err(problems) => {
            let digest = digest(&prints, pieces.rank);
            Found {
                seen: content(pieces, &prints, false),
                what: What::Invalid(digest, problems),
                parses,
                splices: 0,
                warnings: Vec::new(),
            }
        }
    }
}

fn content(pieces: &Pieces, prints: &[(Arc<str>, Print)], valid: bool) -> Seen {
    Seen::Content { digest: digest(prints, pieces.rank), fresh: pieces.is_fresh(), valid }
}

fn lacking(name: &Arc<str>, why: String, absent: bool, told: &Told) -> Found {
    let seen = if matches!(told, Told::Lacking(last) if *last == key(name, &why)) {
        Seen::Same
    } else {
        Seen::Lacking
    };
    let remedy = if absent { OPTIONAL } else { "" };
    let problem =
        Problem::new(ProblemKind::Unreadable, "", format!("{why}{remedy}")).at(Origin::whole(name.clone()));
    Found { seen, what: What::Lacking { problem, absent }, parses: 0, splices: 0, warnings: Vec::new() }
}

/// The remedy for what is absent.
const OPTIONAL: &str = "; say `.optional()` if it may be missing";

/// What tells one trouble from another.
fn key(name: &str, why: &str) -> String {
    format!("{name}: {why}")
}

impl<D> What<D> {
    /// What is then the last that was told.
    pub(super) fn told(&self) -> Told {
        match self {
            Self::Good(_) => Told::Good,
            Self::Invalid(digest, problems) => Told::Invalid(*digest, problems.clone()),
            Self::Lacking { problem, .. } => {
                let name = problem.origin().map_or("", Origin::source);
                let why = problem.message();
                Told::Lacking(key(name, why.strip_suffix(OPTIONAL).unwrap_or(why)))
            }
        }
    }
}
