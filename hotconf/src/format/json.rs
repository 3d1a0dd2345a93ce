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
        parser.faults.push(*fault);
    }
    super::done(parser.builder, parser.faults)
}

/// Parses `text` as one scalar from the first byte to the last.
pub(super) fn scalar(text: &str) -> Option<Document> {
    let limits = Limits::default();
    let mut parser = Parser::new("", text, &limits);
    parser.scalar(*text.as_bytes().first()?).ok()?;
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

/// A fault ends the parse; boxed, so that a step that went well is told in a register.
type Step<T> = Result<T, Box<Fault>>;

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

    fn document(&mut self) -> Step<()> {
        match self.peek() {
            Some(b'{') => {}
            None => return Err(Box::new(Fault::new(0, "expected `{`, found an empty document"))),
            Some(_) => return self.expected("`{`: the whole document is one object"),
        }
        // The containers around `frame`.
        let mut outer: Vec<Frame> = Vec::new();
        let mut frame = self.enter(b'{', 1)?;
        loop {
            let mut next = self.peek();
            if next == Some(if frame.keys.is_some() { b'}' } else { b']' }) {
                self.at += 1;
                self.leave(frame);
                match outer.pop() {
                    Some(around) => frame = around,
                    None => break,
                }
                continue;
            }
            if frame.count > 0 {
                if next != Some(b',') {
                    let what = if frame.keys.is_some() { "`,` or `}`" } else { "`,` or `]`" };
                    return self.expected(what);
                }
                self.at += 1;
                next = self.peek();
            }
            frame.count += 1;
            if frame.keys.is_some() {
                self.key(next)?;
                next = self.peek();
            }
            match next {
                Some(open @ (b'{' | b'[')) => {
                    let inner = self.enter(open, outer.len() + 2)?;
                    outer.push(std::mem::replace(&mut frame, inner));
                }
                Some(first) => self.scalar(first)?,
                None => return self.expected("a value"),
            }
            if self.builder.len() > self.limits.nodes {
                return Err(Box::new(Fault::new(self.at, Limits::too_many(self.limits.nodes))));
            }
        }
        match self.peek() {
            None => Ok(()),
            Some(_) => self.expected("the end of the document"),
        }
    }

    /// The next byte that is no white space, to which it moves.
    ///
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        match self.bytes.get(self.at) {
            Some(&next) if next > b' ' => Some(next),
            None => None,
            // The most frequent one: behind a colon.
            Some(b' ') if self.bytes.get(self.at + 1).is_some_and(|&next| next > b' ') => {
                self.at += 1;
                Some(self.bytes[self.at])
            }
            Some(_) => self.behind_space(),
        }
    }

    /// Mostly this is one blank, or a line end and the blanks of the next line.
    fn behind_space(&mut self) -> Option<u8> {
        const BLANKS: u64 = u64::from_le_bytes([b' '; 8]);
        while let Some(chunk) = self.bytes[self.at..].first_chunk::<8>() {
            let line = usize::from(chunk[0] == b'\n');
            let other = (u64::from_le_bytes(*chunk) >> (8 * line)) ^ BLANKS;
            let blank = line + other.trailing_zeros() as usize / 8;
            self.at += blank;
            match chunk.get(blank) {
                Some(&next) if next > b' ' => return Some(next),
                Some(b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&next) => return Some(next),
                None => {}
            }
        }
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Opens the container that `open` begins, which is the `depth`th.
    fn enter(&mut self, open: u8, depth: usize) -> Step<Frame> {
        if depth > self.limits.depth {
            return Err(Box::new(Fault::new(self.at, Limits::too_deep(self.limits.depth))));
        }
        let object = open == b'{';
        let open = if object { self.builder.table(self.at) } else { self.builder.array(self.at) };
        self.at += 1;
        Ok(Frame { open, count: 0, keys: object.then_some(self.keys.len()) })
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

    #[inline]
    fn key(&mut self, next: Option<u8>) -> Step<()> {
        if next != Some(b'"') {
            return self.expected("a key in `\"`");
        }
        let at = self.at;
        let name = if let Some(len) = self.plain_string() {
            self.builder.key_slice(at, at + 1, len);
            Cow::Borrowed(&self.text[at + 1..at + 1 + len])
        } else {
            let name = self.string()?;
            match &name {
                Cow::Borrowed(slice) => self.builder.key_slice(at, at + 1, slice.len()),
                Cow::Owned(key) => self.builder.key_owned(at, key),
            }
            name
        };
        self.keys.push(Key { name, at });
        if self.peek() != Some(b':') {
            return self.expected("`:`");
        }
        self.at += 1;
        Ok(())
    }

    /// Reads the scalar that begins here with `first`.
    #[inline]
    fn scalar(&mut self, first: u8) -> Step<()> {
        let at = self.at;
        match first {
            b'"' => match self.plain_string() {
                Some(len) => self.builder.str_slice(Kind::Str, at, at + 1, len),
                None => match self.string()? {
                    Cow::Borrowed(slice) => self.builder.str_slice(Kind::Str, at, at + 1, slice.len()),
                    Cow::Owned(string) => self.builder.str_owned(Kind::Str, at, &string),
                },
            },
            b'-' | b'0'..=b'9' => return self.number(first == b'-'),
            b't' if self.word("true") => self.builder.bool(at, true),
            b'f' if self.word("false") => self.builder.bool(at, false),
            b'n' if self.word("null") => self.builder.null(at),
            _ => return self.expected("a value"),
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

    fn number(&mut self, negative: bool) -> Step<()> {
        let start = self.at;
        let whole = start + usize::from(negative);
        self.at = whole;
        let mut value = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            // Of more digits than fit, this is not what counts.
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - whole;
        if digits == 0 {
            return self.expected("a digit");
        }
        if digits > 1 && self.bytes[whole] == b'0' {
            return Err(Box::new(Fault::new(start, "expected a number without leading zeros")));
        }
        if let Some(b'.' | b'e' | b'E') = self.bytes.get(self.at) {
            return self.float(start);
        }
        // Eighteen digits fit, whatever they are: most numbers need not be read a second time.
        if digits <= 18 {
            self.builder.int(start, if negative { -value } else { value });
            return Ok(());
        }
        match Integer::read(&self.text[start..self.at], 10) {
            Some(value) => value.push(&mut self.builder, start),
            None => self.unread(start, number::TOO_LARGE),
        }
        Ok(())
    }

    /// Reads on in a number that began at `start`, behind its whole part.
    fn float(&mut self, start: usize) -> Step<()> {
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        match number::float(&self.text[start..self.at]) {
            Some(value) => self.builder.float(start, value),
            None => self.unread(start, number::NOT_FINITE),
        }
        Ok(())
    }

    /// A value that cannot be read; what stands beside it can.
    #[cold]
    fn unread(&mut self, at: usize, message: &str) {
        self.builder.str_owned(Kind::Str, at, "");
        self.faults.push(Fault::of_value(at, message));
    }

    fn digits(&mut self) -> Step<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at == start { self.expected("a digit") } else { Ok(()) }
    }

    /// Reads the string that begins here if it has no escapes; its length.
    #[inline]
    fn plain_string(&mut self) -> Option<usize> {
        let start = self.at + 1;
        let len = plain_run(&self.bytes[start..]);
        (self.bytes.get(start + len) == Some(&b'"')).then(|| {
            self.at = start + len + 1;
            len
        })
    }

    /// Reads the string that begins here and has escapes, or is broken, or stands near the end.
    #[cold]
    fn string(&mut self) -> Step<Cow<'t, str>> {
        self.at += 1;
        let mut run = self.at;
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
                    let message = "expected control characters in strings as escapes";
                    return Err(Box::new(Fault::new(self.at, message)));
                }
                // Not in a run because it stands near the end.
                Some(_) => self.at += 1,
                None => return self.expected("`\"`"),
            }
        }
    }

    fn escape(&mut self) -> Step<char> {
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
                char::from_u32(unit).ok_or_else(|| {
                    Box::new(Fault::new(start, "expected a pair of surrogates, found half of one"))
                })?
            }
            _ => return Err(Box::new(Fault::new(start, "expected an escape of JSON after `\\`"))),
        })
    }

    fn hex(&mut self, escape: usize) -> Step<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let unit = digits.iter().try_fold(0, |unit, &b| Some(unit << 4 | char::from(b).to_digit(16)?));
        self.at += 4;
        unit.filter(|_| digits.len() == 4)
            .ok_or_else(|| Box::new(Fault::new(escape, "expected four hexadecimal digits after `\\u`")))
    }

    /// What was expected here, and what stands here as far as it may be told.
    #[cold]
    fn expected<R>(&self, what: &str) -> Step<R> {
        let found = match self.bytes.get(self.at) {
            None => "the end of the document".to_owned(),
            Some(b) if b.is_ascii_punctuation() => format!("`{}`", char::from(*b)),
            Some(b'0'..=b'9') => "a number".to_owned(),
            Some(_) => "something else".to_owned(),
        };
        Err(Box::new(Fault::new(self.at, format!("expected {what}, found {found}"))))
    }
}

