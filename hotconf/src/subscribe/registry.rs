//! Who wants to hear of which field: finding one subscriber among many by the number of a leaf.
//!
//! Subscribers stand in lists, one per distinct range of numbers: a leaf's own, a section's. Ranges of a
//! schema lie beside or within each other, never across. So each leaf knows the innermost list that holds
//! it, each list knows the next one around it, and a telling walks from the leaf outwards: its cost does
//! not depend on how many subscribers there are elsewhere. A range that lies across others (none does)
//! and a closure are told every version; comparing is theirs in any case.
//!
//! Rules
//! 1. A registration comes before its baseline is read, and a swap before its telling (see `fold`).
//! 2. The lock guards the lists only; subscribers are called after it is released, on copies of their
//!    pointers. So they may subscribe, unsubscribe and stop from wherever they are.
//! 3. One thread tells at a time.

use super::calls::{Calls, unique};
use super::job::{Job, Pool, Report, Trouble, contained};
use crate::publish::Snapshot;
use crate::sync::lock;
use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// The subscribers of one configuration.
pub(crate) struct Registry<T> {
    lists: Mutex<Lists<T>>,
    pub(super) hub: Arc<Hub>,
}

/// What all subscribers of one configuration share, those of its views included.
pub(crate) struct Hub {
    pub(super) pool: Arc<dyn Pool>,
    pub(super) report: Report,
    /// The configuration's token: a subscription's is its child.
    pub(super) token: CancellationToken,
    /// Callbacks that run, and captures that are being dropped; beside them, what the engine counts.
    pub(super) running: Arc<Calls>,
    pub(super) calls: AtomicU64,
}

/// A subscriber, as the registry sees it.
pub(super) trait Listener<T>: Send + Sync {
    /// Takes a version in. Runs no code of the user except wakers.
    fn tell(self: Arc<Self>, before: &Snapshot<T>, after: &Snapshot<T>);
    /// Ends it; what belongs to the user is handed out, to be dropped elsewhere.
    fn end(&self) -> Option<Box<dyn Any + Send>>;
}

/// The order of telling: watches first, since they only wake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Watch,
    Callback,
}

/// Where a subscriber stands; enough to find it again.
pub(super) struct Place {
    pub(super) id: u64,
    pub(super) kind: Kind,
    /// The leaves that concern it; `None`: every version does.
    pub(super) numbers: Option<Range<u32>>,
}

impl Place {
    /// The number is unique in the process, so that a thread can say whose callback it runs.
    pub(super) fn new(kind: Kind, numbers: Option<Range<u32>>) -> Self {
        Self { id: unique(), kind, numbers }
    }
}

impl<T: Send + Sync + 'static> Registry<T> {
    /// A registry for a type of `leaf_count` leaves; a view's shares the hub of its root.
    pub(crate) fn new(leaf_count: u32, hub: Arc<Hub>) -> Self {
        Self { lists: Mutex::new(Lists::new(leaf_count)), hub }
    }

    /// The hub, for a view.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Tells whoever is concerned by `moved` (ascending), watches first. Called by one thread at a time,
    /// behind the swap of `after`.
    pub(crate) fn tell(&self, before: &Snapshot<T>, after: &Snapshot<T>, moved: &[u32]) {
        let (mut watches, mut callbacks) = (Few::default(), Few::default());
        lock(&self.lists).gather(moved, &mut watches, &mut callbacks);
        watches.drain(|listener| listener.tell(before, after));
        callbacks.drain(|listener| listener.tell(before, after));
    }

    /// Ends every subscriber, now and from now on: no call starts afterwards. What callbacks captured is
    /// dropped on a worker; [`calm`](Self::calm) waits for that too.
    pub(crate) fn close_all(&self) {
        let ending = lock(&self.lists).close();
        let captured: Vec<_> = ending.iter().filter_map(|listener| listener.end()).collect();
        drop(ending);
        if captured.is_empty() {
            return;
        }
        let hub = Arc::clone(&self.hub);
        hub.running.enter();
        let captured = Leftovers { captured, hub };
        let run = Box::new(move || drop(captured));
        let name = Arc::from("what callbacks captured");
        if let Err(job) = self.hub.pool.submit(Job { name, report: Arc::clone(&self.hub.report), run }) {
            // The workers are gone: there is no other place than here.
            (job.run)();
        }
    }

    /// Blocks until no callback runs, the calling one excepted; `false` where the deadline came first.
    #[cfg(test)]
    pub(crate) fn wait_idle(&self, deadline: std::time::Instant) -> bool {
        self.hub.running.wait(Some(deadline))
    }

    /// Ends when no callback runs, views' included; the one inside of which this is called is excepted.
    pub(crate) fn calm(&self) -> impl Future<Output = ()> + Send + use<T> {
        self.hub.running.calm()
    }

    /// How often a callback was called.
    pub(crate) fn calls(&self) -> u64 {
        self.hub.calls.load(Ordering::Relaxed)
    }

    /// How many subscribers there are.
    #[cfg(test)]
    pub(crate) fn listeners(&self) -> usize {
        let lists = lock(&self.lists);
        let all = lists.lists.iter().chain([&lists.every]);
        all.map(|list| list.watches.iter().count() + list.callbacks.iter().count()).sum()
    }

    /// Registers; after [`close_all`](Self::close_all) the listener is ended at once.
    pub(super) fn insert(&self, place: &Place, listener: Arc<dyn Listener<T>>) {
        let refused = lock(&self.lists).insert(place, listener);
        if let Some(listener) = refused {
            let captured = listener.end();
            let _ = contained(|| drop(captured));
        }
    }

    /// Takes a subscriber out; harmless where it is gone already.
    pub(super) fn remove(&self, place: &Place) {
        let gone = lock(&self.lists).remove(place);
        drop(gone);
    }
}

