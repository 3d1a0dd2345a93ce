//! JSON (RFC 8259) → tape. Strict: no comments, no trailing commas, nothing after the value.
//!
//! One pass without recursion. A grammar fault ends it; duplicate keys and numbers out of range are
//! collected, since what follows them can still be told.

use super::keys::{Duplicates, Key};
use super::number::{self, Integer};
use super::{Fault, Limits, Read};
use crate::value::tape::Open;
use crate::value::{Builder, Document, Kind};
use std::borrow::Cow;

/// Parses `text`, whose root must be an object.
pub(super) fn parse(name: &str, text: &str, limits: &Limits) -> Read {
    let mut parser = Parser::new(name, text, limits);
    if let Err(fault) = parser.document() {
        parser.faults.push(fault);
    }
    super::done(parser.builder, parser.faults)
}

/// Parses `text` as one scalar from the first byte to the last.
pub(super) fn scalar(text: &str) -> Option<Document> {
    let limits = Limits::default();
    let mut parser = Parser::new("", text, &limits);
    parser.scalar().ok()?;
    (parser.at == text.len() && parser.faults.is_empty()).then(|| parser.builder.finish())
}

struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    builder: Builder,
    limits: &'t Limits,
    faults: Vec<Fault>,
    /// Keys of the objects that are open, innermost last.
    keys: Vec<Key<'t>>,
    duplicates: Duplicates,
}

/// A container that is open.
struct Frame {
    open: Open,
    count: usize,
    /// Where an object's keys begin in `Parser::keys`; `None` for an array.
    keys: Option<usize>,
}

