//! Tests of the resuming loop: a store that does what it is told, and a clock that is turned by hand.
//!
//! Every poll makes a new future and drops it, so that each of these tests is one of cancelling too.

use super::{Backoff, Entry, Identity, Map, Remote, Session, Step, Store};
use crate::source::activity::{Linked, Standing};
use crate::source::file::fake::{Fake, context};
use crate::source::remote::Commons;
use crate::source::{
    BoxFuture, Context, Cursor, Inbox, Services, Source, SourceError, SourceErrorKind, SourceExt, Update,
    Verdict, WatchFailure, Watching,
};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// The store's side.
#[derive(Default)]
struct Server {
    map: Map,
    revision: u64,
    /// What attempts to connect meet; then they succeed.
    refusals: VecDeque<SourceError>,
    /// What waiting sessions are told.
    said: VecDeque<Result<Step, SourceError>>,
    /// What listings are instead of the truth.
    listings: VecDeque<Result<Map, SourceError>>,
    mute: bool,
    connects: usize,
    listed: usize,
    settled: Vec<Verdict>,
}

type Shared = Arc<Mutex<Server>>;

struct Script<const CONFIRM: bool = false, const ACKS: bool = false>(Shared);
struct Line<const ACKS: bool>(Shared);

impl<const CONFIRM: bool, const ACKS: bool> Store for Script<CONFIRM, ACKS> {
    type Session = Line<ACKS>;
    const CONFIRM_SHRINK: bool = CONFIRM;

    fn describe(&self) -> String {
        "script".into()
    }

    fn identity(&self) -> Identity {
        Identity::of([format!("{:p}", Arc::as_ptr(&self.0))])
    }

    async fn connect(&self, _: &Context, _: u32) -> Result<Line<ACKS>, SourceError> {
        let mute = self.0.lock().unwrap().mute;
        if mute {
            std::future::pending::<()>().await;
        }
        let mut server = self.0.lock().unwrap();
        server.connects += 1;
        match server.refusals.pop_front() {
            Some(error) => Err(error),
            None => Ok(Line(self.0.clone())),
        }
    }
}

impl<const ACKS: bool> Session for Line<ACKS> {
    const ACKS: bool = ACKS;

    async fn next(&mut self, _: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        if after.is_none() {
            let mut server = self.0.lock().unwrap();
            server.listed += 1;
            let all = server.listings.pop_front().unwrap_or_else(|| Ok(server.map.clone()))?;
            return Ok(Step::Listing { all, cursor: at(server.revision) });
        }
        poll_fn(|_| self.0.lock().unwrap().said.pop_front().map_or(Poll::Pending, Poll::Ready)).await
    }

    async fn settle(&mut self, _: &Cursor, verdict: &Verdict) -> Result<(), SourceError> {
        self.0.lock().unwrap().settled.push(verdict.clone());
        Ok(())
    }
}

fn at(revision: u64) -> Cursor {
    Cursor { order: revision, ..Cursor::default() }
}

/// The clock of [`Fake`], with what is shared.
struct Together(Arc<Fake>, Commons);

impl Services for Together {
    fn now(&self) -> Instant {
        self.0.now()
    }
    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        self.0.sleep_until(at)
    }
    fn watch(&self, paths: &[PathBuf], inbox: &Arc<Inbox>) -> (Watching, Vec<WatchFailure>) {
        self.0.watch(paths, inbox)
    }
    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        self.0.offload(work)
    }
    fn next_poll(&self, every: Duration) -> Instant {
        self.0.next_poll(every)
    }
    fn random(&self) -> u64 {
        self.0.random()
    }
    fn commons(&self) -> Option<&Commons> {
        Some(&self.1)
    }
}

/// A store, a clock, and a configuration that follows it.
struct Desk<S: Source> {
    server: Shared,
    fake: Arc<Fake>,
    cx: Context,
    source: S,
    /// Under which cursors documents were handed on.
    handed: Vec<Cursor>,
}

fn desk() -> Desk<Remote<Script>> {
    desk_of(|server| Remote::of(Script(server)).keys(""))
}

fn desk_of<S: Source>(source: impl FnOnce(Shared) -> S) -> Desk<S> {
    let (server, fake) = (Shared::default(), Fake::new());
    let services = Arc::new(Together(fake.clone(), Commons::default()));
    let (cx, _) = context(services, SECOND);
    let source = source(server.clone());
    Desk { server, fake, cx, source, handed: Vec::new() }
}

