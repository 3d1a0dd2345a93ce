//! The core schema of YAML 1.2: what a scalar is by its text.
//!
//! `no`, `on` and `yes` are text; `010` is ten; `1_000` and `12:30` are text. An integer outside `u64`
//! and a number that is not finite are refused: read as anything else they would lie.

use super::super::number::{self, Integer};
use super::Form;

/// A scalar that has been read; its text, where it is text, is the caller's.
#[derive(Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(Integer),
    Float(f64),
    Text,
}

/// Reads `text` in `form`; the error completes a fault.
pub(super) fn scalar(text: &str, form: Form) -> Result<Scalar, &'static str> {
    match form {
        Form::String => Ok(Scalar::Text),
        Form::Plain => plain(text),
        Form::Null => match plain(text) {
            Ok(Scalar::Null) => Ok(Scalar::Null),
            _ => Err("expected `null` after the tag, found something else"),
        },
        Form::Bool => match plain(text) {
            Ok(Scalar::Bool(value)) => Ok(Scalar::Bool(value)),
            _ => Err("expected `true` or `false` after the tag, found something else"),
        },
        Form::Int => match plain(text)? {
            Scalar::Integer(value) => Ok(Scalar::Integer(value)),
            _ => Err("expected an integer after the tag, found something else"),
        },
        Form::Float => match plain(text)? {
            Scalar::Float(value) => Ok(Scalar::Float(value)),
            Scalar::Integer(_) => number::float(text)
                .map(Scalar::Float)
                .ok_or("expected a decimal number after the tag, found something else"),
            _ => Err("expected a number after the tag, found something else"),
        },
    }
}

fn plain(text: &str) -> Result<Scalar, &'static str> {
    // Most plain scalars are told to be text by their first character.
    match text.as_bytes().first() {
        None => return Ok(Scalar::Null),
        Some(b'0'..=b'9' | b'-' | b'+' | b'.') => {}
        Some(b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F') => {
            return Ok(match text {
                "~" | "null" | "Null" | "NULL" => Scalar::Null,
                "true" | "True" | "TRUE" => Scalar::Bool(true),
                "false" | "False" | "FALSE" => Scalar::Bool(false),
                _ => Scalar::Text,
            });
        }
        Some(_) => return Ok(Scalar::Text),
    }
    if let Some((digits, radix)) = text
        .strip_prefix("0o")
        .map(|digits| (digits, 8))
        .or_else(|| text.strip_prefix("0x").map(|digits| (digits, 16)))
    {
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return Ok(Scalar::Text);
        }
        return Integer::read(digits, radix).map(Scalar::Integer).ok_or(TOO_LARGE);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(number::NOT_FINITE);
    }
    match shape(unsigned.as_bytes()) {
        Shape::Integer => Integer::read(text, 10).map(Scalar::Integer).ok_or(TOO_LARGE),
        Shape::Float => number::float(text).map(Scalar::Float).ok_or(TOO_GREAT),
        Shape::Neither => Ok(Scalar::Text),
    }
}

const TOO_LARGE: &str = "expected an integer from -9223372036854775808 to 18446744073709551615, found one \
                         outside: quote it if it is text";
const TOO_GREAT: &str = "expected a finite number, found one too large: quote it if it is text";

#[derive(PartialEq)]
enum Shape {
    Integer,
    Float,
    Neither,
}

/// `[0-9]+`, or `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn shape(bytes: &[u8]) -> Shape {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(0);
    let mut at = whole;
    let mut shape = Shape::Integer;
    let mut fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        shape = Shape::Float;
        fraction = digits(at + 1);
        at += 1 + fraction;
    }
    if whole + fraction == 0 {
        return Shape::Neither;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        shape = Shape::Float;
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at.min(bytes.len()));
        if exponent == 0 {
            return Shape::Neither;
        }
        at += exponent;
    }
    if at == bytes.len() { shape } else { Shape::Neither }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_reads_plain_scalars() {
        for text in [
            "no", "yes", "on", "off", "NO", "1_000", "12:30", "0o8", "0x", "1e", ".", "-", "+.", "1.2.3",
            "nul",
        ] {
            assert_eq!(plain(text), Ok(Scalar::Text), "{text}");
        }
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(plain(text), Ok(Scalar::Null), "{text}");
        }
        for (text, value) in [("010", 10), ("0o17", 15), ("0xff", 255), ("-0", 0), ("+7", 7), ("-12", -12)] {
            assert_eq!(plain(text), Ok(Scalar::Integer(Integer::Signed(value))), "{text}");
        }
        for (text, value) in [("1.", 1.0), (".5", 0.5), ("-1.5e3", -1500.0), ("1e2", 100.0), ("+.5E-1", 0.05)]
        {
            assert_eq!(plain(text), Ok(Scalar::Float(value)), "{text}");
        }
        assert_eq!(plain("18446744073709551615"), Ok(Scalar::Integer(Integer::Unsigned(u64::MAX))));
        for text in
            ["18446744073709551616", "-9223372036854775809", "1e400", ".inf", "-.INF", "+.Inf", ".nan"]
        {
            assert!(plain(text).is_err(), "{text}");
        }
    }
}
