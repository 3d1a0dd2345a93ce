//! Bytes → text: what has to hold before any parser starts.
//!
//! A document is UTF-8, with or without a byte-order mark; the mark is no part of the text, so that
//! line 1 column 1 is the first character that a person sees. Line ends are left to the format.

use super::Limits;
use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;

/// The text of a document, or what is wrong with it.
pub(super) fn decode<'b>(name: &str, bytes: &'b [u8], limits: &Limits) -> Result<&'b str, Vec<Problem>> {
    let refuse =
        |message: String, origin| Err(vec![Problem::new(ProblemKind::Syntax, "", message).at(origin)]);
    let most = most(limits);
    if bytes.len() > most {
        let message = format!("expected at most {most} bytes, found {}", bytes.len());
        return refuse(message, Origin::whole(name));
    }
    let bytes = without_mark(bytes);
    // Asked first: UTF-16 of plain ASCII is valid UTF-8, full of NUL.
    if let Some(encoding) = wide(bytes) {
        let message = format!("expected UTF-8, found {encoding}: save the file as UTF-8");
        return refuse(message, Origin::whole(name));
    }
    // Without an exit inside a chunk the compiler looks at many bytes at once.
    if bytes.chunks(64).any(|chunk| chunk.iter().fold(u8::MAX, |least, &byte| least.min(byte)) == 0) {
        let at = bytes.iter().position(|&byte| byte == 0).unwrap_or_default();
        let (line, column) = end_of(&String::from_utf8_lossy(&bytes[..at]));
        let message = "expected text, found NUL bytes: was the file cut off by a crash?";
        return refuse(message.to_owned(), Origin::line(name, line, column));
    }
    std::str::from_utf8(bytes).or_else(|error| {
        let good = &bytes[..error.valid_up_to()];
        let good = std::str::from_utf8(good).expect("the error says that it is valid up to here");
        let (line, column) = end_of(good);
        let message = "expected UTF-8, found a byte that is not: save the file as UTF-8";
        refuse(message.to_owned(), Origin::line(name, line, column))
    })
}

/// How many bytes a document may have.
pub(super) fn most(limits: &Limits) -> usize {
    // The tape holds offsets in 32 bits; half of them are left to the strings that had escapes.
    limits.bytes.min(1 << 31)
}

/// The bytes behind the byte-order mark.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// Names an encoding of two or four bytes a character, told by its mark or by where the zeros are.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some("UTF-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        // No configuration begins with NUL, and none has one as its second character.
        [0, b, ..] if *b != 0 => Some("UTF-16"),
        [a, 0, b, ..] if *a != 0 && *b != 0 => Some("UTF-16"),
        _ => None,
    }
}

/// Line and column just behind `text`, counted as the tape counts.
fn end_of(text: &str) -> (u32, u32) {
    let document = crate::value::Builder::new("", text.to_owned()).finish();
    document.line_column(text.len())
}
