//! One document as a flat tape of nodes beside its text.
//!
//! A parser fills a [`Builder`]; the finished [`Document`] never changes and is shared by the trees
//! that are merged from it. The rules that hold:
//!
//! 1. A table is followed by its entries, each a `Key` node and then the value's subtree; an array by
//!    its elements' subtrees. `end` is the index just past the subtree.
//! 2. Strings are slices of the kept text; one that had escapes lies in the arena behind the text.
//! 3. A table's keys are unique: parsers refuse a second one, with both places.
//! 4. Lines and columns are worked out when somebody asks, never while parsing.

use crate::error::Problem;
use crate::origin::Origin;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use zeroize::{Zeroize, Zeroizing};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Null,
    Bool,
    /// An integer that fits `i64`.
    Int,
    /// An integer above `i64::MAX` that fits `u64`.
    Uint,
    Float,
    /// A string of a typed format.
    Str,
    /// Untyped text (environment, arguments, prefix stores): the field's type decides how it is read.
    Text,
    /// A date or time of TOML, kept as written; reads as a string.
    #[cfg_attr(not(feature = "toml"), allow(dead_code))] // TOML alone has them
    Datetime,
    Array,
    Table,
    Key,
}

/// One node of a tape: 24 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Byte offset in the text, or index into `places` for a document without one.
    pub(super) pos: u32,
    /// Index just past this subtree.
    pub(super) end: u32,
    /// The scalar's bits; `start << 32 | len` of a string; the number of entries of a container.
    pub(super) bits: u64,
}

/// A parsed document: its name, its kept text, and the tape.
#[derive(Clone)]
pub(crate) struct Document {
    pub(super) name: Arc<str>,
    /// The text as read, then the arena of strings that had escapes. Wiped on drop: it may hold secrets.
    pub(super) text: Zeroizing<String>,
    /// Where the arena begins.
    pub(super) text_len: usize,
    pub(super) nodes: Vec<Node>,
    /// Per-node places of a document that was not one text: variables, arguments, keys, files.
    pub(super) places: Vec<Origin>,
    /// What is wrong with single values of it: it is merged and judged for the rest, and refused.
    pub(super) problems: Vec<Problem>,
    /// The directory of the file that it was read from: relative paths in it are taken from there.
    pub(super) dir: Option<Arc<Path>>,
    /// Byte offsets at which lines begin, made on the first question.
    pub(super) lines: OnceLock<Vec<u32>>,
    /// Its source says that each value of it is a secret, whatever field it is for.
    pub(super) secret: bool,
}

impl std::fmt::Debug for Document {
    /// Shows the name and the size only: the text may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("name", &self.name)
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Document {
    /// Wipes the text as one slice: by itself a string is wiped byte by byte, which takes ten times as long.
    ///
    /// What a string has room for beyond its length was never written: no text is ever cut.
    fn drop(&mut self) {
        std::mem::take(&mut *self.text).into_bytes().as_mut_slice().zeroize();
    }
}

impl Document {
    /// The name under which errors and origins speak of it.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The text as it was read; empty for a document that was not one text.
    pub(crate) fn text(&self) -> &str {
        &self.text[..self.text_len]
    }

    /// What is wrong with single values of it; the merge adds it to what it finds.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The same document with values that could not be read.
    #[must_use]
    pub(crate) fn with_problems(mut self, problems: Vec<Problem>) -> Self {
        self.problems = problems;
        self
    }

    /// The same document as one that was read from a file in `dir`.
    #[must_use]
    pub(crate) fn in_dir(mut self, dir: Option<Arc<Path>>) -> Self {
        self.dir = dir;
        self
    }

    /// The directory of its file.
    pub(crate) fn dir(&self) -> Option<&Arc<Path>> {
        self.dir.as_ref()
    }

    /// The path of the value that stands at `offset` of the text.
    pub(crate) fn path_at(&self, offset: usize) -> Option<String> {
        let mut path = String::new();
        self.walk_to(Self::ROOT, offset, &mut path).then_some(path)
    }

    fn walk_to(&self, node: u32, offset: usize, path: &mut String) -> bool {
        let length = path.len();
        match self.kind(node) {
            Kind::Table => self.entries(node).any(|(key, value)| {
                path.truncate(length);
                super::path::append(path, self.str(key));
                self.walk_to(value, offset, path)
            }),
            Kind::Array => self.elements(node).enumerate().any(|(index, element)| {
                path.truncate(length);
                path.push_str(&format!("[{index}]"));
                self.walk_to(element, offset, path)
            }),
            _ => self.offset(node) == Some(offset),
        }
    }

    /// Index of the root node.
    pub(crate) const ROOT: u32 = 0;

    #[inline]
    pub(crate) fn kind(&self, node: u32) -> Kind {
        self.nodes[node as usize].kind
    }

    /// Index just past the subtree of `node`.
    #[inline]
    pub(crate) fn end(&self, node: u32) -> u32 {
        self.nodes[node as usize].end
    }

