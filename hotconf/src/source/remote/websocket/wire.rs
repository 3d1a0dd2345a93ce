//! Frames and messages of RFC 6455, as a client reads and writes them.
//!
//! Pure. No extension is offered, so that every reserved bit is a fault; a length is judged before anything of
//! what it announces is read.

use super::super::net::base64;
use super::super::net::crypto::sha1;

/// The longest payload of a control frame (section 5.5).
const LONGEST_CONTROL: usize = 125;

/// What comes from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A message, whole: text, which is UTF-8, or bytes.
    Message(Vec<u8>),
    /// To be answered with the same bytes.
    Ping(Vec<u8>),
    Pong,
    /// With the code, if there is one.
    Close(Option<u16>),
}

/// What is wrong with what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The end of a sentence that begins with who sent it.
    Protocol(&'static str),
    TooLong,
    /// Text that is no UTF-8.
    NoText,
}

impl Fault {
    /// The code that tells the server (section 7.4.1).
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NoText => 1007,
            Self::TooLong => 1009,
        }
    }
}

/// Bytes that were read, up to the message that is not yet whole.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What was read and not yet taken, from `at` on.
    read: Vec<u8>,
    at: usize,
    /// The message so far, and whether it is text.
    begun: Option<(bool, Vec<u8>)>,
    most: usize,
}

impl Reader {
    /// The beginning of a connection whose messages have `most` bytes at most.
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// How long a message may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Where to put what was read.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        self.read.drain(..self.at);
        self.at = 0;
        &mut self.read
    }

    /// The next that is whole; `None`: more must be read.
    pub(super) fn next(&mut self) -> Result<Option<Incoming>, Fault> {
        loop {
            let rest = &self.read[self.at..];
            let Some(head) = Head::read(rest)? else { return Ok(None) };
            let held = self.begun.as_ref().map_or(0, |(_, data)| data.len());
            if !head.is_control() && head.length > self.most.saturating_sub(held) as u64 {
                return Err(Fault::TooLong);
            }
            let length = usize::try_from(head.length).map_err(|_| Fault::TooLong)?;
            let Some(payload) = rest.get(head.size..head.size + length) else { return Ok(None) };
            let taken = match (head.opcode, &mut self.begun) {
                (0x8, _) => Some(Incoming::Close(close_code(payload)?)),
                (0x9, _) => Some(Incoming::Ping(payload.to_vec())),
                (0xa, _) => Some(Incoming::Pong),
                (0x0, None) => {
                    return Err(Fault::Protocol("sent the rest of a message without its beginning"));
                }
                (0x0, Some((_, data))) => {
                    data.extend_from_slice(payload);
                    None
                }
                (0x1 | 0x2, None) => {
                    self.begun = Some((head.opcode == 0x1, payload.to_vec()));
                    None
                }
                (0x1 | 0x2, Some(_)) => return Err(Fault::Protocol("sent a message within another")),
                _ => return Err(Fault::Protocol("sent a frame of an unknown kind")),
            };
            self.at += head.size + length;
            if let Some(taken) = taken {
                return Ok(Some(taken));
            }
            if head.last
                && let Some((text, data)) = self.begun.take()
            {
                if text && std::str::from_utf8(&data).is_err() {
                    return Err(Fault::NoText);
                }
                return Ok(Some(Incoming::Message(data)));
            }
        }
    }
}

/// The head of a frame (section 5.2).
struct Head {
    last: bool,
    opcode: u8,
    length: u64,
    /// How many bytes it has itself.
    size: usize,
}

