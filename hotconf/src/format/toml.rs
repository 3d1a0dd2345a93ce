//! TOML 1.1 → tape, through the parser of the `toml` crate; the only file that names it.
//!
//! The parsed tables come sorted by key; the tape has the document's order, so that what is reported
//! or shown reads like the file.

use super::number::{self, Integer};
use super::{Fault, Limits, MOST_FAULTS, Read, offset_in};
use crate::value::{Builder, Document, Kind};
use ::toml::Spanned;
use ::toml::de::{DeArray, DeString, DeTable, DeValue, Error};
use std::collections::HashSet;
use std::ops::Range;

/// Parses `text`; on failure every fault that the parser can tell after recovering from the first.
pub(super) fn parse(name: &str, text: &str, limits: &Limits) -> Read {
    // A parsed node takes some 90 bytes: what is far too large is told before it is parsed.
    if text.len() > limits.nodes && least_nodes(text.as_bytes()) > limits.nodes {
        return Err(vec![Fault::new(0, Limits::too_many(limits.nodes))]);
    }
    let root = DeTable::parse(text).map_err(|first| syntax_faults(text, first, limits))?;
    let mut fill = Fill::new(name, text, limits);
    fill.table(0, root.get_ref(), 1);
    super::done(fill.builder, fill.faults)
}

/// Parses `text` as one value from the first byte to the last.
pub(super) fn scalar(text: &str) -> Option<Document> {
    let value = DeValue::parse(text).ok()?;
    let limits = Limits::default();
    let mut fill = Fill::new("", text, &limits);
    fill.value(&value, 1);
    (value.span() == (0..text.len()) && fill.faults.is_empty()).then(|| fill.builder.finish())
}

/// Counts `=` and `,` outside strings and comments: a document has at least as many nodes.
fn least_nodes(bytes: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => at += bytes[at..].iter().take_while(|&&b| b != b'\n').count(),
            b'"' | b'\'' => at = after_string(bytes, at, byte),
            _ => {
                count += usize::from(matches!(byte, b'=' | b','));
                at += 1;
            }
        }
    }
    count
}

/// Where the string that `quote` opens ends; one of a single line ends with the line at the latest.
fn after_string(bytes: &[u8], start: usize, quote: u8) -> usize {
    let fence: &[u8] = if bytes[start..].starts_with(&[quote; 3]) { &[quote; 3] } else { &[quote] };
    let mut at = start + fence.len();
    while let Some(&byte) = bytes.get(at) {
        if bytes[at..].starts_with(fence) {
            return at + fence.len();
        }
        if byte == b'\n' && fence.len() == 1 {
            return at;
        }
        at += if byte == b'\\' && quote == b'"' { 2 } else { 1 };
    }
    at
}

type Entry<'d, 't> = (&'d Spanned<DeString<'t>>, &'d Spanned<DeValue<'t>>);

/// Walks the parsed tables and fills the tape.
struct Fill<'d, 't> {
    builder: Builder,
    text: &'t str,
    limits: &'d Limits,
    faults: Vec<Fault>,
    /// A limit was passed: what follows is not looked at.
    over: bool,
    /// Entries of the tables that are open, each table's in the document's order.
    scratch: Vec<Entry<'d, 't>>,
}

impl<'d, 't> Fill<'d, 't> {
    fn new(name: &str, text: &'t str, limits: &'d Limits) -> Self {
        Self {
            builder: Builder::new(name, text.to_owned()),
            text,
            limits,
            faults: Vec::new(),
            over: false,
            scratch: Vec::new(),
        }
    }

    fn table(&mut self, pos: usize, table: &'d DeTable<'t>, depth: usize) {
        if !self.within(pos, depth, 2 * table.len()) {
            return;
        }
        let base = self.scratch.len();
        self.scratch.extend(table.iter());
        let entries = &mut self.scratch[base..];
        if !entries.is_sorted_by_key(|(key, _)| key.span().start) {
            entries.sort_unstable_by_key(|(key, _)| key.span().start);
        }
        let end = self.scratch.len();
        let open = self.builder.table(pos);
        for i in base..end {
            let (key, value) = self.scratch[i];
            let at = key.span().start;
            match offset_in(self.text, key.get_ref()) {
                Some(start) => self.builder.key_slice(at, start, key.get_ref().len()),
                None => self.builder.key_owned(at, key.get_ref()),
            }
            self.value(value, depth);
        }
        self.builder.close(open, end - base);
        self.scratch.truncate(base);
    }

    fn array(&mut self, pos: usize, array: &'d DeArray<'t>, depth: usize) {
        if !self.within(pos, depth, array.len()) {
            return;
        }
        let open = self.builder.array(pos);
        for element in array {
            self.value(element, depth);
        }
        self.builder.close(open, array.len());
    }

    fn value(&mut self, value: &'d Spanned<DeValue<'t>>, depth: usize) {
        let pos = value.span().start;
        match value.get_ref() {
            DeValue::String(string) => match offset_in(self.text, string) {
                Some(start) => self.builder.str_slice(Kind::Str, pos, start, string.len()),
                None => self.builder.str_owned(Kind::Str, pos, string),
            },
            DeValue::Integer(integer) => match Integer::read(integer.as_str(), integer.radix()) {
                Some(value) => value.push(&mut self.builder, pos),
                None => self.unread(pos, number::TOO_LARGE),
            },
            DeValue::Float(float) => match number::float(float.as_str()) {
                Some(value) => self.builder.float(pos, value),
                None => self.unread(pos, number::NOT_FINITE),
            },
            DeValue::Boolean(value) => self.builder.bool(pos, *value),
            DeValue::Datetime(_) => {
                let span = value.span();
                self.builder.str_slice(Kind::Datetime, pos, span.start, span.len());
            }
            DeValue::Array(array) => self.array(pos, array, depth + 1),
            DeValue::Table(table) => self.table(pos, table, depth + 1),
        }
    }

