//! The latest value of a selection, for tasks, streams and threads.
//!
//! Comparing, cloning and the user's closure run on the side of the reader, never on the thread that
//! tells: a telling only fills a mailbox and wakes.

use super::blocking::refuse_in_async;
use super::fold::Step;
use super::registry::{Kind, Listener, Place, Registry};
use super::signal::{Found, Signal};
use crate::error::Error;
use crate::publish::{Core, Snapshot};
use crate::schema::Select;
use futures_core::Stream;
use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The latest value of a field, a section, a map entry or a closure over the configuration.
///
/// The baseline is the value in force when the watch was made: [`current`](Self::current) gives it, and
/// [`next`](Self::next) waits for a value that differs. Values that come faster than they are taken are
/// folded into the latest; the final one is always delivered, two equal ones never follow each other, and
/// time never runs backwards. When the configuration stops, what is still to be told is delivered, then the
/// watch ends; the last value stays readable. A watch keeps no engine alive.
///
/// It is a [`Stream`], too. A clone has seen what the original has, and goes its own way from there.
///
/// ```
/// use hotconf::{Format, Hot, HotConf, Inline};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     workers: u32,
/// }
///
/// let (source, file) = Inline::channel("app", Format::Toml, "workers = 2");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let mut workers = config.watch(App::FIELDS.workers);
/// assert_eq!(workers.current(), 2);
/// file.set("workers = 8");
/// assert_eq!(workers.blocking_next()?, Some(8));
/// drop(config);
/// assert_eq!(workers.blocking_next()?, None);
/// assert_eq!(workers.current(), 8);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[must_use = "a watch does nothing unless it is asked"]
pub struct Watch<Out> {
    feed: Arc<dyn Feed<Out>>,
    cursor: u64,
    last: Out,
}

/// The reader's side of a registration, whatever the root.
trait Feed<Out>: Send + Sync {
    /// The next value that differs from `last`; `None` at the end.
    fn poll(&self, cursor: u64, last: &Out, cx: &mut Context<'_>) -> Poll<Option<Out>>;
    fn wait(&self, cursor: u64, last: &Out, deadline: Option<Instant>) -> Option<Out>;
    fn latest(&self, cursor: u64) -> Option<Out>;
    fn is_over(&self, cursor: u64) -> bool;
    fn fork(&self, cursor: u64) -> u64;
    fn leave(&self, cursor: u64);
}

impl<Out: Clone> Watch<Out> {
    /// The latest value. Does not count as taking it: [`next`](Self::next) still gives it.
    pub fn current(&self) -> Out {
        self.feed.latest(self.cursor).unwrap_or_else(|| self.last.clone())
    }

    /// Waits for the next value that differs from the one before; `None` once the configuration stopped.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses nothing: what was not returned is still to come.
    pub async fn next(&mut self) -> Option<Out> {
        poll_fn(|cx| self.poll_value(cx)).await
    }

    /// Blocks until the next value that differs from the one before; `None` once the configuration stopped.
    ///
    /// # Errors
    ///
    /// Inside an async task, which it would stop.
    pub fn blocking_next(&mut self) -> Result<Option<Out>, Error> {
        refuse_in_async()?;
        Ok(self.wait(None))
    }

    /// As [`blocking_next`](Self::blocking_next), for at most `timeout`: `None` where the time is up, too;
    /// [`is_ended`](Self::is_ended) tells the two apart.
    ///
    /// # Errors
    ///
    /// Inside an async task, which it would stop.
    pub fn blocking_next_timeout(&mut self, timeout: Duration) -> Result<Option<Out>, Error> {
        refuse_in_async()?;
        // A time-out beyond what the clock can express is none.
        Ok(self.wait(Instant::now().checked_add(timeout)))
    }

    /// Tells whether the configuration stopped and every value was taken.
    pub fn is_ended(&self) -> bool {
        self.feed.is_over(self.cursor)
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Option<Out> {
        let value = self.feed.wait(self.cursor, &self.last, deadline)?;
        self.last = value.clone();
        Some(value)
    }

    fn poll_value(&mut self, cx: &mut Context<'_>) -> Poll<Option<Out>> {
        let polled = self.feed.poll(self.cursor, &self.last, cx);
        if let Poll::Ready(Some(value)) = &polled {
            self.last = value.clone();
        }
        polled
    }
}

impl<Out: Clone + Unpin> Stream for Watch<Out> {
    type Item = Out;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Out>> {
        self.get_mut().poll_value(cx)
    }
}

impl<Out: Clone> Clone for Watch<Out> {
    fn clone(&self) -> Self {
        let last = self.last.clone();
        Self { feed: Arc::clone(&self.feed), cursor: self.feed.fork(self.cursor), last }
    }
}

impl<Out> Drop for Watch<Out> {
    fn drop(&mut self) {
        self.feed.leave(self.cursor);
    }
}

impl<Out: fmt::Debug> fmt::Debug for Watch<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("last", &self.last).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Registry<T> {
    /// Watches what `select` names.
    pub(crate) fn watch<Out, S>(self: &Arc<Self>, core: &Core<T>, select: S) -> Watch<Out>
    where
        S: Select<T, Out>,
        Out: 'static,
    {
        let numbers = Some(select.__numbers());
        self.watch_through(core, numbers, Token(select))
    }