impl<S: Source> Desk<S> {
    /// Sets a key, and tells nobody.
    fn put(&self, key: &str, value: &str) -> (Arc<str>, Option<Entry>) {
        let mut server = self.server.lock().unwrap();
        server.revision += 1;
        let entry = Entry::new(value.as_bytes(), server.revision);
        server.map.insert(key.into(), entry.clone());
        (key.into(), Some(entry))
    }

    /// Sets a key, and tells it.
    fn write(&self, key: &str, value: &str) {
        let change = self.put(key, value);
        let cursor = at(self.server.lock().unwrap().revision);
        self.say(Ok(Step::Delta { changes: vec![change], cursor }));
    }

    fn say(&self, step: Result<Step, SourceError>) {
        self.server.lock().unwrap().said.push_back(step);
    }

    fn drop_session(&self) {
        self.say(Err(SourceError::down("connection reset")));
    }

    fn refuse(&self, times: usize) {
        let refused = || SourceError::down("connection refused");
        self.server.lock().unwrap().refusals.extend(std::iter::repeat_with(refused).take(times));
    }

    fn poll(&mut self) -> Poll<Result<Update, SourceError>> {
        let polled = poll_once(&mut self.source, &self.cx);
        if let Poll::Ready(Ok(update)) = &polled {
            self.handed.push(update.cursor.clone());
        }
        polled
    }

    /// What it said last is settled so.
    fn settle(&mut self, verdict: &Verdict) {
        self.settle_at(self.handed.len() - 1, verdict);
    }

    fn settle_at(&mut self, number: usize, verdict: &Verdict) {
        self.source.settled(&self.handed[number], verdict);
    }

    /// What it says now, as text; empty: nothing.
    fn says(&mut self) -> String {
        match self.poll() {
            Poll::Pending => String::new(),
            Poll::Ready(answer) => told(answer),
        }
    }

    fn turn(&mut self, by: Duration) -> String {
        self.fake.turn(by);
        self.says()
    }

    fn connects(&self) -> usize {
        self.server.lock().unwrap().connects
    }

    fn listed(&self) -> usize {
        self.server.lock().unwrap().listed
    }

    fn standing(&self) -> Standing {
        self.cx.activity().standing().expect("it was polled")
    }
}

/// Twice, as an executor would: what one poll gives rise to, the next one sees.
fn poll_once(source: &mut impl Source, cx: &Context) -> Poll<Result<Update, SourceError>> {
    let mut task = std::task::Context::from_waker(Waker::noop());
    let mut next = source.next(cx);
    match next.as_mut().poll(&mut task) {
        Poll::Pending => next.as_mut().poll(&mut task),
        ready @ Poll::Ready(_) => ready,
    }
}

/// `key=value` of the documents that are said, or the error.
fn told(answer: Result<Update, SourceError>) -> String {
    let docs = match answer {
        Ok(update) => update.into_docs(),
        Err(error) => return format!("{:?}: {error}", error.kind()),
    };
    let mut words = Vec::new();
    for doc in &docs {
        for (key, value) in doc.doc.entries(crate::value::Document::ROOT) {
            words.push(format!("{}={}", doc.doc.str(key), doc.doc.str(value)));
        }
    }
    if docs.is_empty() { "absent".to_owned() } else { words.join(" ") }
}

#[test]
fn what_is_there_is_told_at_once_and_then_what_changes() {
    let mut desk = desk();
    desk.put("a", "1");
    assert_eq!(desk.says(), "a=1");
    assert_eq!(desk.says(), "");
    desk.write("b", "2");
    assert_eq!(desk.says(), "a=1 b=2");
    let changes = vec![("a".into(), None)];
    desk.server.lock().unwrap().map.remove("a");
    desk.say(Ok(Step::Delta { changes, cursor: at(3) }));
    assert_eq!(desk.says(), "b=2");
    assert_eq!((desk.connects(), desk.listed()), (1, 1));
}

#[test]
fn a_burst_of_changes_is_told_as_its_last_state() {
    let mut desk = desk();
    desk.put("a", "0");
    desk.says();
    for n in 1..=5 {
        desk.write("a", &n.to_string());
    }
    assert_eq!(desk.says(), "a=5");
    assert_eq!(desk.says(), "");
}

