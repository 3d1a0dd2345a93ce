//! What `tracing` hears of a configuration: the documented spans, each in its place and with its fields.
//!
//! Spans of the engine are made on its thread, so the one subscriber is the process's; a test knows its own
//! by the name of its configuration.

use crate::support::until;
use hotconf::{Format, Hot, HotConf, Inline};
use std::fmt::{Debug, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

#[derive(Clone, Debug, HotConf)]
struct App {
    #[hotconf(range = 1..=10)]
    n: u32,
    #[hotconf(default = 1)]
    m: u32,
}

/// One line for each span that closed and each event, with the spans that it stood in.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn lines() -> std::sync::MutexGuard<'static, Vec<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down what is told of these tests' configurations, and not what the others' do meanwhile.
fn note(line: String) {
    if line.contains("config=\"told-") {
        lines().push(line);
    }
}

/// Has all that hotconf tells written down, whoever asks first.
pub(crate) fn record() {
    static SET: OnceLock<()> = OnceLock::new();
    SET.get_or_init(|| {
        let subscriber =
            tracing_subscriber::registry().with(Recorder).with(crate::promises::secret::traced::Listener);
        tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");
    });
}

/// What was told of the configuration `name`.
fn told(name: &str) -> Vec<String> {
    let mark = format!(" config={name:?}");
    lines().iter().filter(|line| line.contains(&mark)).map(|line| line.replacen(&mark, "", 1)).collect()
}

struct Recorder;

/// The fields of a span or an event.
#[derive(Default)]
struct Said(String);

impl tracing::field::Visit for Said {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            // It has tests of its own.
            "error" => Ok(()),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, span: &tracing::span::Attributes<'_>, id: &tracing::span::Id, cx: Context<'_, S>) {
        let mut said = Said::default();
        span.record(&mut said);
        cx.span(id).expect("it is new").extensions_mut().insert(said);
    }

    fn on_record(&self, id: &tracing::span::Id, values: &tracing::span::Record<'_>, cx: Context<'_, S>) {
        if let Some(said) = cx.span(id).expect("it lives").extensions_mut().get_mut::<Said>() {
            values.record(said);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, cx: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let scope = cx.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let place: String = scope.flat_map(|span| [span.name(), "/"]).collect();
        let meta = event.metadata();
        note(format!("{place}{}{}", meta.level(), said.0));
    }

    fn on_close(&self, id: tracing::span::Id, cx: Context<'_, S>) {
        let span = cx.span(&id).expect("it is about to close");
        let place: Vec<_> = span.scope().from_root().map(|span| span.name()).collect();
        let said = span.extensions().get::<Said>().map(|said| said.0.clone()).unwrap_or_default();
        note(format!("{}:{said}", place.join("/")));
    }
}

#[test]
fn a_start_a_reload_and_a_refusal_have_their_spans() {
    record();
    let name = "told-live";
    let (source, text) = Inline::channel("app", Format::Toml, "n = 1");
    let config: Hot<App> = Hot::builder().name(name).source(source).blocking_start().expect("it is valid");
    let take = |most: usize| {
        until("all is told", || told(name).len() >= most);
        let all = told(name);
        lines().retain(|line| !line.contains(&format!("{name:?}")));
        all
    };
    assert_eq!(
        take(3),
        [
            "load: verdict=\"good\"",
            "publish/INFO configuration applied version=1 paths=2",
            "publish: version=1"
        ]
    );
    text.set("n = 2");
    assert_eq!(
        take(4),
        [
            "reload/load: verdict=\"good\"",
            "reload/publish: version=2",
            "reload/INFO configuration applied version=2 paths=1",
            "reload: verdict=\"applied\"",
        ]
    );
    text.set("n = 50");
    assert_eq!(
        take(4),
        [
            "reload/load: verdict=\"refused\"",
            "reload/refuse/ERROR configuration rejected problems=1",
            "reload/refuse: problems=1",
            "reload: verdict=\"refused\"",
        ]
    );
    text.set("# the same again\nn = 2");
    assert_eq!(
        take(3),
        [
            "reload/load: verdict=\"good\"",
            "reload/INFO source up source=\"app\"",
            "reload: verdict=\"unchanged\""
        ]
    );
    // It cannot be parsed: there is nothing to load.
    text.set("n = ");
    assert_eq!(take(2), ["refuse/ERROR configuration rejected problems=1", "refuse: problems=1"]);
    drop(config);
}

#[test]
fn one_look_has_its_spans_and_a_refused_one_says_so() {
    record();
    let read = |name: &str, text| {
        let read = Hot::<App>::builder().name(name).source(Inline::toml("app", text)).read();
        (read.is_ok(), told(name))
    };
    assert_eq!(read("told-once", "n = 1"), (true, vec!["load: verdict=\"good\"".to_owned()]));
    let (well, lines) = read("told-refused", "n = 50\nm = true");
    assert!(!well);
    assert_eq!(
        lines,
        ["load: verdict=\"refused\"", "refuse/ERROR configuration rejected problems=2", "refuse: problems=2",]
    );
}

#[test]
fn a_start_that_fails_says_so() {
    record();
    let source = Inline::toml("app", "n = 50");
    Hot::<App>::builder()
        .name("told-failed")
        .source(source)
        .blocking_start()
        .expect_err("it is out of range");
    assert_eq!(
        told("told-failed"),
        ["load: verdict=\"refused\"", "refuse/ERROR configuration rejected problems=1", "refuse: problems=1",]
    );
}
