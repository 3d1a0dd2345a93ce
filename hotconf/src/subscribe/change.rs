//! What a callback is given.

use crate::origin::Origin;
use crate::publish::Snapshot;
use crate::schema::Select;
use std::fmt;
use std::sync::Arc;

/// One change of what a subscriber selected: what it was told last, and what holds now.
///
/// A subscriber that keeps up gets one change per version that moved its field. One that does not gets
/// them folded into one: [`old`](Self::old) is what it was told last, [`new`](Self::new) is the latest; the two
/// are never equal, and never go backwards.
///
/// ```
/// use hotconf::{Format, Hot, HotConf, Inline};
/// use std::sync::mpsc;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     retries: u32,
/// }
///
/// let (source, file) = Inline::channel("app", Format::Toml, "retries = 3");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let (tx, rx) = mpsc::channel();
/// let _keep = config.on_change(App::FIELDS.retries, move |change| {
///     tx.send((*change.old(), *change.new(), change.origin().to_string())).unwrap();
/// });
/// file.set("retries = 5");
/// assert_eq!(rx.recv().unwrap(), (3, 5, "app:1:11".to_owned()));
/// # Ok::<(), hotconf::Error>(())
/// ```
pub struct Change<Root, Out> {
    old: Out,
    new: Out,
    before: Snapshot<Root>,
    after: Snapshot<Root>,
    trace: Trace<Root>,
}

/// Finds where the selected value was set; made once a subscription, run only when asked.
pub(super) type Trace<Root> = Arc<dyn Fn(&Snapshot<Root>) -> Origin + Send + Sync>;

/// The trace of a token.
pub(super) fn trace<Root, Out, S: Select<Root, Out>>(select: &S) -> Trace<Root> {
    let select = select.clone();
    Arc::new(move |version| version.origin::<Out>(select.clone()))
}

impl<Root, Out> Change<Root, Out> {
    pub(super) fn between<S: Select<Root, Out>>(
        select: &S,
        trace: &Trace<Root>,
        before: Snapshot<Root>,
        after: Snapshot<Root>,
    ) -> Self {
        let (old, new) = (select.__get(&before), select.__get(&after));
        Self { old, new, before, after, trace: Arc::clone(trace) }
    }

    /// What this subscriber was told last; in its first change, what held when it subscribed.
    pub fn old(&self) -> &Out {
        &self.old
    }

    /// What holds now. Never equal to [`old`](Self::old).
    #[allow(clippy::new_ret_no_self)] // the twin of `old`
    pub fn new(&self) -> &Out {
        &self.new
    }

    /// Takes the new value out.
    pub fn into_new(self) -> Out {
        self.new
    }

    /// Where the new value was set.
    pub fn origin(&self) -> Origin {
        (self.trace)(&self.after)
    }

    /// The version of the new value.
    pub fn version(&self) -> u64 {
        self.after.version()
    }

    /// The configuration that holds the old value, every field of one version.
    ///
    /// Where changes were folded, or other fields moved meanwhile, this is the last version in which the
    /// selected field had its old value; it may be newer than the one that was told.
    pub fn before(&self) -> &Snapshot<Root> {
        &self.before
    }

    /// The configuration that holds the new value, every field of one version.
    pub fn after(&self) -> &Snapshot<Root> {
        &self.after
    }
}

impl<Root, Out: Clone> Clone for Change<Root, Out> {
    fn clone(&self) -> Self {
        Self {
            old: self.old.clone(),
            new: self.new.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            trace: Arc::clone(&self.trace),
        }
    }
}

impl<Root, Out: fmt::Debug> fmt::Debug for Change<Root, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("old", &self.old)
            .field("new", &self.new)
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
