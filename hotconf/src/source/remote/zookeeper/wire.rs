//! The messages of `ZooKeeper` that we send and read: records of jute, each behind its length.
//!
//! Pure. Names and numbers are those of `zookeeper.jute`, `ZooDefs.java` and `Watcher.java` of `ZooKeeper`. A record has no
//! field numbers: integers are big-endian, texts and bytes stand behind their length, and -1 stands for none.

use std::fmt;
use zeroize::Zeroizing;

/// The number that stands before what is told without a question.
pub(super) const TOLD: i32 = -1;
/// Those of a ping and of a login, which are not counted with the other questions.
pub(super) const PING: i32 = -2;
pub(super) const AUTH: i32 = -4;

/// A frame as it is sent; wiped, since a login is one.
pub(super) type Frame = Zeroizing<Vec<u8>>;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It ends in the middle of a field.
    Cut,
    /// A length that cannot be.
    Length(i32),
    /// A message of more bytes than we take.
    TooLong {
        /// What it says.
        found: usize,
        /// What we take.
        most: usize,
    },
    /// A name that is no text, or that no node can have.
    Name,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("a message ends in the middle of a field"),
            Self::Length(found) => write!(f, "found a length of {found}"),
            Self::TooLong { found, most } => {
                write!(f, "expected at most {most} bytes in a message, found {found}")
            }
            Self::Name => f.write_str("found a name that no node can have"),
        }
    }
}

/// What is asked of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question<'a> {
    /// `addWatch`: on one node, or on it and all below it.
    AddWatch { path: &'a str, below: bool },
    /// `exists`, with a watch for its coming.
    Exists { path: &'a str },
    /// `getData`; `watch` leaves one that tells once.
    Data { path: &'a str, watch: bool },
    /// `getChildren2`, likewise.
    Children { path: &'a str, watch: bool },
    /// `sync`: what follows it sees all that was written before.
    Sync { path: &'a str },
    /// `ping`.
    Ping,
    /// `closeSession`.
    Close,
}

/// `ConnectRequest`: a new session, by a client that has seen the transactions up to `seen`.
pub(super) fn connect(seen: i64, timeout_ms: i32, read_only: bool) -> Frame {
    framed(64, |out| {
        put_int(out, 0);
        out.extend_from_slice(&seen.to_be_bytes());
        put_int(out, timeout_ms);
        out.extend_from_slice(&0_i64.to_be_bytes());
        put_bytes(out, &[0; 16]);
        out.push(read_only.into());
    })
}

/// `AuthPacket` of the scheme `digest`.
pub(super) fn login(user: &str, password: &str) -> Frame {
    // Large enough from the beginning: a vector that grows leaves copies behind.
    framed(64 + user.len() + password.len(), |out| {
        put_int(out, AUTH);
        put_int(out, 100);
        put_int(out, 0);
        put_bytes(out, b"digest");
        put_int(out, i32::try_from(user.len() + 1 + password.len()).unwrap_or(i32::MAX));
        for part in [user, ":", password] {
            out.extend_from_slice(part.as_bytes());
        }
    })
}

/// A question with its number.
pub(super) fn question(number: i32, question: Question<'_>) -> Frame {
    let (number, kind) = match question {
        Question::Exists { .. } => (number, 3),
        Question::Data { .. } => (number, 4),
        Question::Sync { .. } => (number, 9),
        Question::Ping => (PING, 11),
        Question::Children { .. } => (number, 12),
        Question::AddWatch { .. } => (number, 106),
        Question::Close => (number, -11),
    };
    framed(32, |out| {
        put_int(out, number);
        put_int(out, kind);
        match question {
            Question::AddWatch { path, below } => {
                put_bytes(out, path.as_bytes());
                put_int(out, below.into());
            }
            Question::Exists { path } => {
                put_bytes(out, path.as_bytes());
                out.push(1);
            }
            Question::Data { path, watch } | Question::Children { path, watch } => {
                put_bytes(out, path.as_bytes());
                out.push(watch.into());
            }
            Question::Sync { path } => put_bytes(out, path.as_bytes()),
            Question::Ping | Question::Close => {}
        }
    })
}

fn framed(room: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    put_int(&mut out, 0);
    fill(&mut out);
    let length = u32::try_from(out.len() - 4).expect("what we send is short");
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}

fn put_int(out: &mut Vec<u8>, int: i32) {
    out.extend_from_slice(&int.to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_int(out, i32::try_from(bytes.len()).expect("what we send is short"));
    out.extend_from_slice(bytes);
}

/// Messages, from pieces as they come.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// How many of them were taken out.
    taken: usize,
}

impl Frames {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole message, without its length. One of more than `most` bytes is refused as soon as its length is
    /// known.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Vec<u8>>, Malformed> {
        let Some((head, rest)) = self.bytes[self.taken..].split_first_chunk::<4>() else {
            self.tidy();
            return Ok(None);
        };
        let length = i32::from_be_bytes(*head);
        let found = usize::try_from(length).map_err(|_| Malformed::Length(length))?;
        if found > most {
            return Err(Malformed::TooLong { found, most });
        }
        let Some(message) = rest.get(..found) else {
            self.tidy();
            return Ok(None);
        };
        let message = message.to_vec();
        self.taken += 4 + found;
        Ok(Some(message))
    }

    /// Lets go of what was taken out; a large buffer is not kept for the small messages that follow.
    fn tidy(&mut self) {
        if self.taken == self.bytes.len() {
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..self.taken);
        }
        self.taken = 0;
    }
}

/// `ConnectResponse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Welcome {
    /// How long the session lives without a word; 0: there is none.
    pub(super) timeout_ms: u32,
    pub(super) read_only: bool,
}

/// The error of a server that answers a `ConnectRequest` with a `ReplyHeader` alone, which is shorter than any
/// `ConnectResponse`.
pub(super) fn refused(message: &[u8]) -> Option<i32> {
    let (header, rest) = header(message).ok()?;
    (rest.is_empty() && header.error != 0).then_some(header.error)
}

pub(super) fn welcome(message: &[u8]) -> Result<Welcome, Malformed> {
    let mut fields = Fields(message);
    let _protocol = fields.int()?;
    let timeout_ms = u32::try_from(fields.int()?).unwrap_or(0);
    let _session = fields.long()?;
    let _password = fields.bytes()?;
    // Servers before 3.4 do not say it.
    let read_only = !fields.0.is_empty() && fields.truth()?;
    Ok(Welcome { timeout_ms, read_only })
}

/// `ReplyHeader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the question.
    pub(super) number: i32,
    /// The last transaction that the server knew when it answered.
    pub(super) zxid: i64,
    /// 0: none.
    pub(super) error: i32,
}

