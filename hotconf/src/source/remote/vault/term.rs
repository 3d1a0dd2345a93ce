//! When what a server lends us is renewed, and when another is asked for.
//!
//! Pure: time and randomness are given. The fractions are those of consul-template: a lease is renewed after a third
//! of its time, less up to half of that, and one that cannot be renewed is replaced after nine tenths, give or take a
//! twentieth. What a server grants counts, not what was asked: a renewal that brings less than it did at first says
//! that the longest time is near (`max_ttl`), so that another is asked for before the end.

use super::super::backoff::part;
use crate::sync::later;
use std::time::{Duration, Instant};

/// However short a lease is, it is not looked after more often.
const PACE: Duration = Duration::from_millis(200);
/// Servers count in whole seconds.
const ROUNDED: Duration = Duration::from_secs(1);

/// For how long something is lent, and what is to be done before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// What was granted at first, and is asked for at each renewal.
    pub(super) asked: Duration,
    pub(super) ends: Instant,
    /// When that is to be done.
    pub(super) due: Instant,
    pub(super) then: Then,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Renew,
    /// Another is asked for, while this one is still good.
    Replace,
}

impl Term {
    /// Granted for the first time; nothing where it does not end.
    pub(super) fn granted(for_: Duration, renewable: bool, now: Instant, random: u64) -> Option<Self> {
        let term = Self { asked: for_, ends: later(now, for_), due: now, then: Then::Replace };
        match (for_.is_zero(), renewable) {
            (true, _) => None,
            (false, true) => Some(term.renewing(for_, now, random)),
            (false, false) => Some(term.fixed(now, random)),
        }
    }

    /// Renewed: `for_` is what is left from now on.
    pub(super) fn renewed(self, for_: Duration, renewable: bool, now: Instant, random: u64) -> Self {
        let term = Self { ends: later(now, for_), ..self };
        if renewable && for_.saturating_add(ROUNDED) >= self.asked {
            return term.renewing(for_, now, random);
        }
        // Between a third and two thirds of what is left.
        let wait = for_ / 3 + part(for_ / 3, random);
        Self { due: later(now, wait.max(PACE)), then: Then::Replace, ..term }
    }

    /// The same without renewals.
    pub(super) fn fixed(self, now: Instant, random: u64) -> Self {
        let left = self.ends.saturating_duration_since(now);
        let wait = left / 20 * 17 + part(left / 10, random);
        Self { due: later(now, wait.max(PACE)), then: Then::Replace, ..self }
    }

    fn renewing(self, for_: Duration, now: Instant, random: u64) -> Self {
        let wait = for_ / 6 + part(for_ / 6, random);
        Self { due: later(now, wait.max(PACE)), then: Then::Renew, ..self }
    }

    /// Whether it is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.ends <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn after(term: Term, now: Instant) -> Duration {
        term.due.saturating_duration_since(now)
    }

    #[test]
    fn what_can_be_renewed_is_renewed_between_a_sixth_and_a_third_of_its_time() {
        let now = Instant::now();
        for (random, seconds) in [(0, 600), (u64::MAX, 1199)] {
            let term = Term::granted(HOUR, true, now, random).unwrap();
            assert_eq!((term.then, after(term, now).as_secs()), (Then::Renew, seconds));
            let again = term.renewed(HOUR, true, term.due, random);
            assert_eq!((again.then, after(again, term.due).as_secs()), (Then::Renew, seconds));
            assert_eq!(again.ends, term.due + HOUR);
        }
    }

    #[test]
    fn what_cannot_be_renewed_is_replaced_at_nine_tenths_give_or_take_a_twentieth() {
        let now = Instant::now();
        for (random, seconds) in [(0, 3060), (u64::MAX, 3419)] {
            let term = Term::granted(HOUR, false, now, random).unwrap();
            assert_eq!((term.then, after(term, now).as_secs()), (Then::Replace, seconds));
        }
    }

    #[test]
    fn a_renewal_that_brings_less_than_was_asked_for_ends_in_another_before_the_end() {
        let now = Instant::now();
        let term = Term::granted(HOUR, true, now, 0).unwrap();
        for (random, least) in [(0, 599), (u64::MAX, 1199)] {
            let short = term.renewed(HOUR / 2, true, now, random);
            assert_eq!(short.then, Then::Replace);
            assert!(after(short, now).as_secs() >= least && short.due < short.ends);
        }
        // A second less is the server's rounding.
        assert_eq!(term.renewed(Duration::from_secs(3599), true, now, 0).then, Then::Renew);
        assert_eq!(term.renewed(HOUR, false, now, 0).then, Then::Replace);
    }

    #[test]
    fn what_does_not_end_has_no_term_and_what_is_short_is_not_hurried() {
        let now = Instant::now();
        assert_eq!(Term::granted(Duration::ZERO, true, now, 0), None);
        let short = Term::granted(Duration::from_millis(1), true, now, 0).unwrap();
        assert_eq!(after(short, now), PACE);
        assert!(short.is_over(short.ends) && !short.is_over(now));
    }

    proptest::proptest! {
        #[test]
        fn no_time_that_a_server_grants_overflows(first: u64, again: u64, renewable: bool, random: u64) {
            let now = Instant::now();
            if let Some(term) = Term::granted(Duration::from_secs(first), renewable, now, random) {
                let term = term.renewed(Duration::from_secs(again), renewable, now, random).fixed(now, random);
                proptest::prop_assert!(term.due >= now + PACE);
            }
        }
    }
}
