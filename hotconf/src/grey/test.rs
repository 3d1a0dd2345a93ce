//! What a rule asks of one label.

use std::fmt;

/// A question about the value of a label. Whatever it asks, a label that is not there is no answer to it, but
/// to [`Exists`](Self::Exists).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// It is this.
    Eq(Box<str>),
    /// It is one of these.
    In(Vec<Box<str>>),
    /// It begins so.
    Prefix(Box<str>),
    /// It is of this pattern: `*` is any characters, `?` is any one.
    Glob(Box<str>),
    /// It is a version that this requirement takes.
    #[cfg(feature = "semver")]
    Semver(semver::VersionReq),
    /// It is there, or it is not.
    Exists(bool),
    /// It is there, and does not pass.
    Not(Box<Test>),
    /// It passes all of these.
    All(Vec<Test>),
}

impl Test {
    pub(super) fn passes(&self, value: Option<&str>) -> bool {
        let Some(value) = value else {
            return match self {
                Self::Exists(there) => !there,
                Self::All(tests) => tests.iter().all(|test| test.passes(None)),
                _ => false,
            };
        };
        match self {
            Self::Eq(expected) => **expected == *value,
            Self::In(expected) => expected.iter().any(|one| **one == *value),
            Self::Prefix(prefix) => value.starts_with(&**prefix),
            Self::Glob(pattern) => glob(pattern, value),
            #[cfg(feature = "semver")]
            Self::Semver(requirement) => {
                semver::Version::parse(value).is_ok_and(|version| requirement.matches(&version))
            }
            Self::Exists(there) => *there,
            Self::Not(test) => !test.passes(Some(value)),
            Self::All(tests) => tests.iter().all(|test| test.passes(Some(value))),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eq(expected) => write!(f, "{expected:?}"),
            Self::In(expected) => {
                f.write_str("one of")?;
                expected
                    .iter()
                    .enumerate()
                    .try_for_each(|(n, one)| write!(f, "{} {one:?}", if n > 0 { "," } else { "" }))
            }
            Self::Prefix(prefix) => write!(f, "the prefix {prefix:?}"),
            Self::Glob(pattern) => write!(f, "the pattern {pattern:?}"),
            #[cfg(feature = "semver")]
            Self::Semver(requirement) => write!(f, "a version {requirement}"),
            Self::Exists(true) => f.write_str("any value"),
            Self::Exists(false) => f.write_str("no value"),
            Self::Not(test) => write!(f, "not {test}"),
            Self::All(tests) => tests
                .iter()
                .enumerate()
                .try_for_each(|(n, test)| write!(f, "{}{test}", if n > 0 { " and " } else { "" })),
        }
    }
}

/// Whether `text` is of the pattern as a whole. Takes time in proportion to the product of their lengths at most.
fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern_at, mut text_at) = (pattern.chars(), text.chars());
    // Behind the last `*`, and where the text stood: what it takes may grow by one character.
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (mut next, mut rest) = (pattern_at.clone(), text_at.clone());
        match (next.next(), rest.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((next.clone(), text_at.clone()));
                pattern_at = next;
                continue;
            }
            (Some(expected), Some(found)) if expected == '?' || expected == found => {
                (pattern_at, text_at) = (next, rest);
                continue;
            }
            _ => {}
        }
        let Some((behind, taken)) = &mut star else { return false };
        if taken.next().is_none() {
            return false;
        }
        (pattern_at, text_at) = (behind.clone(), taken.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_not_there_passes_nothing_but_its_absence() {
        let tests = [
            Test::Eq("".into()),
            Test::Prefix("".into()),
            Test::Glob("*".into()),
            Test::Not(Box::new(Test::Eq("x".into()))),
            Test::Exists(true),
        ];
        assert!(tests.iter().all(|test| !test.passes(None)));
        assert!(Test::Exists(false).passes(None));
        assert!(!Test::Exists(false).passes(Some("")));
    }

    #[test]
    fn globs() {
        for (pattern, text, is) in [
            ("", "", true),
            ("*", "", true),
            ("eu-*", "eu-1", true),
            ("eu-*", "us-1", false),
            ("*-1", "eu-1-1", true),
            ("?u-?", "eu-1", true),
            ("a*b*c", "a--b-c-c", true),
            ("a*b*c", "a--b-c-d", false),
            ("**é?", "xéy", true),
            ("abc", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hard_glob_takes_no_long_time() {
        assert!(!glob(&"*a".repeat(50), &"a".repeat(10_000).replace("aa", "ab")));
    }

    #[cfg(feature = "semver")]
    #[test]
    fn versions_are_held_against_requirements() {
        let test = Test::Semver(">=2.1, <3".parse().unwrap());
        assert!(test.passes(Some("2.1.0")) && test.passes(Some("2.9.9")));
        assert!(!test.passes(Some("3.0.0")) && !test.passes(Some("no version")));
        assert!(!Test::Not(Box::new(test)).passes(None));
    }
}
