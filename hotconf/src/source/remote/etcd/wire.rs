//! The messages of etcd v3 that we send and read, and the frames of gRPC around them.
//!
//! Pure. The numbers of the fields are those of `rpc.proto` and `kv.proto` of etcd's public API; what is not
//! listed is not read. A frame is five bytes, a flag and a length, before each message.

use super::proto::{Fields, put_bytes, put_number};
use bytes::{Buf, Bytes, BytesMut};
use std::fmt;

/// An answer to a watch holds at most so many events: a message of a few megabytes must not become a
/// hundred times that in memory.
pub(super) const MOST_EVENTS: usize = 1 << 20;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It ends in the middle of a field.
    Cut,
    /// A number does not fit into 64 bits.
    Number,
    /// A field is not what it should be.
    Kind,
    /// A message of more bytes than we take.
    TooLong {
        /// What it says.
        found: usize,
        /// What we take.
        most: usize,
    },
    /// More entries in one message than were asked for, or than fit a transaction.
    TooMany(usize),
    /// A message is compressed, which we did not allow.
    Compressed,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("a message ends in the middle of a field"),
            Self::Number => f.write_str("a number has more than 64 bits"),
            Self::Kind => f.write_str("a field is of another kind than etcd's"),
            Self::TooLong { found, most } => {
                write!(f, "expected at most {most} bytes in a message, found {found}")
            }
            Self::TooMany(most) => write!(f, "expected at most {most} entries in a message, found more"),
            Self::Compressed => f.write_str("a message is compressed"),
        }
    }
}

/// A message of gRPC, ready to be sent.
pub(super) fn frame(message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(5 + message.len());
    out.push(0);
    out.extend_from_slice(&u32::try_from(message.len()).expect("what we send is short").to_be_bytes());
    out.extend_from_slice(message);
    out.into()
}

/// Messages of gRPC, from pieces as they come.
#[derive(Debug, Default)]
pub(super) struct Frames(BytesMut);

impl Frames {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }

    /// The next whole message. One of more than `most` bytes is refused as soon as its length is known.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Bytes>, Malformed> {
        let Some((head, rest)) = self.0.split_first_chunk::<5>() else { return Ok(None) };
        let [flag, len @ ..] = *head;
        if flag != 0 {
            return Err(Malformed::Compressed);
        }
        let found = u32::from_be_bytes(len) as usize;
        if found > most {
            return Err(Malformed::TooLong { found, most });
        }
        if rest.len() < found {
            return Ok(None);
        }
        self.0.advance(5);
        let message = self.0.split_to(found).freeze();
        if self.0.is_empty() {
            // A large buffer is not kept for the small messages that follow.
            self.0 = BytesMut::new();
        }
        Ok(Some(message))
    }

    /// Whether nothing is left of a message that was cut.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The keys that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    key: Vec<u8>,
    /// The first key that is none of them; empty: `key` alone.
    end: Vec<u8>,
}

impl Span {
    /// One key.
    pub(super) fn key(key: &str) -> Self {
        Self { key: key.into(), end: Vec::new() }
    }

    /// All keys that begin with `prefix`.
    pub(super) fn prefix(prefix: &str) -> Self {
        Self::prefix_of(prefix.as_bytes())
    }

    fn prefix_of(prefix: &[u8]) -> Self {
        // etcd allows no empty key; a zero byte stands for the first, and as an end for "no end".
        let key = if prefix.is_empty() { vec![0] } else { prefix.to_vec() };
        let kept = prefix.iter().rposition(|&byte| byte != 0xff);
        let end = kept.map_or_else(
            || vec![0],
            |last| {
                let mut end = prefix[..=last].to_vec();
                end[last] += 1;
                end
            },
        );
        Self { key, end }
    }

    /// Whether `key` is one of them.
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        match &*self.end {
            [] => key == self.key,
            [0] => key >= &*self.key,
            end => key >= &*self.key && key < end,
        }
    }

    /// Those of them that come after `key`.
    pub(super) fn after(&self, key: &[u8]) -> Self {
        let mut next = key.to_vec();
        next.push(0);
        Self { key: next, end: self.end.clone() }
    }
}

/// `RangeRequest`: linearizable; `revision` 0 is the newest.
pub(super) fn range(span: &Span, limit: u64, revision: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_span(&mut out, span);
    put_number(&mut out, 3, limit);
    put_number(&mut out, 4, revision);
    out
}

