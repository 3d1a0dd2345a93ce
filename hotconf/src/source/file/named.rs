//! The files that settings name, followed together as one target.
//!
//! One window for all of them, so that a certificate and its key which are replaced together are read
//! together. The rules that hold:
//!
//! 1. All are read from one generation: the stamps are the same before and after.
//! 2. That one cannot be read is a part of what is told, since another may have changed. It is waited for
//!    like a [`File`](super::File) that is gone, unless somebody wants to know at once.

use super::followed::Followed;
use super::piece::{Found, Good, Print, Target, Told, Wanted, What, digest, is_fresh};
use super::read::{self, Unread as Unreadable};
use super::resolve::{End, Stamp, Trail, resolve};
use super::settle::{Seen, Sign};
use crate::named::{Held, Named, Unread};
use crate::source::{Context, SourceError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often files that change while they are read are read anew.
const ATTEMPTS: usize = 5;

/// More files than this are not read.
const MOST: usize = 1024;

/// The files that settings name.
pub(crate) struct NamedFiles {
    followed: Followed<Paths>,
}

impl NamedFiles {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { followed: Followed::new(Paths { paths: Vec::new() }) }
    }

    /// Follows these from now on, and no others. What [`next`](Self::next) brings then has all of them: `at_once`,
    /// or when those that are new had their time to settle. Nothing is brought because fewer are followed.
    pub(crate) fn follow(&mut self, cx: &Context, paths: BTreeSet<PathBuf>, at_once: bool) {
        let followed = &mut self.followed;
        let known = followed.target().paths.clone();
        if !std::mem::replace(&mut followed.started, true) {
            cx.follow(2);
        }
        if let Some(good) = &mut followed.good {
            let (prints, docs) = (std::mem::take(&mut good.prints), std::mem::take(&mut good.docs));
            let kept = prints.into_iter().zip(docs).filter(|(_, look)| paths.contains(&look.path));
            (good.prints, good.docs) = kept.unzip();
        }
        let more = paths.iter().any(|path| known.binary_search(path).is_err());
        followed.retarget(Paths { paths: paths.into_iter().collect() });
        if at_once || !more {
            followed.refresh();
        } else {
            followed.settle.sign(cx.now(), Sign::Closed, Path::new(""));
        }
    }

    /// Leaves those that are not among `paths`.
    pub(crate) fn leave(&mut self, cx: &Context, paths: BTreeSet<PathBuf>) {
        let demanded = self.followed.demanded;
        self.follow(cx, paths, true);
        self.followed.demanded = demanded;
    }

    /// Makes the following `next` answer at once.
    pub(crate) fn refresh(&mut self) {
        self.followed.refresh();
    }

    /// Waits until one of them has changed; then all of them as they are. Cancel-safe.
    pub(crate) async fn next(&mut self, cx: &Context) -> Result<Named, SourceError> {
        self.followed.started = true;
        let looks = self.followed.next(cx).await?;
        Ok(looks.iter().map(|look| (look.path.clone(), look.content.clone())).collect())
    }
}

/// Reads files once, without following them.
pub(crate) fn read_named(paths: &BTreeSet<PathBuf>, max: usize) -> Named {
    let (looks, _) = look_at(paths, max, None);
    looks.into_iter().map(|look| (look.path, look.content)).collect()
}

/// The files, from the root, sorted.
struct Paths {
    paths: Vec<PathBuf>,
}

/// One file, as it was found.
struct Look {
    path: PathBuf,
    content: Result<Arc<Held>, Unread>,
    stamp: Option<Stamp>,
    print: Print,
}

impl Target for Paths {
    type Doc = Look;

    fn name(&self) -> &'static str {
        "the files that settings name"
    }

    fn trail(&self) -> Trail {
        let mut trail = Trail::empty();
        for path in &self.paths {
            trail.join(resolve(path));
        }
        trail.end = End::Missing;
        trail
    }

    fn is_single(&self) -> bool {
        false
    }

    fn weight(&self) -> u64 {
        self.paths.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|meta| meta.len()).sum()
    }

    fn is_as_read(&self, good: &Good<Look>) -> bool {
        good.docs.len() == self.paths.len()
            && good.docs.iter().all(|look| look.stamp.is_some() && look.stamp == stamp(&look.path))
    }

    fn examine(&self, wanted: &Wanted, good: Option<&Good<Look>>, _: &Told) -> Found<Look> {
        let (looks, steady) = look_at(&self.paths, wanted.limits.bytes, good);
        let prints: Vec<_> =
            looks.iter().map(|look| (Arc::from(&*look.path.to_string_lossy()), look.print)).collect();
        let fresh = is_fresh(looks.iter().filter_map(|look| look.stamp));
        // Emptied or gone counts as news only where it was not so before.
        let shrank = looks.iter().filter(|look| look.print.is_blank()).any(|look| {
            let before = good.and_then(|good| good.docs.iter().find(|known| known.path == look.path));
            before.map_or(look.content.is_err(), |known| known.print != look.print)
        });
        let seen = match good {
            Some(good) if good.prints == prints => Seen::Same,
            _ if !steady => Seen::Unsteady,
            _ if shrank => Seen::Shrunk,
            _ => Seen::Content { digest: digest(&prints, 0), fresh, valid: true },
        };
        let good = Good { prints, docs: looks.into_iter().map(Arc::new).collect(), rank: 0, stamp: None };
        Found { seen, what: What::Good(good), parses: 0, splices: 0, warnings: Vec::new() }
    }
}

/// Reads all of them, from one generation; whether that succeeded.
fn look_at<'p>(
    paths: impl IntoIterator<Item = &'p PathBuf> + Clone,
    max: usize,
    good: Option<&Good<Look>>,
) -> (Vec<Look>, bool) {
    let mut looks = Vec::new();
    for _ in 0..ATTEMPTS {
        let known = |path: &Path| good.and_then(|good| good.docs.iter().find(|look| look.path == *path));
        let stamps = || paths.clone().into_iter().map(|path| stamp(path)).collect::<Vec<_>>();
        let before = stamps();
        let numbered = paths.clone().into_iter().enumerate();
        looks = numbered.map(|(n, path)| look(path, n, max, known(path).map(|look| &**look))).collect();
        if stamps() == before {
            return (looks, true);
        }
    }
    (looks, false)
}

fn look(path: &Path, number: usize, max: usize, known: Option<&Look>) -> Look {
    let refuse = |why: String| {
        let parent = path.parent().filter(|parent| parent.parent().is_some() && parent.is_dir());
        let unread = Unread { plausible: parent.is_some(), why };
        Look { path: path.to_owned(), print: Print::lacking(&unread.why), content: Err(unread), stamp: None }
    };
    if number >= MOST {
        return refuse(format!("is one too many: a configuration may name {MOST} files"));
    }
    match read::read(path, max) {
        Ok(read) => {
            let print = Print::of(&read.bytes);
            // What did not change keeps its memory, and so do the values that have it.
            let same =
                known.filter(|known| known.print == print).and_then(|known| known.content.clone().ok());
            let held = same.unwrap_or_else(|| Arc::new(Held { path: path.to_owned(), bytes: read.bytes }));
            Look { path: path.to_owned(), content: Ok(held), stamp: Some(read.stamp), print }
        }
        Err(Unreadable::Missing(why) | Unreadable::Barred(why)) => refuse(why),
        Err(Unreadable::Unsteady) => {
            refuse("is being written to all the time: no two looks at it agree".to_owned())
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).ok().as_ref().map(Stamp::of)
}
