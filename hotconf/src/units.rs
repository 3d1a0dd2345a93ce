//! Human units: durations such as `250ms` and sizes such as `64MiB`, read and printed exactly.
//!
//! Nothing passes through a float: what cannot be told to the nanosecond or the byte is refused. No
//! message repeats the text, which may be a secret's.

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Why a text is no duration or size; reads as a sentence that begins with "expected".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnitError(&'static str);

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnitError {}

/// Nanoseconds of each unit, largest first; `m` is a minute.
const SPANS: [(&str, u128); 9] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ns", 1),
];

const NO_DURATION: UnitError = UnitError("expected a duration such as 250ms, 1.5s or 2m30s");
const NO_UNIT: UnitError = UnitError("expected a duration with its unit: write a unit such as 5s");

/// Reads a duration: one or more numbers with a unit, the larger units first, e.g. `2m30s`.
///
/// Units are `d h m s ms us ns`, and `µs`. The last number may have a fraction. Blanks between the
/// parts are allowed. A bare number is refused, 0 too: the unit is what a reader would have to guess.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    let (mut total, mut last) = (0_u128, u128::MAX);
    if rest.is_empty() {
        return Err(NO_DURATION);
    }
    while !rest.is_empty() {
        let number = Number::read(&mut rest).ok_or(NO_DURATION)?;
        rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let (unit, more) = rest.split_at(end);
        rest = more.trim_start();
        if unit.is_empty() {
            return Err(NO_UNIT);
        }
        let &(_, nanos) = SPANS.iter().find(|(name, _)| *name == unit).ok_or(NO_DURATION)?;
        if nanos >= last || (!number.fraction.is_empty() && !rest.is_empty()) {
            return Err(UnitError("expected larger units before smaller ones, a fraction only in the last"));
        }
        last = nanos;
        let nanos = number.times(nanos).ok_or(UnitError("expected a duration of whole nanoseconds"))?;
        total = total.checked_add(nanos).ok_or(TOO_LONG)?;
    }
    let secs = u64::try_from(total / 1_000_000_000).map_err(|_| TOO_LONG)?;
    let nanos = u32::try_from(total % 1_000_000_000).expect("a remainder is below its divisor");
    Ok(Duration::new(secs, nanos))
}

const TOO_LONG: UnitError = UnitError("expected a duration of at most 2^64 seconds");

/// Prints a duration so that [`parse_duration`] reads the same: `0s`, `250ms`, `1.5s`, `2m30s`.
pub(crate) fn print_duration(duration: Duration) -> impl fmt::Display {
    Printed(duration)
}

struct Printed(Duration);

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut secs, nanos) = (self.0.as_secs(), u128::from(self.0.subsec_nanos()));
        if secs == 0 {
            let (unit, one) = match nanos {
                0 => ("s", 1_000_000_000),
                1..1_000 => ("ns", 1),
                1_000..1_000_000 => ("us", 1_000),
                _ => ("ms", 1_000_000),
            };
            return write!(f, "{}{unit}", Fraction(nanos, one));
        }
        for (unit, one) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
            if secs >= one {
                write!(f, "{}{unit}", secs / one)?;
                secs %= one;
            }
        }
        if secs == 0 && nanos == 0 {
            return Ok(());
        }
        write!(f, "{}s", Fraction(u128::from(secs) * 1_000_000_000 + nanos, 1_000_000_000))
    }
}

/// A decimal number as it is written.
struct Number<'t> {
    whole: &'t str,
    fraction: &'t str,
}

impl<'t> Number<'t> {
    /// Takes `[0-9]+(\.[0-9]+)?` off the front.
    fn read(text: &mut &'t str) -> Option<Self> {
        let whole = digits(text)?;
        let fraction = match text.strip_prefix('.') {
            Some(rest) => {
                *text = rest;
                digits(text)?
            }
            None => "",
        };
        Some(Self { whole, fraction })
    }