#[test]
fn what_went_while_nobody_was_connected_is_found_by_comparing() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.put("b", "2");
    assert_eq!(desk.says(), "a=1 b=2");
    desk.server.lock().unwrap().map.remove("a");
    desk.drop_session();
    assert_eq!(desk.says(), "", "the first attempt waits a little");
    assert_eq!(desk.turn(SECOND / 2), "b=2");
    assert_eq!(desk.connects(), 2);
}

#[test]
fn a_session_that_is_lost_and_had_back_at_once_is_no_news() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    desk.drop_session();
    assert_eq!(desk.says(), "");
    assert_eq!(desk.standing().link, Linked::Connecting);
    assert_eq!(desk.turn(SECOND), "");
    assert_eq!(desk.standing().link, Linked::Live);
}

#[test]
fn an_outage_is_told_once_and_so_is_its_end() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    desk.drop_session();
    desk.refuse(6);
    assert_eq!(desk.says(), "");
    assert_eq!(desk.turn(SECOND), "Down: connection refused");
    let since = desk.standing().since;
    for _ in 0..5 {
        assert_eq!(desk.turn(64 * SECOND), "", "no event for a retry");
    }
    assert_eq!(desk.standing().since, since, "stale since the outage began");
    assert_eq!(desk.standing().retries, 7);
    assert_eq!(desk.turn(64 * SECOND), "a=1", "said anew, so that it is known to be well");
    assert_eq!(desk.turn(SECOND), "");
    assert_eq!(desk.standing().link, Linked::Live);
}

#[test]
fn attempts_back_off_to_a_minute_and_an_outage_costs_few_of_them() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    desk.drop_session();
    desk.refuse(100);
    let mut at = Vec::new();
    for tenth in 0..3600_u32 {
        let before = desk.connects();
        desk.turn(SECOND / 10);
        if desk.connects() > before {
            at.push(tenth.div_ceil(10));
        }
    }
    assert_eq!(at, [1, 2, 4, 8, 16, 32, 64, 124, 184, 244, 304], "with the longest delays");
}

#[test]
fn a_start_goes_on_trying_and_says_why_it_failed_last() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.refuse(2);
    assert_eq!(desk.says(), "");
    assert_eq!(desk.standing().error.as_deref(), Some("connection refused"));
    assert_eq!(desk.turn(SECOND), "");
    assert_eq!(desk.turn(SECOND), "a=1");
}

#[test]
fn a_start_without_the_right_credentials_fails_after_one_new_login() {
    let mut desk = desk();
    let denied = || SourceError::denied("permission denied");
    desk.server.lock().unwrap().refusals.extend([denied(), denied(), denied()]);
    assert_eq!(desk.says(), "Denied: permission denied");
    let connects = desk.connects();
    assert!(connects <= 2, "one attempt and one new login, at once: {connects}");
}

#[test]
fn credentials_that_ran_out_are_renewed_at_once_and_then_slowly() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    let denied = || SourceError::denied("token expired");
    desk.say(Err(denied()));
    desk.server.lock().unwrap().refusals.extend([denied(), denied()]);
    assert_eq!(desk.says(), "Denied: token expired", "one login anew, at once");
    assert_eq!(desk.connects(), 2);
    desk.turn(29 * SECOND);
    assert_eq!(desk.connects(), 2, "then slowly");
    desk.turn(31 * SECOND);
    assert_eq!(desk.connects(), 3);
    assert_eq!(desk.turn(61 * SECOND), "a=1");
}

#[test]
fn the_first_gap_lists_again_at_once_and_the_next_one_backs_off() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    desk.put("a", "2");
    desk.say(Err(SourceError::gap("compacted")));
    assert_eq!(desk.says(), "a=2");
    assert_eq!((desk.connects(), desk.listed()), (1, 2));
    desk.say(Err(SourceError::gap("compacted")));
    desk.put("a", "3");
    assert_eq!(desk.says(), "");
    assert_eq!(desk.turn(SECOND), "a=3");
    assert_eq!(desk.connects(), 2);
}

