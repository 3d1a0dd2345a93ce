//! Bytes → tape: one parser a file, each the sole user of its crate.
//!
//! What every format shares is settled in [`text`] before a parser sees anything: the size limit, the
//! byte-order mark, the encoding. A parser returns a [`Document`] or every [`Fault`] that it can tell,
//! and no fault quotes the text beyond a key or a punctuation mark: the text may hold secrets.

#[cfg(feature = "json")]
mod json;
#[cfg(any(feature = "json", feature = "yaml"))]
mod keys;
#[cfg(any(feature = "json", feature = "toml", feature = "yaml"))]
mod number;
#[cfg(any(feature = "json", feature = "toml"))]
mod splice;
mod text;
#[cfg(feature = "toml")]
mod toml;
#[cfg(feature = "yaml")]
mod yaml;

use crate::error::{Problem, ProblemKind};
use crate::value::{Builder, Document};
use std::path::Path;

/// A document format.
///
/// A variant is there whether or not its feature is on; reading a document whose feature is off is an
/// error that names the feature. Of the bytes, all formats say the same:
///
/// | what is found | answer |
/// |---|---|
/// | a byte-order mark of UTF-8 | it is no part of the text: line 1, column 1 is what stands behind it |
/// | lines that end in CR LF | as those that end in LF |
/// | UTF-16 or UTF-32, with a mark or without | refused by its name: save the file as UTF-8 |
/// | a byte that is not UTF-8, or NUL | refused, with line and column |
/// | nothing, or only blanks and comments | an empty table in TOML and YAML; JSON has none, and refuses. [`File`](crate::File) takes a file that is *emptied* later for a loss |
/// | a second document behind the first | refused: YAML's `---` starts one file, not two |
///
/// ```
/// use hotconf::{Format, Update};
///
/// let refused = |bytes: &[u8]| Update::parse(Format::Toml, "app", bytes).unwrap_err().to_string();
/// assert!(Update::parse(Format::Toml, "app", b"\xEF\xBB\xBFa = 1\r\nb = 2\r\n").is_ok());
/// assert!(Update::parse(Format::Toml, "app", b"").is_ok());
/// assert!(refused(b"a\0=\x001\0").contains("expected UTF-8, found UTF-16"));
/// assert!(refused(b"a = 1\nb = \"\xFF\"").contains("2:6"));
///
/// assert_eq!(Format::from_path("shop.TOML"), Some(Format::Toml));
/// assert_eq!(Format::from_path("conf.d/10-db.yml"), Some(Format::Yaml));
/// assert_eq!(Format::from_path("shop.conf"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// TOML 1.1.
    Toml,
    /// YAML 1.2, core schema.
    Yaml,
    /// JSON (RFC 8259).
    Json,
}

impl Format {
    /// Tells the format by the file name's extension, in any letter case: `toml`, `yaml`, `yml`, `json`.
    pub fn from_path(path: impl AsRef<Path>) -> Option<Self> {
        let extension = path.as_ref().extension()?.to_str()?;
        let is = |name: &str| extension.eq_ignore_ascii_case(name);
        if is("toml") {
            Some(Self::Toml)
        } else if is("yaml") || is("yml") {
            Some(Self::Yaml)
        } else if is("json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    /// Tells whether this build reads the format.
    fn is_on(self) -> bool {
        match self {
            Self::Toml => cfg!(feature = "toml"),
            Self::Yaml => cfg!(feature = "yaml"),
            Self::Json => cfg!(feature = "json"),
        }
    }

    /// The format's name as a person writes it; its lower case is the Cargo feature.
    fn name(self) -> &'static str {
        match self {
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
            Self::Json => "JSON",
        }
    }
}

/// How large a document may be. A document beyond a limit is refused, never cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Length in bytes.
    pub(crate) bytes: usize,
    /// Tables and arrays within each other; the root counts as one. At most [`Limits::DEEPEST`].
    pub(crate) depth: usize,
    /// Keys, values and containers, counted after aliases are expanded.
    #[cfg_attr(not(any(feature = "toml", feature = "yaml", feature = "json")), allow(dead_code))]
    // parsers count
    pub(crate) nodes: usize,
}