    /// Number of entries of a table or elements of an array.
    #[inline]
    pub(crate) fn count(&self, node: u32) -> usize {
        usize::try_from(self.nodes[node as usize].bits).expect("a container's count came from a usize")
    }

    pub(crate) fn bool(&self, node: u32) -> bool {
        self.nodes[node as usize].bits != 0
    }

    pub(crate) fn int(&self, node: u32) -> i64 {
        self.nodes[node as usize].bits.cast_signed()
    }

    pub(crate) fn uint(&self, node: u32) -> u64 {
        self.nodes[node as usize].bits
    }

    pub(crate) fn float(&self, node: u32) -> f64 {
        f64::from_bits(self.nodes[node as usize].bits)
    }

    /// The string of a `Str`, `Text`, `Datetime` or `Key` node.
    #[inline]
    pub(crate) fn str(&self, node: u32) -> &str {
        let bits = self.nodes[node as usize].bits;
        let (start, len) = ((bits >> 32) as usize, (bits & 0xffff_ffff) as usize);
        &self.text[start..start + len]
    }

    /// The `(key, value)` node indices of a table, in the document's order.
    #[inline]
    pub(crate) fn entries(&self, table: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let end = self.end(table);
        let mut at = table + 1;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let key = at;
                at = self.end(key + 1);
                (key, key + 1)
            })
        })
    }

    /// The element node indices of an array.
    pub(crate) fn elements(&self, array: u32) -> impl Iterator<Item = u32> + '_ {
        let end = self.end(array);
        let mut at = array + 1;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let element = at;
                at = self.end(element);
                element
            })
        })
    }

    /// Where `node` stands.
    pub(crate) fn origin(&self, node: u32) -> Origin {
        let pos = self.nodes[node as usize].pos;
        if !self.places.is_empty() {
            return self.places[pos as usize].clone();
        }
        let (line, column) = self.line_column(pos as usize);
        Origin::line(self.name.clone(), line, column)
    }

    /// The byte offset at which `node` stands in the text; `None` in a document without one text.
    pub(crate) fn offset(&self, node: u32) -> Option<usize> {
        self.places.is_empty().then(|| self.nodes[node as usize].pos as usize)
    }

    /// From where to where a scalar stands in the text, quotes included; `None` where that is not known.
    pub(crate) fn span(&self, node: u32) -> Option<(usize, usize)> {
        let start = self.offset(node)?;
        let rest = self.text().get(start..)?;
        let len = match self.kind(node) {
            // As written, and it may have a blank in it.
            Kind::Datetime => self.str(node).len(),
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Float => rest
                .find(|c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']' | '#'))
                .unwrap_or(rest.len()),
            Kind::Str => {
                let bits = self.nodes[node as usize].bits;
                let (at, len) = ((bits >> 32) as usize, (bits & 0xffff_ffff) as usize);
                let quote = at.checked_sub(start)?;
                // One quote on either side or none; longer ones, and strings with escapes, are not worth it.
                (quote <= 1 && at + len <= self.text_len).then_some(quote + len + quote)?
            }
            _ => return None,
        };
        Some((start, (start + len).min(self.text_len)))
    }

    /// Line and column, both from 1, of a byte offset; the column counts characters.
    pub(crate) fn line_column(&self, offset: usize) -> (u32, u32) {
        let lines = self.lines.get_or_init(|| line_starts(self.text()));
        let offset = offset.min(self.text_len);
        let line = lines.partition_point(|&start| start as usize <= offset);
        let start = lines[line - 1] as usize;
        let column = self.text[start..offset].chars().count() + 1;
        (narrow(line), narrow(column))
    }
}

/// Byte offsets at which lines begin; `\n`, `\r\n` and a lone `\r` end one.
fn line_starts(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (i, &b) in bytes.iter().enumerate() {
        if b == b'\n' || (b == b'\r' && bytes.get(i + 1) != Some(&b'\n')) {
            starts.push(narrow(i + 1));
        }
    }
    starts
}

/// Documents are capped far below 4 GiB before they reach a parser.
pub(super) fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("a document is smaller than 4 GiB")
}

/// Fills a tape, depth first, in document order.
pub(crate) struct Builder {
    doc: Document,
}

/// An open container; give it back to [`Builder::close`].
#[must_use]
pub(crate) struct Open {
    node: u32,
}

impl Builder {
    /// A document with one text; `pos` of every node is a byte offset in it.
    pub(crate) fn new(name: impl Into<Arc<str>>, text: String) -> Self {
        let text_len = text.len();
        Self {
            doc: Document {
                name: name.into(),
                text: Zeroizing::new(text),
                text_len,
                // A key and its value take some twenty bytes of text; what is too much is given back.
                nodes: Vec::with_capacity(text_len / 10),
                places: Vec::new(),
                problems: Vec::new(),
                dir: None,
                lines: OnceLock::new(),
                secret: false,
            },
        }
    }

