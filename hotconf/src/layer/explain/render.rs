//! Values as TOML would write them in one line; of a document of secrets, none.

use crate::schema::keys;
use crate::value::{Document, Kind, Ref};

/// What stands in the place of a secret.
pub(super) const SECRET: &str = "(secret)";

/// Longer texts are cut, with an ellipsis.
const WIDTH: usize = 80;

/// The text of what stands at `place`.
pub(super) fn render(place: Ref<'_>, secret: bool) -> String {
    let mut text = String::new();
    match (secret, place.kind()) {
        (true, Some(Kind::Null)) => text.push_str("null"),
        (true, _) => text.push_str(SECRET),
        (false, _) => write(&mut text, place),
    }
    cut(text)
}

/// The text of one document's node.
pub(super) fn render_node(doc: &Document, node: u32, secret: bool) -> String {
    let mut text = String::new();
    match (secret, doc.kind(node)) {
        (true, Kind::Null) => text.push_str("null"),
        (true, _) => text.push_str(SECRET),
        (false, _) => write_node(&mut text, doc, node),
    }
    cut(text)
}

/// A default as error reports show it: `"5s"`, `3`.
pub(super) fn as_default(text: &str) -> String {
    let plain =
        text.parse::<f64>().is_ok() || ["true", "false", "none", "empty", "default", SECRET].contains(&text);
    if plain { text.to_owned() } else { quote(text) }
}

fn write(text: &mut String, place: Ref<'_>) {
    if text.len() > WIDTH * 4 {
        return;
    }
    if let Some((doc, node)) = place.node() {
        return write_node(text, doc, node);
    }
    match place.kind() {
        Some(Kind::Array) => {
            sequence(text, '[', ']', place.elements().into_iter(), |text, element| write(text, element));
        }
        Some(_) => sequence(text, '{', '}', place.entries().into_iter(), |text, (key, value)| {
            text.push_str(&keys::quoted(key));
            text.push_str(" = ");
            write(text, value);
        }),
        None => text.push_str("(missing)"),
    }
}

fn write_node(text: &mut String, doc: &Document, node: u32) {
    if text.len() > WIDTH * 4 {
        return;
    }
    if doc.is_secret() && doc.kind(node) != Kind::Null {
        return text.push_str(SECRET);
    }
    match doc.kind(node) {
        Kind::Array => sequence(text, '[', ']', doc.elements(node), |text, node| write_node(text, doc, node)),
        Kind::Table => sequence(text, '{', '}', doc.entries(node), |text, (key, value)| {
            text.push_str(&keys::quoted(doc.str(key)));
            text.push_str(" = ");
            write_node(text, doc, value);
        }),
        Kind::Str | Kind::Text | Kind::Key => text.push_str(&quote(doc.str(node))),
        _ => text.push_str(&scalar(doc, node)),
    }
}

/// A scalar's text without quotes; of a container, nothing.
pub(super) fn scalar(doc: &Document, node: u32) -> String {
    match doc.kind(node) {
        Kind::Null => "null".into(),
        Kind::Bool => doc.bool(node).to_string(),
        Kind::Int => doc.int(node).to_string(),
        Kind::Uint => doc.uint(node).to_string(),
        Kind::Float => format!("{:?}", doc.float(node)),
        Kind::Str | Kind::Text | Kind::Datetime | Kind::Key => doc.str(node).to_owned(),
        Kind::Array | Kind::Table => String::new(),
    }
}

fn sequence<T>(
    text: &mut String,
    open: char,
    close: char,
    parts: impl Iterator<Item = T>,
    mut one: impl FnMut(&mut String, T),
) {
    text.push(open);
    let pad = if open == '{' { " " } else { "" };
    let mut any = false;
    for part in parts {
        text.push_str(if any { ", " } else { pad });
        one(text, part);
        any = true;
    }
    if any {
        text.push_str(pad);
    }
    text.push(close);
}

fn quote(s: &str) -> String {
    let mut text = String::with_capacity(s.len() + 2);
    text.push('"');
    for c in s.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

fn cut(text: String) -> String {
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}