impl Limits {
    /// No setting goes deeper: what reads a tree may recurse on it.
    pub(crate) const DEEPEST: usize = 128;

    #[cfg(any(feature = "toml", feature = "yaml", feature = "json"))]
    fn too_deep(deepest: usize) -> String {
        format!("expected tables and arrays at most {deepest} deep, found deeper ones")
    }

    #[cfg(any(feature = "toml", feature = "yaml", feature = "json"))]
    fn too_many(most: usize) -> String {
        format!("expected at most {most} keys and values, found more")
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 20, depth: Self::DEEPEST, nodes: 1_000_000 }
    }
}

/// Parses `bytes` within the default limits. A document may come with problems of single values; on failure every problem that can be told, with its place.
pub(crate) fn parse(format: Format, name: &str, bytes: &[u8]) -> Result<Document, Vec<Problem>> {
    parse_with(format, name, bytes, &Limits::default())
}

/// Parses `bytes` within `limits`.
pub(crate) fn parse_with(
    format: Format,
    name: &str,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Document, Vec<Problem>> {
    if !format.is_on() {
        return Err(vec![feature_is_off(format, name)]);
    }
    let limits = Limits { depth: limits.depth.min(Limits::DEEPEST), ..*limits };
    let text = text::decode(name, bytes, &limits)?;
    let read: Read = match format {
        #[cfg(feature = "toml")]
        Format::Toml => toml::parse(name, text, &limits),
        #[cfg(feature = "yaml")]
        Format::Yaml => yaml::parse(name, text, &limits),
        #[cfg(feature = "json")]
        Format::Json => json::parse(name, text, &limits),
        #[allow(unreachable_patterns, reason = "with every format's feature on no format is left")]
        _ => Err(vec![Fault::new(text.len(), "found a format that this program does not read")]),
    };
    match read {
        Err(faults) => Err(problems(name, text, faults)),
        Ok((doc, faults)) if faults.is_empty() => Ok(doc),
        Ok((doc, faults)) => {
            let paths = faults.iter().map(|fault| doc.path_at(fault.at).unwrap_or_default());
            let paths: Vec<String> = paths.take(MOST_FAULTS).collect();
            let mut problems = problems(name, text, faults);
            for (problem, path) in problems.iter_mut().zip(paths) {
                problem.kind = ProblemKind::Type;
                problem.path = path;
            }
            Ok(doc.with_problems(problems))
        }
    }
}

/// A document made anew for a source that brought one before.
#[derive(Debug)]
pub(crate) struct Reread {
    pub(crate) doc: Document,
    /// One value was parsed, and the rest taken from the document before.
    pub(crate) spliced: bool,
}

/// Parses `bytes`, of which only one value is looked at if that is all that changed since `before`: the
/// document is the same as that of [`parse_with`].
///
/// `before` was parsed in the same format and within the same limits.
pub(crate) fn parse_again(
    format: Format,
    name: &str,
    bytes: &[u8],
    limits: &Limits,
    before: Option<&Document>,
) -> Result<Reread, Vec<Problem>> {
    #[cfg(any(feature = "json", feature = "toml"))]
    if let Some(before) = before
        && **before.name() == *name
        && bytes.len() <= text::most(limits)
        && let Some(doc) = splice::splice(format, bytes, before)
    {
        return Ok(Reread { doc, spliced: true });
    }
    let _ = before;
    parse_with(format, name, bytes, limits).map(|doc| Reread { doc, spliced: false })
}

fn feature_is_off(format: Format, name: &str) -> Problem {
    let (title, feature) = (format.name(), format.name().to_ascii_lowercase());
    let message = format!("this program reads no {title}: turn on the feature `{feature}` of hotconf");
    Problem::new(ProblemKind::Usage, "", message).at(crate::origin::Origin::whole(name))
}

/// What a parser found wrong, by byte offset.
#[derive(Debug, PartialEq)]
struct Fault {
    at: usize,
    message: String,
    /// A second place that the message speaks of: it completes "…; first set at".
    first: Option<usize>,
    /// Only this value is wrong: the rest of the document can be read and judged.
    of_value: bool,
}

/// A document with faults of single values, or the faults for which there is none.
type Read = Result<(Document, Vec<Fault>), Vec<Fault>>;

/// The document, unless more than single values is wrong with it.
#[cfg(any(feature = "toml", feature = "yaml", feature = "json"))]
fn done(builder: Builder, mut faults: Vec<Fault>) -> Read {
    if !faults.iter().all(|fault| fault.of_value) {
        return Err(faults);
    }
    // An alias repeats what its anchor has told.
    faults.sort_by_key(|fault| fault.at);
    faults.dedup_by_key(|fault| fault.at);
    Ok((builder.finish(), faults))
}

impl Fault {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), first: None, of_value: false }
    }

    #[cfg(any(feature = "toml", feature = "yaml", feature = "json"))]
    fn of_value(at: usize, message: impl Into<String>) -> Self {
        Self { of_value: true, ..Self::new(at, message) }
    }

    #[cfg(any(feature = "toml", feature = "yaml", feature = "json"))]
    fn duplicate(key: &str, at: usize, first: usize) -> Self {
        Self {
            at,
            message: format!("duplicate key `{}`", key.escape_debug()),
            first: Some(first),
            of_value: false,
        }
    }
}