#[test]
fn a_history_that_went_back_is_listed_and_believed() {
    let mut desk = desk();
    desk.server.lock().unwrap().revision = 90;
    desk.put("a", "new");
    assert_eq!(desk.says(), "a=new");
    let entry = Entry::new(*b"old", 5);
    desk.server.lock().unwrap().map = [("a".into(), entry.clone())].into();
    desk.server.lock().unwrap().revision = 5;
    desk.say(Ok(Step::Delta { changes: vec![("a".into(), Some(entry))], cursor: at(5) }));
    assert_eq!(desk.says(), "a=old");
    assert_eq!(desk.listed(), 2);
    desk.write("a", "newer");
    assert_eq!(desk.says(), "a=newer", "followed in the new history");
}

#[test]
fn a_heartbeat_of_another_history_lists_too() {
    let mut desk = desk();
    desk.server.lock().unwrap().revision = 90;
    desk.put("a", "1");
    desk.says();
    desk.say(Ok(Step::Same { cursor: at(3) }));
    desk.server.lock().unwrap().map.clear();
    desk.put("b", "2");
    assert_eq!(desk.says(), "b=2");
}

#[test]
fn a_store_that_is_silent_for_too_long_is_given_up() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    assert_eq!(desk.turn(29 * SECOND), "");
    desk.say(Ok(Step::Same { cursor: at(1) }));
    assert_eq!(desk.says(), "");
    desk.turn(29 * SECOND);
    assert_eq!(desk.connects(), 1, "a heartbeat is a sign of life");
    desk.server.lock().unwrap().mute = true;
    desk.turn(2 * SECOND);
    assert_eq!(desk.standing().link, Linked::Connecting);
    assert!(desk.standing().error.unwrap().contains("silent for 30s"));
    assert_eq!(desk.turn(SECOND), "", "connecting");
    assert_eq!(desk.turn(11 * SECOND), "Down: connecting took longer than 10s");
}

#[test]
fn everything_is_listed_anew_once_in_a_while() {
    let mut desk = desk_of(|server| Remote::of(Script::<false>(server)).keys("").resync(100 * SECOND));
    desk.put("a", "1");
    desk.says();
    desk.put("a", "2");
    for _ in 0..5 {
        desk.say(Ok(Step::Same { cursor: at(1) }));
        assert_eq!(desk.turn(20 * SECOND), "", "the store forgot to tell");
    }
    assert_eq!(desk.turn(20 * SECOND), "a=2");
    assert_eq!(desk.connects(), 1, "on the same session");
}

#[test]
fn what_was_refused_is_not_offered_again_and_what_heals_is() {
    let mut desk = desk();
    desk.put("a", "bad");
    desk.says();
    desk.settle(&Verdict::Refused);
    desk.say(Err(SourceError::gap("compacted")));
    assert_eq!(desk.says(), "", "the same again");
    assert_eq!(desk.listed(), 2);
    desk.write("a", "good");
    assert_eq!(desk.says(), "a=good");
    desk.write("a", "bad");
    assert_eq!(desk.says(), "a=bad");
}

#[test]
fn a_document_that_cannot_be_read_is_told_once_with_its_key() {
    let mut desk = desk_of(|server| Remote::of(Script::<false>(server)).document(crate::Format::Toml));
    desk.put("app", "a = ");
    let told = desk.says();
    assert!(told.starts_with("Invalid") && told.contains("script app @ revision 1:1:"), "{told}");
    assert_eq!(desk.says(), "");
    desk.write("app", "a = \"1\"");
    assert_eq!(desk.says(), "a=1");
}

#[test]
fn the_revision_in_force_waits_for_the_verdict() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    assert_eq!(desk.standing().revision, None);
    desk.settle(&Verdict::Applied { version: 1 });
    assert_eq!(desk.standing().revision.as_deref(), Some("1"));
    desk.write("a", "2");
    desk.says();
    desk.settle(&Verdict::Refused);
    assert_eq!(desk.standing().revision.as_deref(), Some("1"));
}

#[test]
fn a_reload_lists_anew_and_is_answered() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    desk.source.refresh();
    assert_eq!(desk.says(), "a=1", "answered though nothing changed");
    assert_eq!(desk.listed(), 2);
    desk.drop_session();
    desk.refuse(3);
    assert_eq!(desk.says(), "");
    desk.source.refresh();
    assert_eq!(desk.says(), "Down: connection refused", "an attempt at once");
    assert_eq!(desk.connects(), 2);
}

