//! How code of the user reaches a worker, and how its troubles come back.
//!
//! The engine implements [`Pool`]; this stage only knows the trait. Rule: whatever a job does, the thread
//! that runs it survives, see [`contained`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Something that runs foreign code on threads of its own.
pub(crate) trait Pool: Send + Sync {
    /// Hands a job over, first come first served; gives it back after shutdown.
    fn submit(&self, job: Job) -> Result<(), Job>;
}

/// One piece of foreign code, to be run once.
pub(crate) struct Job {
    /// Names it in reports, e.g. `on_change http.timeout`.
    pub(crate) name: Arc<str>,
    pub(crate) report: Report,
    pub(crate) run: Box<dyn FnOnce() + Send>,
}

/// Where the troubles of a job are told; called without any lock, and must not block.
pub(crate) type Report = Arc<dyn Fn(Trouble) + Send + Sync>;

/// What went wrong with foreign code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It panicked; the message is the user's own.
    Panicked { name: Arc<str>, message: String },
    /// It has been running for this long; told once a run.
    Late { name: Arc<str>, after: Duration },
}

/// Runs foreign code; a panic becomes its message.
pub(crate) fn contained<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    // What a panic leaves half done is the user's own; hotconf's state is outside of `code`.
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let message = message(&*payload);
        // The payload is foreign too: its drop may panic, and that payload's drop again.
        if let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(payload))) {
            std::mem::forget(again);
        }
        message
    })
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::contained;

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::panic_any(Bomb);
            }
        }
        assert_eq!(contained(|| std::panic::panic_any(Bomb)), Err::<(), _>("no message".to_owned()));
        assert_eq!(contained(|| panic!("n = {}", 1)), Err::<(), _>("n = 1".to_owned()));
        assert_eq!(contained(|| 3), Ok(3));
    }
}
