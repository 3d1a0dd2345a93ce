//! Paths of settings, written as TOML dotted keys: `http.timeout`, `tenants."eu west".key`.
//!
//! Keys are exact. What is printed reads back as the same path; a key is quoted only if it must be.

use std::fmt;
use std::str::FromStr;

/// The keys from the root to a setting; no key at all is the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Path {
    segments: Vec<String>,
}

impl Path {
    /// The whole document; it prints as nothing, and nothing does not read as a path.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    pub(crate) fn segments(&self) -> &[String] {
        &self.segments
    }

    pub(crate) fn push(&mut self, segment: impl Into<String>) {
        self.segments.push(segment.into());
    }
}

impl<S: Into<String>> FromIterator<S> for Path {
    fn from_iter<I: IntoIterator<Item = S>>(segments: I) -> Self {
        Self { segments: segments.into_iter().map(Into::into).collect() }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.segments.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            write!(f, "{}", Segment(segment))?;
        }
        Ok(())
    }
}

/// Displays one key, quoted if it must be.
pub(crate) struct Segment<'s>(pub(crate) &'s str);

impl fmt::Display for Segment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.chars().all(is_bare) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Appends `segment` to a path that is being printed.
pub(crate) fn append(path: &mut String, segment: &str) {
    use fmt::Write as _;
    if !path.is_empty() {
        path.push('.');
    }
    write!(path, "{}", Segment(segment)).expect("writing to a string does not fail");
}

/// Why a text is no path; completes "`…` is no path: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathError(&'static str);

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for PathError {}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut rest = text;
        let mut path = Self::root();
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            let segment;
            (segment, rest) = match rest.chars().next() {
                Some('"') => basic(&rest[1..])?,
                Some('\'') => {
                    let (key, rest) =
                        rest[1..].split_once('\'').ok_or(PathError("expected a closing `'`"))?;
                    (key.to_owned(), rest)
                }
                Some(c) if is_bare(c) => {
                    let end = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
                    (rest[..end].to_owned(), &rest[end..])
                }
                _ => {
                    return Err(PathError(
                        "expected a key; one of other characters than letters, digits, `_` and `-` goes in quotes",
                    ));
                }
            };
            path.push(segment);
            rest = rest.trim_start_matches([' ', '\t']);
            match rest.strip_prefix('.') {
                Some(next) => rest = next,
                None if rest.is_empty() => return Ok(path),
                None => {
                    return Err(PathError(
                        "expected `.` between keys; a key of other characters than letters, digits, `_` and `-` goes in quotes",
                    ));
                }
            }
        }
    }
}

/// The characters of a key that needs no quotes.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Reads a basic string behind its opening quote; returns it and what follows its closing one.
fn basic(text: &str) -> Result<(String, &str), PathError> {
    let mut key = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((key, chars.as_str())),
            '\\' => {
                let escape = chars.next().unwrap_or_default();
                let digits = match escape {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                key.push(match escape {
                    '"' | '\\' => escape,
                    'b' => '\u{8}',
                    't' => '\t',
                    'n' => '\n',
                    'f' => '\u{c}',
                    'r' => '\r',
                    'e' => '\u{1b}',
                    'x' | 'u' | 'U' => {
                        let hex = chars.as_str().get(..digits);
                        let code = hex
                            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
                            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                            .and_then(char::from_u32);
                        chars = chars.as_str().get(digits..).unwrap_or_default().chars();
                        code.ok_or(PathError("expected the hexadecimal digits of a character"))?
                    }
                    _ => return Err(PathError("expected an escape of TOML after `\\`")),
                });
            }
            c if c.is_ascii_control() && c != '\t' => {
                return Err(PathError("expected control characters as escapes"));
            }
            c => key.push(c),
        }
    }
    Err(PathError("expected a closing `\"`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<String> {
        text.parse::<Path>().expect(text).segments
    }

    #[test]
    fn paths_are_toml_dotted_keys() {
        assert_eq!(read("http.timeout"), ["http", "timeout"]);
        assert_eq!(read(r#"a . "odd.key" .'b"c'.3"#), ["a", "odd.key", "b\"c", "3"]);
        assert_eq!(read(r#""\u00e9\t\x41\"""#), ["é\tA\""]);
        assert_eq!(read(r#""".a"#), ["", "a"]);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "é",
            "\"a",
            "'a",
            r#""\q""#,
            r#""\u12""#,
            r#""\ud800""#,
            "a\"b\"",
            r#""\u+123""#,
        ] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_odd_keys_are_quoted() {
        let path: Path = ["a-b_1", "eu west", "", "\u{1}\"\\"].into_iter().collect();
        assert_eq!(path.to_string(), r#"a-b_1."eu west".""."\u0001\"\\""#);
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(segments in prop::collection::vec(any::<String>(), 1..5)) {
            let path: Path = segments.into_iter().collect();
            prop_assert_eq!(path.to_string().parse::<Path>(), Ok(path));
        }

        #[test]
        fn what_reads_prints_and_reads_as_the_same(text in r#"[a-c.'"\\ u0-9é]{0,12}"#) {
            if let Ok(path) = text.parse::<Path>() {
                prop_assert_eq!(path.to_string().parse::<Path>(), Ok(path));
            }
        }
    }
}
