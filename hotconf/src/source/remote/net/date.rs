//! How long a server asks to be left alone: `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3).
//!
//! Pure. A date is held against the server's own, from the same answer: no clock of ours has a say in it.

use std::time::Duration;

/// A server that asks for more is asked again after this: a mistake there must not silence a source for good.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// What `value` asks for, in an answer that has the `Date` `now`; `None` where it says nothing that can be read.
pub(super) fn retry_after(value: &str, now: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    let asked = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse().map_or(LONGEST, Duration::from_secs)
    } else {
        Duration::from_secs(date(value)?.saturating_sub(date(now?)?))
    };
    Some(asked.min(LONGEST))
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`: the one form that servers may send.
pub(crate) fn date(text: &str) -> Option<u64> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let mut word = || words.next();
    let day = number(word()?).filter(|day| (1..=31).contains(day))?;
    let name = word()?;
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = names.iter().position(|known| *known == name)? as u64 + 1;
    let year = number(word()?).filter(|year| (1970..=9999).contains(year))?;
    let mut time = word()?.split(':');
    let hour = number(time.next()?).filter(|hour| *hour < 24)?;
    let minute = number(time.next()?).filter(|minute| *minute < 60)?;
    let second = number(time.next()?).filter(|second| *second < 61)?;
    if word()? != "GMT" || words.next().is_some() || time.next().is_some() {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(text: &str) -> Option<u64> {
    if text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Days since 1970-01-01. Years are counted from March, so that the leap day is the last of one.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month > 2 { year } else { year - 1 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_the_seconds_since_1970() {
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(date("Tue, 29 Feb 2000 12:00:00 GMT"), Some(951_825_600));
        assert_eq!(date("Fri, 31 Dec 9999 23:59:60 GMT"), Some(253_402_300_800));
        for wrong in [
            "",
            "soon",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Xyz 1994 08:49:37 GMT",
            "Sun, 6 Nov 94 8:0 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
        ] {
            assert_eq!(date(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn seconds_and_dates_are_a_delay_within_an_hour() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        let asked = |value| retry_after(value, Some(now)).map(|delay| delay.as_secs());
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked("0"), Some(0));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "it has passed");
        assert_eq!(asked("999999"), Some(3600));
        assert_eq!(asked("99999999999999999999999999"), Some(3600));
        assert_eq!(asked("-1"), None);
        assert_eq!(retry_after(now, None), None);
        assert_eq!(retry_after("7", None), Some(Duration::from_secs(7)));
        assert_eq!(asked(""), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_asked_is_at_most_an_hour(value in "[0-9A-Za-z,: -]{0,40}", now in "[0-9A-Za-z,: -]{0,40}") {
            let asked = retry_after(&value, Some(&now));
            proptest::prop_assert!(asked.is_none_or(|asked| asked <= LONGEST));
        }

        #[test]
        fn a_day_later_is_a_day_more(day in 1_u64..28, month in 1_u64..13, year in 1970_u64..9999) {
            proptest::prop_assert_eq!(days(year, month, day) + 1, days(year, month, day + 1));
            let (after, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            let length = days(after, next, 1) - days(year, month, 1);
            proptest::prop_assert!((28..=31).contains(&length));
        }
    }
}
