//! The JSON of NATS: who we are, what is asked of `JetStream`, and what it answers.
//!
//! Pure. (`JetStream` API: ADR-1; ordered consumers: ADR-17; KV: ADR-8.)

use crate::format::{Format, parse};
use crate::value::{Document, Kind};
use std::time::Duration;
use zeroize::Zeroizing;

/// What a server says of itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Info {
    pub(super) tls_required: bool,
    /// It speaks TLS with whoever wants it.
    pub(super) tls_available: bool,
    /// To be signed by whoever has a key.
    pub(super) nonce: String,
}

/// How we are known to a server, as `CONNECT` has it: names and values, which are secrets.
pub(super) type Claims = Vec<(&'static str, Zeroizing<String>)>;

/// Reads `INFO`.
pub(super) fn info(json: &[u8]) -> Option<Info> {
    let doc = parse(Format::Json, "INFO", json).ok()?;
    let is = |name| find(&doc, Document::ROOT, name).is_some_and(|node| truth(&doc, node));
    let nonce = find(&doc, Document::ROOT, "nonce").and_then(|node| text(&doc, node)).unwrap_or_default();
    let (tls_required, tls_available) = (is("tls_required"), is("tls_available"));
    Some(Info { tls_required, tls_available, nonce })
}

/// The line `CONNECT`.
pub(super) fn connect(claims: &Claims) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(1024));
    line.push_str("CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,");
    line.push_str("\"protocol\":1,\"lang\":\"rust\",\"name\":\"hotconf\",\"version\":\"");
    line.push_str(concat!(env!("CARGO_PKG_VERSION"), "\""));
    for (name, value) in claims {
        line.push_str(",\"");
        line.push_str(name);
        line.push_str("\":");
        quote(&mut line, value);
    }
    line.push_str("}\r\n");
    line
}

/// What a consumer is to be.
pub(super) struct Consumer<'a> {
    pub(super) stream: &'a str,
    pub(super) name: &'a str,
    pub(super) deliver: &'a str,
    pub(super) filter: &'a str,
    pub(super) heartbeat: Duration,
    /// When the server forgets it, where nobody listens.
    pub(super) forget: Duration,
}

/// Asks for a consumer that brings the last message of each subject, and then each new one.
pub(super) fn create(consumer: &Consumer<'_>) -> String {
    let Consumer { stream, name, deliver, filter, heartbeat, forget } = consumer;
    let mut json = String::from("{\"stream_name\":");
    quote(&mut json, stream);
    json.push_str(",\"action\":\"create\",\"config\":{\"name\":");
    quote(&mut json, name);
    json.push_str(",\"deliver_subject\":");
    quote(&mut json, deliver);
    json.push_str(",\"filter_subject\":");
    quote(&mut json, filter);
    json.push_str(",\"deliver_policy\":\"last_per_subject\",\"ack_policy\":\"none\",\"max_deliver\":1");
    json.push_str(",\"replay_policy\":\"instant\",\"flow_control\":true,\"mem_storage\":true");
    json.push_str(",\"num_replicas\":1");
    let (heartbeat, forget) = (heartbeat.as_nanos(), forget.as_nanos());
    json.push_str(&format!(",\"idle_heartbeat\":{heartbeat},\"inactive_threshold\":{forget}}}}}"));
    json
}

/// What the answer to that says.
#[derive(Debug, PartialEq)]
pub(super) enum Created {
    /// It is there, and so many messages are to come.
    Pending(u64),
    /// Two codes, and words.
    Refused { code: u64, error: u64, said: String },
}

pub(super) fn created(json: &[u8]) -> Option<Created> {
    let doc = parse(Format::Json, "answer", json).ok()?;
    let number = |table, name| {
        let node = find(&doc, table, name).filter(|&node| doc.kind(node) == Kind::Int)?;
        u64::try_from(doc.int(node)).ok()
    };
    if let Some(error) = find(&doc, Document::ROOT, "error") {
        return Some(Created::Refused {
            code: number(error, "code").unwrap_or_default(),
            error: number(error, "err_code").unwrap_or_default(),
            said: find(&doc, error, "description").and_then(|node| text(&doc, node)).unwrap_or_default(),
        });
    }
    number(Document::ROOT, "num_pending").map(Created::Pending)
}

fn find(doc: &Document, table: u32, name: &str) -> Option<u32> {
    if doc.kind(table) != Kind::Table {
        return None;
    }
    doc.entries(table).find(|&(key, _)| doc.str(key) == name).map(|(_, node)| node)
}

fn truth(doc: &Document, node: u32) -> bool {
    doc.kind(node) == Kind::Bool && doc.bool(node)
}

fn text(doc: &Document, node: u32) -> Option<String> {
    (doc.kind(node) == Kind::Str).then(|| doc.str(node).to_owned())
}

/// A string as JSON has it.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_server_says_of_itself_is_read() {
        let said = br#"{"server_id":"X","tls_required":true,"nonce":"abc","jetstream":true,"port":4222}"#;
        let read = info(said).unwrap();
        assert!(read.tls_required && !read.tls_available && read.nonce == "abc", "{read:?}");
        assert_eq!(info(b"{}"), Some(Info::default()));
        for strange in [&b"[]"[..], b"", b"{", b"\xff", b"{\"nonce\":1,}"] {
            assert_eq!(info(strange), None);
        }
        assert_eq!(info(br#"{"nonce":[1],"tls_required":"yes"}"#), Some(Info::default()));
    }

    #[test]
    fn an_answer_says_how_much_is_to_come_or_why_nothing_does() {
        assert_eq!(created(br#"{"name":"c","num_pending":3}"#), Some(Created::Pending(3)));
        let refused = br#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        let said = "stream not found".to_owned();
        assert_eq!(created(refused), Some(Created::Refused { code: 404, error: 10059, said }));
        let bare = Created::Refused { code: 0, error: 0, said: String::new() };
        assert_eq!(created(br#"{"error":7,"num_pending":3}"#), Some(bare));
        assert_eq!(created(br#"{"num_pending":-3}"#), None);
    }

    #[test]
    fn a_consumer_is_asked_for_in_json() {
        let asked = create(&Consumer {
            stream: "KV_config",
            name: "c",
            deliver: "_INBOX.a.d.1",
            filter: "$KV.config.>",
            heartbeat: Duration::from_secs(5),
            forget: Duration::from_secs(30),
        });
        let asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
        assert_eq!(asked["stream_name"], "KV_config");
        assert_eq!(asked["config"]["idle_heartbeat"], 5_000_000_000_u64);
        assert_eq!(asked["config"]["deliver_policy"], "last_per_subject");
        assert_eq!(asked["config"]["filter_subject"], "$KV.config.>");
    }

    proptest! {
        #[test]
        fn whoever_we_are_it_is_one_line_of_json(user in any::<String>(), pass in any::<String>()) {
            let claims = vec![("user", Zeroizing::new(user.clone())), ("pass", Zeroizing::new(pass.clone()))];
            let line = connect(&claims);
            let json = line.strip_prefix("CONNECT ").unwrap().strip_suffix("\r\n").unwrap();
            prop_assert!(!json.contains(['\r', '\n']));
            let read: serde_json::Value = serde_json::from_str(json).unwrap();
            prop_assert_eq!((read["user"].as_str(), read["pass"].as_str()), (Some(&*user), Some(&*pass)));
        }

        #[test]
        fn no_answer_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = (info(&bytes), created(&bytes));
        }
    }
}
