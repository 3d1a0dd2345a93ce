//! From bytes to events: the `text/event-stream` of the HTML standard, section 9.2.6.
//!
//! Pure. Texts stay bytes: whoever reads a document says where it is no UTF-8. What is unfinished is bounded, and
//! is forgotten with the stream that it came on.

/// What a server says of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// `message` where the server does not say.
    pub(super) kind: Vec<u8>,
    /// Without the line end of its last line.
    pub(super) data: Vec<u8>,
}

/// An event, or a line of one, that is longer than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Bytes that were read, up to the event that is not yet whole.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// What was read and not yet looked at, from `at` on.
    read: Vec<u8>,
    at: usize,
    /// The line so far.
    line: Vec<u8>,
    /// It is a comment, of which nothing is kept.
    comment: bool,
    /// The last byte was a CR: a LF behind it ends no other line.
    cr: bool,
    /// The first line is through, before which a byte order mark may stand.
    begun: bool,
    kind: Vec<u8>,
    data: Vec<u8>,
    id: Vec<u8>,
    /// The id as of the last blank line.
    last_id: Vec<u8>,
    retry: Option<u64>,
    most: usize,
}

impl Parser {
    /// The beginning of a stream whose events have `most` bytes at most.
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// How long an event may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Where to put what was read.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        self.read.drain(..self.at);
        self.at = 0;
        &mut self.read
    }

    /// The next event that is whole; `None`: more must be read.
    pub(super) fn next(&mut self) -> Result<Option<Event>, TooLong> {
        while self.at < self.read.len() {
            if std::mem::take(&mut self.cr) && self.read[self.at] == b'\n' {
                self.at += 1;
                continue;
            }
            let rest = &self.read[self.at..];
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let piece = &rest[..end.unwrap_or(rest.len())];
            self.comment |= self.line.is_empty() && piece.first() == Some(&b':');
            if !self.comment {
                let held = self.line.len() + self.data.len() + self.kind.len() + self.id.len();
                // The names of fields, and a mark, are no part of a document.
                if held + piece.len() > self.most.saturating_add(1 << 10) {
                    return Err(TooLong);
                }
                self.line.extend_from_slice(piece);
            }
            self.at += piece.len();
            if let Some(end) = end {
                self.cr = rest[end] == b'\r';
                self.at += 1;
                if let Some(event) = self.end_of_line() {
                    return if event.data.len() > self.most { Err(TooLong) } else { Ok(Some(event)) };
                }
            }
        }
        Ok(None)
    }

    /// By what the server knows the last event that was whole; empty: by nothing.
    pub(super) fn last_id(&self) -> &[u8] {
        &self.last_id
    }

    /// How many milliseconds the server asks to be left alone once the stream has ended, where it did since this was
    /// asked last.
    pub(super) fn take_retry(&mut self) -> Option<u64> {
        self.retry.take()
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let mut line = &line[..];
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if std::mem::take(&mut self.comment) {
            return None;
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"event" => self.kind = value.to_vec(),
            b"id" if !value.contains(&0) => self.id = value.to_vec(),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let digits = std::str::from_utf8(value).unwrap_or_default();
                self.retry = Some(digits.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
        None
    }

    /// At a blank line.
    fn dispatch(&mut self) -> Option<Event> {
        self.last_id.clone_from(&self.id);
        let (mut data, kind) = (std::mem::take(&mut self.data), std::mem::take(&mut self.kind));
        data.pop()?;
        let kind = if kind.is_empty() { b"message".to_vec() } else { kind };
        Some(Event { kind, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(parser: &mut Parser, bytes: &[u8]) -> Vec<Event> {
        parser.room().extend_from_slice(bytes);
        std::iter::from_fn(|| parser.next().expect("not too long")).collect()
    }

    /// What the texts of all `message`s are.
    fn said(stream: &[u8]) -> Vec<String> {
        let mut parser = Parser::new(1 << 10);
        let events = read(&mut parser, stream);
        events.into_iter().map(|event| String::from_utf8(event.data).expect("text")).collect()
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(said(b"data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        assert_eq!(
            said(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            ["first event", "second event", " third event"],
        );
        assert_eq!(said(b"data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(said(b"data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn lines_end_with_lf_cr_or_both_wherever_a_read_ends() {
        let expected = ["a\nb", "c", "d"];
        for end in ["\n", "\r", "\r\n"] {
            let stream = "data:a\ndata:b\n\ndata:c\n\n: x\ndata:d\n\n".replace('\n', end);
            assert_eq!(said(stream.as_bytes()), expected, "{end:?}");
            for cut in 0..=stream.len() {
                let mut parser = Parser::new(100);
                let (one, two) = stream.as_bytes().split_at(cut);
                let mut events = read(&mut parser, one);
                events.extend(read(&mut parser, two));
                let texts: Vec<_> = events.iter().map(|event| &event.data[..]).collect();
                assert_eq!(texts, expected.map(str::as_bytes), "{end:?} at {cut}");
            }
        }
        assert_eq!(said(b"data:a\r\rdata:b\n\r\n"), ["a", "b"]);
    }

    #[test]
    fn one_byte_order_mark_is_taken_off_and_no_other() {
        assert_eq!(said(b"\xef\xbb\xbfdata:a\n\n\xef\xbb\xbfdata:b\n\n"), ["a"]);
        assert_eq!(said(b"\xef\xbb\xbf\xef\xbb\xbfdata:a\n\n"), [""; 0]);
        assert_eq!(said(b"\xef\xbb\xbf: x\ndata:\xef\xbb\xbfa\n\n"), ["\u{feff}a"]);
    }

    #[test]
    fn an_id_counts_from_the_blank_line_on() {
        let mut parser = Parser::new(100);
        assert!(read(&mut parser, b"id: 1\n").is_empty());
        assert_eq!(parser.last_id(), b"");
        assert_eq!(read(&mut parser, b"data: a\n\nid: 2\ndata: b\n").len(), 1);
        assert_eq!(parser.last_id(), b"1", "the second event is not whole");
        read(&mut parser, b"\n");
        assert_eq!(parser.last_id(), b"2");
        read(&mut parser, b"data: no id\n\nid: a\0b\ndata: x\n\n");
        assert_eq!(parser.last_id(), b"2", "a NUL makes it no id");
        read(&mut parser, b"id: 3\n\n");
        assert_eq!(parser.last_id(), b"3", "without any data too");
        read(&mut parser, b"id\ndata: x\n\n");
        assert_eq!(parser.last_id(), b"", "an empty one resets it");
    }

    #[test]
    fn a_pause_is_digits_and_nothing_else() {
        let mut parser = Parser::new(100);
        for (text, retry) in [
            ("retry: 2500", Some(2500)),
            ("retry:0", Some(0)),
            ("retry: 99999999999999999999999", Some(u64::MAX)),
            ("retry: 1.5", None),
            ("retry: -1", None),
            ("retry:", None),
            ("retry:  1", None),
            ("Retry: 1", None),
        ] {
            read(&mut parser, format!("{text}\n").as_bytes());
            assert_eq!(parser.take_retry(), retry, "{text}");
        }
    }

    #[test]
    fn a_kind_is_of_one_event_alone() {
        let mut parser = Parser::new(100);
        let events = read(&mut parser, b"event: config\ndata: a\n\ndata: b\n\nevent: x\n\ndata: c\n\n");
        let kinds: Vec<_> = events.iter().map(|event| &event.kind[..]).collect();
        assert_eq!(kinds, [&b"config"[..], b"message", b"message"]);
    }

    #[test]
    fn what_is_too_long_is_refused_and_a_comment_never_is() {
        let long = "x".repeat(2000);
        let refused = |stream: String| {
            let mut parser = Parser::new(100);
            parser.room().extend_from_slice(stream.as_bytes());
            loop {
                match parser.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => return false,
                    Err(TooLong) => return true,
                }
            }
        };
        assert!(refused(format!("data: {long}")), "before it is whole");
        assert!(refused(format!("data: {}\n\n", &long[..101])));
        assert!(refused("data: x\n".repeat(1000)));
        assert!(refused(format!("other: {long}")));
        assert!(!refused(format!("data: {}\n\n", &long[..100]).repeat(50)), "each by itself");
        let mut parser = Parser::new(100);
        for _ in 0..1000 {
            assert!(read(&mut parser, format!(": {long}").as_bytes()).is_empty());
        }
        assert!(parser.line.is_empty() && parser.read.len() <= 2 * long.len());
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_nothing_depends_on_where_a_read_ends(
            pieces in prop::collection::vec(
                prop_oneof![
                    "[\r\n:a ]{0,6}".prop_map(String::into_bytes),
                    Just(b"data: x\n".to_vec()),
                    Just(b"id: 7\r\n".to_vec()),
                    prop::collection::vec(any::<u8>(), 0..8),
                ],
                0..30,
            ),
        ) {
            let whole = pieces.concat();
            let (mut once, mut split, mut bytes) =
                (Parser::new(1 << 10), Parser::new(1 << 10), Parser::new(1 << 10));
            let all = read(&mut once, &whole);
            let in_pieces: Vec<_> = pieces.iter().flat_map(|piece| read(&mut split, piece)).collect();
            let by_bytes: Vec<_> = whole.iter().flat_map(|byte| read(&mut bytes, &[*byte])).collect();
            prop_assert_eq!(&all, &in_pieces);
            prop_assert_eq!(&all, &by_bytes);
            prop_assert_eq!(once.last_id(), bytes.last_id());
        }

        #[test]
        fn what_is_written_is_read_again(lines in prop::collection::vec("[^\r\n]{0,12}", 1..6), id in "[a-z0-9]{1,6}") {
            let mut stream = format!("id: {id}\n");
            for line in &lines {
                stream.push_str(&format!("data: {line}\n"));
            }
            let mut parser = Parser::new(1 << 10);
            let events = read(&mut parser, format!("{stream}\n").as_bytes());
            prop_assert_eq!(events.len(), 1);
            prop_assert_eq!(&events[0].data, &lines.join("\n").into_bytes());
            prop_assert_eq!(parser.last_id(), id.as_bytes());
        }
    }
}
