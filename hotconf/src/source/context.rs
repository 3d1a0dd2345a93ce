//! What a source sees of the world: time, cancellation, limits, and a place to say warnings.

use super::activity::Activity;
use super::services::Services;
use super::{BoxFuture, Matter, SourceError, SourceErrorKind, Update};
use crate::format::{Format, Limits};
use crate::value::Document;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A document over this size is read and parsed on a worker, not on the engine's thread.
pub(crate) const LONG: usize = 64 * 1024;

/// Time, cancellation and the engine's services, as a source sees them.
///
/// A source written outside this crate uses [`sleep`](Context::sleep), [`cancelled`](Context::cancelled)
/// and [`warn`](Context::warn).
///
/// ```
/// use hotconf::{BoxFuture, Context, Format, Hot, HotConf, Source, SourceError, Update};
/// use std::borrow::Cow;
///
/// /// Asks every ten seconds.
/// struct Polled {
///     asked: bool,
/// }
///
/// impl Source for Polled {
///     fn describe(&self) -> Cow<'_, str> {
///         "polled".into()
///     }
///     fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
///         Box::pin(async move {
///             if std::mem::replace(&mut self.asked, true) {
///                 cx.sleep(std::time::Duration::from_secs(10)).await;
///             } else {
///                 cx.warn("the answer is made up");
///             }
///             Update::parse(Format::Toml, "polled", b"retries = 7")
///         })
///     }
/// }
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder().source(Polled { asked: false }).blocking_start()?;
/// assert_eq!(config.load().retries, 7);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone)]
pub struct Context {
    services: Arc<dyn Services>,
    token: CancellationToken,
    group: Arc<Group>,
    warnings: Arc<dyn Fn(String) + Send + Sync>,
    activity: Arc<Activity>,
    /// What the documents are for: the environment's names are made from it.
    pub(crate) schema: &'static crate::schema::meta::Schema,
    /// Keys that stand above the schema in what the source brings, where only a part is taken.
    above: Vec<String>,
    /// The source may be absent.
    optional: bool,
    /// What [`parse`](Self::parse) made last, as long as somebody has it.
    last: Arc<Mutex<Option<Last>>>,
    /// Interval of the content poll; zero turns it off.
    pub(crate) poll: Duration,
    /// How large a document may be.
    pub(crate) limits: Limits,
}

/// A document that a source parsed.
#[derive(Clone)]
struct Last {
    format: Format,
    doc: Weak<Document>,
}

/// What the sources of one configuration know of each other: who is about to bring something.
pub(crate) struct Group {
    stirring: std::sync::atomic::AtomicUsize,
    /// How many watched files the configuration has: one alone is read at once.
    followed: std::sync::atomic::AtomicUsize,
    changed: tokio::sync::Notify,
    /// How much work is under way that a shutdown waits for.
    unfinished: tokio::sync::watch::Sender<usize>,
}

impl Group {
    pub(crate) fn new() -> Arc<Self> {
        let (changed, unfinished) = (tokio::sync::Notify::new(), tokio::sync::watch::Sender::new(0));
        Arc::new(Self { stirring: 0.into(), followed: 0.into(), changed, unfinished })
    }

