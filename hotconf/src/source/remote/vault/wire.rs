//! What is asked of Vault and what its answers say: paths, bodies, versions, leases, tokens, refusals.
//!
//! Pure. Answers are read by this crate's own parser of JSON, whose documents are wiped when they are dropped; what
//! is taken out of one is wiped too. No message repeats a value.

use crate::format::{Format, Limits, parse_with};
use crate::value::{Document, Kind};
use std::time::Duration;
use zeroize::Zeroizing;

/// An answer that was read.
pub(super) struct Answer(Document);

/// By what a version of a KV v2 secret is known: a number alone may stand for two, when a secret was removed with all
/// of its versions and written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) version: u64,
    created: Box<str>,
    /// When it was deleted, or will be.
    deletion: Box<str>,
    destroyed: bool,
}

/// A secret as it was read.
pub(super) struct Found {
    /// Its fields as JSON; `None` of a version that was deleted or destroyed.
    pub(super) fields: Option<Zeroizing<Vec<u8>>>,
    /// Of KV v2.
    pub(super) mark: Option<Mark>,
    pub(super) lease: Option<Lent>,
}

/// What an answer lends: a secret, or a token.
pub(super) struct Lent {
    /// The lease's id, or the token; empty where the answer renews one that is known.
    pub(super) what: Zeroizing<String>,
    pub(super) duration: Duration,
    pub(super) renewable: bool,
}

impl Mark {
    /// Whether this version ends by itself at a time that the metadata does not tell anew.
    pub(super) fn will_end(&self) -> bool {
        !self.deletion.is_empty()
    }
}

impl Answer {
    /// Reads the body of an answer.
    ///
    /// # Errors
    ///
    /// Why it is no object of JSON, without a word of it.
    pub(super) fn read(body: &[u8], limits: &Limits) -> Result<Self, String> {
        let strange = |why: &str| format!("sent what is no answer of Vault: {why}");
        match parse_with(Format::Json, "answer", body, limits) {
            Ok(doc) => match doc.problems().first() {
                None => Ok(Self(doc)),
                Some(problem) => Err(strange(problem.message())),
            },
            Err(problems) => Err(strange(problems.first().map_or("", |problem| problem.message()))),
        }
    }

    /// What stands at these keys; nulls are nothing.
    fn at(&self, keys: &[&str]) -> Option<u32> {
        let doc = &self.0;
        let step = |node: u32, key: &&str| {
            let table = (doc.kind(node) == Kind::Table).then_some(node)?;
            doc.entries(table).find(|&(name, _)| doc.str(name) == *key).map(|(_, value)| value)
        };
        let node = keys.iter().try_fold(Document::ROOT, step)?;
        (doc.kind(node) != Kind::Null).then_some(node)
    }

    fn text(&self, keys: &[&str]) -> &str {
        match self.at(keys) {
            Some(node) if self.0.kind(node) == Kind::Str => self.0.str(node),
            _ => "",
        }
    }

    fn number(&self, keys: &[&str]) -> Option<u64> {
        let node = self.at(keys)?;
        match self.0.kind(node) {
            Kind::Int => u64::try_from(self.0.int(node)).ok(),
            Kind::Uint => Some(self.0.uint(node)),
            _ => None,
        }
    }

    fn is(&self, keys: &[&str]) -> bool {
        self.at(keys).is_some_and(|node| self.0.kind(node) == Kind::Bool && self.0.bool(node))
    }

    /// What a read of the data of a KV v2 secret says; `None` where the answer says nothing of a secret.
    pub(super) fn version(&self) -> Option<Found> {
        let version = self.number(&["data", "metadata", "version"])?;
        let mark = self.mark(version, &["data", "metadata"]);
        let fields = self.fields(&["data", "data"]);
        Some(Found { fields, mark: Some(mark), lease: None })
    }

    /// By what the metadata of a KV v2 secret knows its current version; `None` where it speaks of none.
    pub(super) fn current(&self) -> Option<Mark> {
        let version = self.number(&["data", "current_version"])?;
        let name = version.to_string();
        let place = ["data", "versions", &name];
        self.at(&place)?;
        Some(self.mark(version, &place))
    }