/// A report that goes on and on helps nobody: what follows this many faults is counted.
const MOST_FAULTS: usize = 50;

/// Turns byte offsets into lines and columns.
fn problems(name: &str, text: &str, mut faults: Vec<Fault>) -> Vec<Problem> {
    debug_assert!(!faults.is_empty(), "a refused document has a fault");
    faults.sort_by_key(|fault| fault.at);
    faults.dedup_by(|later, earlier| later.at == earlier.at);
    let more = faults.len().saturating_sub(MOST_FAULTS);
    // The tape's own arithmetic is used, so that errors and origins count alike.
    let document = Builder::new(name, text.to_owned()).finish();
    let mut problems: Vec<Problem> = faults
        .into_iter()
        .take(MOST_FAULTS)
        .map(|Fault { at, mut message, first, .. }| {
            if let Some(first) = first {
                let (line, column) = document.line_column(first);
                message = format!("{message}, first set at {line}:{column}");
            }
            let (line, column) = document.line_column(at);
            let origin = crate::origin::Origin::line(name, line, column);
            Problem::new(ProblemKind::Syntax, "", message).at(origin)
        })
        .collect();
    if more > 0 {
        let message = format!("and {more} more of the same document");
        problems.push(Problem::new(ProblemKind::Syntax, "", message).at(crate::origin::Origin::whole(name)));
    }
    problems
}

/// Byte offset of `part` where it is a slice of `text`.
#[cfg(any(feature = "toml", feature = "yaml"))]
fn offset_in(text: &str, part: &str) -> Option<usize> {
    let offset = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (offset + part.len() <= text.len()).then_some(offset)
}

#[cfg(all(test, feature = "json", feature = "toml", feature = "yaml"))]
mod tests;

#[cfg(all(test, not(feature = "json")))]
mod tests_without {
    use super::*;

    #[test]
    fn a_format_that_is_off_names_its_feature() {
        let problems = parse(Format::Json, "shop.json", b"{}").expect_err("the feature is off");
        assert_eq!(problems[0].kind(), ProblemKind::Usage);
        assert!(problems[0].to_string().contains("turn on the feature `json`"), "{}", problems[0]);
    }
}
