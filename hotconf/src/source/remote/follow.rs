//! The source that a configuration sees: a store, how it is treated, and what its keys are.

use super::assemble::Content;
use super::backoff::Backoff;
use super::cache::{Cache, Keeper};
use super::feed::Feed;
use super::follower::Follower;
use super::store::Store;
use super::tuning::Tuning;
use crate::format::Format;
use crate::source::{BoxFuture, Context, Cursor, Source, SourceError, Update, Verdict};
use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

/// A remote store as a source.
///
/// It is connected to, listed and followed, and after every failure it is listed anew. What it brought
/// last stays in force meanwhile, and [`status`](crate::Hot::status) says since when it may be stale.
///
/// A start treats it in one of three ways:
///
/// * A required store must answer within the [`startup_deadline`](crate::Builder::startup_deadline), or the start
///   fails and says why the last attempt did. One that refuses our credentials fails it at once.
/// * One that is [`optional`](crate::SourceExt::optional) holds the start up for 2 s at most, whatever is wrong with the
///   way to it, and applies when it comes. What it holds has to be valid.
/// * One that is [`cached`](Self::cached) is waited for as long, and then what was applied last is in force; so
///   it is at once where the store holds nothing, or what cannot be parsed.
///
/// See [`Store`] for an example.
#[must_use = "a source does nothing until it is given to a builder"]
pub struct Remote<S: Store> {
    store: Arc<S>,
    content: Content,
    tuning: Tuning,
    cache: Option<Cache>,
    follower: Option<Follower<S>>,
}

impl<S: Store> Remote<S> {
    /// A store of which one key is one whole document; the extension of its name tells the format.
    pub fn of(store: S) -> Self {
        let content = Content::Document(None);
        Self { store: Arc::new(store), content, tuning: Tuning::default(), cache: None, follower: None }
    }

    /// One key is one whole document of this format.
    pub fn document(self, format: Format) -> Self {
        Self { content: Content::Document(Some(format)), ..self }
    }

    /// One key is an object of JSON whose members are fields, as a store has them that knows strings alone.
    #[allow(dead_code)] // stores that are compiled in
    pub(super) fn fields(self) -> Self {
        Self { content: Content::Fields, ..self }
    }

    /// Keys below `prefix` are paths: with the prefix `/shop/`, `/shop/http/timeout` is `http.timeout`. A value
    /// is text that the field's type reads, as from an environment variable.
    pub fn keys(self, prefix: &str) -> Self {
        self.keys_by(prefix, '/')
    }

    /// The same where something else than a slash separates the names of a path: with the prefix `shop.` and a
    /// dot, `shop.http.timeout` is `http.timeout`.
    pub fn keys_by(self, prefix: &str, separator: char) -> Self {
        Self { content: Content::Keys { prefix: prefix.into(), separator, sections: None }, ..self }
    }

    /// Where keys are paths: what separates their names from now on.
    #[allow(dead_code)] // by stores whose users say it
    pub(super) fn separated(mut self, by: char) -> Self {
        if let Content::Keys { separator, .. } = &mut self.content {
            *separator = by;
        }
        self
    }

    /// Where keys are paths: a key that names a section holds a document of it in this format. Keys below
    /// that section override it.
    pub fn sections_as(mut self, format: Format) -> Self {
        if let Content::Keys { sections, .. } = &mut self.content {
            *sections = Some(format);
        }
        self
    }

    /// How long connecting, logging in and listing may take, each. Default 10 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.tuning.deadline = deadline;
        self
    }

    /// The pace of attempts after a failure.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.tuning.backoff = backoff;
        self
    }

    /// How often everything is listed anew though nothing went wrong, give or take a fifth. Default 5 min;
    /// zero turns it off.
    pub fn resync(mut self, every: Duration) -> Self {
        self.tuning.resync = every;
        self
    }

    /// How long the store may be out of touch before an event says that what it brought may be out of date:
    /// once for each time, a second [`SourceDown`](crate::SourceDown) beside the one of the outage itself.
    /// Default: none is told.
    ///
    /// Counted from the last sign of life, so nothing shorter than a heartbeat makes sense (30 s); or, where the
    /// store was away at the start, from when its cache was taken.
    pub fn stale_after(mut self, limit: Duration) -> Self {
        self.tuning.stale_after = Some(limit);
        self
    }

    /// Keeps what was applied last on disk, and starts from that while the store is away.
    ///
    /// A start waits for the store for 2 s at most, and then takes the cache; what the store says later applies
    /// as any change does. Where nothing was kept yet, the store is required, or optional, as without a cache.
    pub fn cached(self, cache: Cache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// The store, while nobody follows it yet.
    #[allow(dead_code)] // each store has settings
    pub(super) fn change(mut self, change: impl FnOnce(&mut S)) -> Self {
        change(Arc::get_mut(&mut self.store).expect("a store is shared only once it is followed"));
        self
    }

    #[cfg(test)]
    #[allow(dead_code)] // stores that are compiled in
    pub(super) fn store(&self) -> &S {
        &self.store
    }

    fn follow(&mut self, cx: &Context) -> &mut Follower<S> {
        let (store, tuning, cache) = (&self.store, self.tuning, &self.cache);
        self.follower.get_or_insert_with(|| {
            let make = || Feed::new(store.clone(), cx, tuning);
            let identity = store.identity().and(format!("{tuning:?}")).and(format!("{:?}", cx.limits));
            let feed = match cx.services().commons() {
                Some(commons) => commons.share(&identity, make),
                None => Arc::new(make()),
            };
            let keeper = cache.as_ref().map(|cache| Keeper::new(cache, &store.describe(), S::SECRET, cx));
            Follower::new(feed, cx, keeper, tuning.stale_after)
        })
    }
}

impl<S: Store> std::fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("store", &self.store.describe()).finish_non_exhaustive()
    }
}

impl<S: Store> Source for Remote<S> {
    fn describe(&self) -> Cow<'_, str> {
        self.store.describe().into()
    }

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        let reactor = cx.services().reactor();
        let (store, content) = (self.store.clone(), self.content.clone());
        let follower = self.follow(cx);
        let mut next = Box::pin(async move { follower.next(cx, &store, &content).await });
        Box::pin(poll_fn(move |task| {
            let _inside = reactor.as_ref().map(tokio::runtime::Handle::enter);
            next.as_mut().poll(task)
        }))
    }

    fn refresh(&mut self) {
        if let Some(follower) = &mut self.follower {
            follower.refresh();
        }
    }

    fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
        if let Some(follower) = &mut self.follower {
            follower.settled(cursor, verdict);
        }
    }
}
