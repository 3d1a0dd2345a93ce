//! What is known of the nodes, what must be read, and when what is known is a state that the store was in.
//!
//! Pure. What must hold:
//!
//! 1. A server tells of a change before it answers any question that saw the change. So what was read is right until a
//!    watch tells of it, and what a watch told of was right up to the answer that came before.
//! 2. `newest` is the last transaction that anything known comes from. All that is known together is the state as of
//!    `newest` if everything that must be read again was right up to there: only then is it told, so that no
//!    transaction is ever seen in part, however many follow each other.
//! 3. What was never read holds everything back.

use super::wire::{Happened, Stat};
use crate::source::remote::{Entry, Map};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What a node and its name have around them in memory, about.
const AROUND: usize = 64;
/// It was never read.
const NEVER: i64 = -1;

/// Which nodes: one, or all below it. Paths are those that the user writes, without a chroot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) root: Arc<str>,
    pub(super) below: bool,
    /// The root is that of the server, where it keeps nodes of its own.
    pub(super) system: bool,
}

impl Span {
    fn contains(&self, path: &str) -> bool {
        let below = || path.strip_prefix(&*self.root).is_some_and(|rest| rest.starts_with('/'));
        *path == *self.root || self.below && (&*self.root == "/" || below())
    }

    fn is_system(&self, path: &str) -> bool {
        self.system
            && path.strip_prefix("/zookeeper").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn first(&self) -> Item {
        if self.below { Item::Children(self.root.clone()) } else { Item::Data(self.root.clone()) }
    }
}

/// What can be asked of one node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// The names of its children.
    Children(Arc<str>),
    Data(Arc<str>),
    /// Whether it has come.
    Coming(Arc<str>),
}

impl Item {
    pub(super) fn path(&self) -> &Arc<str> {
        let (Self::Children(path) | Self::Data(path) | Self::Coming(path)) = self;
        path
    }
}

/// Why what was told cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// There is more than there is room for.
    TooMuch,
    /// It cannot be.
    Lied(&'static str),
    /// The watch is gone.
    Gap,
}

/// What must be read.
#[derive(Clone, Copy, Debug)]
struct Stale {
    /// What is known of it was right up to this transaction.
    right: i64,
    /// It is in the queue, or was asked.
    asked: bool,
}

/// The nodes of one span, as far as they are known.
#[derive(Debug)]
pub(super) struct Tree {
    span: Span,
    /// Watches tell once, and of children by their parent.
    standard: bool,
    nodes: BTreeMap<Arc<str>, Entry>,
    stale: BTreeMap<Item, Stale>,
    queue: VecDeque<Item>,
    /// What changed since it was told.
    touched: BTreeSet<Arc<str>>,
    newest: i64,
    held: usize,
    most: usize,
}

impl Tree {
    /// Nothing is known yet; `most` bytes are held.
    pub(super) fn new(span: Span, standard: bool, most: usize) -> Self {
        let first = span.first();
        let mut tree = Self {
            span,
            standard,
            nodes: BTreeMap::new(),
            stale: BTreeMap::new(),
            queue: VecDeque::new(),
            touched: BTreeSet::new(),
            newest: 0,
            held: 0,
            most: most.saturating_add(1 << 20),
        };
        tree.mark(first, NEVER);
        tree
    }

    /// The next thing to ask.
    pub(super) fn next(&mut self) -> Option<Item> {
        self.queue.pop_front()
    }

