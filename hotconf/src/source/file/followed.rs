//! Follows a [`Target`]: watches it, waits for quiet, reads it, and tells each difference once.
//!
//! The rules that hold:
//!
//! 1. A watch is set before the read that relies on it. The one exception is a file renamed into
//!    place: it is read first, for speed, and looked at again once its watch is set.
//! 2. All state lies in `self`, and nothing is noted as told before it is returned: a future that is
//!    dropped at any point loses no change.
//! 3. Events are a wake-up, bytes are the truth: what is told is a difference to what was told last,
//!    good or bad, so that a bad file put back to its old bytes is told as healthy.

use super::piece::{Found, Good, Target, Told, Wanted, What};
use super::resolve::{End, FileId, Trail};
use super::settle::{Decision, HELD, LONG_HELD, Outcome, Seen, Settle, Sign, Trust};
use crate::source::{
    Context, Hint, Inbox, LONG, Matter, SourceError, SourceErrorKind, Stirring, WatchFailure, Watching,
};
use std::collections::HashSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

/// How often a path that changes while its watches are set is walked anew.
const ATTEMPTS: usize = 4;

/// So many beats of the content poll may do with a glance at the file; then it is read all the same.
///
/// Opening a file wakes everybody who watches its directory, ourselves included: for an idle process a
/// glance is the difference between one wake-up in two seconds and several.
const GLANCES: u32 = 15;
/// A read that finds what a glance would have found doubles the number, up to this. What a stamp cannot tell
/// (a second write through the same mapping, a clock of times that is coarse) is a matter of the first
/// seconds after a change.
const MOST_GLANCES: u32 = 127;

/// A target and what is known of it.
#[allow(clippy::struct_excessive_bools)] // Independent marks, each with one reader.
pub(super) struct Followed<T: Target> {
    inbox: Arc<Inbox>,
    watching: Option<Watching>,
    watched: Vec<(PathBuf, Option<FileId>)>,
    names: HashSet<PathBuf>,
    /// A watch could not be set: it is tried again at each poll.
    unwatched: bool,
    /// The path may lead elsewhere now.
    astray: bool,
    /// A watch that looks alive is not.
    rearm: bool,
    /// Events were lost, and nobody was told of it yet.
    lost: bool,
    pub(super) settle: Settle,
    pub(super) good: Option<Good<T::Doc>>,
    told: Told,
    stirring: Option<Stirring>,
    pub(super) started: bool,
    pub(super) demanded: bool,
    /// The next beat of the content poll.
    tick: Option<Instant>,
    /// How many beats in a row did with a glance, and how many may.
    glances: u32,
    patience: u32,
    poll: Option<Duration>,
    target: Arc<T>,
}

impl<T: Target> Followed<T> {
    pub(super) fn new(target: T) -> Self {
        Self {
            inbox: Arc::default(),
            watching: None,
            watched: Vec::new(),
            names: HashSet::new(),
            unwatched: false,
            astray: true,
            rearm: false,
            lost: false,
            settle: Settle::default(),
            good: None,
            told: Told::Nothing,
            stirring: None,
            started: false,
            demanded: false,
            tick: None,
            glances: 0,
            patience: GLANCES,
            poll: None,
            target: Arc::new(target),
        }
    }

    /// The target, while nobody else has it: before the first `next`.
    pub(super) fn change(mut self, change: impl FnOnce(&mut T)) -> Self {
        change(Arc::get_mut(&mut self.target).expect("a target is shared only while it is examined"));
        self
    }

    pub(super) fn poll_every(mut self, every: Duration) -> Self {
        self.poll = Some(every);
        self
    }

    pub(super) fn target(&self) -> &T {
        &self.target
    }

    /// Follows another target from now on; what is known of what both have is the caller's to keep.
    pub(super) fn retarget(&mut self, target: T) {
        self.target = Arc::new(target);
        self.astray = true;
    }

    /// Makes the following `next` answer at once.
    pub(super) fn refresh(&mut self) {
        self.demanded = true;
    }

