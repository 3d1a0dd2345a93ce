//! The resuming core, through stores that do what it is hardest to be right about.

use crate::rig::{App, Rig, Watched, among_others, brisk, until};
use crate::stub::{Stub, at, down, listing, same, written};
use hotconf::remote::{Backoff, Remote, Step};
use hotconf::{BoxFuture, Context, Cursor, Format, Hot, Source, SourceError, SourceState, Update, Verdict};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MILLI: Duration = Duration::from_millis(1);

/// Lists `a = 1` at revision 1, and then says what `follow` says.
fn one(
    mut follow: impl FnMut() -> crate::stub::Answer + Send + 'static,
) -> impl FnMut(bool) -> crate::stub::Answer + Send {
    move |follows| if follows { follow() } else { listing(1, &[("a", "1")]) }
}

/// How often `store` is connected to within a second.
fn connects_in_a_second<const A: bool, const C: bool>(store: &Stub<A, C>) -> usize {
    let before = store.connected();
    std::thread::sleep(Duration::from_secs(1));
    store.connected() - before
}

#[test]
fn an_acknowledgement_that_waits_for_a_lost_store_makes_no_storm() {
    let _beside = among_others();
    let store = Stub::<true>::new(one(|| None));
    let pace = Backoff { first: 300 * MILLI, longest: 300 * MILLI, ..Backoff::default() };
    let watched = Watched::start(store.source().backoff(pace));
    store.connects(|| Err(down()));
    // A change, and with it the end: what became of the change is known when there is nobody to tell.
    let mut steps = [written(2, "a", "2")].to_vec();
    store.says(one(move || steps.pop().unwrap_or_else(|| Some(Err(down())))));
    watched.until("the change", |app| app.a == 2);
    let connects = connects_in_a_second(&store);
    assert!(connects < 40, "{connects} in a second");
    watched.end();
}

#[test]
fn a_store_that_lists_and_then_refuses_to_be_followed_makes_no_storm() {
    let _beside = among_others();
    let store = Stub::<false>::new(one(|| Some(Err(SourceError::denied("no right to watch")))));
    let watched = Watched::start(brisk(store.source()));
    let connects = connects_in_a_second(&store);
    assert!(connects < 25, "{connects} in a second, where each but the first waits 100 ms");
    watched.end();
}

#[test]
fn a_store_that_is_never_done_talking_leaves_the_engine_to_others() {
    let _beside = among_others();
    let store = Stub::<false>::new(one(|| same(1)));
    let watched = Watched::start(brisk(store.source()));
    assert_eq!(watched.config.load().a, 1);
    let (source, handle) = hotconf::Inline::channel("other", Format::Toml, "text = \"\"\na = 1");
    let other = Hot::<App>::builder().source(source).blocking_start().expect("the engine lives");
    handle.set("text = \"\"\na = 2");
    until("another configuration is served", || other.load().a == 2);
    let before = store.asked();
    std::thread::sleep(Duration::from_secs(1));
    let asked = store.asked() - before;
    assert!(asked < 2000, "asked {asked} times in a second, and nothing changed");
    watched.end();
}

#[test]
fn a_flood_of_changes_is_followed_to_its_end_at_once() {
    let _beside = among_others();
    let server = crate::lines::Server::start();
    server.put("a", "0");
    let watched = Watched::start(brisk(server.source(server.address())));
    let begun = Instant::now();
    server.flood("a", 1..=20_000);
    watched.until("the last", |app| app.a == 20_000);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(6), "took {took:?}");
    assert!(watched.config.version() < 10_000, "what comes is the state as of then");
    watched.end();
}

#[test]
fn keys_that_are_gone_are_seen_though_others_change_with_every_listing() {
    let _beside = among_others();
    let store =
        Stub::<false, true>::new(
            |follows| {
                if follows { None } else { listing(1, &[("a", "1"), ("text", "there")]) }
            },
        );
    let watched = Watched::start(brisk(store.source()).resync(200 * MILLI));
    let mut order = 1;
    store.says(move |follows| {
        order += 1;
        if follows { None } else { listing(order, &[("a", &order.to_string())]) }
    });
    watched.until("the key is gone", |app| app.text != "there");
    watched.end();
}

#[test]
fn a_key_that_one_listing_left_out_is_not_gone() {
    let _beside = among_others();
    let mut lists = 0;
    let store = Stub::<false, true>::new(move |follows| {
        lists += 1;
        match (follows, lists % 3) {
            (true, _) => None,
            (false, 0) => listing(lists, &[("a", "1")]),
            (false, _) => listing(lists, &[("a", "1"), ("text", "there")]),
        }
    });
    let watched = Watched::start(brisk(store.source()).resync(100 * MILLI));
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        assert_eq!(watched.config.load().text, "there");
        std::thread::sleep(MILLI);
    }
    assert!(store.connected() == 1 && watched.alarms() == 0, "{}", watched.story());
    watched.end();
}

