//! What an answer says: whether there is a document, of which format, and how it is known again.
//!
//! Pure.

use super::super::net::date;
use crate::source::SourceError;

/// The head of an answer, as far as it is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head<'a> {
    pub(super) status: u16,
    pub(super) content_type: Option<&'a str>,
    pub(super) etag: Option<&'a str>,
    pub(super) last_modified: Option<&'a str>,
    pub(super) date: Option<&'a str>,
}

/// What it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// What we have is what there is.
    Same,
    /// There is nothing.
    Nothing,
    /// The body is a document; the extension of this name tells its format, where anything does.
    Document(Box<str>),
    /// It is the status that counts.
    Refusal,
}

/// By what a document is known again, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Validator {
    ETag(Box<str>),
    LastModified(Box<str>),
}

impl Validator {
    /// The strongest that an answer has.
    pub(super) fn of(head: &Head<'_>) -> Option<Self> {
        let etag = head.etag.filter(|etag| !etag.is_empty()).map(|etag| Self::ETag(etag.into()));
        etag.or_else(|| {
            // A date has whole seconds: one that has not passed for good may stand for two documents.
            let (modified, now) = (head.last_modified?, date(head.date?)?);
            (date(modified)? + 2 <= now).then(|| Self::LastModified(modified.into()))
        })
    }

    /// The header of a request that asks only for something else.
    pub(super) fn condition(&self) -> (&'static str, &str) {
        match self {
            Self::ETag(etag) => ("if-none-match", etag),
            Self::LastModified(date) => ("if-modified-since", date),
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::ETag(text) | Self::LastModified(text) => text,
        }
    }

    /// Whether an answer "not modified" speaks of this. Tags are compared weakly (RFC 9110, section 8.8.3.2).
    pub(super) fn is_meant(&self, head: &Head<'_>) -> bool {
        let weak = |etag: &str| etag.strip_prefix("W/").unwrap_or(etag).to_owned();
        match (self, head.etag) {
            (Self::ETag(known), Some(etag)) => weak(known) == weak(etag),
            _ => true,
        }
    }
}

/// Reads an answer to a question about `path`, which was asked with a condition or without.
///
/// # Errors
///
/// What came is no document, whatever its status says: the end of a sentence that begins with who answered.
pub(super) fn read(head: &Head<'_>, body: &[u8], path: &str, conditional: bool) -> Result<Told, SourceError> {
    match head.status {
        304 if conditional => Ok(Told::Same),
        304 => Err(SourceError::down("answered 304, not modified, though nothing of the kind was asked")),
        204 | 404 | 410 => Ok(Told::Nothing),
        200 if body.trim_ascii().is_empty() => Ok(Told::Nothing),
        200 if is_page(body) => {
            let kind = shown(head.content_type);
            Err(SourceError::invalid(format!(
                "answered with a page (content type {kind}), expected a TOML, YAML or JSON document: does a proxy or \
                 a login answer in its place?"
            )))
        }
        200 => Ok(Told::Document(name(head.content_type, path))),
        _ => Ok(Told::Refusal),
    }
}

/// HTML and XML begin with `<`, and no document does.
fn is_page(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    body.trim_ascii_start().starts_with(b"<")
}

/// A name whose extension tells the format: the content type's, or else the one in the address. Where
/// neither does, the content type itself, so that it is named in what is said of it.
fn name(content_type: Option<&str>, path: &str) -> Box<str> {
    let known = content_type.map(essence).unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let extension = match known.as_str() {
        "application/json" | "text/json" => "json",
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" | "text/vnd.yaml" => "yaml",
        "application/toml" | "application/x-toml" | "text/toml" | "text/x-toml" => "toml",
        other if other.ends_with("+json") => "json",
        other if other.ends_with("+yaml") => "yaml",
        _ if last.contains('.') => return last.into(),
        _ => return shown(content_type).into(),
    };
    format!("{stem}.{extension}").into()
}