/// How many bytes from the start are surely inside a string as they are, told eight at a time.
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Marks the bytes below `limit`, exact up to the first such byte; and others that are not ASCII.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit);
    let mut run = 0;
    for chunk in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("a chunk has eight bytes"));
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let escape = below(word ^ (ONES * u64::from(b'\\')), 1);
        let special = (quote | escape | below(word, 0x20)) & !word & HIGH;
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
                    "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"\\n\"", "1", "-0.5e1", "01", "-", "null", "true", " ", "\n",
                    "\r\n    ", "\t", "             ", "\n        \n", "\u{b}", "  \u{c}", "\n  \u{1f} ", "\u{a0}",
                ]),
                0..14,
            )
        ) {
            let text = format!("{{\"x\":{}}}", parts.concat());
            match super::super::parse(Json, "doc", text.as_bytes()) {
                // A number beyond all floats is a fault of that value alone.
                Ok(doc) if !doc.problems().is_empty() => {}
                Ok(_) => prop_assert!(serde_json::from_str::<Value>(&text).is_ok()),
                // serde_json takes a duplicate key; nothing else that we refuse.
                Err(all) if all.iter().any(|p| p.message().contains("duplicate")) => {}
                Err(_) => prop_assert!(serde_json::from_str::<Value>(&text).is_err()),
            }
        }
    }
}