#[test]
fn an_outage_of_many_reasons_is_told_once_for_each() {
    let _beside = among_others();
    let store = Stub::<false>::new(one(|| None));
    let watched = Watched::start(brisk(store.source()));
    let mut turn = 0;
    store.connects(move || {
        turn += 1;
        Err(if turn % 2 == 0 { down() } else { SourceError::invalid("an error page") })
    });
    store.says(one(|| Some(Err(down()))));
    watched.until_it_is(SourceState::Stale);
    std::thread::sleep(Duration::from_secs(1));
    assert!(watched.remote().retries > 8, "{:?}", watched.remote());
    assert!(watched.alarms() <= 2, "{}", watched.story());
    watched.end();
}

#[test]
fn what_is_never_due_is_set_with_the_longest_duration() {
    let _beside = among_others();
    let store = Stub::<false>::new(one(|| None));
    let forever = Duration::MAX;
    let pace = Backoff { first: MILLI, longest: forever, reset_after: forever, denied: forever };
    let source = store.source().resync(forever).deadline(forever).backoff(pace);
    let watched = Watched::start(source);
    store.connects(|| Err(down()));
    store.says(one(|| Some(Err(down()))));
    until("it goes on trying", || store.connected() > 5);
    watched.end();

    let store = Stub::<false>::new(one(|| None));
    let mut first = true;
    store.connects(move || if std::mem::take(&mut first) { Ok(()) } else { Err(down()) });
    let pace = Backoff { first: forever, longest: forever, reset_after: forever, denied: forever };
    let watched = Watched::start(store.source().backoff(pace));
    store.says(one(|| Some(Err(down()))));
    watched.until_it_is(SourceState::Stale);
    watched.end();
}

#[test]
fn a_refused_revision_is_not_shown_as_the_one_in_force() {
    let _beside = among_others();
    let store = Stub::<false>::new(one(|| None));
    let watched = Watched::start(store.source());
    let mut said = false;
    store.says(one(move || {
        (!std::mem::replace(&mut said, true)).then(|| written(2, "a", "no number")).flatten()
    }));
    watched.until_it_is(SourceState::Refused);
    let (mut said, before) = (false, store.asked());
    store.says(one(move || (!std::mem::replace(&mut said, true)).then(|| same(3)).flatten()));
    until("the heartbeat was taken", || store.asked() >= before + 2);
    std::thread::sleep(20 * MILLI);
    assert_eq!(watched.remote().revision.as_deref(), Some("1"));
    assert_eq!(watched.config.load().a, 1);
    store.says(repaired());
    watched.until("its repair", |app| app.a == 4);
    until("its revision", || watched.remote().revision.as_deref() == Some("4"));
    watched.end();
}

fn repaired() -> impl FnMut(bool) -> crate::stub::Answer + Send {
    let mut said = false;
    move |follows| {
        if !follows {
            return listing(4, &[("a", "4")]);
        }
        (!std::mem::replace(&mut said, true)).then(|| written(4, "a", "4")).flatten()
    }
}

#[test]
fn a_shutdown_does_not_wait_for_a_name_that_is_looked_up() {
    let _alone = crate::rig::alone();
    let store = Looking;
    let config = Hot::<App>::builder()
        .source(hotconf::Inline::toml("below", "text = \"\""))
        .source(hotconf::SourceExt::optional(Remote::of(store).keys("")))
        .blocking_start()
        .expect("it may be absent");
    let begun = Instant::now();
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    assert!(begun.elapsed() < Duration::from_secs(3), "took {:?}", begun.elapsed());
}

/// Connecting takes what a resolver takes that gets no answer: a thread of the runtime, for long.
struct Looking;

impl hotconf::remote::Store for Looking {
    type Session = Stub;

    fn describe(&self) -> String {
        "looking".into()
    }

    async fn connect(&self, _: &Context, _: u32) -> Result<Stub, SourceError> {
        let looked = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(8)));
        looked.await.map_err(|_| down())?;
        Err(down())
    }
}

/// Drops the future of its source again and again: at once every other time, else with more and more patience.
struct Dropping<S>(S);

impl<S: Source> Source for Dropping<S> {
    fn describe(&self) -> Cow<'_, str> {
        self.0.describe()
    }

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            let mut patience = MILLI;
            loop {
                tokio::select! {
                    answer = self.0.next(cx) => return answer,
                    () = tokio::task::yield_now() => {}
                }
                tokio::select! {
                    answer = self.0.next(cx) => return answer,
                    () = cx.sleep(patience) => patience += patience / 4,
                }
            }
        })
    }

    fn refresh(&mut self) {
        self.0.refresh();
    }

    fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
        self.0.settled(cursor, verdict);
    }
}

