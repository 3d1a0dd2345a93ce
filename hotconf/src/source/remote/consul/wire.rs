//! Targets of questions, and what the heads and bodies of answers say.
//!
//! Pure, over bytes of anybody: nothing panics, and what is made is no larger than what came, but for a fixed
//! factor. No message shows what a body holds: values may be secrets.

use super::super::net::from_base64;
use super::super::store::{Entry, Map};
use crate::format::{Format, Limits, parse_with};
use crate::value::{Document, Kind};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Which keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    Key(Box<str>),
    /// Every key that begins so.
    Prefix(Box<str>),
}

impl Scope {
    pub(super) fn name(&self) -> &str {
        let (Self::Key(name) | Self::Prefix(name)) = self;
        name
    }

    /// Whether a URL can name it: of a path, HTTP takes out these parts.
    pub(super) fn can_be_asked_for(&self) -> bool {
        let folders = self.name().rsplit_once('/').map_or("", |(folders, _)| folders);
        let last = self.name().rsplit('/').next().unwrap_or_default();
        let strange = |part: &str| matches!(part, "." | "..");
        !strange(last)
            && (folders.is_empty() || !folders.split('/').any(|part| part.is_empty() || strange(part)))
    }

    fn has(&self, key: &str) -> bool {
        match self {
            Self::Key(own) => **own == *key,
            Self::Prefix(prefix) => key.starts_with(&**prefix),
        }
    }
}

/// Where an answer comes from, and how old it may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) datacenter: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    pub(super) partition: Option<&'a str>,
    /// Any server may answer, not the leader alone.
    pub(super) stale: bool,
    /// The answer waits for what comes behind this index, for so long at most.
    pub(super) behind: Option<(u64, Duration)>,
}

/// The path and query of a question; `base` is what stands in front of `/v1`.
pub(super) fn target(base: &str, scope: &Scope, asked: &Asked<'_>) -> String {
    let mut target = format!("{}/v1/kv/", base.trim_end_matches('/'));
    escape(&mut target, scope.name(), b"/");
    let mut mark = '?';
    let mut add = |name: &str, value: Option<&str>| {
        target.push(std::mem::replace(&mut mark, '&'));
        target.push_str(name);
        if let Some(value) = value {
            target.push('=');
            escape(&mut target, value, b"");
        }
    };
    if matches!(scope, Scope::Prefix(_)) {
        add("recurse", None);
    }
    for (name, value) in [("dc", asked.datacenter), ("ns", asked.namespace), ("partition", asked.partition)] {
        if value.is_some() {
            add(name, value);
        }
    }
    if asked.stale {
        add("stale", None);
    }
    if let Some((index, wait)) = asked.behind {
        add("index", Some(&index.to_string()));
        add("wait", Some(&format!("{}ms", wait.as_millis())));
    }
    target
}

/// Writes `text` as a part of a URL (RFC 3986, section 2.1).
fn escape(target: &mut String, text: &str, besides: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || besides.contains(&byte) {
            target.push(char::from(byte));
        } else {
            let _ = write!(target, "%{byte:02X}");
        }
    }
}

/// What the head of an answer says of its place in history, and of its age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// `X-Consul-Index`, at least 1: a question behind 0 would not wait.
    pub(super) index: u64,
    /// Whether who answered knows a leader; `None`: it does not say.
    pub(super) led: Option<bool>,
    /// How long ago who answered heard of the leader; `None`: it does not say.
    pub(super) last_contact: Option<Duration>,
    /// The leader itself stands for it, whatever was asked for.
    pub(super) by_leader: bool,
}

impl Head {
    /// Reads the headers that `header` gives; `None` where there is no index, so that this is no Consul.
    pub(super) fn read<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        // 64 bits: clients that read 32 of them came to a stop.
        let index: u64 = header("x-consul-index")?.trim().parse().ok()?;
        let led = match header("x-consul-knownleader").map(str::trim) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        let contact = header("x-consul-lastcontact").and_then(|ms| ms.trim().parse().ok());
        let mode = header("x-consul-effective-consistency").map(str::trim);
        Some(Self {
            index: index.max(1),
            led,
            last_contact: contact.map(Duration::from_millis),
            by_leader: mode.is_some_and(|mode| matches!(mode, "leader" | "consistent" | "default")),
        })
    }

    /// Why this answer is not taken as it is, but asked for again, of the leader: it was any server's that
    /// answered, with a bound; and `known` is the highest index that was seen.
    pub(super) fn is_too_old(&self, bound: Duration, known: u64) -> bool {
        let old = !self.by_leader && self.last_contact.is_none_or(|contact| contact > bound);
        old || self.led == Some(false) || self.index < known
    }
}