    /// A document made of single values; `pos` of every node is what [`Builder::place`] returned.
    pub(crate) fn keyed(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        let mut builder = Self::new(name.clone(), String::new());
        // Place 0 is the source as a whole, for the tables in between.
        builder.doc.places.push(Origin::whole(name));
        builder
    }

    /// Registers where the following values of a keyed document come from.
    pub(crate) fn place(&mut self, origin: Origin) -> usize {
        self.doc.places.push(origin);
        self.doc.places.len() - 1
    }

    /// Number of nodes so far, to hold a limit.
    pub(crate) fn len(&self) -> usize {
        self.doc.nodes.len()
    }

    #[inline]
    fn push(&mut self, kind: Kind, pos: usize, bits: u64) {
        let end = narrow(self.doc.nodes.len() + 1);
        self.doc.nodes.push(Node { kind, pos: narrow(pos), end, bits });
    }

    #[inline]
    fn slice(&mut self, kind: Kind, pos: usize, start: usize, len: usize) {
        self.push(kind, pos, u64::from(narrow(start)) << 32 | u64::from(narrow(len)));
    }

    fn owned(&mut self, kind: Kind, pos: usize, s: &str) {
        let start = self.doc.text.len();
        self.grow(s.len());
        self.doc.text.push_str(s);
        self.slice(kind, pos, start, s.len());
    }

    /// Makes room without leaving an unwiped copy of the text behind.
    fn grow(&mut self, more: usize) {
        let text = &mut self.doc.text;
        if text.capacity() - text.len() < more {
            let mut larger = String::with_capacity((text.len() + more).max(text.len() * 2));
            larger.push_str(text);
            // The old buffer is wiped as it drops.
            *text = Zeroizing::new(larger);
        }
    }

    #[inline]
    pub(crate) fn null(&mut self, pos: usize) {
        self.push(Kind::Null, pos, 0);
    }

    #[inline]
    pub(crate) fn bool(&mut self, pos: usize, value: bool) {
        self.push(Kind::Bool, pos, u64::from(value));
    }

    #[inline]
    pub(crate) fn int(&mut self, pos: usize, value: i64) {
        self.push(Kind::Int, pos, value.cast_unsigned());
    }

    /// An unsigned integer: stored as `Int` where it fits, so that equal numbers are equal nodes.
    pub(crate) fn uint(&mut self, pos: usize, value: u64) {
        let kind = if i64::try_from(value).is_ok() { Kind::Int } else { Kind::Uint };
        self.push(kind, pos, value);
    }

    #[inline]
    pub(crate) fn float(&mut self, pos: usize, value: f64) {
        self.push(Kind::Float, pos, value.to_bits());
    }

    /// A string (`Str`, `Text`, `Datetime`) that is a slice of the text: byte offset and length.
    #[cfg(any(feature = "toml", feature = "yaml", feature = "json"))]
    #[inline]
    pub(crate) fn str_slice(&mut self, kind: Kind, pos: usize, start: usize, len: usize) {
        self.slice(kind, pos, start, len);
    }

    /// A string (`Str`, `Text`, `Datetime`) that does not stand in the text as it reads.
    pub(crate) fn str_owned(&mut self, kind: Kind, pos: usize, s: &str) {
        self.owned(kind, pos, s);
    }

    /// The key of the value that is pushed next, a slice of the text.
    #[cfg(any(feature = "toml", feature = "yaml", feature = "json"))]
    #[inline]
    pub(crate) fn key_slice(&mut self, pos: usize, start: usize, len: usize) {
        self.slice(Kind::Key, pos, start, len);
    }

    /// The key of the value that is pushed next.
    pub(crate) fn key_owned(&mut self, pos: usize, key: &str) {
        self.owned(Kind::Key, pos, key);
    }

    /// Opens a table; push key and value in turn, then [`close`](Self::close).
    pub(crate) fn table(&mut self, pos: usize) -> Open {
        self.open(Kind::Table, pos)
    }

    /// Opens an array; push its elements, then [`close`](Self::close).
    pub(crate) fn array(&mut self, pos: usize) -> Open {
        self.open(Kind::Array, pos)
    }

    fn open(&mut self, kind: Kind, pos: usize) -> Open {
        let node = narrow(self.doc.nodes.len());
        self.push(kind, pos, 0);
        Open { node }
    }

    /// Closes a container that now has `count` entries or elements.
    #[inline]
    pub(crate) fn close(&mut self, open: Open, count: usize) {
        let end = narrow(self.doc.nodes.len());
        let node = &mut self.doc.nodes[open.node as usize];
        node.end = end;
        node.bits = count as u64;
    }

    /// The finished document. A builder that got no node gives an empty table.
    pub(crate) fn finish(mut self) -> Document {
        if self.doc.nodes.is_empty() {
            self.push(Kind::Table, 0, 0);
        }
        if self.doc.nodes.capacity() > self.doc.nodes.len() * 2 {
            self.doc.nodes.shrink_to_fit();
        }
        self.doc
    }
}