    /// How many sources are about to bring something.
    pub(crate) fn stirring(&self) -> usize {
        self.stirring.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Ends when a source stops stirring.
    pub(crate) async fn calmer(&self) {
        self.changed.notified().await;
    }

    /// Ends when nothing is under way that a shutdown waits for.
    pub(crate) async fn finished(&self) {
        // It lives as long as the group: no error can come.
        let _ = self.unfinished.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Work that a shutdown waits for, for as long as it lives.
#[cfg(feature = "remote")]
struct Unfinished(Arc<Group>);

#[cfg(feature = "remote")]
impl Unfinished {
    fn of(group: &Arc<Group>) -> Self {
        group.unfinished.send_modify(|count| *count += 1);
        Self(group.clone())
    }
}

#[cfg(feature = "remote")]
impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.unfinished.send_modify(|count| *count -= 1);
    }
}

/// While it lives, the engine holds back what other sources bring, up to its ceiling.
///
/// ```
/// use hotconf::{Context, Format, SourceError, Update};
///
/// /// What a source does once it knows that something has changed.
/// async fn fetch(cx: &Context) -> Result<Update, SourceError> {
///     let _stirring = cx.stirring();
///     let text = b"retries = 7"; // takes a while
///     Update::parse(Format::Toml, "store", text)
/// }
/// # let _ = fetch;
/// ```
#[must_use = "the engine waits for this source only while the guard lives"]
pub struct Stirring(Arc<Group>);

impl Drop for Stirring {
    fn drop(&mut self) {
        self.0.stirring.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

impl Context {
    pub(crate) fn new(
        services: Arc<dyn Services>,
        token: CancellationToken,
        group: Arc<Group>,
        warnings: Arc<dyn Fn(String) + Send + Sync>,
        schema: &'static crate::schema::meta::Schema,
        poll: Duration,
        limits: Limits,
    ) -> Self {
        Self {
            services,
            token,
            group,
            warnings,
            activity: Arc::default(),
            schema,
            above: Vec::new(),
            optional: false,
            last: Arc::default(),
            poll,
            limits,
        }
    }

    /// The same, with an account that the engine reads too.
    pub(crate) fn counting(self, activity: Arc<Activity>) -> Self {
        Self { activity, ..self }
    }

    /// The same for a source of which another part is wanted.
    pub(crate) fn placed(&self, schema: &'static crate::schema::meta::Schema, above: Vec<String>) -> Self {
        Self { schema, above, ..self.clone() }
    }

    /// The same for a source that may be absent.
    pub(crate) fn optional(&self) -> Self {
        self.activity.optional.store(true, Ordering::Relaxed);
        Self { optional: true, ..self.clone() }
    }

    /// A context for what several sources share: it is cancelled with none of them, keeps an account of its
    /// own, and says its warnings elsewhere.
    #[cfg(feature = "remote")]
    pub(crate) fn apart(&self, warnings: impl Fn(String) + Send + Sync + 'static) -> Self {
        let (token, activity) = (CancellationToken::new(), Arc::default());
        let warnings = Arc::new(warnings);
        Self { token, activity, warnings, above: Vec::new(), optional: false, ..self.clone() }
    }

    /// A number from all of `u64`, evenly drawn, for jitter; not for secrets.
    pub fn random(&self) -> u64 {
        self.services.random()
    }

    /// Whether the source may be absent: then nothing that is not there is warned of.
    pub(crate) fn is_optional(&self) -> bool {
        self.optional
    }

    /// Keys that stand above the schema in what the source brings: from `.at()`.
    pub(crate) fn above(&self) -> &[String] {
        &self.above
    }

    /// [`Update::parse`] within the limits that the builder was given. Of a text that differs from the
    /// one before in a single value, that value alone is parsed.
    ///
    /// # Errors
    ///
    /// Every syntax error of the text, with line and column.
    pub fn parse(&self, format: Format, name: &str, text: &[u8]) -> Result<Update, SourceError> {
        let last = crate::sync::lock(&self.last).clone().filter(|last| last.format == format);
        let before = last.and_then(|last| last.doc.upgrade());
        let read = crate::format::parse_again(format, name, text, &self.limits, before.as_deref());
        self.activity.parsed(1, u64::from(read.as_ref().is_ok_and(|read| read.spliced)));
        let read = read.map_err(|problems| SourceError::problems(SourceErrorKind::Invalid, problems))?;
        let doc = Arc::new(read.doc);
        *crate::sync::lock(&self.last) = Some(Last { format, doc: Arc::downgrade(&doc) });
        Ok(Update::documents(vec![doc]))
    }

    /// [`parse`](Self::parse) of a text that may be long: then on a worker, not on the engine's thread.
    pub(crate) async fn parse_apart(
        &self,
        format: Format,
        name: &str,
        text: Arc<str>,
    ) -> Result<Update, SourceError> {
        if text.len() <= LONG {
            return self.parse(format, name, text.as_bytes());
        }
        let parsed = Arc::new(Mutex::new(None));
        let (place, name, cx) = (parsed.clone(), name.to_owned(), self.clone());
        let work = move || {
            let update = cx.parse(format, &name, text.as_bytes());
            *crate::sync::lock(&place) = Some(update);
        };
        self.services.offload(Box::new(work)).await;
        let update = crate::sync::lock(&parsed).take();
        update.unwrap_or_else(|| Err(SourceError::down("reading it was given up")))
    }

    /// The clock: monotonic.
    pub fn now(&self) -> Instant {
        self.services.now()
    }

    /// Ends after `duration`.
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.services.sleep_until(crate::sync::later(self.now(), duration))
    }

    /// Ends at `at`.
    pub fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        self.services.sleep_until(at)
    }

    /// The token that stops this source; its children are the source's to hand on.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.token
    }

    /// Says something that the user should know and that stops nothing. The same text is told once.
    /// The newest stay in [`Status::warnings`](crate::Status::warnings).
    pub fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        self.activity.remarks.add(message.clone());
        (self.warnings)(message);
    }

    /// [`warn`](Self::warn) of a matter that may heal: says all there is to say of it now.
    pub(crate) fn warn_of(&self, matter: Matter, messages: Vec<String>) {
        self.activity.remarks.set(matter, messages.clone());
        for message in messages {
            (self.warnings)(message);
        }
    }

    /// Says that this source is about to bring a change, so that it comes in one version with what
    /// other sources bring meanwhile. The engine waits 300 ms at most.
    pub fn stirring(&self) -> Stirring {
        self.group.stirring.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        Stirring(self.group.clone())
    }

    /// Counts `more` followed files of this configuration.
    pub(crate) fn follow(&self, more: usize) {
        self.group.followed.fetch_add(more, std::sync::atomic::Ordering::AcqRel);
    }

    /// Whether this configuration follows one file and no other.
    pub(crate) fn is_alone(&self) -> bool {
        self.group.followed.load(std::sync::atomic::Ordering::Acquire) <= 1
    }

    pub(crate) fn services(&self) -> &Arc<dyn Services> {
        &self.services
    }

    /// Has a worker do this, though nobody waits for it; a shutdown does, for as long as its grace lasts.
    #[cfg(feature = "remote")]
    pub(crate) fn see_through(&self, work: impl FnOnce() + Send + 'static) {
        let unfinished = Unfinished::of(&self.group);
        drop(self.services.offload(Box::new(move || {
            // Dropped where the work panics, and where it is never done, as well.
            let _unfinished = unfinished;
            work();
        })));
    }

    /// What the sources of this configuration know of each other.
    #[cfg(test)]
    pub(crate) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// What this source has done so far.
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}