/// The keys that the body of an answer lists.
///
/// # Errors
///
/// What is wrong with it, without showing anything of it.
pub(super) fn listing(body: &[u8], scope: &Scope) -> Result<Map, String> {
    // The parser reads documents, whose root is a table.
    let text = [br#"{"":"#, body, b"}"].concat();
    // Consul writes five nodes in 80 bytes and more: what has many more nodes is not of Consul.
    let limits = Limits { bytes: text.len(), depth: 8, nodes: body.len() / 4 + 64 };
    let doc = parse_with(Format::Json, "the answer", &text, &limits)
        .map_err(|_| "expected a list of keys as JSON, found something else".to_owned())?;
    let mut roots = doc.entries(Document::ROOT);
    let list = match (roots.next(), roots.next()) {
        (Some((_, list)), None) if doc.kind(list) == Kind::Array && doc.problems().is_empty() => list,
        _ => return Err("expected a list of keys, found other JSON".to_owned()),
    };
    let mut all = Map::new();
    for pair in doc.elements(list) {
        let (key, entry) = read_pair(&doc, pair)?;
        if !scope.has(&key) {
            return Err("found a key that was not asked for".to_owned());
        }
        if all.insert(key, entry).is_some() {
            return Err("found a key twice: one whose bytes are no UTF-8 may look like another".to_owned());
        }
    }
    Ok(all)
}

/// One key: `{"Key": "shop/a", "Value": "MQ==", "ModifyIndex": 12, …}`.
fn read_pair(doc: &Document, pair: u32) -> Result<(Arc<str>, Entry), String> {
    if doc.kind(pair) != Kind::Table {
        return Err("expected a table for each key, found another value".to_owned());
    }
    let (mut key, mut value, mut revision) = (None, None, None);
    for (name, at) in doc.entries(pair) {
        let kind = doc.kind(at);
        match doc.str(name) {
            "Key" if kind == Kind::Str => key = Some(doc.str(at)),
            "Value" if kind == Kind::Null => value = Some(Vec::new()),
            "Value" if kind == Kind::Str => {
                let bytes = from_base64(doc.str(at));
                value = Some(bytes.ok_or("expected a value in base64, found other text")?);
            }
            "ModifyIndex" if kind == Kind::Int => revision = u64::try_from(doc.int(at)).ok(),
            "ModifyIndex" if kind == Kind::Uint => revision = Some(doc.uint(at)),
            // Of flags and sessions we make nothing.
            _ => {}
        }
    }
    match (key, value, revision) {
        (Some(key), Some(value), Some(revision)) => Ok((key.into(), Entry::new(value, revision))),
        _ => Err("expected `Key`, `Value` and `ModifyIndex` for each key, found less".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::net::base64;
    use super::*;
    use proptest::prelude::*;

    fn prefix(prefix: &str) -> Scope {
        Scope::Prefix(prefix.into())
    }

    fn head(headers: &[(&str, &'static str)]) -> Option<Head> {
        Head::read(|name| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| *value))
    }

    fn is(value: &[u8], revision: u64) -> Entry {
        Entry::new(value, revision)
    }

    #[test]
    fn a_target_has_all_that_was_asked_and_nothing_that_would_break_it() {
        let plain = Asked::default();
        assert_eq!(target("/", &prefix("shop/"), &plain), "/v1/kv/shop/?recurse");
        assert_eq!(target("/consul/", &Scope::Key("a/b.toml".into()), &plain), "/consul/v1/kv/a/b.toml");
        let asked = Asked {
            datacenter: Some("dc1"),
            namespace: Some("team a"),
            partition: Some("p&q=1"),
            stale: true,
            behind: Some((u64::MAX, Duration::from_secs(55))),
        };
        assert_eq!(
            target("", &prefix("a b/ö?#%/"), &asked),
            "/v1/kv/a%20b/%C3%B6%3F%23%25/?recurse&dc=dc1&ns=team%20a&partition=p%26q%3D1&stale\
             &index=18446744073709551615&wait=55000ms"
        );
    }

    #[test]
    fn a_path_that_http_would_change_cannot_be_asked_for() {
        for name in ["", "a", "a/", "a/b.toml", "...", "a/.b/"] {
            assert!(prefix(name).can_be_asked_for(), "{name}");
        }
        for name in ["a//", "a//b", "a/./b", "a/../b", "..", "a/..", "./a", "/a/"] {
            assert!(!prefix(name).can_be_asked_for(), "{name}");
        }
    }

    #[test]
    fn an_index_has_64_bits_is_at_least_1_and_must_be_there() {
        let index = |text| head(&[("x-consul-index", text)]).map(|head| head.index);
        assert_eq!(index("18446744073709551615"), Some(u64::MAX));
        assert_eq!((index("12"), index("0")), (Some(12), Some(1)));
        assert_eq!((index("-1"), index(""), index("1x"), head(&[])), (None, None, None, None));
    }

    #[test]
    fn an_answer_is_too_old_beyond_the_bound_without_a_leader_or_behind_what_was_seen() {
        let bound = Duration::from_secs(5);
        let told = |contact, led, mode| {
            let headers = [
                ("x-consul-index", "12"),
                ("x-consul-lastcontact", contact),
                ("x-consul-knownleader", led),
                ("x-consul-effective-consistency", mode),
            ];
            head(&headers).unwrap()
        };
        assert!(!told("5000", "true", "stale").is_too_old(bound, 12));
        assert!(told("5001", "true", "stale").is_too_old(bound, 12));
        assert!(!told("5001", "true", "leader").is_too_old(bound, 12));
        assert!(told("0", "false", "stale").is_too_old(bound, 12));
        assert!(told("0", "true", "stale").is_too_old(bound, 13));
        // Who does not say how old it is may be of any age.
        assert!(told("?", "", "").is_too_old(bound, 12));
    }

    #[test]
    fn what_consul_writes_is_read() {
        let body =
            br#"[{"LockIndex":0,"Key":"shop/a","Flags":0,"Value":"NQ==","CreateIndex":10,"ModifyIndex":10},
            {"LockIndex":2,"Key":"shop/","Flags":18446744073709551615,"Value":null,"CreateIndex":1,
             "Session":"adf4238a-882b-9ddc-4a9d-5b6758e4159e","Namespace":"default",
             "ModifyIndex":18446744073709551615}]"#;
        let expected: Map =
            [("shop/a".into(), is(b"5", 10)), ("shop/".into(), is(b"", u64::MAX))].into_iter().collect();
        assert_eq!(listing(body, &prefix("shop/")), Ok(expected));
        assert_eq!(listing(b"[]", &prefix("")), Ok(Map::new()));
    }

    #[test]
    fn what_consul_does_not_write_is_refused_and_not_shown() {
        for body in [
            "",
            "null",
            "{}",
            "[",
            "[]]",
            "[],\"hunter2\":[]",
            "<html>hunter2</html>",
            "[\"hunter2\"]",
            "[{}]",
            r#"[{"Key":"a/hunter2","Value":"MQ=="}]"#,
            r#"[{"Key":"a/hunter2","Value":1,"ModifyIndex":1}]"#,
            r#"[{"Key":"a/hunter2","ModifyIndex":1}]"#,
            r#"[{"Key":1,"Value":"MQ==","ModifyIndex":1}]"#,
            r#"[{"Key":"a/b","Value":"hunter2","ModifyIndex":1}]"#,
            r#"[{"Key":"a/b","Value":"MQ==","ModifyIndex":-1}]"#,
            r#"[{"Key":"a/b","Value":"MQ==","ModifyIndex":1e400}]"#,
            r#"[{"Key":"hunter2","Value":"MQ==","ModifyIndex":1}]"#,
            r#"[{"Key":"a/b","Value":"MQ==","ModifyIndex":1},{"Key":"a/b","Value":"MQ==","ModifyIndex":1}]"#,
            "[[[[[[[[[[0]]]]]]]]]]",
            "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]",
        ] {
            let why = listing(body.as_bytes(), &prefix("a/")).expect_err(body);
            assert!(!why.contains("hunter2"), "{body}: {why}");
        }
    }

    #[test]
    fn a_body_that_is_cut_at_any_byte_is_refused() {
        let body =
            br#"[{"Key":"a","Value":"MTIz","ModifyIndex":10},{"Key":"b","Value":null,"ModifyIndex":11}]"#;
        assert!(listing(body, &prefix("")).is_ok());
        for end in 0..body.len() {
            assert!(listing(&body[..end], &prefix("")).is_err(), "{end}");
        }
    }

    fn write(all: &Map) -> String {
        let pairs: Vec<_> = all
            .iter()
            .map(|(key, entry)| {
                let value = base64(entry.value());
                serde_json::json!({"Key": **key, "Value": *value, "ModifyIndex": entry.revision(), "Flags": 0})
            })
            .collect();
        serde_json::Value::from(pairs).to_string()
    }

    proptest! {
        #[test]
        fn every_key_and_value_is_read_again(
            pairs in prop::collection::btree_map(".{0,9}", (prop::collection::vec(any::<u8>(), 0..9), any::<u64>()), 0..9)
        ) {
            let all: Map = pairs
                .iter()
                .map(|(key, (value, revision))| (key.as_str().into(), is(value, *revision)))
                .collect();
            prop_assert_eq!(listing(write(&all).as_bytes(), &prefix("")), Ok(all));
        }

        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            at in 0_usize..90,
            key in ".{0,9}",
        ) {
            let scope = prefix("a");
            let _ = listing(&bytes, &scope);
            let mut body = br#"[{"Key":"a","Value":"MTIz","ModifyIndex":10},{"Key":"ab","Value":null,"ModifyIndex":11}]"#.to_vec();
            let end = (at + bytes.len()).min(body.len());
            body.splice(at.min(end)..end, bytes);
            let _ = listing(&body, &scope);
            let target = target("", &Scope::Key(key.into()), &Asked::default());
            prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