impl Head {
    fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }

    fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Fault::Protocol("set a reserved bit, though no extension was agreed on"));
        }
        if second & 0x80 != 0 {
            return Err(Fault::Protocol("masked a frame, as only a client does"));
        }
        let (length, least, size) = match second & 0x7f {
            126 => match rest.first_chunk() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 126, 4),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(length) => (u64::from_be_bytes(*length), 1 << 16, 10),
                None => return Ok(None),
            },
            length => (u64::from(length), 0, 2),
        };
        if length < least || length >> 63 != 0 {
            return Err(Fault::Protocol("wrote a length as no length is written"));
        }
        let head = Self { last: first & 0x80 != 0, opcode: first & 0xf, length, size };
        if head.is_control() && (!head.last || length > LONGEST_CONTROL as u64) {
            return Err(Fault::Protocol("sent a control frame that is too long, or in parts"));
        }
        Ok(Some(head))
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Fault> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            if std::str::from_utf8(reason).is_err() {
                return Err(Fault::NoText);
            }
            match u16::from_be_bytes([*high, *low]) {
                code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
                _ => Err(Fault::Protocol("closed with a code that may not be sent")),
            }
        }
        [_] => Err(Fault::Protocol("closed with half a code")),
    }
}

/// What a client sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outgoing<'a> {
    Text(&'a str),
    Ping,
    /// At most as long as what is answered.
    Pong(&'a [u8]),
    Close(u16),
}

/// Appends one frame; `mask` is drawn anew for each, so that no cache on the way is taken in (section 10.3).
pub(super) fn write(out: &mut Vec<u8>, what: Outgoing<'_>, mask: [u8; 4]) {
    let code;
    let (opcode, payload) = match what {
        Outgoing::Text(text) => (0x1, text.as_bytes()),
        Outgoing::Close(number) => {
            code = number.to_be_bytes();
            (0x8, &code[..])
        }
        Outgoing::Ping => (0x9, &b""[..]),
        Outgoing::Pong(payload) => (0xa, payload),
    };
    out.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            // 126 and masked: two bytes follow.
            out.push(0xfe);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// What a server answers to `key`, which shows that it has understood (section 4.2.2).
pub(super) fn accept(key: &str) -> String {
    let together = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64(&sha1(together.as_bytes())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(reader: &mut Reader, bytes: &[u8]) -> Result<Vec<Incoming>, Fault> {
        reader.room().extend_from_slice(bytes);
        std::iter::from_fn(|| reader.next().transpose()).collect()
    }

    fn once(bytes: &[u8]) -> Result<Vec<Incoming>, Fault> {
        read(&mut Reader::new(1 << 20), bytes)
    }

    /// A frame as a server sends it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(u8::try_from(length).unwrap()),
            length @ 126..=0xffff => {
                bytes.push(126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                bytes.push(127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    fn message(text: &str) -> Incoming {
        Incoming::Message(text.into())
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(once(b"\x81\x05Hello"), Ok(vec![message("Hello")]));
        assert_eq!(once(b"\x01\x03Hel\x80\x02lo"), Ok(vec![message("Hello")]));
        assert_eq!(once(b"\x89\x05Hello"), Ok(vec![Incoming::Ping(b"Hello".to_vec())]));
        let long = [7_u8; 256];
        assert_eq!(once(&frame(0x82, &long)), Ok(vec![Incoming::Message(long.to_vec())]));
        let longer = vec![7_u8; 1 << 16];
        assert_eq!(once(&frame(0x82, &longer)), Ok(vec![Incoming::Message(longer)]));
        let mut out = Vec::new();
        write(&mut out, Outgoing::Text("Hello"), [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_control_frame_may_stand_within_a_message() {
        let bytes = [frame(0x01, "h\u{e9}".as_bytes()), frame(0x89, b"x"), frame(0x80, b"!")].concat();
        let all = vec![Incoming::Ping(b"x".to_vec()), message("h\u{e9}!")];
        assert_eq!(once(&bytes), Ok(all.clone()));
        for cut in 0..bytes.len() {
            let mut reader = Reader::new(100);
            let mut parts = read(&mut reader, &bytes[..cut]).unwrap();
            parts.extend(read(&mut reader, &bytes[cut..]).unwrap());
            assert_eq!(parts, all, "at {cut}");
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_refused_with_its_code() {
        let broken: [&[u8]; 14] = [
            b"\xc1\x00",                     // a reserved bit
            b"\x91\x00",                     // another
            b"\x81\x80\0\0\0\0",             // masked
            b"\x80\x00",                     // the rest of nothing
            b"\x01\x00\x81\x00",             // a message within another
            b"\x83\x00",                     // an unknown kind
            b"\x8b\x00",                     // of a control frame too
            b"\x09\x00",                     // a control frame in parts
            b"\x89\x7e\x00\x7e",             // and one that is too long
            b"\x81\x7e\x00\x7d",             // a length that is not the shortest
            b"\x81\x7f\0\0\0\0\0\0\xff\xff", // another
            b"\x81\x7f\xff\0\0\0\0\0\0\0",   // below zero
            b"\x88\x01\x03",                 // half a code
            b"\x88\x02\x03\xed",             // 1005, which nobody sends
        ];
        for bytes in broken {
            assert_eq!(once(bytes).unwrap_err().code(), 1002, "{bytes:?}");
        }
        for bytes in [&b"\x81\x01\xff"[..], b"\x01\x01\xc3\x80\x00", b"\x88\x03\x03\xe8\xff"] {
            assert_eq!(once(bytes).unwrap_err().code(), 1007, "{bytes:?}");
        }
        assert_eq!(once(b"\x01\x01\xc3\x80\x01\xa9"), Ok(vec![message("\u{e9}")]), "a letter in two parts");
        assert_eq!(once(b"\x82\x01\xff"), Ok(vec![Incoming::Message(vec![0xff])]), "bytes may be any");
    }

    #[test]
    fn a_length_is_judged_before_anything_comes() {
        let long = |bytes: &[u8]| read(&mut Reader::new(10), bytes).unwrap_err();
        assert_eq!(long(b"\x81\x0b"), Fault::TooLong);
        assert_eq!(long(b"\x01\x06abcdef\x80\x05"), Fault::TooLong);
        assert_eq!(long(b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff").code(), 1009);
        assert!(read(&mut Reader::new(10), b"\x01\x06abcdef\x80\x04ghij").is_ok());
        assert!(read(&mut Reader::new(10), &frame(0x89, &[b'x'; 125])).is_ok(), "a ping is no document");
    }

    #[test]
    fn a_close_has_a_code_or_none() {
        assert_eq!(once(b"\x88\x00"), Ok(vec![Incoming::Close(None)]));
        for code in [1000_u16, 1001, 1008, 1012, 1013, 3000, 4401, 4999] {
            let bytes = frame(0x88, &[&code.to_be_bytes()[..], b"why"].concat());
            assert_eq!(once(&bytes), Ok(vec![Incoming::Close(Some(code))]));
        }
        for code in [0_u16, 999, 1004, 1006, 1015, 2999, 5000] {
            assert!(once(&frame(0x88, &code.to_be_bytes())).is_err(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_nothing_depends_on_where_a_read_ends(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x81), Just(0x00), Just(0x02)], 0..80),
            cut in 0_usize..80,
        ) {
            let whole = once(&bytes);
            let cut = cut.min(bytes.len());
            let mut reader = Reader::new(1 << 20);
            let parts = read(&mut reader, &bytes[..cut]).and_then(|mut first| {
                first.extend(read(&mut reader, &bytes[cut..])?);
                Ok(first)
            });
            prop_assert_eq!(whole, parts);
        }

        #[test]
        fn what_is_written_is_read_again_once_its_mask_is_off(text in ".{0,200}", mask: [u8; 4]) {
            let mut out = Vec::new();
            write(&mut out, Outgoing::Text(&text), mask);
            prop_assert_eq!(out[1] & 0x80, 0x80);
            out[1] &= 0x7f;
            let head = Head::read(&out).unwrap().unwrap();
            prop_assert_eq!((head.last, head.opcode), (true, 1));
            let found: [u8; 4] = out[head.size..head.size + 4].try_into().unwrap();
            prop_assert_eq!(found, mask);
            let payload: Vec<u8> = out[head.size + 4..].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
            prop_assert_eq!(payload, text.as_bytes());
            prop_assert_eq!(head.length, text.len() as u64);
        }
    }
}