    pub(super) fn has_next(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether anything must be read.
    pub(super) fn is_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    /// Everything that must be read, and was not asked yet, is asked next. What is told of meanwhile waits for the next
    /// round, so that a round has an end.
    pub(super) fn begin_round(&mut self) {
        for (item, stale) in &mut self.stale {
            if !std::mem::replace(&mut stale.asked, true) {
                self.queue.push_back(item.clone());
            }
        }
    }

    /// Whether what is known is a state that the store was in, as of [`newest`](Self::newest).
    pub(super) fn is_whole(&self) -> bool {
        self.stale.values().all(|stale| stale.right >= self.newest)
    }

    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    /// All that there is.
    pub(super) fn all(&mut self) -> Map {
        self.touched.clear();
        let seen = self.nodes.iter().filter(|(_, entry)| self.counts(entry));
        seen.map(|(path, entry)| (path.clone(), entry.clone())).collect()
    }

    /// What changed since this was asked, or all was, last.
    pub(super) fn changes(&mut self) -> Vec<(Arc<str>, Option<Entry>)> {
        let touched = std::mem::take(&mut self.touched);
        let now = |path: &Arc<str>| self.nodes.get(path).filter(|entry| self.counts(entry)).cloned();
        touched
            .into_iter()
            .map(|path| {
                let entry = now(&path);
                (path, entry)
            })
            .collect()
    }

    /// Below a prefix a node without data is a folder.
    fn counts(&self, entry: &Entry) -> bool {
        !self.span.below || !entry.value().is_empty()
    }

    /// A watch told of `path`, after an answer as of `heard`.
    pub(super) fn hear(&mut self, happened: Happened, path: &str, heard: i64) -> Result<(), Wrong> {
        match happened {
            Happened::Other(-1) => return Ok(()),
            Happened::Other(_) => return Err(Wrong::Gap),
            _ if self.span.is_system(path) => return Ok(()),
            _ if !self.span.contains(path) => {
                return Err(Wrong::Lied("it told of a node that was not asked for"));
            }
            _ => {}
        }
        let root = *path == *self.span.root;
        let path: Arc<str> = path.into();
        let (data, children) = match happened {
            // The data of the root are not below it.
            _ if root && self.span.below => {
                (false, happened != Happened::Changed && (self.standard || happened != Happened::Children))
            }
            Happened::Children => (false, self.standard && self.span.below),
            // A watch on its children is gone, too.
            Happened::Deleted => (true, self.standard && self.span.below),
            _ => (true, false),
        };
        if data {
            self.mark(Item::Data(path.clone()), heard);
        }
        if children {
            self.mark(Item::Children(path), heard);
        }
        self.check()
    }

    /// The data of a node, as of `at`.
    pub(super) fn data(&mut self, path: &Arc<str>, data: &[u8], stat: Stat, at: i64) -> Result<(), Wrong> {
        self.known(&Item::Data(path.clone()), stat.mzxid, at)?;
        let entry = Entry::new(data, u64::try_from(stat.mzxid).unwrap_or(0));
        self.held += path.len() + data.len() + AROUND;
        let before = self.nodes.insert(path.clone(), entry.clone());
        match &before {
            Some(before) => self.held -= path.len() + before.value().len() + AROUND,
            // Later ones announce themselves, unless a watch on this very node does it.
            None if self.span.below && (self.standard || stat.children > 0) => {
                self.mark(Item::Children(path.clone()), NEVER);
            }
            None => {}
        }
        if before != Some(entry) {
            self.touched.insert(path.clone());
        }
        self.check()
    }

    /// The children of a node, as of `at`.
    pub(super) fn children(
        &mut self,
        path: &Arc<str>,
        names: &[&str],
        stat: Stat,
        at: i64,
    ) -> Result<(), Wrong> {
        self.known(&Item::Children(path.clone()), stat.pzxid, at)?;
        let slash = if path.ends_with('/') { "" } else { "/" };
        let mut there = BTreeSet::new();
        for name in names {
            let child: Arc<str> = format!("{path}{slash}{name}").into();
            if self.span.is_system(&child) {
                continue;
            }
            if !self.nodes.contains_key(&child) {
                self.mark(Item::Data(child.clone()), NEVER);
                self.check()?;
            }
            there.insert(child);
        }
        let below = format!("{path}{slash}");
        let gone: Vec<_> = self
            .below(&below)
            .filter(|child| !child[below.len()..].contains('/') && !there.contains(*child))
            .cloned()
            .collect();
        for child in gone {
            self.forget(&child);
        }
        Ok(())
    }

    /// There is no such node, as of `at`.
    pub(super) fn absent(&mut self, item: &Item, at: i64) -> Result<(), Wrong> {
        self.known(item, at, at)?;
        let root = self.span.root.clone();
        match item {
            Item::Data(path) => self.forget(path),
            Item::Children(path) if *path == root => self.forget(path),
            // Its data tell.
            Item::Children(_) | Item::Coming(_) => return Ok(()),
        }
        if self.standard && *item.path() == root {
            // Nothing but this leaves a watch on what is not there.
            self.mark(Item::Coming(root), at);
        }
        Ok(())
    }

    /// What was to come is there, as of `at`.
    pub(super) fn came(&mut self, at: i64) -> Result<(), Wrong> {
        self.known(&Item::Coming(self.span.root.clone()), at, at)?;
        let first = self.span.first();
        self.mark(first, NEVER);
        Ok(())
    }

    /// What is known of this comes from the transaction `from`, and is right as of `at`.
    fn known(&mut self, item: &Item, from: i64, at: i64) -> Result<(), Wrong> {
        if !(0..=at).contains(&from) {
            return Err(Wrong::Lied("a node was written after the answer that has it"));
        }
        self.newest = self.newest.max(from);
        if self.stale.remove(item).is_some() {
            self.held -= item.path().len() + AROUND;
        }
        Ok(())
    }

    fn mark(&mut self, item: Item, right: i64) {
        if let Some(stale) = self.stale.get_mut(&item) {
            stale.right = stale.right.min(right);
            return;
        }
        self.held += item.path().len() + AROUND;
        // What was never read is asked for at once: nothing can be told without it.
        let asked = right == NEVER;
        if asked {
            self.queue.push_back(item.clone());
        }
        self.stale.insert(item, Stale { right, asked });
    }

    fn check(&self) -> Result<(), Wrong> {
        if self.held > self.most { Err(Wrong::TooMuch) } else { Ok(()) }
    }

    /// The nodes whose paths begin so.
    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        let all = self.nodes.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        all.map(|(path, _)| path).take_while(move |path| path.starts_with(prefix))
    }

    /// A node is gone, and all below it.
    fn forget(&mut self, path: &str) {
        let slash = if path.ends_with('/') { "" } else { "/" };
        let below = format!("{path}{slash}");
        let mut gone: Vec<_> = self.below(&below).cloned().collect();
        gone.extend(self.nodes.get_key_value(path).map(|(path, _)| path.clone()));
        for path in gone {
            if let Some(entry) = self.nodes.remove(&path) {
                self.held -= path.len() + entry.value().len() + AROUND;
                self.touched.insert(path);
            }
        }
    }
}