impl Hub {
    /// A hub whose callbacks run in `pool`. `token` is the configuration's.
    pub(crate) fn new(
        pool: Arc<dyn Pool>,
        report: Report,
        token: CancellationToken,
        running: Arc<Calls>,
    ) -> Arc<Self> {
        Arc::new(Self { pool, report, token, running, calls: AtomicU64::new(0) })
    }

    /// The hub of a value that never changes: there is nothing to run.
    pub(crate) fn fixed() -> Arc<Self> {
        Self::new(Arc::new(NoPool), Arc::new(|_| {}), CancellationToken::new(), Calls::new())
    }
}

struct NoPool;

impl Pool for NoPool {
    fn submit(&self, job: Job) -> Result<(), Job> {
        Err(job)
    }
}

/// What ended callbacks captured; counts as running until it is dropped, wherever that is.
struct Leftovers {
    captured: Vec<Box<dyn Any + Send>>,
    hub: Arc<Hub>,
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        for item in self.captured.drain(..) {
            // One by one: two panics in one unwinding would abort the process.
            if let Err(message) = contained(|| drop(item)) {
                let name = Arc::from("dropping what a callback captured");
                let _ = contained(|| (self.hub.report)(Trouble::Panicked { name, message }));
            }
        }
        self.hub.running.leave();
    }
}

impl<T> Drop for Registry<T> {
    /// A net below `close_all`: watches must end even where the engine went without a word.
    fn drop(&mut self) {
        let ending = lock(&self.lists).close();
        for listener in ending {
            let captured = listener.end();
            let _ = contained(|| drop(captured));
        }
    }
}

type Entry<T> = Arc<dyn Listener<T>>;

struct Lists<T> {
    leaf_count: u32,
    /// By leaf: the innermost list that holds it, counted from 1. Empty until the first registration.
    innermost: Vec<u32>,
    lists: Vec<List<T>>,
    by_range: HashMap<Range<u32>, usize>,
    /// Told every version.
    every: List<T>,
    telling: u64,
    closed: bool,
}

struct List<T> {
    range: Range<u32>,
    /// The next list around this one.
    around: Option<usize>,
    /// The last telling that visited it: several leaves of one version tell it once.
    visited: u64,
    watches: Entries<T>,
    callbacks: Entries<T>,
}

impl<T> List<T> {
    fn new(range: Range<u32>, around: Option<usize>) -> Self {
        Self { range, around, visited: 0, watches: Entries::new(), callbacks: Entries::new() }
    }

    fn of(&mut self, kind: Kind) -> &mut Entries<T> {
        match kind {
            Kind::Watch => &mut self.watches,
            Kind::Callback => &mut self.callbacks,
        }
    }

    fn gather(&self, watches: &mut Few<Entry<T>>, callbacks: &mut Few<Entry<T>>) {
        self.watches.iter().for_each(|e| watches.push(e));
        self.callbacks.iter().for_each(|e| callbacks.push(e));
    }
}

impl<T> Lists<T> {
    fn new(leaf_count: u32) -> Self {
        Self {
            leaf_count,
            innermost: Vec::new(),
            lists: Vec::new(),
            by_range: HashMap::new(),
            every: List::new(0..0, None),
            telling: 0,
            closed: false,
        }
    }

    fn gather(&mut self, moved: &[u32], watches: &mut Few<Entry<T>>, callbacks: &mut Few<Entry<T>>) {
        self.telling += 1;
        for &number in moved {
            let innermost = self.innermost.get(number as usize).copied().unwrap_or(0);
            let mut next = (innermost as usize).checked_sub(1);
            while let Some(at) = next {
                let list = &mut self.lists[at];
                if list.visited == self.telling {
                    break;
                }
                list.visited = self.telling;
                list.gather(watches, callbacks);
                next = list.around;
            }
        }
        self.every.gather(watches, callbacks);
    }