    fn mark(&self, version: u64, place: &[&str]) -> Mark {
        let below = |key| [place, &[key]].concat();
        Mark {
            version,
            created: self.text(&below("created_time")).into(),
            deletion: self.text(&below("deletion_time")).into(),
            destroyed: self.is(&below("destroyed")),
        }
    }

    /// What a read of anything else says: KV v1, or a secret that is lent.
    pub(super) fn secret(&self) -> Option<Found> {
        let fields = self.fields(&["data"])?;
        let lease = Some(self.renewal()).filter(|lease| !lease.what.is_empty() && !lease.duration.is_zero());
        Some(Found { fields: Some(fields), mark: None, lease })
    }

    /// What the renewal of a lease grants.
    pub(super) fn renewal(&self) -> Lent {
        self.lent(&[], "lease_id", "lease_duration")
    }

    /// What a login, or the renewal of a token, grants.
    pub(super) fn login(&self) -> Option<Lent> {
        Some(self.lent(&["auth"], "client_token", "lease_duration")).filter(|lent| !lent.what.is_empty())
    }

    /// What a token that was asked about is good for.
    pub(super) fn token(&self) -> Lent {
        self.lent(&["data"], "", "ttl")
    }

    fn lent(&self, place: &[&str], what: &str, duration: &str) -> Lent {
        let below = |key| [place, &[key]].concat();
        Lent {
            what: Zeroizing::new(self.text(&below(what)).to_owned()),
            duration: Duration::from_secs(self.number(&below(duration)).unwrap_or_default()),
            renewable: self.is(&below("renewable")),
        }
    }

    /// The object at `place` as JSON.
    fn fields(&self, place: &[&str]) -> Option<Zeroizing<Vec<u8>>> {
        let node = self.at(place).filter(|&node| self.0.kind(node) == Kind::Table)?;
        // What is written is hardly longer than what was read: nothing unwiped is left by growing.
        let mut out = Zeroizing::new(Vec::with_capacity(self.0.text().len() + 1024));
        write(&mut out, &self.0, node);
        Some(out)
    }

    /// What the server says is wrong, in a line: never what may be a credential of ours.
    pub(super) fn complaint(&self) -> String {
        let list = |key| self.at(&[key]).filter(|&node| self.0.kind(node) == Kind::Array);
        let mut said: Vec<String> = Vec::new();
        for list in ["errors", "warnings"].into_iter().filter_map(list) {
            let texts = self.0.elements(list).filter(|&node| self.0.kind(node) == Kind::Str);
            said.extend(texts.map(|node| line(self.0.str(node))));
        }
        said.join("; ").chars().take(300).collect()
    }
}

fn line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn write(out: &mut Vec<u8>, doc: &Document, node: u32) {
    match doc.kind(node) {
        Kind::Null => out.extend(b"null"),
        Kind::Bool => out.extend(doc.bool(node).to_string().as_bytes()),
        Kind::Int => out.extend(doc.int(node).to_string().as_bytes()),
        Kind::Uint => out.extend(doc.uint(node).to_string().as_bytes()),
        Kind::Float => out.extend(format!("{:?}", doc.float(node)).as_bytes()),
        Kind::Str | Kind::Text | Kind::Datetime | Kind::Key => string(out, doc.str(node)),
        Kind::Array => {
            out.push(b'[');
            for (at, element) in doc.elements(node).enumerate() {
                comma(out, at);
                write(out, doc, element);
            }
            out.push(b']');
        }
        Kind::Table => {
            out.push(b'{');
            for (at, (key, value)) in doc.entries(node).enumerate() {
                comma(out, at);
                string(out, doc.str(key));
                out.push(b':');
                write(out, doc, value);
            }
            out.push(b'}');
        }
    }
}

