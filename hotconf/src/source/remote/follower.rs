//! What one configuration knows of a [`Feed`], and what it is told of its news.

use super::assemble::Content;
use super::cache::Keeper;
use super::feed::Feed;
use super::making::Maker;
use super::news::{Link, News};
use super::offers::{Offer, Offers};
use super::store::{Map, Store};
use super::verdicts::is_accepted;
use crate::race::{Either, race};
use crate::source::activity::{Linked, Standing};
use crate::source::{Content as Brought, Context, Cursor, SourceError, SourceErrorKind, Update, Verdict};
use crate::sync::{later, lock};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A source that may be absent holds a start up for so long at most.
const GRACE: Duration = Duration::from_secs(2);

/// What one configuration knows of a feed.
pub(super) struct Follower<S: Store> {
    feed: Arc<Feed<S>>,
    /// By which the feed knows it.
    number: u64,
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
    /// What may yet be said to be in force.
    offers: Offers,
    /// The outage that was told, until its end is.
    told: Option<Told>,
    stale_after: Option<Duration>,
    /// When it began, where what is in force came from its cache.
    kept: Option<Instant>,
    /// The sign of life after which it was told that nothing came for too long.
    stale: Option<Instant>,
    /// How many warnings of the store it has passed on.
    warned: u64,
    maker: Maker,
}

/// What was told of an outage: each kind of failure once, however the attempts alternate.
struct Told {
    outage: u64,
    kinds: Vec<SourceErrorKind>,
}

impl<S: Store> Follower<S> {
    pub(super) fn new(
        feed: Arc<Feed<S>>,
        cx: &Context,
        keeper: Option<Keeper>,
        stale_after: Option<Duration>,
    ) -> Self {
        let hurried = cx.is_optional() || keeper.is_some();
        Self {
            news: feed.subscribe(),
            number: feed.join(),
            feed,
            cx: cx.clone(),
            keeper,
            grace: hurried.then(|| cx.now() + GRACE),
            answered: false,
            asked: None,
            offered: None,
            accepted: false,
            offers: Offers::default(),
            told: None,
            stale_after,
            kept: None,
            stale: None,
            warned: 0,
            maker: Maker::default(),
        }
    }

    /// Makes the following `next` answer with everything.
    pub(super) fn refresh(&mut self) {
        self.asked = Some(self.feed.list_anew());
    }

    /// Waits for news that this configuration has not been told.
    pub(super) async fn next(
        &mut self,
        cx: &Context,
        store: &Arc<S>,
        content: &Content,
    ) -> Result<Update, SourceError> {
        loop {
            let news = self.news.borrow_and_update().clone();
            self.show(&news, cx);
            for text in news.warnings.since(&mut self.warned) {
                cx.warn(&**text);
            }
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
        self.touched()
            .filter(|life| self.stale != Some(*life))
            .zip(self.stale_after)
            .map(|(life, limit)| later(life, limit))
    }

    /// When the store last showed that it lives; where the cache is all that there was so far, when that was taken.
    fn touched(&self) -> Option<Instant> {
        lock(self.feed.life()).or(self.kept)
    }

    fn alarmed(&mut self, cx: &Context) -> Option<Result<Update, SourceError>> {
        if !self.answered {
            self.grace = None;
            return self.without(cx).map(Ok);
        }
        let (life, limit) = (self.touched()?, self.stale_after?);
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
                if !self.answered
                    && offer.is_err()
                    && let Some(kept) = self.kept(cx, "holds nothing that can be read")
                {
                    // What is wrong is told next.
                    self.offered = None;
                    return Some(Ok(kept));
                }
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
        self.kept(cx, "cannot be reached").or_else(|| cx.is_optional().then(Update::absent))
    }

    /// What a start takes from the cache, and the reason why it does.
    fn kept(&mut self, cx: &Context, why: &str) -> Option<Update> {
        let kept = self.keeper.as_ref().and_then(|keeper| keeper.take(cx))?;
        let (age, but) = (kept.age, if kept.sealed { "" } else { ", in which there are no secrets" });
        cx.warn(format!("{why}: started from its cache, {age:?} old{but}"));
        self.revision(&kept.cursor);
        self.kept = Some(cx.now());
        self.cx.activity().stand(|standing| {
            if let Some(standing) = standing {
                standing.cached = true;
            }
        });
        let offer = Offer { content: None, cursor: kept.cursor, documents: None };
        let content = Brought::Documents(kept.documents);
        Some(Update { content, cursor: self.offers.make(offer), optional: false, fixed: false })
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
        let made = self.maker.make(map, cx, store, content).await;
        cx.activity().read(cx.now());
        cx.activity().parsed(self.maker.take_fresh(), 0);
        // From here on nothing waits: what is noted as offered is returned.
        self.offered = Some(map.clone());
        self.accepted = false;
        let content = match made {
            Err(problems) => {
                self.offers.void();
                self.feed.settle(self.number, news.content, &Verdict::Refused);
                return Err(SourceError::problems(SourceErrorKind::Invalid, problems));
            }
            Ok(docs) if docs.is_empty() && !cx.is_optional() => {
                self.offers.void();
                self.feed.settle(self.number, news.content, &Verdict::Refused);
                let message = "nothing is there; what it brought last stays in force";
                return Err(SourceError::down(message).absent());
            }
            Ok(docs) if docs.is_empty() => Brought::Absent,
            Ok(docs) => Brought::Documents(docs),
        };
        let documents = self.keeper.is_some().then(|| match &content {
            Brought::Documents(docs) => docs.clone(),
            Brought::Absent => Vec::new(),
        });
        let offer = Offer { content: Some(news.content), cursor: news.cursor.clone(), documents };
        Ok(Update { content, cursor: self.offers.make(offer), optional: false, fixed: false })
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
                polled: news.polled && link == Linked::Live,
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
    pub(super) fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
        let Some((offer, newest)) = self.offers.settled(cursor, verdict) else { return };
        if let Some(content) = offer.content {
            self.feed.settle(self.number, content, verdict);
        }
        if !is_accepted(verdict) {
            return;
        }
        self.accepted = newest && offer.content.is_some();
        self.revision(&offer.cursor);
        if let (Some(keeper), Some(documents)) = (&mut self.keeper, offer.documents) {
            keeper.applied(offer.cursor, documents, &self.cx);
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

impl<S: Store> Drop for Follower<S> {
    fn drop(&mut self) {
        self.feed.leave(self.number);
    }
}
