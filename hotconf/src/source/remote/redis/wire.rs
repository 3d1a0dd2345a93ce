//! What is said to a Redis and what it answers: RESP, versions 2 and 3.
//!
//! Pure. The shapes are those of Redis's own specification (*Redis serialization protocol specification*). A
//! reply is found in the bytes before it is made: nothing is set aside for a length that is only announced.

use std::fmt;
use zeroize::Zeroizing;

/// The longest line without a length of its own: an error, a number, a short text.
const LONGEST_LINE: usize = 16 << 10;
/// Replies within each other. What we ask for has three.
const DEEPEST: usize = 8;
/// No element is shorter: a sign and the end of its line.
const SHORTEST: usize = 3;

/// Why bytes are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// No reply begins with this byte.
    Sign(u8),
    /// A length or a number is none, or is negative.
    Number,
    /// A line or a text does not end where it should.
    End,
    /// Replies within replies, deeper than any that we ask for.
    Depth,
    /// A reply of more bytes than we take.
    TooLong {
        /// What we take.
        most: usize,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sign(sign) => write!(f, "a reply begins with `{}`", sign.escape_ascii()),
            Self::Number => f.write_str("a length in a reply is no number"),
            Self::End => f.write_str("a part of a reply does not end where it should"),
            Self::Depth => f.write_str("a reply has more within each other than any that was asked for"),
            Self::TooLong { most } => write!(f, "expected at most {most} bytes in a reply, found more"),
        }
    }
}

/// What a Redis says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Text of either kind, and what else is written as text: a fraction, a truth, a long number.
    Text(Vec<u8>),
    Error(String),
    Number(i64),
    /// Nothing is there.
    Null,
    /// An array or a set; a map as its keys and values by turns.
    List(Vec<Reply>),
    /// What was not asked for just now.
    Push(Vec<Reply>),
}

impl Reply {
    pub(super) fn into_text(self) -> Option<Vec<u8>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn into_list(self) -> Option<Vec<Self>> {
        if let Self::List(list) = self { Some(list) } else { None }
    }
}

/// Without a byte of what is in it: it may be a secret.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "text of {} bytes", text.len()),
            Self::Error(_) => f.write_str("an error"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Null => f.write_str("nothing"),
            Self::List(list) => write!(f, "a list of {}", list.len()),
            Self::Push(list) => write!(f, "a push of {}", list.len()),
        }
    }
}