    /// The first call answers at once; later ones wait for a difference.
    pub(super) async fn next(&mut self, cx: &Context) -> Result<Vec<Arc<T::Doc>>, SourceError> {
        if !self.started {
            cx.follow(if self.target.is_single() { 1 } else { 2 });
            if let Some(remark) = self.target.remark() {
                cx.warn(remark);
            }
            self.started = true;
            self.demanded = true;
        }
        loop {
            for (at, hint) in self.inbox.drain() {
                self.take(at, &hint);
            }
            let now = cx.now();
            if std::mem::take(&mut self.demanded) {
                (self.astray, self.rearm) = (true, self.rearm || self.unwatched);
                self.settle.demand(now);
            }
            let alone = self.target.is_single() && cx.is_alone();
            let mut decision = self.settle.decide(now, alone);
            if self.astray && decision != Decision::Read(Trust::Whole) {
                self.arm(cx);
                decision = self.settle.decide(now, alone);
            }
            self.stir(cx);
            if std::mem::take(&mut self.lost) {
                cx.warn(
                    "events of the file system were lost, and everything was read anew; if this is said \
                     often, raise the sysctl `fs.inotify.max_queued_events`",
                );
            }
            if self.settle.is_long_held(now) {
                cx.warn(format!(
                    "has been held open and written to for {LONG_HELD:?}; what it says is taken when \
                     its writer closes it or pauses for {HELD:?}"
                ));
            }
            match decision {
                Decision::Read(trust) => {
                    if let Some(answer) = self.read(cx, trust).await {
                        return answer;
                    }
                }
                Decision::Wait(at) => self.wait(cx, Some(at)).await,
                Decision::Idle => self.wait(cx, None).await,
            }
        }
    }

    /// Reads, and answers where there is something to tell.
    async fn read(&mut self, cx: &Context, trust: Trust) -> Option<Result<Vec<Arc<T::Doc>>, SourceError>> {
        let mut found = self.examine(cx).await?;
        let now = cx.now();
        cx.activity().read(cx.now());
        cx.activity().parsed(found.parses, found.splices);
        if trust != Trust::Whole {
            // What was said up to the read may mean that a writer was at work, however late the thread
            // is that tells it.
            if found.seen != Seen::Same {
                cx.services().catch_up();
            }
            let late = self.inbox.drain();
            for (at, hint) in &late {
                self.take(*at, hint);
            }
            if trust == Trust::Quiet && self.settle.is_held() {
                return None;
            }
            // A file that is saved all the time is always fresh: what nobody touched while it was read
            // is then taken.
            if let Seen::Content { fresh, .. } = &mut found.seen {
                *fresh &= !(late.is_empty() && self.settle.has_verified(now));
            }
        }
        if self.settle.seen(now, trust, found.seen) != Outcome::Deliver {
            if let What::Good(good) = found.what
                && matches!(self.told, Told::Good)
                && let Some(last) = &mut self.good
                && (last.rank, &last.prints) == (good.rank, &good.prints)
            {
                *last = good;
            }
            self.stir(cx);
            return None;
        }
        self.stirring = None;
        self.patience = GLANCES;
        cx.warn_of(Matter::Content, found.warnings);
        self.told = found.what.told();
        Some(match found.what {
            What::Good(good) => {
                let docs = good.docs.clone();
                self.good = Some(good);
                Ok(docs)
            }
            What::Invalid(_, problems) => Err(SourceError::problems(SourceErrorKind::Invalid, problems)),
            What::Lacking { problem, absent } => {
                let error = SourceError::problems(SourceErrorKind::Down, vec![problem]);
                Err(if absent { error.absent() } else { error })
            }
        })
    }

    /// Examines the target here, or on a worker where that takes long. `None`: the worker gave up.
    async fn examine(&self, cx: &Context) -> Option<Found<T::Doc>> {
        let wanted = Wanted {
            schema: cx.schema,
            above: cx.above().to_vec(),
            limits: cx.limits,
            optional: cx.is_optional(),
        };
        if self.target.weight() <= LONG as u64 {
            return Some(self.target.examine(&wanted, self.good.as_ref(), &self.told));
        }
        let found = Arc::new(Mutex::new(None));
        let (target, good, told) = (self.target.clone(), self.good.clone(), self.told.clone());
        let place = found.clone();
        cx.services()
            .offload(Box::new(move || {
                let result = target.examine(&wanted, good.as_ref(), &told);
                *crate::sync::lock(&place) = Some(result);
            }))
            .await;
        crate::sync::lock(&found).take()
    }

