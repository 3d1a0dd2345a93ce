//! An ordered consumer: what the messages of one bucket mean, in the order in which the server counted them.
//!
//! Pure. What must hold:
//!
//! 1. The server numbers what it gives this consumer from 1 on. A number that is left out, or comes twice, is a
//!    loss: everything is listed anew. A heartbeat tells the last number too, so a lost last message is noticed.
//! 2. Sequences of the stream rise. One that does not is of a stream that was made anew.
//! 3. The server stops giving where it hears nothing of us: what it asks by flow control is answered.

use super::wire::{self, Message};
use crate::source::SourceError;
use crate::source::remote::Entry;
use std::sync::Arc;

/// Which keys of a bucket.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scope {
    Key(Box<str>),
    Prefix(Box<str>),
}

impl Scope {
    /// The subjects that have these keys, and others where a prefix ends within a name: a server selects whole
    /// names between dots.
    pub(super) fn filter(&self, bucket: &str) -> String {
        match self {
            Self::Key(key) => format!("$KV.{bucket}.{key}"),
            Self::Prefix(prefix) => {
                let whole = prefix.rfind('.').map_or("", |dot| &prefix[..=dot]);
                format!("$KV.{bucket}.{whole}>")
            }
        }
    }

    fn contains(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(only) => key == only.as_bytes(),
            Self::Prefix(prefix) => key.starts_with(prefix.as_bytes()),
        }
    }
}

/// What a message says.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// The server is there, and has nothing new.
    Alive,
    /// It waits for an empty message to this subject.
    Asked(String),
    News(News),
}

/// A key was written or removed.
#[derive(Debug, PartialEq)]
pub(super) struct News {
    /// What stands at which key now; nothing where we did not ask for the key.
    pub(super) change: Option<(Arc<str>, Option<Entry>)>,
    pub(super) sequence: u64,
    /// How many messages there are behind this one.
    pub(super) pending: u64,
    /// The name of the batch that it was written in, unless it is the last of it.
    pub(super) batch: Option<Box<str>>,
}

/// Where we are with what a consumer brings.
#[derive(Debug)]
pub(super) struct Ordered {
    /// What the subjects of the bucket begin with.
    root: String,
    scope: Scope,
    /// How many messages came.
    delivered: u64,
    /// The sequence of the last of them.
    sequence: u64,
}

impl Ordered {
    pub(super) fn new(bucket: &str, scope: &Scope) -> Self {
        Self { root: format!("$KV.{bucket}."), scope: scope.clone(), delivered: 0, sequence: 0 }
    }

    /// Takes the next message for the consumer.
    pub(super) fn hear(&mut self, message: &Message<'_>) -> Result<Heard, SourceError> {
        if let Some((code, said)) = message.status() {
            return self.status(code, said, message);
        }
        let Some(place) = message.reply.and_then(wire::place) else {
            return Err(SourceError::gap("a message came that has no place in the stream"));
        };
        let expected = self.delivered + 1;
        if place.delivered != expected {
            let found = place.delivered;
            return Err(SourceError::gap(format!(
                "expected message {expected} of the consumer, found {found}"
            )));
        }
        if place.sequence <= self.sequence {
            let (seen, found) = (self.sequence, place.sequence);
            return Err(SourceError::gap(format!(
                "expected a revision after {seen}, found {found}: the bucket was made anew or restored"
            )));
        }
        let Some(key) = message.subject.strip_prefix(self.root.as_bytes()) else {
            return Err(SourceError::gap("a message came that is of no key of the bucket"));
        };
        (self.delivered, self.sequence) = (expected, place.sequence);
        // ADR-8 has DEL and PURGE, and leaves room for others; markers of keys that ran out have a reason (ADR-43).
        let gone = message.header("KV-Operation").is_some() || message.header("Nats-Marker-Reason").is_some();
        let change = self.scope.contains(key).then(|| {
            // A key that is no text gets a name that shows its bytes, and fits no field.
            let name = match std::str::from_utf8(key) {
                Ok(key) => Arc::from(key),
                Err(_) => Arc::from(key.escape_ascii().to_string()),
            };
            (name, (!gone).then(|| Entry::new(message.payload, place.sequence)))
        });
        let last = message.header("Nats-Batch-Commit").is_some();
        let batch = message.header("Nats-Batch-Id").filter(|_| !last).map(Into::into);
        Ok(Heard::News(News { change, sequence: place.sequence, pending: place.pending, batch }))
    }

