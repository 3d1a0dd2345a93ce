//! The text protocol of NATS: what a server says, and what is said to it.
//!
//! Pure. Bytes may come from anybody: they give an operation, the wish for more of them, or an error, and a
//! line or a message that is longer than there is room for is refused before it is kept.
//! (docs.nats.io, "NATS Protocol"; headers: ADR-4.)

/// The longest line: `INFO` lists the addresses of a cluster.
const LONGEST_LINE: usize = 64 << 10;
/// What the headers of a message may have, beside its value.
const HEADERS: usize = 64 << 10;

/// What a server says.
#[derive(Debug, PartialEq)]
pub(super) enum Op<'a> {
    /// Who it is, as JSON.
    Info(&'a [u8]),
    Message(Message<'a>),
    Ping,
    Pong,
    Ok,
    /// What it refuses, without the quotes.
    Refused(String),
}

/// A message on a subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Message<'a> {
    pub(super) subject: &'a [u8],
    /// Which of our subscriptions it is for.
    pub(super) sid: u64,
    pub(super) reply: Option<&'a [u8]>,
    headers: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// Why bytes are no operation.
#[derive(Debug, PartialEq)]
pub(super) enum Wrong {
    /// What stands there.
    Strange(String),
    /// A message of so many bytes.
    TooLong(usize),
}

/// The operation that `bytes` begin with, and how many of them it has; `None`: more are needed. A message has at
/// most `most` bytes besides its headers.
pub(super) fn decode(bytes: &[u8], most: usize) -> Result<Option<(Op<'_>, usize)>, Wrong> {
    let line = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = line.iter().position(|&byte| byte == b'\n') else {
        return if line.len() < LONGEST_LINE { Ok(None) } else { Err(strange(line)) };
    };
    let (line, next) = (line[..end].trim_ascii_end(), end + 1);
    let (name, rest) = line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
    let rest = rest.trim_ascii();
    let op = match &*name.to_ascii_uppercase() {
        b"MSG" | b"HMSG" => return message(line, name.len() == 4, bytes, next, most),
        b"INFO" => Op::Info(rest),
        b"PING" => Op::Ping,
        b"PONG" => Op::Pong,
        b"+OK" => Op::Ok,
        b"-ERR" => Op::Refused(String::from_utf8_lossy(rest).trim_matches('\'').to_owned()),
        _ => return Err(strange(line)),
    };
    Ok(Some((op, next)))
}

/// `MSG subject sid [reply] length`, or `HMSG subject sid [reply] length-of-headers length`.
fn message<'a>(
    line: &'a [u8],
    headed: bool,
    bytes: &'a [u8],
    begin: usize,
    most: usize,
) -> Result<Option<(Op<'a>, usize)>, Wrong> {
    let words: Vec<&[u8]> =
        line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(1).collect();
    let (subject, sid, reply, head, length) = match (headed, &*words) {
        (false, [subject, sid, length]) => (subject, sid, None, &&b"0"[..], length),
        (false, [subject, sid, reply, length]) => (subject, sid, Some(*reply), &&b"0"[..], length),
        (true, [subject, sid, head, length]) => (subject, sid, None, head, length),
        (true, [subject, sid, reply, head, length]) => (subject, sid, Some(*reply), head, length),
        _ => return Err(strange(line)),
    };
    let (Some(sid), Some(head), Some(length)) = (number(sid), number(head), number(length)) else {
        return Err(strange(line));
    };
    let head = usize::try_from(head).unwrap_or(usize::MAX);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if head > length || head > HEADERS {
        return Err(strange(line));
    }
    if length - head > most {
        return Err(Wrong::TooLong(length - head));
    }
    let Some(body) = bytes.get(begin..begin + length + 2) else { return Ok(None) };
    let (body, end) = body.split_at(length);
    if end != b"\r\n" {
        return Err(strange(line));
    }
    let (headers, payload) = body.split_at(head);
    let message = Message { subject, sid, reply, headers, payload };
    Ok(Some((Op::Message(message), begin + length + 2)))
}