    /// Waits for a hint, for `until`, or for the content poll, and notes what came.
    async fn wait(&mut self, cx: &Context, until: Option<Instant>) {
        let every = self.poll.unwrap_or(cx.poll);
        if self.tick.is_none() && !every.is_zero() {
            self.tick = Some(cx.services().next_poll(every));
        }
        let wake = until.into_iter().chain(self.tick).min();
        let mut sleep = wake.map(|at| cx.sleep_until(at));
        let inbox = &self.inbox;
        let hints = std::future::poll_fn(|task| {
            if let Poll::Ready(hints) = inbox.poll_drain(task) {
                return Poll::Ready(hints);
            }
            match &mut sleep {
                Some(sleep) => Pin::new(sleep).poll(task).map(|()| Vec::new()),
                None => Poll::Pending,
            }
        })
        .await;
        for (at, hint) in &hints {
            self.take(*at, hint);
        }
        let now = cx.now();
        if self.tick.is_some_and(|tick| tick <= now) {
            self.tick = None;
            if !self.is_as_read() {
                self.patience = GLANCES;
            } else if self.glances < self.patience {
                self.glances += 1;
                cx.activity().glanced(now);
                return;
            } else {
                self.patience = (2 * self.patience + 1).min(MOST_GLANCES);
            }
            self.glances = 0;
            (self.astray, self.rearm) = (true, self.rearm || self.unwatched);
            self.settle.poll(now);
        }
    }

    /// Whether the file has the very stamp (identity, size, times of change) with which it was read last,
    /// all is well, and its watches are set.
    fn is_as_read(&self) -> bool {
        matches!(self.told, Told::Good)
            && !self.unwatched
            && self.settle.is_idle()
            && self.good.as_ref().is_some_and(|good| self.target.is_as_read(good))
    }

    /// Says to the engine whether a change is coming.
    fn stir(&mut self, cx: &Context) {
        match (self.settle.is_stirring(), self.stirring.is_some()) {
            (true, false) => self.stirring = Some(cx.stirring()),
            (false, true) => self.stirring = None,
            _ => {}
        }
    }

