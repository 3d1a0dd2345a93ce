//! What is asked of a Nacos and what its answers mean: version 1 of its HTTP interface.
//!
//! Pure. The rules are those of the server's `ConfigController`, `LongPollingService` and `MD5Util`.

use super::md5::md5;
use crate::format::{Format, parse};
use crate::source::SourceError;
use crate::value::{Document, Kind};
use std::fmt::{self, Write as _};
use std::time::Duration;
use zeroize::Zeroizing;

/// Between the fields of a line of the listener, and behind each line.
const FIELD: char = '\u{2}';
const LINE: char = '\u{1}';

/// The longest token that a server is believed to give.
const LONGEST_TOKEN: usize = 16 << 10;

/// Which document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) data: Box<str>,
    pub(super) group: Box<str>,
    /// Empty: the public one.
    pub(super) namespace: Box<str>,
}

/// `GROUP/shop.toml`, and in front of it the namespace where there is one.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}/{}", self.group, self.data)
    }
}

impl Place {
    /// Whether a Nacos can have such a document.
    ///
    /// # Errors
    ///
    /// Which name it would refuse. It decodes them twice, so that no other letters come through.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        if self.data.is_empty() {
            return Err(SourceError::invalid("expected the id of a document: `.data(\"shop.toml\")`"));
        }
        for (what, name) in [("data", &self.data), ("group", &self.group), ("namespace", &self.namespace)] {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '_' | '-');
            if !name.chars().all(fits) || (name.is_empty() && what == "group") {
                return Err(SourceError::invalid(format!(
                    "expected a {what} of letters, digits, `.`, `:`, `_` and `-`, found {name:?}"
                )));
            }
        }
        Ok(())
    }

    /// Path and query that ask for the document; `token` stands in it where the server looks for it nowhere else.
    pub(super) fn target(&self, base: &str, token: Option<&str>) -> Zeroizing<String> {
        let mut target = Zeroizing::new(format!("{base}/v1/cs/configs?"));
        let tenant = Some(&*self.namespace).filter(|tenant| !tenant.is_empty());
        let fields = [
            ("dataId", Some(&*self.data)),
            ("group", Some(&*self.group)),
            ("tenant", tenant),
            ("accessToken", token),
        ];
        form(&mut target, fields);
        target
    }

    /// The body that asks the server to hold its answer until the document's digest is another; of one that is not
    /// there the digest is empty. The digest stands before the namespace.
    pub(super) fn listen(&self, digest: &str, token: Option<&str>) -> Zeroizing<String> {
        let mut line = format!("{}{FIELD}{}{FIELD}{digest}", self.data, self.group);
        if !self.namespace.is_empty() {
            line.extend([FIELD]);
            line.push_str(&self.namespace);
        }
        line.push(LINE);
        let mut body = Zeroizing::new(String::new());
        form(&mut body, [("Listening-Configs", Some(&*line)), ("accessToken", token)]);
        body
    }

    /// Whether the listener's answer names this document. An empty one says that nothing changed.
    ///
    /// # Errors
    ///
    /// It is no answer of a listener.
    pub(super) fn is_changed(&self, body: &[u8]) -> Result<bool, SourceError> {
        if body.trim_ascii().is_empty() {
            return Ok(false);
        }
        let text = decode(body.trim_ascii()).unwrap_or_default();
        let named = text.split(LINE).any(|line| {
            let mut fields = line.split(FIELD);
            // Some versions name the namespace, some do not, and some call the public one so.
            (fields.next(), fields.next()) == (Some(&*self.data), Some(&*self.group))
        });
        if named {
            return Ok(true);
        }
        let found = body.len();
        Err(SourceError::invalid(format!(
            "the listener's answer does not name the document, found {found} bytes of something else: does a proxy or a \
             login answer in its place?"
        )))
    }
}

/// The head of an answer, as far as it is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head<'a> {
    pub(super) status: u16,
    pub(super) digest: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    pub(super) content_type: Option<&'a str>,
    /// Where a plugin of the server has encrypted the document.
    pub(super) cipher: Option<&'a str>,
}

/// What the answer to a question for a document says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Document(Content),
    /// There is none.
    Nothing,
    /// It is being written: what was there before still holds.
    Busy,
    /// It is the status that counts.
    Refusal,
}

/// By what a document is known again, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// A name whose extension tells the format, where anything does.
    pub(super) name: Box<str>,
    /// The digest of the bytes that came.
    pub(super) digest: Box<str>,
    /// The server's own, where it is another.
    pub(super) claimed: Option<Box<str>>,
}

