//! The shape of durations and sizes, as bounds of ranges have them; their values are `hotconf`'s to read.
//!
//! What this refuses the library refuses too; what it lets pass is read at the first load.

/// Units of durations, largest first.
const SPANS: [&[&str]; 7] =
    [&["d"], &["h"], &["m"], &["s"], &["ms"], &["us", "\u{b5}s", "\u{3bc}s"], &["ns"]];

/// Tells whether the text has the shape of `2m30s`: numbers with units, the larger first.
pub(crate) fn is_duration(text: &str) -> bool {
    let (mut rest, mut next) = (text.trim(), 0);
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let Some((unit, more)) = number_and_unit(rest) else { return false };
        let Some(rank) = SPANS.iter().position(|names| names.contains(&unit)) else { return false };
        if rank < next {
            return false;
        }
        (rest, next) = (more, rank + 1);
    }
    true
}

/// Tells whether the text has the shape of `64MiB`, or is a bare number.
pub(crate) fn is_size(text: &str) -> bool {
    matches!(number_and_unit(text.trim()), Some((unit, "")) if unit.chars().all(|c| c.is_ascii_alphabetic()))
}

/// The unit behind the number that the text begins with, and the rest.
fn number_and_unit(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if rest.len() == text.len() || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (unit, more) = rest.split_at(end);
    Some((unit, more.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_told() {
        for good in ["250ms", "1.5s", "2m30s", "1h 5m", "0s"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "5", "ms", "5x", "5s 1m", "fast", "-5s"] {
            assert!(!is_duration(bad), "{bad}");
        }
        assert!(is_size("512") && is_size("64MiB") && is_size("10 kB"));
        assert!(!is_size("big") && !is_size("") && !is_size("1 2"));
    }
}