    /// Notes what a hint means.
    fn take(&mut self, at: Instant, hint: &Hint) {
        let Some(path) = hint.path() else {
            (self.astray, self.rearm, self.lost) = (true, true, true);
            return self.settle.sign(at, Sign::Lost, Path::new(""));
        };
        // A directory whose times were set is said to be modified, and never closed; and all the world
        // writes to a device such as `/dev/null`.
        let written = matches!(hint, Hint::Writing(_) | Hint::Closed(_));
        if written && std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return;
        }
        let sign = match hint {
            Hint::Writing(_) => Sign::Written,
            Hint::Closed(_) => Sign::Closed,
            Hint::Touched(_) => Sign::Touched,
            Hint::Moved(_) => Sign::Whole,
            Hint::Created(_) => created(path),
            Hint::Gone(_) | Hint::Lost => {
                // The kernel gave the watch up together with the thing.
                self.rearm |= self.watched.iter().any(|(known, _)| known == path);
                // A file renamed over, or two exchanged: the name is there, with another file behind it.
                if std::fs::symlink_metadata(path).is_ok() { Sign::Touched } else { Sign::Gone }
            }
        };
        self.astray |= !matches!(hint, Hint::Writing(_) | Hint::Closed(_) | Hint::Touched(_));
        self.settle.sign(at, sign, path);
    }

    /// Sets the watches that the path asks for now.
    fn arm(&mut self, cx: &Context) {
        self.astray = false;
        let mut failed = Vec::new();
        for _ in 0..ATTEMPTS {
            let trail = self.target.trail();
            self.look_again(cx, &trail);
            if trail.watch == self.watched && !self.rearm && self.watching.is_some() {
                return;
            }
            self.rearm = false;
            self.listen(&trail);
            let paths: Vec<_> = trail.watch.iter().map(|(path, _)| path.clone()).collect();
            let (watching, failures) = cx.services().watch(&paths, &self.inbox);
            // The old watches go after the new ones came, so that what is in both stays.
            let first = self.watching.replace(watching).is_none();
            let new_dir = trail.watch.iter().any(|place| {
                let is_file = matches!(&trail.end, End::File(path, _) if *path == place.0);
                !is_file && !self.watched.contains(place)
            });
            if new_dir && !first {
                self.settle.blind(cx.now());
            }
            self.watched = trail.watch;
            self.unwatched = !failures.is_empty();
            cx.activity().polling.store(self.unwatched, Ordering::Relaxed);
            // What went away since the path was walked is no trouble of the watcher's, and it may be back by
            // now: what fails is walked anew once before it is told.
            let again = |failure: &WatchFailure| {
                !failed.contains(&failure.path) || std::fs::symlink_metadata(&failure.path).is_err()
            };
            self.rearm = failures.iter().any(again);
            if self.unwatched && !self.rearm {
                let said = failures.iter().map(|failure| self.deaf(cx, &failure.path, &failure.reason));
                cx.warn_of(Matter::Watching, said.collect());
                return;
            }
            if !self.unwatched {
                cx.warn_of(Matter::Watching, Vec::new());
            }
            failed = failures.into_iter().map(|failure| failure.path).collect();
        }
        // It moves faster than it can be walked: the content poll comes back to it.
        self.astray = true;
    }

    /// Reads again if the file is not the one that was read before its watch was set.
    fn look_again(&mut self, cx: &Context, trail: &Trail) {
        if self.settle.is_idle()
            && let (End::File(path, now), Some(then)) = (&trail.end, self.good.as_ref().and_then(|g| g.stamp))
            && *now != then
        {
            self.settle.sign(cx.now(), Sign::Touched, path);
        }
    }

    /// Lets only hints through that speak of the path, or of a child that matters.
    fn listen(&mut self, trail: &Trail) {
        self.names.clone_from(&trail.names);
        let (names, target) = (trail.names.clone(), self.target.clone());
        let dir = match &trail.end {
            End::Dir(dir) => Some(dir.clone()),
            _ => None,
        };
        self.inbox.only(Arc::new(move |path| {
            names.contains(path)
                || (dir.is_some()
                    && path.parent() == dir.as_deref()
                    && path.file_name().is_some_and(|name| target.is_child(name)))
        }));
    }

    /// What there is to say of a watch that could not be set.
    fn deaf(&self, cx: &Context, path: &Path, reason: &str) -> String {
        let every = self.poll.unwrap_or(cx.poll);
        let then = if every.is_zero() {
            "changes are not found, since the content poll is off".to_owned()
        } else {
            format!("changes are found by reading it every {every:?}")
        };
        format!("cannot watch {}: {reason}; {then}", path.display())
    }
}

/// The source that a followed target is: its name in errors, and whose turn it is.
macro_rules! followed_source {
    ($source:ident) => {
        impl std::fmt::Debug for $source {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($source)).field(&self.followed.target().name()).finish()
            }
        }

        impl crate::source::Source for $source {
            fn describe(&self) -> std::borrow::Cow<'_, str> {
                self.followed.target().name().into()
            }

            fn next<'a>(
                &'a mut self,
                cx: &'a crate::source::Context,
            ) -> crate::source::BoxFuture<'a, Result<crate::source::Update, crate::source::SourceError>> {
                Box::pin(async { self.followed.next(cx).await.map(crate::source::Update::documents) })
            }

            fn refresh(&mut self) {
                self.followed.refresh();
            }
        }
    };
}
pub(super) use followed_source;

/// What a new name is: a link and a hard link are whole, a directory is looked into.
fn created(path: &Path) -> Sign {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => Sign::Whole,
        Ok(meta) if meta.is_file() && !is_linked(&meta) => Sign::Created,
        Ok(_) => Sign::Closed,
        Err(_) => Sign::Gone,
    }
}

#[cfg(unix)]
fn is_linked(meta: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(meta) > 1
}

#[cfg(not(unix))]
fn is_linked(_: &std::fs::Metadata) -> bool {
    false
}