/// `WatchRequest` with a `WatchCreateRequest`: from `start` on, with progress notices, and large answers in
/// fragments.
pub(super) fn watch(span: &Span, start: u64) -> Vec<u8> {
    let mut create = Vec::new();
    put_span(&mut create, span);
    put_number(&mut create, 3, start);
    put_number(&mut create, 4, 1);
    put_number(&mut create, 8, 1);
    let mut out = Vec::new();
    put_bytes(&mut out, 1, &create);
    out
}

/// `WatchRequest` with a `WatchProgressRequest`.
pub(super) fn progress() -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 3, &[]);
    out
}

/// `AuthenticateRequest`.
pub(super) fn authenticate(name: &str, password: &str) -> zeroize::Zeroizing<Vec<u8>> {
    // Large enough from the beginning: a vector that grows leaves copies behind.
    let mut out = zeroize::Zeroizing::new(Vec::with_capacity(name.len() + password.len() + 22));
    put_bytes(&mut out, 1, name.as_bytes());
    put_bytes(&mut out, 2, password.as_bytes());
    out
}

fn put_span(out: &mut Vec<u8>, span: &Span) {
    put_bytes(out, 1, &span.key);
    if !span.end.is_empty() {
        put_bytes(out, 2, &span.end);
    }
}

/// `ResponseHeader`: who answers, and as of when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) cluster: u64,
    pub(super) revision: u64,
}

/// `KeyValue`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    /// The revision that wrote it, or removed it.
    pub(super) revision: u64,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes @ {})", self.key.escape_ascii(), self.value.len(), self.revision)
    }
}

/// `RangeResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) header: Header,
    pub(super) pairs: Vec<Pair>,
    pub(super) more: bool,
}

/// `Event`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) deleted: bool,
    pub(super) pair: Pair,
}

/// `WatchResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Watched {
    pub(super) header: Header,
    /// Of a progress notice for all watches of the stream: -1.
    pub(super) watch: i64,
    pub(super) created: bool,
    pub(super) canceled: bool,
    pub(super) compacted: u64,
    pub(super) reason: String,
    /// More of the same answer follows.
    pub(super) fragment: bool,
    pub(super) events: Vec<Event>,
}

/// Reads a `RangeResponse` of at most `limit` entries.
pub(super) fn page(message: Bytes, limit: usize) -> Result<Page, Malformed> {
    let (mut page, mut fields) = (Page::default(), Fields::of(message));
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => page.header = header(value.bytes()?)?,
            2 if page.pairs.len() == limit => return Err(Malformed::TooMany(limit)),
            2 => page.pairs.push(pair(value.bytes()?)?),
            3 => page.more = value.truth()?,
            _ => {}
        }
    }
    Ok(page)
}

/// Reads a `WatchResponse`.
pub(super) fn watched(message: Bytes) -> Result<Watched, Malformed> {
    let (mut watched, mut fields) = (Watched::default(), Fields::of(message));
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => watched.header = header(value.bytes()?)?,
            2 => watched.watch = value.signed()?,
            3 => watched.created = value.truth()?,
            4 => watched.canceled = value.truth()?,
            5 => watched.compacted = value.number()?,
            6 => watched.reason = value.text()?,
            7 => watched.fragment = value.truth()?,
            11 if watched.events.len() == MOST_EVENTS => return Err(Malformed::TooMany(MOST_EVENTS)),
            11 => watched.events.push(event(value.bytes()?)?),
            _ => {}
        }
    }
    Ok(watched)
}

/// The token in an `AuthenticateResponse`.
pub(super) fn token(message: Bytes) -> Result<zeroize::Zeroizing<Vec<u8>>, Malformed> {
    let (mut token, mut fields) = (zeroize::Zeroizing::new(Vec::new()), Fields::of(message));
    while let Some((number, value)) = fields.next()? {
        if number == 2 {
            token = zeroize::Zeroizing::new(value.bytes()?.to_vec());
        }
    }
    Ok(token)
}

fn header(message: Bytes) -> Result<Header, Malformed> {
    let (mut header, mut fields) = (Header::default(), Fields::of(message));
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => header.cluster = value.number()?,
            3 => header.revision = value.number()?,
            _ => {}
        }
    }
    Ok(header)
}

fn pair(message: Bytes) -> Result<Pair, Malformed> {
    let (mut pair, mut fields) = (Pair::default(), Fields::of(message));
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => pair.key = value.bytes()?,
            3 => pair.revision = value.number()?,
            5 => pair.value = value.bytes()?,
            _ => {}
        }
    }
    Ok(pair)
}

fn event(message: Bytes) -> Result<Event, Malformed> {
    let (mut event, mut fields) = (Event::default(), Fields::of(message));
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => event.deleted = value.number()? == 1,
            2 => event.pair = pair(value.bytes()?)?,
            _ => {}
        }
    }
    Ok(event)
}
