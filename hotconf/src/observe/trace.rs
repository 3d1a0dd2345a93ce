//! The same story for `tracing`: stable names, no value of any setting. The sole user of `tracing`.
//!
//! Target `hotconf`; events carry `config` (the configuration's name) and, as they apply, `version`,
//! `source`, `paths`, `problems`.

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

/// Runs `work` inside a span of the given stage.
#[cfg(feature = "tracing")]
pub(crate) fn stage<T>(config: &str, stage: &'static str, work: impl FnOnce() -> T) -> T {
    tracing::debug_span!(target: "hotconf", "reload", config, stage).in_scope(work)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn stage<T>(_config: &str, _stage: &'static str, work: impl FnOnce() -> T) -> T {
    work()
}
