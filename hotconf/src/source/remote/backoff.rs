//! How long to wait before the next attempt: exponential, with full jitter.
//!
//! Pure: randomness and time are given. The delay before attempt n is drawn evenly from zero to
//! `first × 2ⁿ`, capped: the "full jitter" of M. Brooker, *Exponential Backoff and Jitter* (AWS, 2015),
//! which spreads a fleet that lost its store together over the whole interval.
//!
//! A session that was well pays for failures before it: as many as their longest delays make up an eighth of
//! its life. So a server that closes every session after some seconds is had back soon each time, however often;
//! one that closes them at once is left alone for longer and longer.

use std::time::{Duration, Instant};

/// The pace of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest first delay. Default 0.5 s.
    pub first: Duration,
    /// The longest delay at all. Default 60 s.
    pub longest: Duration,
    /// A session that was well for so long makes the next delay a first one again. One that was well for less
    /// takes back as many doublings as fit in its life: after failures that added up to delays of an eighth of it,
    /// the next delay is a first one as well. Default 60 s.
    pub reset_after: Duration,
    /// The least delay after the store refused our credentials, and a new login as well; the most is twice as
    /// long. Default 30 s.
    pub denied: Duration,
}

/// How much longer than a delay a session must be well to pay for it: then the store is followed nine tenths of
/// the time and more, and connected to once in eight first delays at the most.
const WORTH: u32 = 8;

/// A store that asks to be left alone for longer is not believed: it may be a clock or a unit that is wrong.
const BELIEVED: Duration = Duration::from_secs(60 * 60);

impl Default for Backoff {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self { first: second / 2, longest: 60 * second, reset_after: 60 * second, denied: 30 * second }
    }
}

/// How many attempts failed since all was well.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failed: u32,
    well_since: Option<Instant>,
}

impl Attempts {
    /// The session works: what it said was taken.
    pub(super) fn well(&mut self, now: Instant) {
        self.well_since.get_or_insert(now);
    }

    /// A session or an attempt failed: how long to wait. `random` is any number, evenly drawn; `floor` is
    /// what the store itself asks for.
    pub(super) fn failed(
        &mut self,
        pace: &Backoff,
        now: Instant,
        random: u64,
        floor: Option<Duration>,
    ) -> Duration {
        if let Some(since) = self.well_since.take() {
            let well = now.saturating_duration_since(since);
            self.failed =
                if well >= pace.reset_after { 0 } else { self.failed.saturating_sub(paid(pace, well)) };
        }
        let longest = pace.first.saturating_mul(1 << self.failed.min(30)).min(pace.longest);
        self.failed = self.failed.saturating_add(1);
        part(longest, random).max(floor.unwrap_or_default().min(BELIEVED))
    }

    /// The number of the attempt that comes next.
    pub(super) fn next(&self) -> u32 {
        self.failed
    }
}

/// For how many failures a session that was well for so long pays: `first × (2ᵏ − 1)` are their longest delays.
fn paid(pace: &Backoff, well: Duration) -> u32 {
    let delays = (well / WORTH).as_nanos() / pace.first.as_nanos().max(1);
    (delays.saturating_add(1)).ilog2()
}

/// The share of `whole` that `random` stands for, of `u64::MAX`.
pub(super) fn part(whole: Duration, random: u64) -> Duration {
    // Nobody lives to see 584 years, and the product of two `u64` has room.
    let nanos = (u128::from(u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX)) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(attempts: &mut Attempts, now: Instant, count: usize) -> Vec<u128> {
        let pace = Backoff::default();
        (0..count).map(|_| attempts.failed(&pace, now, u64::MAX, None).as_millis()).collect()
    }

    #[test]
    fn the_longest_delays_double_up_to_the_cap() {
        let now = Instant::now();
        let delays = delays(&mut Attempts::default(), now, 9);
        assert_eq!(delays, [499, 999, 1999, 3999, 7999, 15999, 31999, 59999, 59999]);
    }

    #[test]
    fn a_delay_is_drawn_from_zero_on_and_is_never_below_what_the_store_asks_for() {
        let (pace, now) = (Backoff::default(), Instant::now());
        let mut attempts = Attempts::default();
        assert_eq!(attempts.failed(&pace, now, 0, None), Duration::ZERO);
        assert_eq!(attempts.failed(&pace, now, u64::MAX / 2, None).as_millis(), 499);
        let asked = Duration::from_secs(7);
        assert_eq!(attempts.failed(&pace, now, 0, Some(asked)), asked);
        assert_eq!(attempts.failed(&pace, now, 0, Some(Duration::MAX)), BELIEVED);
    }

    #[test]
    fn a_minute_of_health_makes_the_next_delay_a_first_one_whatever_was_before() {
        let mut attempts = Attempts::default();
        let mut now = Instant::now();
        delays(&mut attempts, now, 7);
        attempts.well(now);
        now += Duration::from_secs(59);
        assert_eq!(delays(&mut attempts, now, 1), [7999], "some of it is paid for");
        attempts.well(now);
        now += Duration::from_secs(60);
        assert_eq!(delays(&mut attempts, now, 2), [499, 999]);
    }

    /// The longest delays after sessions that live for so long each, from the first on.
    fn after_sessions_of(millis: u64, count: usize) -> Vec<u128> {
        let (mut attempts, mut now) = (Attempts::default(), Instant::now());
        let mut next = || {
            attempts.well(now);
            now += Duration::from_millis(millis);
            delays(&mut attempts, now, 1)[0]
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn sessions_that_live_for_a_while_are_had_back_soon_however_often_they_end() {
        assert_eq!(after_sessions_of(30_000, 20), [499; 20]);
        assert_eq!(after_sessions_of(4_000, 20), [499; 20]);
        assert_eq!(after_sessions_of(3_999, 4), [499, 999, 1999, 3999], "too short to pay for a delay");
        assert_eq!(after_sessions_of(0, 9)[7..], [59999, 59999]);
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut attempts = Attempts { failed: u32::MAX, well_since: None };
        assert_eq!(delays(&mut attempts, Instant::now(), 1), [59999]);
        let no = Backoff { first: Duration::ZERO, ..Backoff::default() };
        assert_eq!((paid(&no, Duration::MAX), paid(&Backoff::default(), Duration::ZERO)), (90, 0));
        assert!(part(Duration::MAX, u64::MAX) > Duration::from_secs(1 << 33));
    }
}
