//! The source that a configuration sees: it follows a [`Feed`], and makes documents of what it says.

use super::assemble::{Content, Parsed, Place, assemble};
use super::backoff::Backoff;
use super::cache::{Cache, Keeper};
use super::feed::{Feed, Link, News};
use super::store::{Entry, Map, Store};
use super::tuning::Tuning;
use crate::error::Problem;
use crate::format::Format;
use crate::race::{Either, race};
use crate::source::context::{Linked, Standing};
use crate::source::{
    BoxFuture, Content as Brought, Context, Cursor, Source, SourceError, SourceErrorKind, Update, Verdict,
};
use crate::sync::{later, lock};
use crate::value::Layered;
use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Documents of more bytes than this are made on a worker.
const LONG: usize = 64 << 10;
/// A source that may be absent holds a start up for so long at most.
const GRACE: Duration = Duration::from_secs(2);

/// A remote store as a source.
///
/// It is connected to, listed and followed, and after every failure it is listed anew. What it brought
/// last stays in force meanwhile, and [`status`](crate::Hot::status) says since when it may be stale.
///
/// A required store must answer within the [`startup_deadline`](crate::Builder::startup_deadline); one that
/// is [`optional`](crate::SourceExt::optional) holds the start up for 2 s at most, and applies when it comes.
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

    /// Keys below `prefix` are paths: with the prefix `/shop/`, `/shop/http/timeout` is `http.timeout`. A value
    /// is text that the field's type reads, as from an environment variable.
    pub fn keys(self, prefix: &str) -> Self {
        Self { content: Content::Keys { prefix: prefix.into(), sections: None }, ..self }
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
    /// Counted from the last sign of life, so nothing shorter than a heartbeat makes sense (30 s).
    pub fn stale_after(mut self, limit: Duration) -> Self {
        self.tuning.stale_after = Some(limit);
        self
    }

    /// Keeps what was applied last on disk, and starts from that while the store is away.
    ///
    /// A start waits for the store for 2 s at most, and then takes the cache; what the store says later applies
    /// as any change does.
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
            let make = || Feed::new(store.clone(), cx.apart(), tuning);
            let identity = store.identity().and(format!("{tuning:?}")).and(format!("{:?}", cx.limits));
            let feed = match cx.services().commons() {
                Some(commons) => commons.share(&identity, make),
                None => Arc::new(make()),
            };
            let keeper = cache.as_ref().map(|cache| Keeper::new(cache, &store.describe(), cx));
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
            follower.asked = Some(follower.feed.list_anew());
        }
    }

    fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
        if let Some(follower) = &mut self.follower {
            follower.settled(cursor, verdict);
        }
    }
}

/// What one configuration knows of a feed.
struct Follower<S: Store> {
    feed: Arc<Feed<S>>,
    news: watch::Receiver<News>,
    /// For what is said outside of `next`.
    cx: Context,
    keeper: Option<Keeper>,
    /// When a start waits for it no longer.
    grace: Option<Instant>,
    answered: bool,
    /// A request for everything that is not yet answered.
    asked: Option<u64>,
    /// What was offered last, good or bad.
    offered: Option<Arc<Map>>,
    /// It is in force.
    accepted: bool,
    /// The outage that was told, until its end is.
    told: Option<Told>,
    stale_after: Option<Duration>,
    /// The sign of life after which it was told that nothing came for too long.
    stale: Option<Instant>,
    parsed: Parsed,
    making: Option<Making>,
}

/// Documents that are being made on a worker.
struct Making {
    map: Arc<Map>,
    made: Arc<Mutex<Option<Made>>>,
    done: BoxFuture<'static, ()>,
}

/// What a worker brings back.
type Made = (Result<Vec<Layered>, Vec<Problem>>, Parsed);

/// What was told of an outage: each kind of failure once, however the attempts alternate.
struct Told {
    outage: u64,
    kinds: Vec<SourceErrorKind>,
}

impl<S: Store> Follower<S> {
    fn new(feed: Arc<Feed<S>>, cx: &Context, keeper: Option<Keeper>, stale_after: Option<Duration>) -> Self {
        let hurried = cx.is_optional() || keeper.is_some();
        Self {
            news: feed.subscribe(),
            feed,
            cx: cx.clone(),
            keeper,
            grace: hurried.then(|| cx.now() + GRACE),
            answered: false,
            asked: None,
            offered: None,
            accepted: false,
            told: None,
            stale_after,
            stale: None,
            parsed: Parsed::default(),
            making: None,
        }
    }