impl<'a> Message<'a> {
    /// The status that the headers begin with, such as 100, and what it says; a message has none.
    pub(super) fn status(&self) -> Option<(u16, &'a str)> {
        let line = self.headers.split(|&byte| byte == b'\n').next()?.trim_ascii();
        let rest = std::str::from_utf8(line.strip_prefix(b"NATS/1.0")?).ok()?.trim();
        let (code, said) = rest.split_once(' ').unwrap_or((rest, ""));
        Some((code.parse().ok()?, said))
    }

    /// The first value of this header.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.split(|&byte| byte == b'\n').skip(1).find_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let found = line[..colon] == *name.as_bytes();
            found.then(|| std::str::from_utf8(line[colon + 1..].trim_ascii()).ok())?
        })
    }
}

/// What `JetStream` says of a message in the subject for its acknowledgement (ADR-15).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// In the stream.
    pub(super) sequence: u64,
    /// Among all messages that this consumer was given.
    pub(super) delivered: u64,
    /// How many there are for it beyond this one.
    pub(super) pending: u64,
}

/// Reads `$JS.ACK.stream.consumer.tries.sequence.delivered.time.pending`; newer servers may have a domain and an
/// account before the stream, and something behind.
pub(super) fn place(reply: &[u8]) -> Option<Place> {
    let words: Vec<&[u8]> = reply.strip_prefix(b"$JS.ACK.")?.split(|&byte| byte == b'.').collect();
    let words = match words.len() {
        7 => &words[2..],
        9.. => &words[4..],
        _ => return None,
    };
    Some(Place { sequence: number(words[1])?, delivered: number(words[2])?, pending: number(words[4])? })
}

/// Digits and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    digits.first().filter(|first| first.is_ascii_digit())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What stands there, cut short. It may be anything, also a value: only its beginning is told, if it is a word.
fn strange(line: &[u8]) -> Wrong {
    let word = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let word = if word.len() <= 8 && word.is_ascii() { word } else { b"..." };
    Wrong::Strange(format!("expected an operation of NATS, found `{}`", word.escape_ascii()))
}

/// Hears what is sent to `subject`.
pub(super) fn subscribe(out: &mut Vec<u8>, subject: &str, sid: u64) {
    out.extend_from_slice(format!("SUB {subject} {sid}\r\n").as_bytes());
}

pub(super) fn unsubscribe(out: &mut Vec<u8>, sid: u64) {
    out.extend_from_slice(format!("UNSUB {sid}\r\n").as_bytes());
}