fn comma(out: &mut Vec<u8>, at: usize) {
    if at > 0 {
        out.push(b',');
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x08 => out.extend(b"\\b"),
            0x0c => out.extend(b"\\f"),
            0..0x20 => out.extend(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// A body: an object of texts and numbers.
pub(super) fn body(members: &[(&str, Member<'_>)]) -> Zeroizing<Vec<u8>> {
    let length = |member: &Member<'_>| if let Member::Text(text) = member { text.len() * 6 } else { 20 };
    let length = members.iter().map(|(key, member)| key.len() + 8 + length(member)).sum::<usize>() + 2;
    let mut out = Zeroizing::new(Vec::with_capacity(length));
    out.push(b'{');
    for (at, (key, member)) in members.iter().enumerate() {
        comma(&mut out, at);
        string(&mut out, key);
        out.push(b':');
        match member {
            Member::Text(text) => string(&mut out, text),
            Member::Number(number) => out.extend(number.to_string().as_bytes()),
        }
    }
    out.push(b'}');
    out
}

/// A member of a body.
pub(super) enum Member<'a> {
    Text(&'a str),
    Number(u64),
}

/// A path of Vault as it stands in a request: without slashes around it, each byte that has a meaning of its own in an
/// address as `%xx`.
///
/// # Errors
///
/// What cannot be a path.
pub(super) fn path(text: &str) -> Result<String, String> {
    use std::fmt::Write as _;
    let text = text.trim_matches('/');
    let strange = |part: &str| matches!(part, "" | "." | "..");
    if text.split('/').any(strange) {
        return Err(format!("expected a path such as `shop/db`, found `{}`", text.escape_debug()));
    }
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                path.push(char::from(byte));
            }
            _ => {
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
    Ok(path)
}

/// What `sys/health` says by its status: whether the server reads secrets for us, or else what to do.
pub(super) fn health(status: u16) -> Result<(), &'static str> {
    match status {
        472 => Err(
            "is the secondary of a disaster recovery pair, which shows no secrets: give the primary's address",
        ),
        501 => Err("is not initialised: run `vault operator init`, or `bao operator init`"),
        503 => Err(SEALED),
        // Active, standby (429), performance standby (473); or the way there does not let the question through.
        _ => Ok(()),
    }
}

pub(super) const SEALED: &str = "is sealed: unseal it by `vault operator unseal`, or `bao operator unseal`";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Answer {
        Answer::read(text.as_bytes(), &Limits::default()).unwrap_or_else(|why| panic!("{why}"))
    }

    fn shown(found: &Found) -> &str {
        std::str::from_utf8(found.fields.as_ref().expect("there are fields")).expect("text")
    }

    #[test]
    fn a_version_has_its_fields_and_a_mark_that_the_metadata_has_too() {
        let data = read(
            r#"{"request_id":"x","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":{"user":"a\u0001\"\n",
            "n":[1,-2.5,true,null,18446744073709551615],"t":{"k":"é"}},"metadata":{"created_time":"2026-01-01T00:00:00Z",
            "custom_metadata":null,"deletion_time":"","destroyed":false,"version":3}},"wrap_info":null,"auth":null}"#,
        );
        let found = data.version().unwrap();
        assert_eq!(
            shown(&found),
            r#"{"user":"a\u0001\"\n","n":[1,-2.5,true,null,18446744073709551615],"t":{"k":"é"}}"#
        );
        let metadata = read(
            r#"{"data":{"current_version":3,"versions":{"2":{"created_time":"x"},"3":{"created_time":
            "2026-01-01T00:00:00Z","deletion_time":"","destroyed":false}}}}"#,
        );
        assert_eq!(metadata.current(), found.mark);
        assert!(!found.mark.unwrap().will_end());
    }

    #[test]
    fn a_version_that_was_deleted_or_destroyed_has_no_fields() {
        let deleted = read(
            r#"{"data":{"data":null,"metadata":{"created_time":"a","deletion_time":"b","destroyed":false,"version":2}}}"#,
        );
        let destroyed = read(
            r#"{"data":{"data":null,"metadata":{"created_time":"a","deletion_time":"","destroyed":true,"version":2}}}"#,
        );
        let (deleted, destroyed) = (deleted.version().unwrap(), destroyed.version().unwrap());
        assert!(deleted.fields.is_none() && destroyed.fields.is_none());
        assert_ne!(deleted.mark, destroyed.mark);
        assert!(read(r#"{"errors":[]}"#).version().is_none());
    }

    #[test]
    fn a_lease_is_what_has_an_id_and_a_time() {
        let lent = read(r#"{"lease_id":"a/b","renewable":true,"lease_duration":60,"data":{"user":"x"}}"#);
        let lease = lent.secret().unwrap().lease.unwrap();
        assert_eq!((lease.what.as_str(), lease.duration.as_secs(), lease.renewable), ("a/b", 60, true));
        // KV v1 says how often it may be read again, and lends nothing.
        let hint = read(r#"{"lease_id":"","renewable":false,"lease_duration":2764800,"data":{"user":"x"}}"#);
        assert!(hint.secret().unwrap().lease.is_none());
        assert!(read(r#"{"data":null}"#).secret().is_none());
    }

    #[test]
    fn a_login_grants_a_token_with_a_time() {
        let login = read(r#"{"auth":{"client_token":"s.x","lease_duration":3600,"renewable":true}}"#);
        let lent = login.login().unwrap();
        assert_eq!((lent.what.as_str(), lent.duration.as_secs(), lent.renewable), ("s.x", 3600, true));
        assert!(read(r#"{"auth":null}"#).login().is_none());
        let asked = read(r#"{"data":{"ttl":0,"renewable":false}}"#).token();
        assert!(asked.duration.is_zero() && !asked.renewable);
    }

    #[test]
    fn a_complaint_is_one_short_line() {
        let said = read(r#"{"errors":["1 error occurred:\n\t* permission denied\n\n", 5]}"#).complaint();
        assert_eq!(said, "1 error occurred: * permission denied");
        let long = format!(r#"{{"errors":["{}"]}}"#, "x".repeat(5000));
        assert_eq!(read(&long).complaint().len(), 300);
        assert_eq!(read(r#"{"errors":[],"warnings":null}"#).complaint(), "");
    }

    #[test]
    fn what_is_no_answer_is_not_repeated() {
        for body in ["<html>hunter2", "", "[\"hunter2\"]", "{\"a\":\"hunter2\",}", "{\"a\":hunter2}"] {
            let why = Answer::read(body.as_bytes(), &Limits::default()).err().expect("it is refused");
            assert!(!why.contains("hunter2") && why.contains("no answer of Vault"), "{why}");
        }
    }

    #[test]
    fn a_path_keeps_its_slashes_and_nothing_else_that_has_a_meaning() {
        assert_eq!(path("/shop/db/").unwrap(), "shop/db");
        assert_eq!(path("a b/ü?x#%2f").unwrap(), "a%20b/%C3%BC%3Fx%23%252f");
        for wrong in ["", "/", "a//b", "../sys", "a/./b", "a/.."] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_status_of_health_says_who_shows_secrets() {
        for well in [200, 429, 473, 404, 403] {
            assert!(health(well).is_ok(), "{well}");
        }
        for (status, word) in [(472, "primary"), (501, "init"), (503, "unseal")] {
            assert!(health(status).unwrap_err().contains(word));
        }
    }

    #[test]
    fn a_body_says_what_it_was_given() {
        let members = [("role_id", Member::Text("a\"b")), ("increment", Member::Number(60))];
        assert_eq!(&body(&members)[..], br#"{"role_id":"a\"b","increment":60}"#);
        assert_eq!(&body(&[])[..], b"{}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_more_than_an_answer_or_a_reason(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            if let Ok(answer) = Answer::read(&bytes, &Limits::default()) {
                let _ = (answer.version().is_some(), answer.current(), answer.secret().is_some(), answer.complaint());
            }
        }

        #[test]
        fn fields_come_back_as_they_were(
            text in proptest::collection::vec(proptest::char::any(), 0..20),
            number: i64,
            eighths: i32,
        ) {
            // What the other parser reads to the last bit.
            let float = f64::from(eighths) / 8.0;
            let text: String = text.into_iter().collect();
            let data = serde_json::json!({"text": text.clone(), text: [number, float, null, true]});
            let answer = serde_json::json!({"data": data}).to_string();
            let found = read(&answer).secret().expect("fields");
            let back: serde_json::Value = serde_json::from_slice(found.fields.as_ref().expect("fields")).expect("JSON");
            proptest::prop_assert_eq!(back, data);
        }

        #[test]
        fn no_text_leaves_its_member(text in ".{0,40}") {
            let body = body(&[("jwt", Member::Text(&text))]);
            let back: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            proptest::prop_assert_eq!(&back["jwt"], &text);
        }

        #[test]
        fn a_path_has_no_byte_that_ends_it(text in ".{1,40}") {
            if let Ok(path) = path(&text) {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~/%".contains(&b);
                let all = path.bytes().all(plain);
                proptest::prop_assert!(all);
            }
        }
    }
}