    /// Waits for news that this configuration has not been told.
    async fn next(&mut self, cx: &Context, store: &Arc<S>, content: &Content) -> Result<Update, SourceError> {
        loop {
            let news = self.news.borrow_and_update().clone();
            self.show(&news, cx);
            if let Some(answer) = self.answer(&news, cx, store, content).await {
                self.answered = true;
                return answer;
            }
            // First the loop, if it is ours to drive: what it tells is then seen in the same poll.
            let alarm = self.alarm(news.link);
            let moved = race(self.feed.drive(), self.news.changed());
            let Some(at) = alarm else {
                moved.await;
                continue;
            };
            if let Either::Second(()) = race(moved, cx.sleep_until(at)).await
                && let Some(answer) = self.alarmed(cx)
            {
                self.answered = true;
                return answer;
            }
        }
    }

    /// When there is something to do though no news came: a start that waits no longer, or the limit of
    /// staleness.
    fn alarm(&self, link: Link) -> Option<Instant> {
        if !self.answered {
            return self.grace;
        }
        if link == Link::Live {
            // Its session knows for how long it may be silent, and nothing would tell the end of an alarm.
            return None;
        }
        let life = *lock(self.feed.life());
        life.filter(|life| self.stale != Some(*life))
            .zip(self.stale_after)
            .map(|(life, limit)| later(life, limit))
    }

    fn alarmed(&mut self, cx: &Context) -> Option<Result<Update, SourceError>> {
        if !self.answered {
            self.grace = None;
            return self.without(cx).map(Ok);
        }
        let (life, limit) = ((*lock(self.feed.life()))?, self.stale_after?);
        if cx.now() < later(life, limit) {
            // It has shown that it lives since the alarm was set.
            return None;
        }
        self.stale = Some(life);
        let news = self.news.borrow().clone();
        if let Some(error) = &news.error {
            self.tell(news.outage, error);
        }
        let why = news.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let message =
            format!("out of touch for more than {limit:?}, what it brought may be out of date{why}");
        Some(Err(SourceError::down(message)))
    }

    /// What there is to say of the news; `None`: nothing.
    async fn answer(
        &mut self,
        news: &News,
        cx: &Context,
        store: &Arc<S>,
        content: &Content,
    ) -> Option<Result<Update, SourceError>> {
        let live = news.link == Link::Live;
        let demanded = self.asked.is_some_and(|asked| news.answered >= asked);
        if demanded
            && !live
            && let Some(error) = &news.error
        {
            self.asked = None;
            return Some(Err(self.tell(news.outage, error)));
        }
        if let Some(map) = &news.map {
            // What a session said that came and went between two looks counts as well.
            let differs = self.offered.as_ref().is_none_or(|offered| offered != map);
            if differs || (live && (demanded || self.told.is_some())) {
                let offer = self.offer(map, news, cx, store, content).await;
                // Only now: had this future been dropped, somebody would still have to be answered.
                self.asked = self.asked.filter(|_| !demanded);
                self.told = None;
                return Some(offer);
            }
            self.offered = Some(map.clone());
        }
        match (news.link, &news.error) {
            (Link::Live, _) if self.accepted => {
                self.revision(&news.cursor);
                if let Some(keeper) = &mut self.keeper {
                    keeper.current(cx);
                }
                None
            }
            (Link::Failing, Some(error)) => {
                let (outage, kind) = (news.outage, error.kind());
                if self.told.as_ref().is_some_and(|told| told.outage == outage && told.kinds.contains(&kind))
                {
                    return None;
                }
                if !self.answered
                    && let Some(answer) = self.without(cx)
                {
                    return Some(Ok(answer));
                }
                if !self.answered && matches!(kind, SourceErrorKind::Down | SourceErrorKind::Gap) {
                    // A start goes on trying until its deadline.
                    return None;
                }
                Some(Err(self.tell(outage, error)))
            }
            _ => None,
        }
    }

    /// Notes that an outage of this kind is told.
    fn tell(&mut self, outage: u64, error: &SourceError) -> SourceError {
        let told = self.told.take().filter(|told| told.outage == outage);
        let mut told = told.unwrap_or(Told { outage, kinds: Vec::new() });
        told.kinds.push(error.kind());
        self.told = Some(told);
        error.clone()
    }

    /// What a start does without the store: it takes the cache, or leaves out what may be absent.
    fn without(&mut self, cx: &Context) -> Option<Update> {
        if let Some(kept) = self.keeper.as_ref().and_then(|keeper| keeper.take(cx)) {
            let (age, but) = (kept.age, if kept.sealed { "" } else { ", in which there are no secrets" });
            cx.warn(format!("cannot be reached: started from its cache, {age:?} old{but}"));
            self.revision(&kept.cursor);
            self.cx.activity().stand(|standing| {
                if let Some(standing) = standing {
                    standing.cached = true;
                }
            });
            return Some(Update {
                content: Brought::Documents(kept.documents),
                cursor: kept.cursor,
                optional: false,
            });
        }
        cx.is_optional().then(Update::absent)
    }