    /// Watches what `f` makes of the configuration; it is asked on the reader's side after each version.
    pub(crate) fn watch_with<Out, F>(self: &Arc<Self>, core: &Core<T>, f: F) -> Watch<Out>
    where
        F: Fn(&T) -> Out + Send + Sync + 'static,
        Out: PartialEq + 'static,
    {
        self.watch_through(core, None, Closure(f))
    }

    fn watch_through<Out: 'static, L: Look<T, Out> + 'static>(
        self: &Arc<Self>,
        core: &Core<T>,
        numbers: Option<std::ops::Range<u32>>,
        look: L,
    ) -> Watch<Out> {
        let place = Place::new(Kind::Watch, numbers);
        let signal = Arc::new(Signal::new());
        self.insert(&place, signal.clone());
        let source = Source { look, signal, place, registry: Arc::downgrade(self) };
        let baseline = core.cell.snapshot();
        let last = source.look.get(&baseline);
        let version = baseline.version();
        source.signal.open(baseline, version);
        Watch { feed: Arc::new(source), cursor: 0, last }
    }
}

/// The registry holds the mailboxes alone, so that it never is the last to hold the user's closure.
impl<T: Send + Sync + 'static> Listener<T> for Signal<Snapshot<T>> {
    fn tell(self: Arc<Self>, before: &Snapshot<T>, after: &Snapshot<T>) {
        Signal::tell(&self, before, after, after.version());
    }

    fn end(&self) -> Option<Box<dyn Any + Send>> {
        Signal::end(self);
        None
    }
}

/// How a value is made from a version, and when it counts as new.
trait Look<T, Out>: Send + Sync {
    fn get(&self, root: &T) -> Out;
    /// The value of the step's end, where it differs.
    fn moved(&self, last: &Out, step: &Step<Snapshot<T>>) -> Option<Out>;
}

struct Token<S>(S);

impl<T, Out, S: Select<T, Out>> Look<T, Out> for Token<S> {
    fn get(&self, root: &T) -> Out {
        self.0.__get(root)
    }

    /// Sections need not be `PartialEq`: the token compares within the two versions.
    fn moved(&self, _last: &Out, step: &Step<Snapshot<T>>) -> Option<Out> {
        (!self.0.__same(&step.old, &step.new)).then(|| self.0.__get(&step.new))
    }
}

struct Closure<F>(F);

impl<T, Out: PartialEq, F: Fn(&T) -> Out + Send + Sync> Look<T, Out> for Closure<F> {
    fn get(&self, root: &T) -> Out {
        (self.0)(root)
    }

    fn moved(&self, last: &Out, step: &Step<Snapshot<T>>) -> Option<Out> {
        let value = (self.0)(&step.new);
        (value != *last).then_some(value)
    }
}

struct Source<T: Send + Sync + 'static, L> {
    look: L,
    signal: Arc<Signal<Snapshot<T>>>,
    place: Place,
    registry: Weak<Registry<T>>,
}

impl<T: Send + Sync + 'static, L> Source<T, L> {
    /// Looks at a step without a lock; if the user's code panics, the step is back in its mailbox.
    fn look<Out>(&self, cursor: u64, last: &Out, step: Step<Snapshot<T>>) -> Option<Out>
    where
        L: Look<T, Out>,
    {
        let mut held = Held { signal: &self.signal, cursor, step: Some(step) };
        let value = self.look.moved(last, held.step.as_ref().expect("it was put there just now"));
        // Looked at: no need to give it back.
        held.step = None;
        value
    }
}

struct Held<'a, T: Send + Sync + 'static> {
    signal: &'a Signal<Snapshot<T>>,
    cursor: u64,
    step: Option<Step<Snapshot<T>>>,
}

impl<T: Send + Sync + 'static> Drop for Held<'_, T> {
    fn drop(&mut self) {
        if let Some(step) = self.step.take() {
            self.signal.give_back(self.cursor, step);
        }
    }
}

impl<T: Send + Sync + 'static, Out, L: Look<T, Out>> Feed<Out> for Source<T, L> {
    fn poll(&self, cursor: u64, last: &Out, cx: &mut Context<'_>) -> Poll<Option<Out>> {
        loop {
            match self.signal.poll(cursor, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(step)) => {
                    if let Some(value) = self.look(cursor, last, step) {
                        return Poll::Ready(Some(value));
                    }
                }
            }
        }
    }

    fn wait(&self, cursor: u64, last: &Out, deadline: Option<Instant>) -> Option<Out> {
        loop {
            match self.signal.wait(cursor, deadline) {
                Found::Nothing | Found::End => return None,
                Found::Step(step) => {
                    if let Some(value) = self.look(cursor, last, step) {
                        return Some(value);
                    }
                }
            }
        }
    }

    fn latest(&self, cursor: u64) -> Option<Out> {
        self.signal.latest(cursor).map(|version| self.look.get(&version))
    }

    fn is_over(&self, cursor: u64) -> bool {
        self.signal.is_over(cursor)
    }

    fn fork(&self, cursor: u64) -> u64 {
        self.signal.fork(cursor)
    }

    fn leave(&self, cursor: u64) {
        self.signal.leave(cursor);
    }
}

impl<T: Send + Sync + 'static, L> Drop for Source<T, L> {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.remove(&self.place);
        }
    }
}
