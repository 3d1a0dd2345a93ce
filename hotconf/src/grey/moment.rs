//! An instant of the wall clock, as rules write it (RFC 3339) and as they are held against the clock.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC. Leap seconds are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(pub(super) i64);

impl Moment {
    /// Before all others.
    pub(super) const EVER: Self = Self(i64::MIN);

    /// Reads `2026-12-01T08:00:00Z`, with a fraction or another offset where there is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|b| any.contains(b));
        let marks = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let longest = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let fits = (1..=12).contains(&month) && (1..=longest).contains(&day) && hour < 24 && minute < 60;
        if !marks || !fits || second > 60 {
            return None;
        }
        let (millis, rest) = fraction(text.get(19..)?)?;
        let offset = offset(rest)?;
        let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset;
        Some(Self(seconds * 1000 + millis))
    }

    /// That of the clock.
    pub(crate) fn of(time: SystemTime) -> Self {
        let millis = |since: Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        })
    }

    /// How long it is from `earlier` to this; nothing where it is not later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Later by so much.
    pub(super) fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Moment {
    /// As RFC 3339 in UTC, to the second, or to the millisecond where it has some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.div_euclid(1000), self.0.rem_euclid(1000));
        let (day, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, date) = civil(day);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        write!(f, "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}")?;
        if millis > 0 {
            write!(f, ".{millis:03}")?;
        }
        f.write_str("Z")
    }
}

/// The milliseconds of `.25`, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let len = rest.bytes().take_while(u8::is_ascii_digit).count();
    let digits = rest.get(..len).filter(|digits| !digits.is_empty())?;
    let millis =
        digits.bytes().chain(*b"00").take(3).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((millis, &rest[len..]))
}

/// The seconds of `Z`, `+02:00` or `-05:30`.
fn offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes() {
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let part = |from: usize, below: i64| {
        let digits = text.get(from..from + 2).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<i64>().ok().filter(|part| *part < below)
    };
    Some(sign * (part(1, 24)? * 3600 + part(4, 60)? * 60))
}

/// Days since 1970-01-01 of a day of the Gregorian calendar. After Howard Hinnant, *chrono-Compatible Low-Level
/// Date Algorithms*: years are counted from March, so that the leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The other way round.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_as_rfc_3339_has_them() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-24T12:34:56Z", 1_795_523_696_000),
            ("2026-11-24t12:34:56.25z", 1_795_523_696_250),
            ("2026-11-24 14:34:56.0009+02:00", 1_795_523_696_000),
            ("2026-11-24T07:04:56-05:30", 1_795_523_696_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(Moment::parse(text), Some(Moment(millis)), "{text}");
        }
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T12:34:56",
            "2026-11-24T12:34Z",
            "2026-13-24T12:34:56Z",
            "2026-02-29T12:34:56Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T12:34:56.Z",
            "2026-11-24T12:34:56+2:00",
            "2026-11-24T12:34:56Zé",
            "+026-11-24T12:34:56Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_reads_as_the_same(millis in -62_000_000_000_000_i64..253_000_000_000_000) {
            let moment = Moment(millis);
            proptest::prop_assert_eq!(Moment::parse(&moment.to_string()), Some(moment));
        }

        #[test]
        fn nothing_makes_it_panic(text in proptest::string::string_regex("[-0-9TZ:.+é ]{0,30}").unwrap()) {
            let _ = Moment::parse(&text);
        }
    }
}