    fn insert(&mut self, place: &Place, listener: Entry<T>) -> Option<Entry<T>> {
        if self.closed {
            return Some(listener);
        }
        let list = match place.numbers.as_ref().and_then(|range| self.list_of(range)) {
            Some(at) => &mut self.lists[at],
            None => &mut self.every,
        };
        list.of(place.kind).insert(place.id, listener);
        None
    }

    fn remove(&mut self, place: &Place) -> Option<Entry<T>> {
        let at = place.numbers.as_ref().and_then(|range| self.by_range.get(range).copied());
        let list = match at {
            Some(at) => &mut self.lists[at],
            None => &mut self.every,
        };
        list.of(place.kind).remove(place.id)
    }

    fn close(&mut self) -> Vec<Entry<T>> {
        self.closed = true;
        let mut all = Vec::new();
        for list in self.lists.iter_mut().chain([&mut self.every]) {
            for entries in [&mut list.watches, &mut list.callbacks] {
                all.extend(std::mem::replace(entries, Entries::new()).rows.into_iter().filter_map(|e| e.1));
            }
        }
        all
    }

    /// The list of a range, made where it is new; `None` where the range lies across another, or outside.
    fn list_of(&mut self, range: &Range<u32>) -> Option<usize> {
        if let Some(&at) = self.by_range.get(range) {
            return Some(at);
        }
        let across = |l: &List<T>| {
            let apart = l.range.end <= range.start || range.end <= l.range.start;
            !apart && !within(&l.range, range) && !within(range, &l.range)
        };
        if range.is_empty() || range.end > self.leaf_count || self.lists.iter().any(across) {
            return None;
        }
        self.innermost.resize(self.leaf_count as usize, 0);
        let new = self.lists.len();
        // The list around the new one: the smallest that holds it.
        let holding = self.lists.iter().enumerate().filter(|(_, l)| within(range, &l.range));
        let around = holding.min_by_key(|(_, l)| l.range.len()).map(|(at, _)| at);
        for list in &mut self.lists {
            if list.around == around && within(&list.range, range) {
                list.around = Some(new);
            }
        }
        let outer = around.map_or(0, number_of);
        for slot in &mut self.innermost[range.start as usize..range.end as usize] {
            if *slot == outer {
                *slot = number_of(new);
            }
        }
        self.lists.push(List::new(range.clone(), around));
        self.by_range.insert(range.clone(), new);
        Some(new)
    }
}

/// Lists are counted from 1 in `innermost`, where 0 means none.
fn number_of(list: usize) -> u32 {
    u32::try_from(list + 1).expect("there are at most twice as many ranges as leaves, and those are u32")
}

fn within(inner: &Range<u32>, outer: &Range<u32>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Subscribers in the order of their numbers. A leaver leaves a hole, so that leaving is cheap however
/// long the list; holes are closed when they are the half.
struct Entries<T> {
    rows: Vec<(u64, Option<Entry<T>>)>,
    holes: usize,
}

impl<T> Entries<T> {
    fn new() -> Self {
        Self { rows: Vec::new(), holes: 0 }
    }

    fn insert(&mut self, id: u64, entry: Entry<T>) {
        let at = self.rows.partition_point(|row| row.0 < id);
        self.rows.insert(at, (id, Some(entry)));
    }

    fn remove(&mut self, id: u64) -> Option<Entry<T>> {
        let at = self.rows.binary_search_by_key(&id, |row| row.0).ok()?;
        let entry = self.rows[at].1.take()?;
        self.holes += 1;
        if self.holes * 2 > self.rows.len() {
            self.rows.retain(|row| row.1.is_some());
            self.rows.shrink_to(self.rows.len() * 2);
            self.holes = 0;
        }
        Some(entry)
    }

    fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.rows.iter().filter_map(|row| row.1.as_ref())
    }
}

/// Subscribers to tell: the first without allocating, since one is the usual number.
struct Few<A> {
    first: Option<A>,
    more: Vec<A>,
}

impl<A> Default for Few<A> {
    fn default() -> Self {
        Self { first: None, more: Vec::new() }
    }
}

impl<A: Clone> Few<A> {
    fn push(&mut self, item: &A) {
        if self.first.is_none() {
            self.first = Some(item.clone());
        } else {
            self.more.push(item.clone());
        }
    }

    fn drain(self, each: impl FnMut(A)) {
        self.first.into_iter().chain(self.more).for_each(each);
    }
}