impl<'t> Parser<'t> {
    fn new(name: &str, text: &'t str, limits: &'t Limits) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            builder: Builder::new(name, text.to_owned()),
            limits,
            faults: Vec::new(),
            keys: Vec::new(),
            duplicates: Duplicates::default(),
        }
    }

    fn document(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'{') => {}
            None => return Err(Fault::new(0, "expected `{`, found an empty document")),
            Some(_) => return Err(self.expected("`{`: the whole document is one object")),
        }
        let mut frames: Vec<Frame> = Vec::new();
        self.enter(&mut frames)?;
        while let Some(frame) = frames.last_mut() {
            let (close, what) =
                if frame.keys.is_some() { (b'}', "`,` or `}`") } else { (b']', "`,` or `]`") };
            match self.peek() {
                Some(b) if b == close => {
                    self.at += 1;
                    let frame = frames.pop().expect("the loop holds while a frame is open");
                    self.leave(frame);
                    continue;
                }
                Some(b',') if frame.count > 0 => {
                    self.at += 1;
                    self.peek();
                }
                _ if frame.count == 0 => {}
                _ => return Err(self.expected(what)),
            }
            frame.count += 1;
            if frame.keys.is_some() {
                self.key()?;
            }
            match self.peek() {
                Some(b'{' | b'[') => self.enter(&mut frames)?,
                _ => self.scalar()?,
            }
            if self.builder.len() > self.limits.nodes {
                return Err(Fault::new(self.at, Limits::too_many(self.limits.nodes)));
            }
        }
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end of the document")),
        }
    }

    /// The next byte that is no white space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let rest = self.bytes.get(self.at..)?;
        // Mostly there is none.
        if let Some(&next) = rest.first()
            && next > b' '
        {
            return Some(next);
        }
        let space = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t');
        let skipped = rest.iter().position(|b| !space(b)).unwrap_or(rest.len());
        self.at += skipped;
        rest.get(skipped).copied()
    }

    fn enter(&mut self, frames: &mut Vec<Frame>) -> Result<(), Fault> {
        if frames.len() == self.limits.depth {
            return Err(Fault::new(self.at, Limits::too_deep(self.limits.depth)));
        }
        let object = self.bytes[self.at] == b'{';
        let open = if object { self.builder.table(self.at) } else { self.builder.array(self.at) };
        frames.push(Frame { open, count: 0, keys: object.then_some(self.keys.len()) });
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self, frame: Frame) {
        self.builder.close(frame.open, frame.count);
        if let Some(base) = frame.keys {
            let (keys, faults) = (&self.keys[base..], &mut self.faults);
            self.duplicates.find(keys, |first, later| {
                faults.push(Fault::duplicate(&keys[later].name, keys[later].at, keys[first].at));
            });
            self.keys.truncate(base);
        }
    }

    fn key(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key in `\"`"));
        }
        let at = self.at;
        let name = self.string()?;
        match &name {
            Cow::Borrowed(slice) => self.builder.key_slice(at, at + 1, slice.len()),
            Cow::Owned(key) => self.builder.key_owned(at, key),
        }
        self.keys.push(Key { name, at });
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        let at = self.at;
        match self.bytes.get(at) {
            Some(b'"') => match self.string()? {
                Cow::Borrowed(slice) => self.builder.str_slice(Kind::Str, at, at + 1, slice.len()),
                Cow::Owned(string) => self.builder.str_owned(Kind::Str, at, &string),
            },
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') if self.word("true") => self.builder.bool(at, true),
            Some(b'f') if self.word("false") => self.builder.bool(at, false),
            Some(b'n') if self.word("null") => self.builder.null(at),
            _ => return Err(self.expected("a value")),
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> bool {
        let is = self.bytes[self.at..].starts_with(word.as_bytes());
        if is {
            self.at += word.len();
        }
        is
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += usize::from(self.bytes[start] == b'-');
        let negative = self.at > start;
        let first = self.bytes.get(self.at).copied();
        let whole = self.at;
        let digits = self.digits()?;
        if first == Some(b'0') && digits > 1 {
            return Err(Fault::new(start, "expected a number without leading zeros"));
        }
        let mut float = false;
        if self.bytes.get(self.at) == Some(&b'.') {
            float = true;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            float = true;
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        // Eighteen digits fit, whatever they are: most numbers need not be read a second time.
        if !float && digits <= 18 {
            let value = self.bytes[whole..self.at].iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
            self.builder.int(start, if negative { -value } else { value });
            return Ok(());
        }
        let spelled = &self.text[start..self.at];
        if float {
            match number::float(spelled) {
                Some(value) => self.builder.float(start, value),
                None => self.unread(start, number::NOT_FINITE),
            }
        } else {
            match Integer::read(spelled, 10) {
                Some(value) => value.push(&mut self.builder, start),
                None => self.unread(start, number::TOO_LARGE),
            }
        }
        Ok(())
    }

    /// A value that cannot be read; what stands beside it can.
    #[cold]
    fn unread(&mut self, at: usize, message: &str) {
        self.builder.str_owned(Kind::Str, at, "");
        self.faults.push(Fault::of_value(at, message));
    }

    fn digits(&mut self) -> Result<usize, Fault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(self.at - start) }
    }

    /// Reads the string that begins here; a slice of the text where it has no escapes.
    #[inline]
    fn string(&mut self) -> Result<Cow<'t, str>, Fault> {
        self.at += 1;
        let start = self.at;
        self.at += plain_run(&self.bytes[start..]);
        if self.bytes.get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        self.rest_of_string(start)
    }

    /// Reads on in a string that began at `run` and has escapes, or is broken, or stands near the end.
    fn rest_of_string(&mut self, mut run: usize) -> Result<Cow<'t, str>, Fault> {
        let mut owned = String::new();
        loop {
            self.at += plain_run(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let rest = &self.text[run..self.at];
                    self.at += 1;
                    if owned.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    owned.push_str(rest);
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => {
                    owned.push_str(&self.text[run..self.at]);
                    owned.push(self.escape()?);
                    run = self.at;
                }
                Some(0..=0x1f) => {
                    return Err(Fault::new(self.at, "expected control characters in strings as escapes"));
                }
                // Not in a run because it stands near the end.
                Some(_) => self.at += 1,
                None => return Err(self.expected("`\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        self.at += 2;
        Ok(match self.bytes.get(start + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let mut unit = self.hex(start)?;
                if (0xd800..0xdc00).contains(&unit) && self.bytes[self.at..].starts_with(b"\\u") {
                    self.at += 2;
                    let low = self.hex(start)?;
                    if (0xdc00..0xe000).contains(&low) {
                        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    }
                }
                // A surrogate without its twin is no character.
                char::from_u32(unit)
                    .ok_or_else(|| Fault::new(start, "expected a pair of surrogates, found half of one"))?
            }
            _ => return Err(Fault::new(start, "expected an escape of JSON after `\\`")),
        })
    }

    fn hex(&mut self, escape: usize) -> Result<u32, Fault> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let unit = digits.iter().try_fold(0, |unit, &b| Some(unit << 4 | char::from(b).to_digit(16)?));
        self.at += 4;
        unit.filter(|_| digits.len() == 4)
            .ok_or_else(|| Fault::new(escape, "expected four hexadecimal digits after `\\u`"))
    }

    /// What was expected here, and what stands here as far as it may be told.
    #[cold]
    fn expected(&self, what: &str) -> Fault {
        let found = match self.bytes.get(self.at) {
            None => "the end of the document".to_owned(),
            Some(b) if b.is_ascii_punctuation() => format!("`{}`", char::from(*b)),
            Some(b'0'..=b'9') => "a number".to_owned(),
            Some(_) => "something else".to_owned(),
        };
        Fault::new(self.at, format!("expected {what}, found {found}"))
    }
}

