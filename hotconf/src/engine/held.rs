//! Finds sources that hold the engine's thread, which they share with all configurations of the process.
//!
//! Nothing can be done against one while it does, and nothing is known of it: a future that blocks is seen
//! only when it returns. So it is measured, and told afterwards.

use crate::source::Context;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

/// A future that is well written returns within microseconds; this long is no matter of a busy machine.
const LONG: Duration = Duration::from_millis(500);

/// What one source has held the thread for.
#[derive(Default)]
pub(crate) struct Held {
    /// The longest that was told.
    worst: Duration,
}

impl Held {
    /// Awaits what a source does, and warns where a single poll of it took long: once, and again when it
    /// takes twice as long.
    pub(crate) async fn watched<R>(&mut self, cx: &Context, work: impl Future<Output = R>) -> R {
        let mut work = pin!(work);
        poll_fn(|task| {
            let begun = Instant::now();
            let polled = work.as_mut().poll(task);
            if let Some(held) = self.note(begun.elapsed()) {
                cx.warn(format!(
                    "held the engine's thread for {} ms, and all configurations of the process with it; \
                     `Source::next` must not block: await, or leave the work to a thread of your own",
                    held.as_millis()
                ));
            }
            polled
        })
        .await
    }

    /// Whether that is to be told.
    fn note(&mut self, held: Duration) -> Option<Duration> {
        if held < LONG.max(self.worst * 2) {
            return None;
        }
        self.worst = held;
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_and_again_when_it_gets_twice_as_bad() {
        let mut held = Held::default();
        let told: Vec<_> = [1, 499, 500, 999, 1000, 1999, 2500]
            .into_iter()
            .filter(|ms| held.note(Duration::from_millis(*ms)).is_some())
            .collect();
        assert_eq!(told, [500, 1000, 2500]);
    }
}