/// Sends `payload` to `subject`; an answer goes to `reply`, or nowhere where it is empty.
pub(super) fn publish(out: &mut Vec<u8>, subject: &str, reply: &str, payload: &[u8]) {
    let length = payload.len();
    let line = if reply.is_empty() {
        format!("PUB {subject} {length}\r\n")
    } else {
        format!("PUB {subject} {reply} {length}\r\n")
    };
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(bytes: &[u8]) -> (Op<'_>, usize) {
        decode(bytes, 1000).unwrap().unwrap()
    }

    #[test]
    fn what_a_server_says_is_read() {
        assert_eq!(told(b"PING\r\nx"), (Op::Ping, 6));
        assert_eq!(told(b"pong\r\n"), (Op::Pong, 6));
        assert_eq!(told(b"INFO {\"a\": 1} \r\n").0, Op::Info(b"{\"a\": 1}"));
        assert_eq!(told(b"-ERR 'Stale Connection'\r\n").0, Op::Refused("Stale Connection".into()));
        let (Op::Message(plain), length) = told(b"MSG a.b 7 2\r\n\r\n\r\nMSG") else { panic!() };
        assert_eq!((plain.subject, plain.sid, plain.payload, length), (&b"a.b"[..], 7, &b"\r\n"[..], 17));
    }

    #[test]
    fn a_message_has_headers_and_a_place_in_its_stream() {
        let bytes = b"HMSG $KV.config.shop.a 2 $JS.ACK.KV_config.c1.1.4.3.17954.1 34 35\r\nNATS/1.0\r\n\
            KV-Operation: DEL\r\n\r\n\r\n";
        let head = b"NATS/1.0\r\nKV-Operation: DEL\r\n\r\n".len();
        let text = String::from_utf8_lossy(bytes).replace("34 35", &format!("{head} {head}"));
        let (Op::Message(message), length) = told(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(length, text.len());
        assert_eq!((message.header("KV-Operation"), message.header("KV-Op")), (Some("DEL"), None));
        assert_eq!((message.status(), message.payload, message.sid), (None, &b""[..], 2));
        let at = place(message.reply.unwrap()).unwrap();
        assert_eq!(at, Place { sequence: 4, delivered: 3, pending: 1 });
        let long = b"$JS.ACK.hub.ACC.KV_config.c1.1.4.3.17954.1.x";
        assert_eq!(place(long), Some(at));
        assert_eq!(place(b"$JS.ACK.KV_config.c1.1.4.3.1"), None);
    }

    #[test]
    fn a_status_stands_in_the_first_line_of_the_headers() {
        let text = "HMSG d 2 37 37\r\nNATS/1.0 100 Idle Heartbeat\r\nA: 1\r\n\r\n\r\n";
        let (Op::Message(message), _) = told(text.as_bytes()) else { panic!() };
        assert_eq!((message.status(), message.header("A")), (Some((100, "Idle Heartbeat")), Some("1")));
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_there() {
        assert_eq!(decode(b"MSG a 1 1001\r\n", 1000), Err(Wrong::TooLong(1001)));
        assert_eq!(decode(b"MSG a 1 18446744073709551615\r\n", 1000), Err(Wrong::TooLong(usize::MAX)));
        assert!(matches!(decode(b"HMSG a 1 9 3\r\n", 1000), Err(Wrong::Strange(_))));
        assert!(matches!(decode(&vec![b'x'; LONGEST_LINE], 1000), Err(Wrong::Strange(_))));
        assert_eq!(decode(&vec![b'x'; LONGEST_LINE - 1], 1000), Ok(None));
        assert_eq!(
            decode(b"HTTP/1.1 400\r\n", 9),
            Err(Wrong::Strange("expected an operation of NATS, found `HTTP/1.1`".into()))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_none_are_taken_that_are_not_there(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec![
                        "MSG ", "HMSG ", "a.b ", "1 ", "$JS.ACK.a.b.1.2.3.4.5 ", "4 ", "12 ", "\r\n",
                        "NATS/1.0 100 x\r\n", "A: b\r\n", "-ERR '", "INFO {}", "PING", "\n", ":", "\u{e9}",
                    ]).prop_map(|text| text.as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..4),
                ],
                0..12,
            )
        ) {
            let bytes = parts.concat();
            if let Ok(Some((op, length))) = decode(&bytes, 1000) {
                prop_assert!(length <= bytes.len());
                if let Op::Message(message) = op {
                    let _ = (message.status(), message.header("A"), message.reply.map(place));
                }
                // What a whole operation is does not depend on what follows it.
                prop_assert!(decode(&bytes[..length], 1000).unwrap().is_some());
                prop_assert!(!matches!(decode(&bytes[..length - 1], 1000), Ok(Some(_))));
            }
        }

        #[test]
        fn what_is_published_is_heard(subject in "[a-z$.]{1,20}", reply in "[a-z.]{0,9}", payload in prop::collection::vec(any::<u8>(), 0..50)) {
            let mut out = Vec::new();
            publish(&mut out, &subject, &reply, &payload);
            let text = [b"MSG ".as_slice(), subject.as_bytes(), b" 1", &out[4 + subject.len()..]].concat();
            let (op, length) = decode(&text, 1000).unwrap().unwrap();
            prop_assert_eq!(length, text.len());
            let reply = (!reply.is_empty()).then_some(reply.as_bytes());
            let expected = Message { subject: subject.as_bytes(), sid: 1, reply, headers: b"", payload: &payload };
            prop_assert_eq!(op, Op::Message(expected));
        }
    }
}