    /// Makes documents of all keys.
    async fn offer(
        &mut self,
        map: &Arc<Map>,
        news: &News,
        cx: &Context,
        store: &Arc<S>,
        content: &Content,
    ) -> Result<Update, SourceError> {
        let bytes: usize = map.values().map(|entry| entry.value().len()).sum();
        let made = if bytes > LONG {
            self.make_elsewhere(map, cx, store, content).await
        } else {
            make(map, content, &Wanted::of(cx), &**store, &mut self.parsed)
        };
        cx.activity().read(cx.now(), self.parsed.take_fresh());
        // From here on nothing waits: what is noted as offered is returned.
        self.offered = Some(map.clone());
        self.accepted = false;
        match made {
            Err(problems) => Err(SourceError::problems(SourceErrorKind::Invalid, problems)),
            Ok(docs) if docs.is_empty() => {
                let message = "nothing is there; what it brought last stays in force";
                Err(SourceError::down(message).absent())
            }
            Ok(docs) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.offered(&news.cursor, &docs);
                }
                let content = Brought::Documents(docs);
                Ok(Update { content, cursor: news.cursor.clone(), optional: false })
            }
        }
    }

    /// The same on a worker. What is under way lies in the follower, not in the future that waits for it: one that is
    /// dropped loses no work.
    async fn make_elsewhere(
        &mut self,
        map: &Arc<Map>,
        cx: &Context,
        store: &Arc<S>,
        content: &Content,
    ) -> Result<Vec<Layered>, Vec<Problem>> {
        let making = match self.making.take() {
            Some(making) if Arc::ptr_eq(&making.map, map) => making,
            _ => {
                let (map, store, content, wanted) =
                    (map.clone(), store.clone(), content.clone(), Wanted::of(cx));
                let (mut parsed, made) = (std::mem::take(&mut self.parsed), Arc::new(Mutex::new(None)));
                let (of, place) = (map.clone(), made.clone());
                let done = cx.services().offload(Box::new(move || {
                    let documents = make(&map, &content, &wanted, &*store, &mut parsed);
                    *lock(&place) = Some((documents, parsed));
                }));
                Making { map: of, made, done }
            }
        };
        (&mut self.making.insert(making).done).await;
        let made = self.making.take().and_then(|making| lock(&making.made).take());
        let (documents, parsed) = made.unwrap_or_else(|| {
            let message = "making documents of it was cut short";
            let problem = SourceError::invalid(message).into_problems();
            (Err(problem), Parsed::default())
        });
        self.parsed = parsed;
        documents
    }

    /// Shows in the status how the feed stands.
    fn show(&self, news: &News, cx: &Context) {
        let link = match news.link {
            Link::Live => Linked::Live,
            Link::Connecting => Linked::Connecting,
            Link::Failing => Linked::Failing,
        };
        self.cx.activity().stand(|standing| {
            let before = standing.take();
            let cached = link != Linked::Live && before.as_ref().is_some_and(|before| before.cached);
            // What is out of touch is so since it was lost, however the attempts stand.
            let live = |link| link == Linked::Live;
            let since =
                before.as_ref().filter(|before| live(before.link) == live(link)).map(|before| before.since);
            *standing = Some(Standing {
                link,
                since: since.unwrap_or_else(|| cx.now()),
                cached,
                life: self.feed.life().clone(),
                holds: self.offered.is_some(),
                revision: before.and_then(|before| before.revision),
                retries: news.retries,
                error: news.error.as_ref().map(ToString::to_string),
            });
        });
    }

    /// Notes what is in force.
    fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
        self.feed.settle(cursor, verdict);
        if matches!(verdict, Verdict::Applied { .. } | Verdict::Unchanged) {
            self.accepted = true;
            self.revision(cursor);
            if let Some(keeper) = &mut self.keeper {
                keeper.applied(cursor, &self.cx);
            }
        }
    }

    fn revision(&self, cursor: &Cursor) {
        let revision = match (&cursor.token, cursor.order) {
            (_, order) if order != 0 => Some(order.to_string()),
            (Some(token), _) => Some(token.to_string()),
            (None, _) => None,
        };
        self.cx.activity().stand(|standing| {
            if let Some(standing) = standing {
                standing.revision = revision;
            }
        });
    }
}

/// What documents are made for, owned.
struct Wanted {
    schema: &'static crate::schema::meta::Schema,
    above: Vec<String>,
    limits: crate::format::Limits,
}

impl Wanted {
    fn of(cx: &Context) -> Self {
        Self { schema: cx.schema, above: cx.above().to_vec(), limits: cx.limits }
    }
}

fn make<S: Store>(
    map: &Map,
    content: &Content,
    wanted: &Wanted,
    store: &S,
    parsed: &mut Parsed,
) -> Result<Vec<Layered>, Vec<Problem>> {
    let place = Place {
        source: &store.describe(),
        schema: wanted.schema,
        above: &wanted.above,
        limits: &wanted.limits,
        locate: &|key: &str, entry: &Entry| store.locate(key, entry),
    };
    assemble(map, content, &place, parsed)
}