/// A media type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn shown(content_type: Option<&str>) -> String {
    match content_type.map(essence).filter(|kind| !kind.is_empty()) {
        Some(kind) => kind.chars().take(64).collect(),
        None => "not given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceErrorKind;

    fn ok(content_type: &'static str) -> Head<'static> {
        Head { status: 200, content_type: Some(content_type), ..Head::default() }
    }

    fn named(content_type: &'static str, path: &str) -> String {
        match read(&ok(content_type), b"a", path, false).unwrap() {
            Told::Document(name) => name.into(),
            told => panic!("{told:?}"),
        }
    }

    #[test]
    fn the_content_type_tells_the_format_and_else_the_address() {
        assert_eq!(named("application/json; charset=utf-8", "/app"), "app.json");
        assert_eq!(named("Application/JSON", "/app.toml"), "app.json");
        assert_eq!(named("application/vnd.shop+json", "/v1.2/app"), "app.json");
        assert_eq!(named("text/yaml", "/"), ".yaml");
        assert_eq!(named("text/plain", "/x/app.toml"), "app.toml");
        assert_eq!(named("text/plain", "/x.y/app"), "text/plain");
        assert_eq!(named("", "/app"), "not given");
    }

    #[test]
    fn a_page_is_no_document_and_its_content_type_is_named() {
        for body in ["<!doctype html><p>oops", "  \n<html>", "\u{feff}<?xml?>"] {
            let error = read(&ok("text/html; charset=utf-8"), body.as_bytes(), "/a.yaml", false).unwrap_err();
            assert_eq!(error.kind(), SourceErrorKind::Invalid);
            assert!(error.to_string().contains("text/html"), "{error}");
            assert!(!error.to_string().contains("oops"));
        }
        assert_eq!(named("text/html", "/a.yaml"), "a.yaml", "a server that calls everything so");
    }

    #[test]
    fn a_status_says_whether_there_is_anything() {
        let told = |status, body: &[u8], conditional| {
            read(&Head { status, ..Head::default() }, body, "/a.toml", conditional)
        };
        assert_eq!(told(304, b"", true).unwrap(), Told::Same);
        assert!(told(304, b"", false).is_err());
        for status in [204, 404, 410] {
            assert_eq!(told(status, b"<p>", false).unwrap(), Told::Nothing);
        }
        assert_eq!(told(200, b" \n", false).unwrap(), Told::Nothing);
        for status in [201, 206, 302, 400, 401, 403, 429, 500, 503, 599] {
            assert_eq!(told(status, b"x = 1", true).unwrap(), Told::Refusal);
        }
    }

    #[test]
    fn a_tag_is_kept_verbatim_and_compared_weakly() {
        let head = Head { etag: Some("W/\"a b\""), ..ok("") };
        let tag = Validator::of(&head).unwrap();
        assert_eq!(tag.condition(), ("if-none-match", "W/\"a b\""));
        for (etag, meant) in
            [(Some("\"a b\""), true), (Some("W/\"a b\""), true), (Some("\"c\""), false), (None, true)]
        {
            assert_eq!(tag.is_meant(&Head { etag, ..Head::default() }), meant, "{etag:?}");
        }
    }

    #[test]
    fn a_date_is_believed_only_once_its_second_has_passed() {
        let of = |date| {
            let last_modified = Some("Sun, 06 Nov 1994 08:49:37 GMT");
            Validator::of(&Head { last_modified, date, ..ok("") })
        };
        assert_eq!(of(None), None);
        assert_eq!(of(Some("Sun, 06 Nov 1994 08:49:38 GMT")), None);
        let later = of(Some("Sun, 06 Nov 1994 08:49:39 GMT")).unwrap();
        assert_eq!(later.condition(), ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_of_any_bytes_is_more_than_one_of_its_meanings(
            status in 100_u16..600,
            content_type in ".{0,20}",
            etag in proptest::option::of(".{0,8}"),
            body in proptest::collection::vec(proptest::num::u8::ANY, 0..64),
            path in "/[a-z./]{0,12}",
            conditional: bool,
        ) {
            let head = Head { status, content_type: Some(&content_type), etag: etag.as_deref(), ..Head::default() };
            let told = read(&head, &body, &path, conditional);
            let document = matches!(told, Ok(Told::Document(_)));
            proptest::prop_assert!(!document || status == 200 && !body.is_empty());
            proptest::prop_assert_eq!(matches!(told, Ok(Told::Same)), status == 304 && conditional);
            if let Some(validator) = Validator::of(&head) {
                proptest::prop_assert_eq!(Some(validator.text()), etag.as_deref());
                proptest::prop_assert!(validator.is_meant(&head));
            }
        }
    }
}