/// The header of a message, and what follows it.
pub(super) fn header(message: &[u8]) -> Result<(Header, &[u8]), Malformed> {
    let mut fields = Fields(message);
    let header = Header { number: fields.int()?, zxid: fields.long()?, error: fields.int()? };
    Ok((header, fields.0))
}

/// What a watch tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    Created,
    Deleted,
    Changed,
    /// The names of its children.
    Children,
    /// Of a session, or of a watch that is gone.
    Other(i32),
}

/// `WatcherEvent`.
pub(super) fn event(body: &[u8]) -> Result<(Happened, &str), Malformed> {
    let mut fields = Fields(body);
    let happened = match fields.int()? {
        1 => Happened::Created,
        2 => Happened::Deleted,
        3 => Happened::Changed,
        4 => Happened::Children,
        other => Happened::Other(other),
    };
    let _state = fields.int()?;
    Ok((happened, fields.text()?))
}

/// What we read of `Stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// The transaction that wrote its data.
    pub(super) mzxid: i64,
    /// The transaction that last created or removed a child.
    pub(super) pzxid: i64,
    pub(super) children: i32,
}

fn stat(fields: &mut Fields<'_>) -> Result<Stat, Malformed> {
    let _czxid = fields.long()?;
    let mzxid = fields.long()?;
    for _times in 0..2 {
        fields.long()?;
    }
    for _versions in 0..3 {
        fields.int()?;
    }
    let _owner = fields.long()?;
    let _length = fields.int()?;
    let children = fields.int()?;
    Ok(Stat { mzxid, pzxid: fields.long()?, children })
}

/// `GetDataResponse`.
pub(super) fn data(body: &[u8]) -> Result<(&[u8], Stat), Malformed> {
    let mut fields = Fields(body);
    let data = fields.bytes()?;
    Ok((data, stat(&mut fields)?))
}

/// `GetChildren2Response`. Each name has four bytes besides its own, so that their number is bounded by the message.
pub(super) fn children(body: &[u8]) -> Result<(Vec<&str>, Stat), Malformed> {
    let mut fields = Fields(body);
    let (count, mut names) = (fields.int()?, Vec::new());
    for _ in 0..count {
        let name = fields.text()?;
        if name.is_empty() || name.contains('/') {
            return Err(Malformed::Name);
        }
        names.push(name);
    }
    Ok((names, stat(&mut fields)?))
}

/// What is left of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(*head)
    }

    fn int(&mut self) -> Result<i32, Malformed> {
        self.take().map(i32::from_be_bytes)
    }

    fn long(&mut self) -> Result<i64, Malformed> {
        self.take().map(i64::from_be_bytes)
    }

    fn truth(&mut self) -> Result<bool, Malformed> {
        self.take::<1>().map(|[byte]| byte != 0)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = match self.int()? {
            -1 => 0,
            length => usize::try_from(length).map_err(|_| Malformed::Length(length))?,
        };
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed::Name)
    }
}
