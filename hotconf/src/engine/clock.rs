//! The wall clock, as overlays of a configuration see it: it never goes back, and it is looked at when one flips.

use crate::grey::Moment;
use std::time::{Duration, Instant, SystemTime};

/// A wall clock may be set, and time that a machine slept counts: no wait for one is longer than this.
const LOOK: Duration = Duration::from_secs(60);

/// The clock of one configuration.
#[derive(Default)]
pub(super) struct Clock {
    /// The latest that was seen: what held by a ramp goes on to hold when the clock is set back.
    latest: Option<Moment>,
    /// When an overlay flips.
    flips: Option<Moment>,
}

impl Clock {
    /// What time it is.
    pub(super) fn now(&mut self) -> Moment {
        self.at(Moment::of(SystemTime::now()))
    }

    fn at(&mut self, now: Moment) -> Moment {
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now);
        now
    }

    /// From now on an overlay flips then, or none does.
    pub(super) fn look_again(&mut self, flips: Option<Moment>) {
        self.flips = flips;
    }

    /// What was judged is not in force; should nothing flip any more by itself, it is tried again when it does.
    pub(super) fn look_besides(&mut self, flips: Option<Moment>) {
        self.flips = self.flips.or(flips);
    }

    /// When to look at it next.
    pub(super) fn next_look(&mut self, now: Instant) -> Option<Instant> {
        let flips = self.flips?;
        let wait = flips.since(self.now());
        Some(crate::sync::later(now, wait.min(LOOK)))
    }

    /// Whether an overlay flips by now; that is said once.
    pub(super) fn is_due(&mut self) -> bool {
        let now = self.now();
        self.flips.take_if(|flips| *flips <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let mut clock = Clock::default();
        let at = |millis| Moment::of(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(clock.at(at(2_000)), at(2_000));
        assert_eq!(clock.at(at(1_000)), at(2_000), "set back");
        assert_eq!(clock.at(at(3_000)), at(3_000));
    }

    #[test]
    fn a_flip_is_waited_for_in_steps_and_told_once() {
        let (mut clock, now) = (Clock::default(), Instant::now());
        assert_eq!(clock.next_look(now), None);
        let far = Moment::of(SystemTime::now() + Duration::from_secs(3_600));
        clock.look_again(Some(far));
        assert_eq!(clock.next_look(now), Some(now + LOOK));
        assert!(!clock.is_due());
        clock.look_again(Some(Moment::of(SystemTime::UNIX_EPOCH)));
        assert_eq!(clock.next_look(now), Some(now));
        assert!(clock.is_due() && !clock.is_due());
    }
}