    /// This many times `unit`; `None` where that is no whole number or beyond all reason.
    fn times(&self, unit: u128) -> Option<u128> {
        let whole = self.whole.parse::<u128>().ok()?.checked_mul(unit)?;
        let fraction = self.fraction.trim_end_matches('0');
        if fraction.is_empty() {
            return Some(whole);
        }
        let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
        (part % scale == 0).then(|| whole.checked_add(part / scale))?
    }
}

fn digits<'t>(text: &mut &'t str) -> Option<&'t str> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    (!digits.is_empty()).then_some(digits)
}

/// Displays the first over the second in decimals; the quotient must have finitely many.
struct Fraction(u128, u128);

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, unit) = *self;
        write!(f, "{}", value / unit)?;
        let mut rest = value % unit;
        if rest > 0 {
            f.write_str(".")?;
        }
        while rest > 0 {
            rest *= 10;
            write!(f, "{}", rest / unit)?;
            rest %= unit;
        }
        Ok(())
    }
}

/// A number of bytes, written as people write it.
///
/// Reads `512`, `512B`, `10MB` (10⁷), `64MiB` (64 × 2²⁰), `1.5GiB`, in any letter case, and bare
/// integers; units go from kB and KiB to EB and EiB. What is no whole number of bytes is refused, and so
/// are `10M` and `10K`, which mean two things. Prints the shortest exact form and serializes as that.
///
/// ```
/// use hotconf::ByteSize;
///
/// let cache: ByteSize = "1.5GiB".parse()?;
/// assert_eq!(cache.as_u64(), 3 << 29);
/// assert_eq!(cache.to_string(), "1.5GiB");
/// assert_eq!(ByteSize::from(64 << 20).to_string(), "64MiB");
/// assert_eq!(ByteSize::from(10_000_000).to_string(), "10MB");
/// assert!("0.3B".parse::<ByteSize>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(u64);

/// Bytes of each unit; where two are as short to write, the earlier is taken.
const SIZES: [(&str, u128); 13] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("EiB", 1 << 60),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("EB", 1_000_000_000_000_000_000),
];

impl ByteSize {
    /// A size of this many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns the number of bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl From<u64> for ByteSize {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl From<ByteSize> for u64 {
    fn from(size: ByteSize) -> Self {
        size.0
    }
}

/// Reads a size in bytes; see [`ByteSize`].
pub(crate) fn parse_bytes(text: &str) -> Result<ByteSize, UnitError> {
    const NO_SIZE: UnitError = UnitError("expected a size such as 512, 10MB or 64MiB");
    let mut rest = text.trim();
    let number = Number::read(&mut rest).ok_or(NO_SIZE)?;
    let unit = rest.trim_start();
    let bytes = if unit.is_empty() {
        1
    } else if unit.len() == 1 && !unit.eq_ignore_ascii_case("b") {
        return Err(UnitError("expected a size with its unit in full: MB is 10^6 bytes, MiB is 2^20"));
    } else {
        SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or(NO_SIZE)?.1
    };
    let bytes = number.times(bytes).ok_or(UnitError("expected a whole number of bytes"))?;
    u64::try_from(bytes).map(ByteSize).map_err(|_| UnitError("expected a size below 2^64 bytes"))
}

