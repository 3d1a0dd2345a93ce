//! The words in which errors speak of types and values: a person's, not serde's.

use crate::value::tape::{Document, Kind};
use serde::de::Unexpected;

/// Characters of a found value that an error shows.
const SHOWN: usize = 40;

/// A string as it is shown: quoted, control characters escaped, shortened.
pub(crate) fn quoted(text: &str) -> String {
    if text.chars().nth(SHOWN).is_none() {
        return format!("{text:?}");
    }
    let short: String = text.chars().take(SHOWN).collect();
    format!("{short:?}…")
}

/// A node as it is shown.
pub(crate) fn node(doc: &Document, node: u32) -> String {
    match doc.kind(node) {
        Kind::Null => "null".to_owned(),
        Kind::Bool => doc.bool(node).to_string(),
        Kind::Int => doc.int(node).to_string(),
        Kind::Uint => doc.uint(node).to_string(),
        Kind::Float => float(doc.float(node)),
        Kind::Str | Kind::Text | Kind::Key => quoted(doc.str(node)),
        Kind::Datetime => doc.str(node).to_owned(),
        Kind::Array => "a list".to_owned(),
        Kind::Table => "a table".to_owned(),
    }
}

fn float(x: f64) -> String {
    // `Debug` keeps the `.0` that tells a float from an integer.
    format!("{x:?}")
}

/// What serde says was found.
pub(super) fn unexpected(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(b) => b.to_string(),
        Unexpected::Unsigned(n) => n.to_string(),
        Unexpected::Signed(n) => n.to_string(),
        Unexpected::Float(x) => float(x),
        Unexpected::Char(c) => quoted(c.encode_utf8(&mut [0; 4])),
        Unexpected::Str(s) => quoted(s),
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Option => "a value that may be missing".to_owned(),
        Unexpected::Seq | Unexpected::TupleVariant => "a list".to_owned(),
        Unexpected::Map | Unexpected::StructVariant => "a table".to_owned(),
        Unexpected::UnitVariant => "a name alone".to_owned(),
        Unexpected::Other(other) => match other.strip_prefix("integer `") {
            Some(n) => n.trim_end_matches(['`', ' ']).split('`').next().unwrap_or(n).to_owned(),
            None => other.to_owned(),
        },
        _ => "something else".to_owned(),
    }
}

/// What a type says it expects, in words.
pub(super) fn expected(raw: &str) -> String {
    if let Some(kind) = raw.strip_prefix("a nonzero ") {
        return match limits(kind) {
            Some((min, max)) if min.starts_with('-') => format!("a whole number from {min} to {max}, not 0"),
            Some((_, max)) => format!("a whole number from 1 to {max}"),
            None => "a whole number other than 0".to_owned(),
        };
    }
    if let Some((min, max)) = limits(raw) {
        return format!("a whole number from {min} to {max}");
    }
    match raw {
        "i128" | "u128" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a character" => "a single character".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "unit" => "null".to_owned(),
        "path string" => "a path".to_owned(),
        _ => shaped(raw).unwrap_or_else(|| raw.to_owned()),
    }
}

/// Structs, tuples and arrays, of which serde tells the type's name or length.
fn shaped(raw: &str) -> Option<String> {
    let elements = |n: &str| format!("a list of {}", n.trim_end_matches(" elements"));
    if raw.starts_with("struct ") {
        return Some("a table".to_owned());
    }
    if raw.starts_with("unit struct ") {
        return Some("null".to_owned());
    }
    if let Some(name) = raw.strip_prefix("tuple struct ") {
        return Some(match name.split_once(" with ") {
            Some((_, count)) => elements(count.trim_end_matches('s').trim_end_matches(" element")),
            None => "a list".to_owned(),
        });
    }
    raw.strip_prefix("a tuple of size ").or_else(|| raw.strip_prefix("an array of length ")).map(elements)
}

/// The least and the greatest of an integer type.
fn limits(kind: &str) -> Option<(String, String)> {
    macro_rules! of {
        ($($name:ident)*) => {
            match kind {
                $(stringify!($name) => Some(($name::MIN.to_string(), $name::MAX.to_string())),)*
                _ => None,
            }
        };
    }
    of!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize)
}

/// The names of which one is asked for.
pub(crate) fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [only] => format!("\"{only}\""),
        [rest @ .., last] => {
            let rest: Vec<_> = rest.iter().map(|name| format!("\"{name}\"")).collect();
            format!("{} or \"{last}\"", rest.join(", "))
        }
    }
}

/// Messages of `std`'s own parsers that do not say what they want.
pub(super) fn known(message: &str) -> Option<&'static str> {
    Some(match message {
        "invalid socket address syntax" | "invalid IPv4 socket address syntax" => {
            "a socket address such as \"127.0.0.1:8080\""
        }
        "invalid IPv6 socket address syntax" => "a socket address such as \"[::1]:8080\"",
        "invalid IP address syntax" => "an IP address such as \"127.0.0.1\"",
        "invalid IPv4 address syntax" => "an IPv4 address such as \"127.0.0.1\"",
        "invalid IPv6 address syntax" => "an IPv6 address such as \"::1\"",
        _ => return None,
    })
}

/// The line of a value and a marker below it; `None` where more than the key and the value would show.
///
/// Comments and neighbours may hold a secret, so the line ends with the value, and it is shown only if
/// nothing but this one key and punctuation stands before it.
pub(crate) fn excerpted(doc: &Document, node: u32) -> Option<String> {
    let (text, (start, end)) = (doc.text(), doc.span(node)?);
    let key = doc.offset(node.checked_sub(1).filter(|&key| doc.kind(key) == Kind::Key)?)?;
    let line_start = text.get(..start)?.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let before = text.get(line_start..key)?;
    let between = text.get(key..start)?;
    let value = text.get(start..end)?;
    // The keys of a dotted path stand before its last one.
    let dotted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let before = if before.ends_with('.') { before.trim_end_matches(dotted) } else { before };
    let plain = before.chars().all(|c| c.is_whitespace() || matches!(c, '-' | '[' | '{' | '"' | '\''));
    let lone = !between.contains('#') && !between.contains("/*");
    if !plain || !lone || value.contains(['\n', '\r']) || value.chars().count() > SHOWN {
        return None;
    }
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = text[line_start..end].chars().map(printable).collect();
    let (line, column) = doc.line_column(start);
    let gutter = line.to_string();
    let indent = " ".repeat(gutter.len());
    let marker = " ".repeat(column as usize - 1) + &"^".repeat(value.chars().count().max(1));
    Some(format!("{gutter} | {shown}\n{indent} | {marker}"))
}
