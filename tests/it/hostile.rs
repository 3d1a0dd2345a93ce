//! Sources that misbehave: they panic, fail or answer without end, or never answer.

use crate::support::{Small, by_hand, until};
use hotconf::{
    BoxFuture, Context, Cursor, Format, Hot, Inline, Source, SourceError, SourceExt, SourceState, Update,
    Verdict,
};
use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a source does at a call.
enum Act {
    Say(&'static str),
    Fail(&'static str),
    Wait,
    Panic,
}

/// A source that does what `act` says of its n-th call.
struct Scripted<F> {
    act: F,
    calls: Arc<AtomicUsize>,
    settled: Arc<Mutex<Vec<(u64, Verdict)>>>,
    refreshed: bool,
    bomb: &'static str,
}

fn scripted<F: FnMut(usize) -> Act + Send + 'static>(act: F) -> Scripted<F> {
    Scripted { act, calls: Arc::default(), settled: Arc::default(), refreshed: false, bomb: "" }
}

impl<F> Scripted<F> {
    fn with(mut self, bomb: &'static str) -> Self {
        self.bomb = bomb;
        self
    }

    fn explode(&self, place: &str) {
        assert!(self.bomb != place, "hostile {place}");
    }
}

impl<F: FnMut(usize) -> Act + Send + 'static> Source for Scripted<F> {
    fn describe(&self) -> Cow<'_, str> {
        self.explode("describe");
        "scripted".into()
    }

    fn next<'a>(&'a mut self, _: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            match (self.act)(call) {
                Act::Say(text) => {
                    let cursor = Cursor { epoch: 0, order: call as u64 + 1, token: None };
                    Update::parse(Format::Toml, "scripted", text.as_bytes()).map(|u| u.with_cursor(cursor))
                }
                Act::Fail(message) => Err(SourceError::down(message)),
                Act::Wait => std::future::pending().await,
                Act::Panic => panic!("hostile next"),
            }
        })
    }

    fn refresh(&mut self) {
        self.explode("refresh");
        self.refreshed = true;
    }

    fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
        self.explode("settled");
        self.settled.lock().expect("no panic").push((cursor.order, verdict.clone()));
    }
}

impl<F> Drop for Scripted<F> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.explode("drop");
        }
    }
}

fn once(call: usize) -> Act {
    if call == 0 { Act::Say("n = 2") } else { Act::Wait }
}

fn start(source: impl Source) -> Hot<Small> {
    Hot::builder().source(source).blocking_start().expect("loaded")
}

#[test]
fn a_source_that_panics_ends_alone_and_is_told() {
    for bomb in ["next", "refresh", "settled"] {
        let act = move |call| match call {
            0 => Act::Say("n = 2"),
            1 if bomb == "next" => Act::Panic,
            _ => Act::Wait,
        };
        let (inline, handle) = hotconf::Inline::channel("app.toml", Format::Toml, "other = 1");
        let config = Hot::<Small>::builder()
            .source(scripted(act).with(bomb))
            .source(inline)
            .blocking_start()
            .expect("loaded");
        if bomb == "refresh" {
            let error = config.blocking_reload().expect_err("it panics").to_string();
            assert!(error.contains("panicked"), "{error}");
        }
        until("down", || config.status().sources[0].state == SourceState::Down);
        handle.set("other = 7");
        until("the other goes on", || config.load().other == 7);
        assert_eq!(config.load().n, 2);
        assert!(
            config
                .blocking_reload()
                .expect_err("nobody knows what it holds")
                .to_string()
                .contains("scripted")
        );
        config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    }
    let config = start(scripted(once).with("drop"));
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    let config = start(scripted(once).with("describe"));
    assert_eq!(&*config.status().sources[0].name, "source 1");
}

#[test]
fn a_source_that_fails_at_once_again_and_again_is_told_once_and_costs_nothing() {
    let source = scripted(|call| if call == 0 { Act::Say("n = 2") } else { Act::Fail("refused") });
    let calls = source.calls.clone();
    let config = Hot::<Small>::builder().source(source).blocking_start().expect("loaded");
    let mut events = config.events();
    until("down", || config.status().sources[0].state == SourceState::Down);
    std::thread::sleep(Duration::from_millis(300));
    assert!(calls.load(Ordering::SeqCst) <= 6, "{calls:?}");
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(told.len() <= 1, "{told:?}");
}