#[test]
fn what_is_there_no_more_is_told_and_an_optional_one_says_nothing() {
    let mut required = desk();
    required.put("a", "1");
    required.says();
    required.server.lock().unwrap().map.clear();
    required.say(Ok(Step::Delta { changes: vec![("a".into(), None)], cursor: at(2) }));
    assert!(required.says().starts_with("Down: nothing is there"));
    assert_eq!(required.says(), "");

    let mut optional = desk_of(|server| Remote::of(Script::<false>(server)).keys("").optional());
    assert_eq!(optional.says(), "absent");
    optional.write("a", "1");
    assert_eq!(optional.says(), "a=1");
    optional.server.lock().unwrap().map.clear();
    optional.say(Ok(Step::Delta { changes: vec![("a".into(), None)], cursor: at(2) }));
    assert_eq!(optional.says(), "absent");
    optional.settle(&Verdict::Applied { version: 2 });
    assert_eq!(optional.standing().revision.as_deref(), Some("2"), "that nothing is there is in force");
}

#[test]
fn an_optional_store_that_is_away_holds_no_start_up() {
    let mut away = desk_of(|server| Remote::of(Script::<false>(server)).keys("").optional());
    away.refuse(3);
    assert_eq!(away.says(), "absent");
    assert_eq!(away.says(), "Down: connection refused", "and then it is said");
    away.put("a", "1");
    assert_eq!(away.turn(SECOND), "");
    assert_eq!(away.turn(4 * SECOND), "");
    assert_eq!(away.turn(8 * SECOND), "a=1");

    for error in [SourceError::denied("token expired"), SourceError::invalid("a page of HTML")] {
        let mut wrong = desk_of(|server| Remote::of(Script::<false>(server)).keys("").optional());
        wrong.server.lock().unwrap().refusals.extend([error.clone(), error.clone()]);
        let said: Vec<_> = (0..4).map(|_| wrong.turn(SECOND)).filter(|said| !said.is_empty()).collect();
        assert_eq!(said[..2], ["absent".to_owned(), format!("{:?}: {error}", error.kind())]);
    }

    let mut mute = desk_of(|server| Remote::of(Script::<false>(server)).keys("").optional());
    mute.server.lock().unwrap().mute = true;
    assert_eq!(mute.says(), "");
    assert_eq!(mute.turn(2 * SECOND), "absent");
}

#[test]
fn a_listing_that_lacks_keys_is_read_twice_where_the_store_may_hide_some() {
    let mut desk = desk_of(|server| Remote::of(Script::<true>(server)).keys(""));
    desk.put("a", "1");
    desk.put("b", "2");
    assert_eq!(desk.says(), "a=1 b=2");
    desk.server.lock().unwrap().listings.push_back(Ok(Map::new()));
    desk.say(Err(SourceError::gap("index went back")));
    assert_eq!(desk.says(), "");
    assert_eq!(desk.turn(SECOND), "", "the second listing has them");
    assert_eq!(desk.listed(), 3);
    desk.server.lock().unwrap().map.remove("b");
    desk.say(Ok(Step::Same { cursor: at(2) }));
    desk.says();
    desk.say(Err(SourceError::gap("index went back")));
    assert_eq!(desk.says(), "");
    assert_eq!(desk.turn(SECOND), "a=1", "the second listing agrees");
}

#[test]
fn a_store_that_wants_to_know_is_told_each_verdict_on_the_same_session() {
    let mut desk = desk_of(|server| Remote::of(Script::<false, true>(server)).keys(""));
    desk.put("a", "1");
    desk.says();
    desk.settle(&Verdict::Applied { version: 1 });
    assert_eq!(desk.says(), "");
    desk.write("a", "2");
    assert_eq!(desk.says(), "a=2");
    desk.settle(&Verdict::Refused);
    assert_eq!(desk.says(), "");
    let server = desk.server.lock().unwrap();
    assert_eq!(server.settled, [Verdict::Applied { version: 1 }, Verdict::Refused]);
    assert_eq!((server.connects, server.listed), (1, 1));
}