    /// A value that cannot be read; what stands beside it can.
    #[cold]
    fn unread(&mut self, at: usize, message: &str) {
        self.builder.str_owned(Kind::Str, at, "");
        self.faults.push(Fault::of_value(at, message));
    }

    /// Holds the limits for a container of `nodes` more nodes.
    fn within(&mut self, pos: usize, depth: usize, nodes: usize) -> bool {
        if self.over {
            return false;
        }
        let Limits { depth: deepest, nodes: most, .. } = *self.limits;
        if depth > deepest {
            self.faults.push(Fault::new(pos, Limits::too_deep(deepest)));
            self.over = true;
        } else if self.builder.len() + nodes > most {
            self.faults.push(Fault::new(pos, Limits::too_many(most)));
            self.over = true;
        }
        !self.over
    }
}

/// Recovering from every fault of a large document that is no TOML at all would take long.
const MOST_TO_RECOVER: usize = 1 << 20;

/// How deep the parser itself goes, in keys with dots and in arrays; its messages do not say it.
const PARSER_DEPTH: usize = 80;

/// All faults of a text that is no TOML, of which `first` is one.
#[cold]
fn syntax_faults(text: &str, first: Error, limits: &Limits) -> Vec<Fault> {
    let errors = if text.len() > MOST_TO_RECOVER { vec![first] } else { DeTable::parse_recoverable(text).1 };
    let mut duplicates = MOST_FAULTS;
    let mut told = HashSet::new();
    let mut begun = false;
    errors
        .into_iter()
        .filter(|error| {
            let at = error.span().map_or(text.len(), |span| span.start);
            error.message() == "duplicate key"
                || told.insert(line_of(text, at))
                    && (!std::mem::replace(&mut begun, true) || is_broken(text, at))
        })
        .map(|error| {
            let span = error.span().unwrap_or(text.len()..text.len());
            let key = text.get(span.clone()).unwrap_or_default();
            if error.message() == "duplicate key" && duplicates > 0 {
                duplicates -= 1;
                if let Some((key, first)) = first_place(text, span.clone()) {
                    return Fault::duplicate(&key, span.start, first);
                }
                return Fault::new(span.start, format!("duplicate key `{}`", key.escape_debug()));
            }
            match error.message() {
                "cannot recurse further; max recursion depth met" | "recursion limit" => {
                    Fault::new(span.start, Limits::too_deep(limits.depth.min(PARSER_DEPTH)))
                }
                message => Fault::new(span.start, message),
            }
        })
        .collect()
}

/// Where the line of `at` begins and ends.
fn line_of(text: &str, at: usize) -> (usize, usize) {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    (before.rfind('\n').map_or(0, |end| end + 1), after.find('\n').map_or(text.len(), |end| at + end))
}

/// Tells whether the line of `at` is wrong by itself, and not only behind a bracket or a quote that an
/// earlier line left open: one slip is told once.
fn is_broken(text: &str, at: usize) -> bool {
    let (start, end) = line_of(text, at);
    DeTable::parse(&text[start..end]).is_err()
}

/// Finds the key and place that the duplicate at `span` repeats; the parser does not tell.
///
/// The text is parsed again with a name in place of the duplicate that stands nowhere else: the table
/// that it ends up in is the table that has the first one.
fn first_place(text: &str, span: Range<usize>) -> Option<(String, usize)> {
    let key = text.get(span.clone())?;
    let key = DeTable::parse(&format!("{key} = 0")).ok()?.get_ref().keys().next()?.get_ref().to_string();
    let mut marker = String::from("duplicate");
    while text.contains(&marker) {
        marker.push('_');
    }
    let text = format!("{}{marker}{}", &text[..span.start], &text[span.end..]);
    let (root, _) = DeTable::parse_recoverable(&text);
    let first = table_with(root.get_ref(), &marker)?.get_key_value(key.as_str())?.0.span().start;
    (first < span.start).then_some((key, first))
}

/// The table that has `key`, wherever it is.
fn table_with<'d, 't>(table: &'d DeTable<'t>, key: &str) -> Option<&'d DeTable<'t>> {
    if table.contains_key(key) {
        return Some(table);
    }
    table.values().find_map(|value| within(value.get_ref(), key))
}

fn within<'d, 't>(value: &'d DeValue<'t>, key: &str) -> Option<&'d DeTable<'t>> {
    match value {
        DeValue::Table(table) => table_with(table, key),
        DeValue::Array(array) => array.iter().find_map(|element| within(element.get_ref(), key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::least_nodes;

    #[test]
    fn strings_and_comments_do_not_count_as_nodes() {
        for (text, least) in [
            ("a = 1\nb = [1, 2]", 3),
            ("a = \"x,=\\\",\" # ,,", 1),
            ("a = \'\'\'\n,,'',\'\'\'\nb = 1", 2),
            ("a = \"\"\"\n,\\\"\"\",\"\"\"\nb = 'c,\\'", 2),
            ("\"a", 0),
        ] {
            assert_eq!(least_nodes(text.as_bytes()), least, "{text}");
        }
    }
}