    fn status(&self, code: u16, said: &str, message: &Message<'_>) -> Result<Heard, SourceError> {
        let asked = |subject: &[u8]| Heard::Asked(String::from_utf8_lossy(subject).into_owned());
        if code != 100 {
            return Err(SourceError::gap(format!("the server ended the consumer: {code} {said}")));
        }
        if let Some(reply) = message.reply {
            return Ok(asked(reply));
        }
        if let Some(last) =
            message.header("Nats-Last-Consumer").and_then(|last| wire::number(last.as_bytes()))
            && last != self.delivered
        {
            let delivered = self.delivered;
            return Err(SourceError::gap(format!(
                "the server has sent {last} messages, and {delivered} have come"
            )));
        }
        match message.header("Nats-Consumer-Stalled") {
            Some(subject) => Ok(asked(subject.as_bytes())),
            None => Ok(Heard::Alive),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceErrorKind::Gap;
    use crate::source::remote::nats::wire::{Op, decode};
    use proptest::prelude::*;

    fn shop() -> Ordered {
        Ordered::new("config", &Scope::Prefix("shop.".into()))
    }

    /// A message with these headers, and a place.
    fn hear(
        ordered: &mut Ordered,
        key: &str,
        (sequence, delivered, pending): (u64, u64, u64),
        headers: &str,
        value: &str,
    ) -> Result<Heard, SourceError> {
        let reply = format!("$JS.ACK.KV_config.c.1.{sequence}.{delivered}.17.{pending}");
        say(ordered, &format!("$KV.config.{key}"), &reply, &format!("NATS/1.0\r\n{headers}\r\n"), value)
    }

    fn say(
        ordered: &mut Ordered,
        subject: &str,
        reply: &str,
        head: &str,
        value: &str,
    ) -> Result<Heard, SourceError> {
        let (first, all) = (head.len(), head.len() + value.len());
        let text = format!("HMSG {subject} 2 {reply} {first} {all}\r\n{head}{value}\r\n");
        let (Op::Message(message), _) = decode(text.as_bytes(), 1000).unwrap().unwrap() else { panic!() };
        ordered.hear(&message)
    }

    fn news(heard: Result<Heard, SourceError>) -> News {
        match heard {
            Ok(Heard::News(news)) => news,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_a_value_and_one_with_an_operation_a_key_that_is_gone() {
        let mut ordered = shop();
        let put = news(hear(&mut ordered, "shop.a", (5, 1, 3), "", "7"));
        assert_eq!(put.change, Some(("shop.a".into(), Some(Entry::new(*b"7", 5)))));
        assert_eq!((put.sequence, put.pending, put.batch), (5, 3, None));
        let empty = news(hear(&mut ordered, "shop.e", (6, 2, 2), "", ""));
        assert_eq!(empty.change, Some(("shop.e".into(), Some(Entry::new(*b"", 6)))));
        for (n, header) in
            ["KV-Operation: DEL", "KV-Operation: PURGE", "KV-Operation: NEW", "Nats-Marker-Reason: MaxAge"]
                .iter()
                .enumerate()
        {
            let n = n as u64;
            let gone = news(hear(&mut ordered, "shop.a", (7 + n, 3 + n, 0), &format!("{header}\r\n"), "x"));
            assert_eq!(gone.change, Some(("shop.a".into(), None)), "{header}");
        }
    }

    #[test]
    fn a_number_that_is_left_out_or_comes_twice_is_a_gap() {
        let mut ordered = shop();
        news(hear(&mut ordered, "shop.a", (5, 1, 3), "", "7"));
        for wrong in [1, 3, 0, u64::MAX] {
            assert_eq!(hear(&mut ordered, "shop.b", (6, wrong, 0), "", "7").unwrap_err().kind(), Gap);
        }
        news(hear(&mut ordered, "shop.b", (6, 2, 0), "", "7"));
    }

    #[test]
    fn a_sequence_that_does_not_rise_is_of_another_history() {
        let mut ordered = shop();
        news(hear(&mut ordered, "shop.a", (500, 1, 0), "", "7"));
        let lost = hear(&mut ordered, "shop.a", (3, 2, 0), "", "7").unwrap_err();
        assert!(lost.kind() == Gap && lost.to_string().contains("after 500, found 3"), "{lost}");
    }

    #[test]
    fn a_heartbeat_says_that_all_came_or_that_something_was_lost() {
        let mut ordered = shop();
        let beat = |ordered: &mut Ordered, last: u64, more: &str| {
            let head = format!("NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: {last}\r\n{more}\r\n");
            let (first, all) = (head.len(), head.len());
            let text = format!("HMSG _INBOX.a.d.1 2 {first} {all}\r\n{head}\r\n");
            let (Op::Message(message), _) = decode(text.as_bytes(), 1000).unwrap().unwrap() else { panic!() };
            ordered.hear(&message)
        };
        assert_eq!(beat(&mut ordered, 0, "").unwrap(), Heard::Alive);
        assert_eq!(beat(&mut ordered, 1, "").unwrap_err().kind(), Gap);
        news(hear(&mut ordered, "shop.a", (5, 1, 0), "", "7"));
        assert_eq!(beat(&mut ordered, 1, "").unwrap(), Heard::Alive);
        let stalled = beat(&mut ordered, 1, "Nats-Consumer-Stalled: $JS.FC.x\r\n");
        assert_eq!(stalled.unwrap(), Heard::Asked("$JS.FC.x".into()));
    }

    #[test]
    fn flow_control_is_answered_and_an_end_is_a_gap() {
        let mut ordered = shop();
        let asked = say(&mut ordered, "d", "$JS.FC.s.c.1", "NATS/1.0 100 FlowControl Request\r\n\r\n", "");
        assert_eq!(asked.unwrap(), Heard::Asked("$JS.FC.s.c.1".into()));
        let ended = say(&mut ordered, "d", "x", "NATS/1.0 409 Consumer Deleted\r\n\r\n", "").unwrap_err();
        assert!(ended.kind() == Gap && ended.to_string().contains("409 Consumer Deleted"), "{ended}");
    }

    #[test]
    fn a_batch_has_a_name_up_to_its_last_message() {
        let mut ordered = shop();
        let headers = "Nats-Batch-Id: b1\r\nNats-Batch-Sequence: 1\r\n";
        assert_eq!(news(hear(&mut ordered, "shop.a", (5, 1, 0), headers, "7")).batch, Some("b1".into()));
        let headers = "Nats-Batch-Id: b1\r\nNats-Batch-Sequence: 2\r\nNats-Batch-Commit: 1\r\n";
        // What is none of our keys ends it, too.
        let last = news(hear(&mut ordered, "other.a", (6, 2, 0), headers, "7"));
        assert_eq!((last.batch, last.change), (None, None));
    }

    #[test]
    fn whole_names_are_selected_by_the_server_and_the_rest_here() {
        let filter = |scope: Scope| scope.filter("config");
        assert_eq!(filter(Scope::Prefix("".into())), "$KV.config.>");
        assert_eq!(filter(Scope::Prefix("shop.".into())), "$KV.config.shop.>");
        assert_eq!(filter(Scope::Prefix("a.shop/".into())), "$KV.config.a.>");
        assert_eq!(filter(Scope::Prefix("shop/".into())), "$KV.config.>");
        assert_eq!(filter(Scope::Key("shop.toml".into())), "$KV.config.shop.toml");
        let slashes = Scope::Prefix("shop/".into());
        assert!(slashes.contains(b"shop/a") && !slashes.contains(b"shopping/a"));
    }

    proptest! {
        #[test]
        fn no_message_panics(
            reply in prop_oneof!["[$A-Z0-9.]{0,30}", Just("$JS.ACK.a.b.1.2.1.4.5".to_owned())],
            head in "[ -~\r\n]{0,40}",
            value in "[ -~]{0,9}",
        ) {
            let _ = say(&mut shop(), "$KV.config.shop.a", &format!("x{reply}"), &format!("NATS/1.0 {head}"), &value);
        }
    }
}