/// A command, ready to be sent; wiped when dropped, since one of them has a password.
pub(super) fn command<W: AsRef<[u8]>>(words: &[W]) -> Zeroizing<Vec<u8>> {
    // All at once: a vector that grows leaves copies behind. A length has at most 20 digits.
    let room: usize = words.iter().map(|word| word.as_ref().len() + 25).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(room + 23));
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words.iter().map(AsRef::as_ref) {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The pattern of `SCAN` and `PSUBSCRIBE` that stands for `text` as it is.
pub(super) fn literally(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for &byte in text {
        if b"*?[]\\^".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// Replies, from pieces as they come.
#[derive(Default)]
pub(super) struct Replies {
    bytes: Vec<u8>,
    /// Up to where the reply that comes next was looked through.
    at: usize,
    /// How many elements are to come at each depth of it; empty: it has not begun.
    open: Vec<usize>,
}

impl Replies {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole reply. One of more than `most` bytes is refused as soon as that is known.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Reply>, Malformed> {
        if self.open.is_empty() {
            if self.bytes.is_empty() {
                return Ok(None);
            }
            self.open.push(1);
        }
        while !self.open.is_empty() {
            let Some((head, end)) = head(&self.bytes, self.at)? else {
                return if self.bytes.len() > most.saturating_add(LONGEST_LINE) {
                    Err(Malformed::TooLong { most })
                } else {
                    Ok(None)
                };
            };
            let room = most.checked_sub(end).ok_or(Malformed::TooLong { most })?;
            let children = match head {
                Head::Line => 0,
                Head::Block(length) => {
                    if length > room {
                        return Err(Malformed::TooLong { most });
                    }
                    let Some(rest) = self.bytes.get(end + length..end + length + 2) else { return Ok(None) };
                    if rest != b"\r\n" {
                        return Err(Malformed::End);
                    }
                    self.at = end + length + 2;
                    self.taken(0)?;
                    continue;
                }
                Head::Many(count) if count > room / SHORTEST => return Err(Malformed::TooLong { most }),
                Head::Many(count) => count,
            };
            self.at = end;
            self.taken(children)?;
        }
        let reply = Reader { bytes: &self.bytes[..self.at], at: 0 }.reply()?;
        let rest = self.bytes.len() - self.at;
        if rest == 0 {
            // A large buffer is not kept for the small replies that follow.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..self.at);
        }
        self.at = 0;
        Ok(Some(reply))
    }

    /// One element was looked through that has `children`.
    fn taken(&mut self, children: usize) -> Result<(), Malformed> {
        if let Some(left) = self.open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            self.open.push(children);
        }
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
        if self.open.len() > DEEPEST { Err(Malformed::Depth) } else { Ok(()) }
    }
}

/// What the first line of an element says of the rest.
enum Head {
    /// It is all of it.
    Line,
    /// So many bytes follow, and the end of a line.
    Block(usize),
    /// So many elements follow.
    Many(usize),
}

/// The first line of the element at `at`, and where it ends; `None` where it is not there yet.
fn head(bytes: &[u8], at: usize) -> Result<Option<(Head, usize)>, Malformed> {
    let Some((line, end)) = line(bytes, at)? else { return Ok(None) };
    let length = |times: usize, more: usize| -> Result<usize, Malformed> {
        let length = number(&line[1..])?;
        let length = usize::try_from(length).map_err(|_| Malformed::Number)?;
        length.checked_mul(times).and_then(|length| length.checked_add(more)).ok_or(Malformed::Number)
    };
    let head = match line[0] {
        // How RESP2 says that nothing is there.
        b'$' | b'*' if &line[1..] == b"-1" => Head::Line,
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Head::Line,
        b'$' | b'!' | b'=' => Head::Block(length(1, 0)?),
        b'*' | b'~' | b'>' => Head::Many(length(1, 0)?),
        b'%' => Head::Many(length(2, 0)?),
        // Remarks, and then what they are about.
        b'|' => Head::Many(length(2, 1)?),
        sign => return Err(Malformed::Sign(sign)),
    };
    Ok(Some((head, end)))
}

/// The line at `at` without its end, and where the next one begins. It is never empty.
fn line(bytes: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, Malformed> {
    let rest = &bytes[at..];
    let Some(&sign) = rest.first() else { return Ok(None) };
    if !b"+-:_#,($!=*~>%|".contains(&sign) {
        return Err(Malformed::Sign(sign));
    }
    let near = &rest[..rest.len().min(LONGEST_LINE)];
    match near.iter().position(|&byte| byte == b'\r') {
        None if near.len() == LONGEST_LINE => Err(Malformed::End),
        None => Ok(None),
        Some(end) => match rest.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => Ok(Some((&rest[..end], at + end + 2))),
            Some(_) => Err(Malformed::End),
        },
    }
}

fn number(digits: &[u8]) -> Result<i64, Malformed> {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(Malformed::Number)
}

/// Makes a reply of bytes that hold all of it.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn reply(&mut self) -> Result<Reply, Malformed> {
        let bytes = self.bytes;
        let Some((line, _)) = line(bytes, self.at)? else { return Err(Malformed::End) };
        let (sign, said) = (line[0], &line[1..]);
        let Some((head, end)) = head(bytes, self.at)? else { return Err(Malformed::End) };
        self.at = end;
        Ok(match (head, sign) {
            (Head::Line, b'-') => Reply::Error(String::from_utf8_lossy(said).into_owned()),
            (Head::Line, b':') => Reply::Number(number(said)?),
            (Head::Line, b'_' | b'$' | b'*') => Reply::Null,
            (Head::Line, _) => Reply::Text(said.to_vec()),
            (Head::Block(length), sign) => {
                let block = bytes.get(end..end + length).ok_or(Malformed::End)?;
                self.at = end + length + 2;
                match sign {
                    b'!' => Reply::Error(String::from_utf8_lossy(block).into_owned()),
                    // Four bytes say of what kind it is.
                    b'=' => Reply::Text(block.get(4..).unwrap_or_default().to_vec()),
                    _ => Reply::Text(block.to_vec()),
                }
            }
            (Head::Many(count), b'|') => {
                for _ in 1..count {
                    self.reply()?;
                }
                self.reply()?
            }
            (Head::Many(count), sign) => {
                let list = (0..count).map(|_| self.reply()).collect::<Result<Vec<_>, _>>()?;
                if sign == b'>' { Reply::Push(list) } else { Reply::List(list) }
            }
        })
    }
}
