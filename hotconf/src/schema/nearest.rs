//! The known name that a mistyped one was probably meant to be.
//!
//! Used for keys, variables and arguments alike, so that all suggest by the same rule: a suggestion
//! is made only where at most a third of the characters differ. A name of one or two characters is near
//! to everything: it is suggested for its characters in another order, or for one too many or too few
//! after the first.

/// The name among `known` that is nearest to `name`; `None` where none is near.
///
/// Case and the difference between `-` and `_` cost nothing; a swap of two neighbours costs one.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(name);
    if wanted.is_empty() || wanted.len() > LONGEST {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let found = folded(candidate);
        let allowed = (wanted.len().max(found.len()) / 3).max(1);
        let limit = best.map_or(allowed, |(distance, _)| allowed.min(distance.saturating_sub(1)));
        if found.len() < 3 && !slipped(&wanted, &found) {
            continue;
        }
        if wanted.len().abs_diff(found.len()) > limit || best.is_some_and(|(distance, _)| distance == 0) {
            continue;
        }
        let distance = distance(&wanted, &found);
        if distance <= limit {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// A sentence part that names the suggestion: ``, did you mean `timeout`?``, or nothing.
pub(crate) fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// Longer names are not compared: the table is quadratic, and nobody mistypes 64 characters.
const LONGEST: usize = 64;

fn folded(name: &str) -> Vec<char> {
    name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Tells whether a short name is meant by another: `bd` and `dbb` for `db`, `tt` for `t`.
fn slipped(wanted: &[char], short: &[char]) -> bool {
    let swapped = wanted.iter().rev().eq(short);
    wanted == short || swapped || wanted.len() != short.len() && wanted.first() == short.first()
}

/// Optimal string alignment: insert, delete, replace, swap neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_the_nearest_and_only_a_near_one() {
        let known = ["retries", "timeout", "max-size", "db"];
        assert_eq!(nearest("retires", known), Some("retries"));
        assert_eq!(nearest("Timeout", known), Some("timeout"));
        assert_eq!(nearest("max_size", known), Some("max-size"));
        assert_eq!(nearest("timeuot", known), Some("timeout"));
        assert_eq!(nearest("color", known), None);
        assert_eq!(nearest("da", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn a_short_name_is_suggested_for_a_slip_of_the_finger_only() {
        let known = ["db", "n", "ip"];
        for (typed, meant) in [
            ("bd", Some("db")),
            ("dbb", Some("db")),
            ("d", Some("db")),
            ("DB", Some("db")),
            ("nn", Some("n")),
            ("pi", Some("ip")),
            ("dc", None),
            ("x", None),
            ("an", None),
            ("name", None),
            ("dbase", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }
}
