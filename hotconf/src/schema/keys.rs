//! Dotted paths: written and read as TOML writes dotted keys.
//!
//! A key of letters, digits, `_` and `-` stands bare; any other is quoted, so that a path always reads
//! back as the keys it was made of.

use std::borrow::Cow;

/// Adds `key` to a path, with a dot where something precedes it.
pub(crate) fn push(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&quoted(key));
}

/// The path that consists of `keys`.
pub(crate) fn join<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let mut path = String::new();
    for key in keys {
        push(&mut path, key);
    }
    path
}

/// The key as it stands in a path.
pub(crate) fn quoted(key: &str) -> Cow<'_, str> {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare {
        return Cow::Borrowed(key);
    }
    let mut text = String::with_capacity(key.len() + 2);
    text.push('"');
    for c in key.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    Cow::Owned(text)
}

/// The keys of a dotted path.
///
/// # Errors
///
/// What is wrong with the path, as the end of a sentence.
pub(crate) fn split(path: &str) -> Result<Vec<String>, &'static str> {
    let mut keys = Vec::new();
    let mut rest = path.trim();
    loop {
        let (key, after) = if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
            quoted_key(&rest[1..], quote)?
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let bare = rest[..end].trim_end();
            if bare.is_empty() {
                return Err("a key is empty");
            }
            if bare.contains(['"', '\'']) {
                return Err("a quote stands inside a key");
            }
            (bare.to_owned(), &rest[end..])
        };
        keys.push(key);
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if after.is_empty() => return Ok(keys),
            None => return Err("text follows a quoted key"),
        }
    }
}

/// A quoted key without its opening quote: the key, and what follows the closing one.
fn quoted_key(text: &str, quote: char) -> Result<(String, &str), &'static str> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((key, &text[at + 1..])),
            '\\' if quote == '"' => match chars.next().map(|(_, c)| c) {
                Some(c @ ('"' | '\\')) => key.push(c),
                Some('n') => key.push('\n'),
                Some('t') => key.push('\t'),
                Some('u') => {
                    let hex: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                    key.push(code.ok_or("an escape is not a character")?);
                }
                _ => return Err("an escape is not known"),
            },
            c => key.push(c),
        }
    }
    Err("a quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::{join, split};
    use proptest::prelude::*;

    #[test]
    fn bare_quoted_and_broken_paths() {
        assert_eq!(split("a.b-c").unwrap(), ["a", "b-c"]);
        assert_eq!(split("flags.\"a.b\".on").unwrap(), ["flags", "a.b", "on"]);
        assert_eq!(split("a . 'b'").unwrap(), ["a", "b"]);
        for broken in ["", ".", "a.", "a..b", "\"a", "\"a\"b", "a\"b"] {
            assert!(split(broken).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn a_path_reads_back_as_its_keys(keys in proptest::collection::vec(any::<String>(), 1..4)) {
            prop_assert_eq!(split(&join(keys.iter().map(String::as_str))).unwrap(), keys);
        }
    }
}