#[test]
fn a_long_document_whose_making_is_given_up_is_made_anew() {
    let _beside = among_others();
    let long = "x".repeat(100 << 10);
    let text = move |a: u64| format!("a = {a}\npad = \"{long}\"");
    let (first, second) = (text(1), text(2));
    let list = move |text: &str, order| listing(order, &[("app.toml", text)]);
    let store = Stub::<false>::new(move |follows| if follows { None } else { list(&first, 1) });
    let source = Remote::of(store.clone()).document(Format::Toml);
    let watched = Watched::start(Dropping(brisk(source)));
    assert_eq!(watched.config.blocking_reload().expect("answered"), 1);
    // An outage of which nothing is left but that it was told.
    let (lists, well) = (second.clone(), std::sync::Arc::new(AtomicU64::new(0)));
    let fails = well.clone();
    store.connects(move || if fails.load(Ordering::SeqCst) == 0 { Err(down()) } else { Ok(()) });
    store.says(move |follows| if follows { Some(Err(down())) } else { listing(2, &[("app.toml", &lists)]) });
    watched.until_it_is(SourceState::Stale);
    store.says(move |follows| if follows { None } else { listing(3, &[("app.toml", &second)]) });
    well.store(1, Ordering::SeqCst);
    watched.until("the change", |app| app.a == 2);
    watched.until_it_is(SourceState::Following);
    assert_eq!(watched.config.blocking_reload().expect("answered"), 2);
    watched.end();
}

#[test]
fn a_long_document_that_did_not_change_is_well_again_after_an_outage() {
    let _beside = among_others();
    let text = format!("a = 1\npad = \"{}\"", "x".repeat(100 << 10));
    let lists = move |follows: bool| if follows { None } else { listing(1, &[("app.toml", &text)]) };
    let store = Stub::<false>::new(lists.clone());
    let source = Remote::of(store.clone()).document(Format::Toml);
    let watched = Watched::start(Dropping(brisk(source)));
    for outage in 1..=2 {
        store.connects(|| Err(down()));
        store.says(|_| Some(Err(down())));
        watched.until_it_is(SourceState::Stale);
        store.says(lists.clone());
        store.connects(|| Ok(()));
        watched.until_it_is(SourceState::Following);
        until("both are told", || watched.alarms() == 2 * outage);
        assert_eq!(watched.config.blocking_reload().expect("answered"), 1);
    }
    watched.end();
}

#[test]
fn stale_is_counted_from_when_the_store_was_lost() {
    let _beside = among_others();
    let store = Stub::<false>::new(one(|| None));
    let pace = Backoff { first: MILLI, longest: MILLI, ..Backoff::default() };
    let watched = Watched::start(store.source().deadline(700 * MILLI).backoff(pace));
    // It connects, and never answers.
    store.says(|follows| follows.then(|| Err(down())));
    let status = watched.until_it_is(SourceState::Stale);
    assert!(status.since >= 600 * MILLI, "{status:?}");
    watched.end();
}

#[test]
fn a_limit_of_staleness_below_the_heartbeat_leaves_no_source_down() {
    let _beside = among_others();
    let store = Stub::<false>::new(one(|| None));
    let watched = Watched::start(brisk(store.source()).resync(Duration::ZERO).stale_after(20 * MILLI));
    std::thread::sleep(100 * MILLI);
    store.says(one(|| None));
    std::thread::sleep(100 * MILLI);
    watched.until_it_is(SourceState::Following);
    assert_eq!(watched.alarms() % 2, 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_session_that_ends_as_soon_as_it_has_listed_brings_what_it_listed() {
    let _beside = among_others();
    let store = Stub::<false>::new(one(|| Some(Err(down()))));
    let watched = Watched::start(brisk(store.source()));
    assert_eq!(watched.config.load().a, 1);
    store.says(move |follows| if follows { Some(Err(down())) } else { listing(2, &[("a", "2")]) });
    watched.until("the next listing", |app| app.a == 2);
    watched.end();
}

#[test]
fn a_step_before_the_first_listing_is_no_state() {
    let _beside = among_others();
    let mut lies = 3;
    let store = Stub::<false>::new(move |follows| {
        if !follows && lies > 0 {
            lies -= 1;
            return Some(Ok(Step::Same { cursor: at(9) }));
        }
        if follows { None } else { listing(1, &[("a", "1")]) }
    });
    let watched = Watched::start(brisk(store.source()));
    assert_eq!((watched.config.load().a, store.connected()), (1, 2));
    watched.end();
}