/// How many bytes from the start are surely inside a string as they are, told eight at a time.
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks the bytes of `word` below `limit`, which is at most 128; exact up to the first such byte.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let mut run = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("a chunk has eight bytes"));
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let escape = below(word ^ (ONES * u64::from(b'\\')), 1);
        let special = quote | escape | below(word, 0x20);
        if special != 0 {
            return run + special.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    run
}

// The helpers read all formats.
#[cfg(all(test, feature = "json", feature = "toml", feature = "yaml"))]
mod tests {
    use super::super::Format::Json;
    use super::super::tests::{refusals, value};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn escapes_read_and_half_surrogates_do_not() {
        let text = r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00x","\u006b":""}"#;
        assert_eq!(value(Json, text), json!({"a": "\"\\/\u{8}\u{c}\n\r\té😀x", "k": ""}));
        for half in [r"\ud83d", r"\ude00", r"\ud83d\u0041", r"\ud83dx", r"\u12", r"\x41", "\u{1}", "\n"] {
            assert_eq!(refusals(Json, format!("{{\"a\":\"{half}\"}}")).len(), 1, "{half}");
        }
    }

    #[test]
    fn a_fault_says_what_was_expected_and_where() {
        for (text, expected) in [
            ("{\"a\": 1,}", "1:9: expected a key in `\"`, found `}`"),
            ("{\"a\" 1}", "1:6: expected `:`, found a number"),
            ("{\"a\": [1 2]}", "1:10: expected `,` or `]`, found a number"),
            ("{\"a\": tru}", "1:7: expected a value, found something else"),
            ("{\"a\": 01}", "1:7: expected a number without leading zeros"),
            ("{\"a\": 1.}", "1:9: expected a digit, found `}`"),
            ("{\"a\": \"x", "1:9: expected `\"`, found the end of the document"),
            ("{\n} x", "2:3: expected the end of the document, found something else"),
            ("[]", "1:1: expected `{`: the whole document is one object, found `[`"),
        ] {
            assert_eq!(refusals(Json, text), [expected]);
        }
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        let any_value = leaf.prop_recursive(3, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::hash_map(any::<String>(), any_value, 0..6)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_reads_as_the_same(document in documents()) {
            prop_assert_eq!(&value(Json, &document.to_string()), &document);
            let pretty = serde_json::to_string_pretty(&document).unwrap();
            prop_assert_eq!(&value(Json, &pretty), &document);
        }

        #[test]
        fn what_reads_is_json_and_what_does_not_is_none(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"\\n\"", "1", "-0.5e1", "01", "-", "null", "true", " ",
                ]),
                0..14,
            )
        ) {
            let text = format!("{{\"x\":{}}}", parts.concat());
            match super::super::parse(Json, "doc", text.as_bytes()) {
                Ok(_) => prop_assert!(serde_json::from_str::<Value>(&text).is_ok()),
                // serde_json takes a duplicate key; nothing else that we refuse.
                Err(all) if all.iter().any(|p| p.message().contains("duplicate")) => {}
                Err(_) => prop_assert!(serde_json::from_str::<Value>(&text).is_err()),
            }
        }
    }
}
