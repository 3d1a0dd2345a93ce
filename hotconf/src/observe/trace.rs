//! The same story for `tracing`: stable names, no value of any setting. The sole user of `tracing`.
//!
//! The names are listed in the crate's documentation, "Tracing": what is renamed here breaks filters of users.
//! Without the feature all of it does nothing.

use super::event::Event;
use crate::error::Error;

/// Tells `tracing` of an event; does nothing without the feature.
#[cfg(feature = "tracing")]
pub(crate) fn event(config: &str, event: &Event) {
    match event {
        Event::Applied(applied) => {
            tracing::info!(
                target: "hotconf",
                config,
                version = applied.version(),
                paths = applied.moved.as_slice().len(),
                "configuration applied"
            );
        }
        Event::Rejected(error) => {
            tracing::error!(target: "hotconf", config, problems = error.problems().len(), %error, "configuration rejected");
        }
        Event::SourceDown(down) => {
            tracing::error!(target: "hotconf", config, source = down.source(), error = %down.error(), "source down");
        }
        Event::SourceUp(up) => {
            tracing::info!(target: "hotconf", config, source = up.source(), "source up");
        }
        Event::Warning(warning) => {
            tracing::warn!(target: "hotconf", config, %warning, "configuration warning");
        }
        Event::RestartRequired(restart) => {
            tracing::warn!(target: "hotconf", config, paths = restart.paths().join(", "), "restart required");
        }
        Event::Lagged(_) => {}
    }
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn event(_config: &str, _event: &Event) {}

/// Tells of the first version: `leaves` have a value.
#[cfg(feature = "tracing")]
pub(crate) fn first(config: &str, leaves: u32) {
    tracing::info!(target: "hotconf", config, version = 1_u64, paths = leaves, "configuration applied");
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn first(_config: &str, _leaves: u32) {}

/// Runs `work` inside the span `load`; an `Err` is a refusal.
pub(crate) fn load<R, E>(config: &str, work: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
    let span = Span::load(config);
    let result = span.in_scope(work);
    span.verdict(if result.is_ok() { Verdict::Good } else { Verdict::Refused });
    result
}

/// Runs `work` inside the span `publish`.
pub(crate) fn publish<R>(config: &str, version: u64, work: impl FnOnce() -> R) -> R {
    Span::publish(config, version).in_scope(work)
}

/// Runs `work` inside the span `refuse`.
pub(crate) fn refuse<R>(config: &str, error: &Error, work: impl FnOnce() -> R) -> R {
    Span::refuse(config, error.problems().len()).in_scope(work)
}

/// How a load or a reload ended, as its span's field says it. A later one is worth more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// What was loaded is valid.
    Good,
    /// It is what is in force.
    Unchanged,
    Refused,
    /// A version was put in force, be it that something else was refused with it.
    Applied,
}

/// A span that may be entered more than once, and on more than one thread.
#[derive(Clone)]
pub(crate) struct Span(#[cfg(feature = "tracing")] tracing::Span);

#[cfg(feature = "tracing")]
impl Span {
    /// No span at all.
    pub(crate) fn none() -> Self {
        Self(tracing::Span::none())
    }

    /// A window of documents that is looked at, from the first judgement to the last word on it.
    pub(crate) fn reload(config: &str) -> Self {
        Self(tracing::debug_span!(target: "hotconf", "reload", config, verdict = tracing::field::Empty))
    }

    fn load(config: &str) -> Self {
        Self(tracing::debug_span!(target: "hotconf", "load", config, verdict = tracing::field::Empty))
    }

    fn publish(config: &str, version: u64) -> Self {
        Self(tracing::debug_span!(target: "hotconf", "publish", config, version))
    }

    fn refuse(config: &str, problems: usize) -> Self {
        Self(tracing::debug_span!(target: "hotconf", "refuse", config, problems))
    }

    pub(crate) fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        self.0.in_scope(work)
    }

    /// Fills the field `verdict`; once.
    pub(crate) fn verdict(&self, verdict: Verdict) {
        let word = match verdict {
            Verdict::Good => "good",
            Verdict::Unchanged => "unchanged",
            Verdict::Refused => "refused",
            Verdict::Applied => "applied",
        };
        self.0.record("verdict", word);
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self)] // called as the span that is one
impl Span {
    pub(crate) fn none() -> Self {
        Self()
    }

    pub(crate) fn reload(_config: &str) -> Self {
        Self()
    }

    fn load(_config: &str) -> Self {
        Self()
    }

    fn publish(_config: &str, _version: u64) -> Self {
        Self()
    }

    fn refuse(_config: &str, _problems: usize) -> Self {
        Self()
    }

    pub(crate) fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        work()
    }

    pub(crate) fn verdict(&self, _verdict: Verdict) {}
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::{Span, Verdict, event, first, load, publish, refuse};
    use crate::error::{Error, Problem, ProblemKind};
    use crate::observe::{Event, RestartRequired, SourceDown, SourceUp, Warning};
    use crate::sync::lock;
    use std::fmt::{Debug, Write};
    use std::sync::{Arc, Mutex};
    use tracing::field::{Field, Visit};
    use tracing::{Metadata, Subscriber, span};

    /// Writes down names, targets and fields, a line for each event and each span.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    impl Log {
        fn note(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) {
            let mut line = Line(format!("{} {}", metadata.level(), metadata.target()));
            if metadata.is_span() {
                line.0 += &format!(" span={}", metadata.name());
            }
            record(&mut line);
            *lock(&self.0) += &(line.0 + "\n");
        }
    }

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
            self.note(span.metadata(), |line| span.record(line));
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, values: &span::Record<'_>) {
            let mut line = Line("record".to_owned());
            values.record(&mut line);
            *lock(&self.0) += &(line.0 + "\n");
        }
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            self.note(event.metadata(), |line| event.record(line));
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn names_and_fields_are_the_documented_ones() {
        let log = Log::default();
        let problem = Problem::new(ProblemKind::Unreadable, "", "not there");
        let error = Error::problems_in("app.toml", vec![problem]);
        let down = SourceDown { source: "app.toml".into(), error: error.clone() };
        let refused = error.clone();
        let warning = Warning { path: "n".to_owned(), message: "odd".to_owned(), origin: None };
        tracing::subscriber::with_default(log.clone(), || {
            event("Shop", &Event::Rejected(error));
            event("Shop", &Event::SourceDown(down));
            event("Shop", &Event::SourceUp(SourceUp { source: "app.toml".into() }));
            event("Shop", &Event::Warning(warning));
            event("Shop", &Event::RestartRequired(RestartRequired { paths: vec!["port".to_owned()] }));
            first("Shop", 4);
            assert_eq!((load("Shop", || Ok::<_, ()>(1)), publish("Shop", 7, || 2)), (Ok(1), 2));
            assert_eq!((load("Shop", || Err::<(), _>(3)), refuse("Shop", &refused, || 4)), (Err(3), 4));
            Span::reload("Shop").verdict(Verdict::Unchanged);
            Span::none().verdict(Verdict::Applied);
        });
        let log = lock(&log.0).clone();
        for (line, begin, contains) in [
            (0, "ERROR hotconf message=configuration rejected", "config=\"Shop\" problems=1 error="),
            (1, "ERROR hotconf message=source down", "source=\"app.toml\" error="),
            (2, "INFO hotconf message=source up", "source=\"app.toml\""),
            (3, "WARN hotconf message=configuration warning", "warning=`n`: odd"),
            (4, "WARN hotconf message=restart required", "paths=\"port\""),
            (5, "INFO hotconf message=configuration applied", "version=1 paths=4"),
            (6, "DEBUG hotconf span=load", "config=\"Shop\""),
            (7, "record", "verdict=\"good\""),
            (8, "DEBUG hotconf span=publish", "config=\"Shop\" version=7"),
            (9, "DEBUG hotconf span=load", "config=\"Shop\""),
            (10, "record", "verdict=\"refused\""),
            (11, "DEBUG hotconf span=refuse", "config=\"Shop\" problems=1"),
            (12, "DEBUG hotconf span=reload", "config=\"Shop\""),
            (13, "record", "verdict=\"unchanged\""),
        ] {
            let line = log.lines().nth(line).unwrap_or_default();
            assert!(line.starts_with(begin) && line.contains(contains), "{line}\n{log}");
        }
    }
}