/// Reads the answer to a question for the document at `place`.
///
/// # Errors
///
/// What came is no document, whatever its status says: the end of a sentence that begins with who answered.
pub(super) fn read(head: &Head<'_>, body: &[u8], place: &Place) -> Result<Told, SourceError> {
    match head.status {
        200 => {}
        404 if is_absence(body) => return Ok(Told::Nothing),
        404 => {
            return Err(SourceError::down(
                "answered 404 and not `config data not exist`: is the path of the address that of the Nacos (`/nacos` \
                 where it has none), and does this Nacos still have version 1 of the interface?",
            ));
        }
        409 => return Ok(Told::Busy),
        _ => return Ok(Told::Refusal),
    }
    let given = |text: Option<&str>| text.map(str::trim).is_some_and(|text| !matches!(text, "" | "null"));
    if given(head.cipher) {
        return Err(SourceError::invalid(format!(
            "sent {place} encrypted by a plugin (`Encrypted-Data-Key`), which is not readable here: store it as plain \
             text, and mark what is secret"
        )));
    }
    if body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().starts_with(b"<") {
        let kind: String = head.kind.or(head.content_type).unwrap_or("not given").chars().take(64).collect();
        return Err(SourceError::invalid(format!(
            "answered with a page (type {kind}), expected a TOML, YAML or JSON document: does a proxy or a login answer \
             in its place?"
        )));
    }
    let digest = md5(body);
    let claimed = head.digest.map(str::trim).filter(|theirs| is_digest(theirs));
    let claimed = claimed.map(str::to_ascii_lowercase).filter(|theirs| **theirs != *digest).map(Into::into);
    Ok(Told::Document(Content { name: name(head, place), digest, claimed }))
}

fn is_absence(body: &[u8]) -> bool {
    const SAID: &[u8] = b"config data not exist";
    body.windows(SAID.len()).any(|part| part.eq_ignore_ascii_case(SAID))
}

fn is_digest(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The document's id, with an extension where its type tells the format and the id does not.
fn name(head: &Head<'_>, place: &Place) -> Box<str> {
    if Format::from_path(&*place.data).is_some() {
        return place.data.clone();
    }
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let extension = [head.kind, head.content_type].into_iter().flatten().find_map(|kind| {
        let kind = essence(kind);
        let kind = kind.rsplit(['/', '+']).next().unwrap_or_default();
        match kind.strip_prefix("x-").unwrap_or(kind) {
            "json" => Some("json"),
            "yaml" | "yml" => Some("yaml"),
            "toml" => Some("toml"),
            _ => None,
        }
    });
    match extension {
        Some(extension) => format!("{}.{extension}", place.data).into(),
        None => place.data.clone(),
    }
}

/// The body of a login.
pub(super) fn login(user: &str, password: &str) -> Zeroizing<String> {
    let mut body = Zeroizing::new(String::new());
    form(&mut body, [("username", Some(user)), ("password", Some(password))]);
    body
}

/// What a login brings.
pub(super) struct Admission {
    pub(super) token: Zeroizing<String>,
    /// For how long it is good, where the server says so.
    pub(super) ttl: Option<Duration>,
}

/// Reads the answer to a login.
///
/// # Errors
///
/// What is missing, without a letter of it.
pub(super) fn admission(body: &[u8]) -> Result<Admission, &'static str> {
    let doc = parse(Format::Json, "login", body).map_err(|_| "is no JSON")?;
    let field = |name: &str| {
        doc.entries(Document::ROOT).find(|(key, _)| doc.str(*key) == name).map(|(_, value)| value)
    };
    let token =
        field("accessToken").filter(|value| doc.kind(*value) == Kind::Str).map(|value| doc.str(value));
    let token = token.ok_or("has no `accessToken`")?;
    if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has an `accessToken` that fits in no header");
    }
    let ttl = field("tokenTtl").filter(|value| doc.kind(*value) == Kind::Int).map(|value| doc.int(value));
    let ttl = ttl.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    Ok(Admission { token: Zeroizing::new(token.to_owned()), ttl: ttl.map(Duration::from_secs) })
}

/// Writes fields as a form does; those without a value are left out.
fn form<'a>(out: &mut String, fields: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) {
    let mut first = true;
    for (name, value) in fields {
        let Some(value) = value else { continue };
        if !std::mem::take(&mut first) {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                // A string takes all that is written.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// The text that a form's value stands for.
fn decode(coded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(coded.len());
    let mut rest = coded.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(*rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