#[test]
fn what_was_refused_and_is_accepted_later_is_in_force_and_the_store_is_told() {
    let mut desk = desk_of(|server| Remote::of(Script::<false, true>(server)).keys(""));
    desk.put("a", "1");
    desk.says();
    desk.settle(&Verdict::Applied { version: 1 });
    desk.says();
    desk.write("a", "2");
    desk.says();
    desk.settle(&Verdict::Refused);
    desk.says();
    assert_eq!(desk.standing().revision.as_deref(), Some("1"));
    // Another source changed, and with that it is valid.
    desk.settle(&Verdict::Applied { version: 2 });
    desk.says();
    assert_eq!(desk.standing().revision.as_deref(), Some("2"));
    // A verdict of what was refused, when something newer is under way.
    desk.write("a", "3");
    desk.says();
    desk.settle(&Verdict::Refused);
    desk.says();
    desk.write("a", "4");
    desk.says();
    desk.settle_at(2, &Verdict::Applied { version: 3 });
    desk.says();
    assert_eq!(desk.standing().revision.as_deref(), Some("3"), "4 is not in force yet");
    let (applied, refused) = (|version| Verdict::Applied { version }, Verdict::Refused);
    let settled = desk.server.lock().unwrap().settled.clone();
    assert_eq!(settled, [applied(1), refused.clone(), applied(2), refused], "3 was overtaken by 4");
}

#[test]
fn what_cannot_be_read_is_refused_to_the_store_too() {
    let mut desk = desk_of(|server| Remote::of(Script::<false, true>(server)).document(crate::Format::Toml));
    desk.put("app", "a = ");
    assert!(desk.says().starts_with("Invalid"));
    desk.says();
    assert_eq!(desk.server.lock().unwrap().settled, [Verdict::Refused]);
}

#[test]
fn a_store_that_several_follow_is_told_one_verdict_for_all() {
    let mut desk = desk_of(|server| Remote::of(Script::<false, true>(server)).keys(""));
    let mut other = Remote::of(Script::<false, true>(desk.server.clone())).keys("");
    let cx = desk.cx.clone();
    let hear = |other: &mut Remote<_>| match poll_once(other, &cx) {
        Poll::Ready(Ok(update)) => update.cursor,
        _ => Cursor::default(),
    };
    let settled = |desk: &Desk<_>| desk.server.lock().unwrap().settled.clone();
    desk.put("a", "1");
    desk.says();
    let handed = hear(&mut other);
    desk.settle(&Verdict::Applied { version: 1 });
    desk.says();
    assert_eq!(settled(&desk), [], "the other one has not said anything");
    other.settled(&handed, &Verdict::Unchanged);
    desk.says();
    assert_eq!(settled(&desk).len(), 1);
    desk.write("a", "2");
    desk.says();
    let handed = hear(&mut other);
    other.settled(&handed, &Verdict::Refused);
    desk.says();
    assert_eq!(settled(&desk)[1..], [Verdict::Refused], "one is enough");
    desk.settle(&Verdict::Applied { version: 2 });
    desk.says();
    assert_eq!(settled(&desk).len(), 2);
    drop(other);
    desk.says();
    assert_eq!(settled(&desk)[2..], [Verdict::Applied { version: 2 }], "who refused it is gone");
}

#[test]
fn a_new_session_that_says_the_same_is_told_the_same_verdict() {
    let mut desk = desk_of(|server| Remote::of(Script::<false, true>(server)).keys(""));
    desk.put("a", "1");
    desk.says();
    desk.settle(&Verdict::Refused);
    desk.says();
    desk.drop_session();
    desk.says();
    assert_eq!(desk.turn(SECOND), "");
    assert_eq!(desk.connects(), 2);
    assert_eq!(desk.server.lock().unwrap().settled, [Verdict::Refused, Verdict::Refused]);
}

#[test]
fn configurations_that_follow_one_store_share_its_session() {
    let mut desk = desk();
    let server = desk.server.clone();
    let mut others: Vec<_> = (0..99).map(|_| Remote::of(Script::<false>(server.clone())).keys("")).collect();
    desk.put("a", "1");
    assert_eq!(desk.says(), "a=1");
    let cx = desk.cx.clone();
    let says = |other: &mut Remote<Script>| match poll_once(other, &cx) {
        Poll::Ready(answer) => told(answer),
        Poll::Pending => String::new(),
    };
    assert!(others.iter_mut().all(|other| says(other) == "a=1"));
    desk.write("a", "2");
    // Whoever is polled drives; the one that drove so far is gone.
    let Desk { server, source, .. } = desk;
    drop(source);
    assert!(others.iter_mut().all(|other| says(other) == "a=2"));
    assert!(others.iter_mut().all(|other| says(other).is_empty()));
    let server = server.lock().unwrap();
    assert_eq!((server.connects, server.listed), (1, 1));
}

