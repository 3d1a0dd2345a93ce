//! Durations and sizes, as literals of defaults and ranges have them, in nanoseconds and bytes.
//!
//! What this refuses the library refuses too; what it lets pass is read at the first load.

/// Nanoseconds of each unit, largest first.
const SPANS: [(&[&str], u128); 7] = [
    (&["d"], 86_400_000_000_000),
    (&["h"], 3_600_000_000_000),
    (&["m"], 60_000_000_000),
    (&["s"], 1_000_000_000),
    (&["ms"], 1_000_000),
    (&["us", "\u{b5}s", "\u{3bc}s"], 1_000),
    (&["ns"], 1),
];

/// Reads `2m30s`: numbers with units, the larger first, a fraction in the last only.
pub(crate) fn duration(text: &str) -> Option<u128> {
    let (mut rest, mut next, mut total) = (text.trim(), 0, 0_u128);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, unit, more) = number_and_unit(rest)?;
        let rank = SPANS.iter().position(|(names, _)| names.contains(&unit))?;
        if rank < next || (number.contains('.') && !more.is_empty()) {
            return None;
        }
        total = total.checked_add(times(number, SPANS[rank].1)?)?;
        (rest, next) = (more, rank + 1);
    }
    (total / 1_000_000_000 <= u64::MAX.into()).then_some(total)
}

/// Reads `64MiB`, or a bare number.
pub(crate) fn size(text: &str) -> Option<u128> {
    let (number, unit, more) = number_and_unit(text.trim())?;
    let unit = unit.to_ascii_lowercase();
    let one = match unit.strip_suffix('b').unwrap_or(&unit) {
        "" => 1,
        // `10M` means two things.
        _ if !unit.ends_with('b') => return None,
        prefix => {
            let (letter, base) = match prefix.strip_suffix('i') {
                Some(letter) => (letter, 1_024_u128),
                None => (prefix, 1_000),
            };
            let power = ["k", "m", "g", "t", "p", "e"].iter().position(|known| *known == letter)?;
            base.pow(u32::try_from(power).ok()? + 1)
        }
    };
    let bytes = times(number, one)?;
    (more.is_empty() && u64::try_from(bytes).is_ok()).then_some(bytes)
}

/// The number that the text begins with, the unit behind it, and the rest.
fn number_and_unit(text: &str) -> Option<(&str, &str, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &text[..text.len() - rest.len()];
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (unit, more) = rest.split_at(end);
    Some((number, unit, more.trim_start())).filter(|_| !number.is_empty())
}

/// A decimal number times a unit, where that is a whole number.
fn times(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction.trim_end_matches('0')),
        None => (number, ""),
    };
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    if fraction.is_empty() {
        return Some(whole);
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    (part % scale == 0).then(|| whole.checked_add(part / scale))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_to_the_nanosecond() {
        for (text, nanos) in [
            ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            ("2m30s", 150_000_000_000),
            ("1h 5m", 3_900_000_000_000),
            (" 10 \u{b5}s ", 10_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(nanos), "{text}");
        }
        for bad in ["", "5", "ms", "5x", "5s 1m", "fast", "-5s", "1.s", ".5s", "0.1ns", "1.5m 1s", "1..5s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_told_to_the_byte() {
        for (text, bytes) in
            [("512", 512), ("64MiB", 64 << 20), ("10 kB", 10_000), ("1.5GiB", 3 << 29), ("7b", 7)]
        {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for bad in ["big", "", "1 2", "10M", "10K", "0.3B", "16EiB", "5xb", "5ib", "64MB/s"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