#[test]
fn a_source_that_answers_without_end_starves_nobody() {
    let source = scripted(|_| Act::Say("n = 2"));
    let calls = source.calls.clone();
    let hostile = start(source);
    let begun = Instant::now();
    let (config, handle) = by_hand::<Small>("n = 1");
    for n in 2..20 {
        handle.set(format!("n = {n}"));
        config.blocking_reload().expect("good");
    }
    std::thread::sleep(Duration::from_millis(300));
    let allowed = 110 + usize::try_from(begun.elapsed().as_millis()).expect("small") / 10;
    assert!(calls.load(Ordering::SeqCst) <= allowed + 10, "{calls:?} of {allowed}");
    assert_eq!(hostile.version(), 1, "the same again is no change");
}

#[test]
fn every_update_is_settled_once_the_first_one_too() {
    let source = scripted(|call| match call {
        0 => Act::Say("n = 2"),
        1 => Act::Say("n = 3"),
        2 => Act::Say("n = 3 # again"),
        3 => Act::Say("n = -1"),
        _ => Act::Wait,
    });
    let settled = source.settled.clone();
    let _config = start(source);
    let all = || settled.lock().expect("no panic").clone();
    until("all are settled", || all().len() == 4);
    std::thread::sleep(Duration::from_millis(50));
    let mut all = all();
    all.sort_by_key(|(order, _)| *order);
    let orders: Vec<_> = all.iter().map(|(order, _)| *order).collect();
    assert_eq!(orders, [1, 2, 3, 4], "{all:?}");
    assert!(matches!(all[0].1, Verdict::Applied { version: 1 } | Verdict::Superseded), "{all:?}");
    // Several may have come in one window, or before the first load: then only the last counts.
    assert!(matches!(all[3].1, Verdict::Refused), "{all:?}");
}

#[test]
fn a_source_that_never_answers_is_named_by_the_start_and_does_not_hold_up_a_shutdown() {
    let error = Hot::<Small>::builder()
        .startup_deadline(Duration::from_millis(50))
        .source(scripted(|_| Act::Wait))
        .blocking_start()
        .expect_err("no answer");
    assert!(error.to_string().contains("gave no answer in time"), "{error}");
    assert!(format!("{error:?}").contains("scripted"), "{error:?}");

    let config = start(scripted(once));
    let other = config.clone();
    let reload = std::thread::spawn(move || other.blocking_reload());
    std::thread::sleep(Duration::from_millis(50));
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    assert!(reload.join().expect("no panic").expect_err("stopped").is_usage());
}

#[test]
fn a_source_that_warns_without_end_is_bounded() {
    struct Warns;
    impl Source for Warns {
        fn describe(&self) -> Cow<'_, str> {
            "warns".into()
        }
        fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
            Box::pin(async move {
                for n in 0..10_000 {
                    cx.warn(format!("warning {n}"));
                }
                Ok(Update::absent())
            })
        }
        fn is_live(&self) -> bool {
            false
        }
    }
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = heard.clone();
    let config = Hot::<Small>::builder()
        .source(Warns)
        .on_event(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .blocking_start()
        .expect("loaded");
    for _ in 0..3 {
        config.blocking_reload().expect("it answers");
    }
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    let heard = heard.load(Ordering::SeqCst);
    assert!((1..1000).contains(&heard), "{heard}");
}

/// A source that brings what a test says, in this order, and says nothing between.
fn steps(name: &'static str) -> (Steps, std::sync::mpsc::Sender<Result<&'static str, &'static str>>) {
    let (tell, told) = std::sync::mpsc::channel();
    (Steps { name, told: Arc::new(Mutex::new(told)) }, tell)
}

struct Steps {
    name: &'static str,
    told: Arc<Mutex<std::sync::mpsc::Receiver<Result<&'static str, &'static str>>>>,
}