#[test]
fn a_document_over_the_limit_is_refused_and_the_last_one_stays() {
    let mut desk = desk();
    desk.cx.limits.bytes = 100;
    desk.put("a", "1");
    desk.says();
    desk.write("a", &"x".repeat(200));
    let told = desk.says();
    assert!(told.starts_with("Invalid: expected at most 100 bytes, found 201"), "{told}");
    desk.put("a", "2");
    assert_eq!(desk.turn(SECOND), "a=2", "and it heals by itself");
}

#[test]
fn out_of_touch_for_too_long_is_told_once_more_and_its_end_too() {
    let mut desk = desk_of(|server| Remote::of(Script::<false>(server)).keys("").stale_after(100 * SECOND));
    desk.put("a", "1");
    desk.says();
    for _ in 0..6 {
        desk.say(Ok(Step::Same { cursor: at(1) }));
        assert_eq!(desk.turn(20 * SECOND), "", "alive");
    }
    desk.drop_session();
    desk.refuse(100);
    desk.says();
    assert_eq!(desk.turn(SECOND), "Down: connection refused");
    let mut told = Vec::new();
    for _ in 0..300 {
        let said = desk.turn(SECOND);
        if !said.is_empty() {
            told.push(said);
        }
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("Down: out of touch for more than 100s"), "{told:?}");
    desk.server.lock().unwrap().refusals.clear();
    assert_eq!(desk.turn(61 * SECOND), "a=1");
    assert_eq!(desk.turn(SECOND), "");
}

#[test]
fn what_a_store_asks_for_is_the_least_delay() {
    let mut desk = desk_of(|server| {
        let backoff = Backoff { first: SECOND, ..Backoff::default() };
        Remote::of(Script::<false>(server)).keys("").backoff(backoff)
    });
    desk.put("a", "1");
    desk.says();
    desk.say(Err(SourceError::down("429 Too Many Requests").with_retry_after(20 * SECOND)));
    assert_eq!(desk.says(), "Down: 429 Too Many Requests", "nothing is known of it for 20 s");
    desk.turn(19 * SECOND);
    assert_eq!(desk.connects(), 1);
    assert_eq!(desk.turn(2 * SECOND), "a=1");
    assert_eq!(desk.connects(), 2);
}

#[test]
fn a_store_that_ends_each_session_after_some_seconds_is_had_back_soon_and_is_no_news() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    for session in 1..=20 {
        assert_eq!(desk.turn(20 * SECOND), "");
        assert_eq!((desk.connects(), desk.standing().link), (session, Linked::Live));
        desk.drop_session();
        assert_eq!(desk.says(), "");
        assert_eq!(desk.standing().link, Linked::Connecting);
        assert_eq!(desk.turn(SECOND / 2), "", "with the longest delay");
        desk.write("a", &session.to_string());
        assert_eq!(desk.says(), format!("a={session}"));
    }
}

#[test]
fn a_store_that_ends_each_session_at_once_is_left_alone_and_is_stale_meanwhile() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    let (mut told, mut before, mut changes) = (Vec::new(), Linked::Live, 0);
    for _ in 0..6000 {
        if desk.standing().link == Linked::Live {
            desk.drop_session();
        }
        let said = desk.turn(SECOND / 10);
        let link = desk.standing().link;
        if (link == Linked::Failing) != (before == Linked::Failing) {
            changes += 1;
            before = link;
        }
        told.extend(Some(said).filter(|said| !said.is_empty()));
    }
    let connects = desk.connects();
    assert!((14..=18).contains(&connects), "{connects} in ten minutes");
    assert!(told.len() <= changes && changes > 4, "{changes} changes of state: {told:?}");
    assert!(told.iter().step_by(2).all(|said| said.starts_with("Down: connection reset")), "{told:?}");
}

#[test]
fn an_outage_of_another_kind_is_told_as_well() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.says();
    desk.drop_session();
    desk.refuse(1);
    desk.server.lock().unwrap().refusals.push_back(SourceError::invalid("a page of HTML"));
    desk.says();
    assert_eq!(desk.turn(SECOND), "Down: connection refused");
    assert_eq!(desk.turn(SECOND), "Invalid: a page of HTML");
    assert_eq!(desk.turn(4 * SECOND), "a=1");
    assert_eq!(SourceErrorKind::Down, SourceError::down("x").kind());
}
