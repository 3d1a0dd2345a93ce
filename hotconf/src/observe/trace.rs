//! The same story for `tracing`: stable names, no value of any setting. The sole user of `tracing`.
//!
//! Everything has the target `hotconf` and the field `config`, the configuration's name.
//!
//! | event | level | fields |
//! |---|---|---|
//! | `configuration applied` | info | `version`, `paths`: how many leaves moved |
//! | `configuration rejected` | error | `problems`: how many, `error` |
//! | `source down` | error | `source`, `error` |
//! | `source up` | info | `source` |
//! | `configuration warning` | warn | `warning` |
//! | `restart required` | warn | `paths`: their names |
//!
//! | span | level | fields |
//! |---|---|---|
//! | `load`: merging, decoding and checking a candidate | debug | |
//! | `publish`: the swap, and telling whoever is concerned | debug | `version` |

use super::event::Event;

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

/// Runs `work` inside the span `load`.
#[cfg(feature = "tracing")]
pub(crate) fn load<R>(config: &str, work: impl FnOnce() -> R) -> R {
    tracing::debug_span!(target: "hotconf", "load", config).in_scope(work)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn load<R>(_config: &str, work: impl FnOnce() -> R) -> R {
    work()
}

/// Runs `work` inside the span `publish`.
#[cfg(feature = "tracing")]
pub(crate) fn publish<R>(config: &str, version: u64, work: impl FnOnce() -> R) -> R {
    tracing::debug_span!(target: "hotconf", "publish", config, version).in_scope(work)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn publish<R>(_config: &str, _version: u64, work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(all(test, feature = "tracing"))]
mod tests {
    use super::{event, load, publish};
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
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
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
        let warning = Warning { path: "n".to_owned(), message: "odd".to_owned(), origin: None };
        tracing::subscriber::with_default(log.clone(), || {
            event("Shop", &Event::Rejected(error));
            event("Shop", &Event::SourceDown(down));
            event("Shop", &Event::SourceUp(SourceUp { source: "app.toml".into() }));
            event("Shop", &Event::Warning(warning));
            event("Shop", &Event::RestartRequired(RestartRequired { paths: vec!["port".to_owned()] }));
            assert_eq!((load("Shop", || 1), publish("Shop", 7, || 2)), (1, 2));
        });
        let log = lock(&log.0).clone();
        for (line, begin, contains) in [
            (0, "ERROR hotconf message=configuration rejected", "config=\"Shop\" problems=1 error="),
            (1, "ERROR hotconf message=source down", "source=\"app.toml\" error="),
            (2, "INFO hotconf message=source up", "source=\"app.toml\""),
            (3, "WARN hotconf message=configuration warning", "warning=`n`: odd"),
            (4, "WARN hotconf message=restart required", "paths=\"port\""),
            (5, "DEBUG hotconf span=load", "config=\"Shop\""),
            (6, "DEBUG hotconf span=publish", "version=7"),
        ] {
            let line = log.lines().nth(line).unwrap_or_default();
            assert!(line.starts_with(begin) && line.contains(contains), "{line}\n{log}");
        }
    }
}