impl Source for Steps {
    fn describe(&self) -> Cow<'_, str> {
        self.name.into()
    }

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async {
            loop {
                let step = self.told.lock().expect("no panic").try_recv();
                match step {
                    Ok(Ok(text)) => return Update::parse(Format::Toml, self.name, text.as_bytes()),
                    Ok(Err(message)) => return Err(SourceError::down(message)),
                    Err(_) => cx.sleep(Duration::from_millis(1)).await,
                }
            }
        })
    }
}

#[test]
fn a_refusal_stands_while_its_document_is_set_aside_though_its_source_goes_down() {
    let (first, low) = steps("low");
    let (second, high) = steps("high");
    low.send(Ok("n = 2")).expect("it listens");
    high.send(Ok("")).expect("it listens");
    let config = Hot::<Small>::builder().source(first).source(second).blocking_start().expect("loaded");
    let state = || config.status().sources[0].state;
    low.send(Ok("n = -1")).expect("it listens");
    until("it is refused", || state() == SourceState::Refused);
    low.send(Err("gone")).expect("it listens");
    until("it is down", || state() == SourceState::Down);
    high.send(Ok("other = 3")).expect("it listens");
    until("the other applies", || config.load().other == 3);
    let status = config.status();
    let rejected = status.rejected.as_ref().expect("the old document still waits").to_string();
    assert!(rejected.contains("found -1"), "{rejected}");
    assert_eq!(
        status.sources[0].error.as_ref().map(ToString::to_string).as_deref(),
        Some("low: gone; keeping version 1")
    );
    assert!(!status.is_healthy());
    low.send(Ok("n = 4")).expect("it listens");
    until("it heals", || config.status().is_healthy() && config.load().n == 4);
}

#[test]
fn a_start_goes_on_without_an_optional_source_that_does_not_answer() {
    let (late, tell) = steps("late");
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let config = Hot::<Small>::builder()
        .startup_deadline(Duration::from_millis(50))
        .source(Inline::toml("base", "n = 2"))
        .source(late.optional())
        .on_event(move |event| heard.lock().expect("no panic").push(event.to_string()))
        .blocking_start()
        .expect("it may be absent");
    let status = config.status();
    assert_eq!((config.load().n, status.sources[1].state), (2, SourceState::Down));
    assert!(!status.is_healthy());
    tell.send(Ok("n = 3")).expect("it listens");
    until("it comes in", || config.load().n == 3 && config.status().is_healthy());
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    let told = told.lock().expect("no panic");
    assert!(told[0].contains("late: gave no answer in time"), "{told:#?}");
    assert!(told.iter().any(|event| event.contains("late") && event.contains("up")), "{told:#?}");

    let (late, _tell) = steps("late");
    let loaded = Hot::<Small>::builder()
        .startup_deadline(Duration::from_millis(50))
        .source(Inline::toml("base", "n = 2"))
        .source(late.optional())
        .read()
        .expect("it may be absent");
    assert!(loaded.warnings()[0].to_string().contains("gave no answer in time"), "{:?}", loaded.warnings());
}

#[test]
fn a_source_that_holds_the_engine_is_told_of() {
    struct Blocks(bool);
    impl Source for Blocks {
        fn describe(&self) -> Cow<'_, str> {
            "blocks".into()
        }
        fn next<'a>(&'a mut self, _: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
            Box::pin(async {
                if std::mem::replace(&mut self.0, true) {
                    std::future::pending::<()>().await;
                }
                // What a source must not do: this is the thread of every configuration.
                std::thread::sleep(Duration::from_millis(600));
                Ok(Update::absent())
            })
        }
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let config = Hot::<Small>::builder()
        .source(Blocks(false))
        .on_event(move |event| told.lock().expect("no panic").push(event.to_string()))
        .blocking_start()
        .expect("loaded");
    config.blocking_shutdown(Duration::from_secs(20)).expect("calm");
    let heard = heard.lock().expect("no panic");
    let about = |event: &&String| event.contains("blocks") && event.contains("held the engine's thread for");
    assert_eq!(heard.iter().filter(about).count(), 1, "{heard:#?}");
}