impl FromStr for ByteSize {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_bytes(text).map_err(|error| crate::error::Error::usage(error.to_string()))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from(self.0);
        let shortest = SIZES
            .iter()
            .filter(|(_, unit)| *unit == 1 || value >= *unit)
            // More than three decimals read worse than a smaller unit.
            .filter(|(_, unit)| (value % unit * 1_000) % unit == 0)
            .map(|&(name, unit)| format!("{}{name}", Fraction(value, unit)))
            .min_by_key(String::len)
            .expect("bytes always fit");
        f.pad(&shortest)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(SizeVisitor)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as 512, \"10MB\" or \"64MiB\"")
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
        u64::try_from(bytes).map(ByteSize).map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &self))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteSize, E> {
        parse_bytes(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_in_every_unit() {
        for (text, duration) in [
            ("250ms", Duration::from_millis(250)),
            ("1.5s", Duration::from_millis(1_500)),
            ("2m30s", Duration::from_secs(150)),
            (" 2m 30 s ", Duration::from_secs(150)),
            ("1h", Duration::from_secs(3_600)),
            ("10us", Duration::from_micros(10)),
            ("10\u{b5}s", Duration::from_micros(10)),
            ("10\u{3bc}s", Duration::from_micros(10)),
            ("3ns", Duration::from_nanos(3)),
            ("2d", Duration::from_secs(172_800)),
            ("0s", Duration::ZERO),
            ("0.10s", Duration::from_millis(100)),
            ("18446744073709551615.999999999s", Duration::MAX),
        ] {
            assert_eq!(parse_duration(text), Ok(duration), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_duration_is_refused() {
        for text in [
            "",
            " ",
            "0",
            "5",
            "s",
            "-1s",
            "+1s",
            "1.s",
            ".5s",
            "1e3s",
            "5 sec",
            "5S",
            "30s2m",
            "1s1s",
            "1.5m30s",
            "1us1\u{b5}s",
            "0.1ns",
            "18446744073709551616s",
            "999999999999999999999999999999999999999999d",
            "1_0s",
            "1h 5",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("5").unwrap_err().to_string().contains("write a unit such as 5s"));
    }

    #[test]
    fn durations_print_in_few_words() {
        for text in ["0s", "3ns", "1.5us", "250ms", "1.5s", "2m30s", "10m", "1h", "1d12h", "1m0.000000001s"] {
            assert_eq!(print_duration(parse_duration(text).unwrap()).to_string(), text);
        }
        assert_eq!(print_duration(Duration::from_millis(90_500)).to_string(), "1m30.5s");
    }

    #[test]
    fn sizes_read_exactly() {
        for (text, bytes) in [
            ("512", 512),
            ("512B", 512),
            ("512 b", 512),
            ("10MB", 10_000_000),
            ("64MiB", 64 << 20),
            ("64mib", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("0.5KiB", 512),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text), Ok(ByteSize(bytes)), "{text}");
        }
        for text in
            ["", "B", "-1", "1.5", "0.1KiB", "10M", "10k", "16EiB", "1e3", "1 MiB x", "18446744073709551616"]
        {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_print_the_shortest_exact_form() {
        for text in ["0B", "500B", "1kB", "1KiB", "1536B", "2.5MiB", "1.5MB", "1234567B", "1234kB", "16EB"] {
            assert_eq!(parse_bytes(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn sizes_pass_through_serde_as_text_or_number() {
        let size: ByteSize = serde_json::from_str("\"64MiB\"").unwrap();
        assert_eq!(serde_json::to_string(&size).unwrap(), "\"64MiB\"");
        assert_eq!(serde_json::from_str::<ByteSize>("67108864").unwrap(), size);
        assert!(serde_json::from_str::<ByteSize>("-1").is_err());
        assert!(serde_json::from_str::<ByteSize>("1.0").is_err());
    }

    proptest! {
        #[test]
        fn a_printed_duration_reads_back(secs in prop_oneof![0..4u64, 0..1_000_000u64, any::<u64>()], nanos in 0..1_000_000_000u32) {
            let duration = Duration::new(secs, nanos);
            prop_assert_eq!(parse_duration(&print_duration(duration).to_string()), Ok(duration));
        }

        #[test]
        fn a_printed_size_reads_back(bytes in prop_oneof![0..5_000u64, any::<u64>()], shift in 0..60u32) {
            let size = ByteSize(bytes >> shift << shift);
            prop_assert_eq!(parse_bytes(&size.to_string()), Ok(size));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.]{0,30}[a-zµ ]{0,3}[0-9.]{0,3}[A-Za-z ]{0,3}") {
            let _ = (parse_duration(&text), parse_bytes(&text));
        }
    }
}
