//! The field table as documents: a Markdown table and a commented TOML template.

use super::field::{FieldInfo, FieldKind, Fields};
use super::meta::Form;
use std::fmt::Write as _;

impl Fields {
    /// A Markdown table of all fields.
    ///
    /// ```
    /// use hotconf::HotConf;
    ///
    /// #[derive(Clone, HotConf)]
    /// struct Http {
    ///     /// Attempts per request.
    ///     #[hotconf(default = 3)]
    ///     retries: u32,
    /// }
    ///
    /// assert!(Http::fields().markdown().contains("| `retries` | `u32` | `3` | | Attempts per request. |"));
    /// ```
    pub fn markdown(&self) -> String {
        let mut table = String::from("| key | type | default | range | |\n|---|---|---|---|---|\n");
        for field in self {
            let default = match (field.default(), field.kind()) {
                (Some(text), _) if field.has_literal_default() => format!("`{}`", cell(text)),
                (Some(word), _) => cell(word),
                (None, _) => "required".to_owned(),
            };
            let range = field.range().map(|range| format!("`{}`", cell(range))).unwrap_or_default();
            let about = cell(&about(field).join(" "));
            let _ = write!(table, "| `{}` | `{}` | {default} |", cell(field.path()), cell(field.type_name()));
            for last in [range, about] {
                table.push_str(if last.is_empty() { "" } else { " " });
                table.push_str(&last);
                table.push_str(" |");
            }
            table.push('\n');
        }
        table
    }

    /// A TOML document with every setting commented out: doc, flags and default.
    ///
    /// Prose follows `# `, a setting one `#` directly: without those it is a valid document that says what
    /// holds anyway. Two `##` stand before what has to be filled in and before what belongs to another
    /// variant than the first, or to a section whose default as a whole its mention would replace. A list shows one element, a map one entry, called `name`.
    ///
    /// ```
    /// use hotconf::HotConf;
    ///
    /// #[derive(Clone, HotConf)]
    /// struct Http {
    ///     /// Attempts per request.
    ///     #[hotconf(default = 3)]
    ///     retries: u32,
    /// }
    ///
    /// assert_eq!(Http::fields().template(), "# Attempts per request.\n#retries = 3\n");
    /// ```
    pub fn template(&self) -> String {
        let mut text = String::new();
        for line in self.doc().lines() {
            let _ = writeln!(text, "{}", comment(line));
        }
        for (table, fields) in self.tables() {
            let asleep =
                self.is_asleep(table) || fields.iter().all(|field| field.is_dormant() || field.is_whole());
            if !table.is_empty() {
                let blank = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{blank}{}{}", marks(asleep), self.header(table));
            }
            for (at, field) in fields.into_iter().enumerate() {
                if !text.is_empty() && (at > 0 || table.is_empty()) {
                    text.push('\n');
                }
                for line in about(field) {
                    let _ = writeln!(text, "{}", comment(&line));
                }
                let value = example(field);
                let key = split(field.path()).1;
                let marks = marks(asleep || field.is_dormant() || value.is_none());
                let _ =
                    writeln!(text, "{}", format!("{marks}{key} = {}", value.unwrap_or_default()).trim_end());
            }
        }
        text
    }

    /// The tables of a document with the settings of each, a table before those in it.
    fn tables(&self) -> Vec<(&str, Vec<&FieldInfo>)> {
        let mut tables: Vec<(&str, Vec<&FieldInfo>)> = vec![("", Vec::new())];
        for field in self {
            let (table, own) = match field.kind() {
                FieldKind::Value | FieldKind::Tag => (split(field.path()).0, Some(field)),
                FieldKind::Optional => (field.path(), None),
                FieldKind::List | FieldKind::Map => continue,
            };
            let at = tables.iter().position(|(known, _)| *known == table).unwrap_or_else(|| {
                tables.push((table, Vec::new()));
                tables.len() - 1
            });
            tables[at].1.extend(own);
        }
        // An element's own table opens the element: it comes before those in it, settings or none.
        let mut sorted: Vec<(&str, Vec<&FieldInfo>)> = Vec::with_capacity(tables.len());
        for (table, fields) in tables {
            let at = sorted.iter().position(|(other, _)| !table.is_empty() && below(other, table));
            sorted.insert(at.unwrap_or(sorted.len()), (table, fields));
        }
        sorted.retain(|(table, fields)| {
            !fields.is_empty() || self.get(table).is_some() || table.ends_with(".*")
        });
        sorted
    }

    /// The line that opens a table: an element's is doubled.
    fn header(&self, table: &str) -> String {
        let mut keys = String::new();
        let mut is_element = false;
        let mut path = String::new();
        for key in steps(table) {
            is_element = key == "*" && self.get(&path).is_some_and(|field| field.kind() == FieldKind::List);
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
            if is_element {
                continue;
            }
            if !keys.is_empty() {
                keys.push('.');
            }
            keys.push_str(if key == "*" { "name" } else { key });
        }
        if is_element { format!("[[{keys}]]") } else { format!("[{keys}]") }
    }

    /// Whether a table may be left out and, if it is not, needs what only its user knows.
    fn is_asleep(&self, table: &str) -> bool {
        let containers = self.iter().filter_map(|field| match field.kind() {
            FieldKind::Optional => Some(field.path().to_owned()),
            FieldKind::List | FieldKind::Map => Some(format!("{}.*", field.path())),
            FieldKind::Value | FieldKind::Tag => None,
        });
        containers.into_iter().filter(|container| below(table, container)).any(|container| {
            self.iter().any(|field| {
                field.kind() == FieldKind::Value
                    && field.is_required()
                    && !field.is_dormant()
                    && below(field.path(), &container)
            })
        })
    }
}

/// Whether `path` is `above` or stands in it.
fn below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| above.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

fn marks(asleep: bool) -> &'static str {
    if asleep { "##" } else { "#" }
}

/// What there is to say of a field, a line each.
fn about(field: &FieldInfo) -> Vec<String> {
    let mut lines: Vec<String> = field.doc().lines().map(str::to_owned).collect();
    if !field.values().is_empty() {
        let values: Vec<_> = field.values().iter().map(|value| format!("`{value}`")).collect();
        lines.push(format!("One of {}.", values.join(", ")));
    }
    if let Some(variant) = field.variant() {
        lines.push(format!("Of `{variant}` only."));
    }
    if field.is_restart() {
        lines.push("Applies on restart.".to_owned());
    }
    if let Some(hint) = field.deprecated() {
        lines.push(format!("Deprecated: {hint}."));
    }
    if let Some(env) = field.env() {
        lines.push(format!("Environment: `{env}`."));
    }
    lines
}

/// The table and the key of a path.
fn split(path: &str) -> (&str, &str) {
    let last = steps(path).last().map_or(0, str::len);
    let (table, key) = path.split_at(path.len() - last);
    (table.strip_suffix('.').unwrap_or(table), key)
}

/// The keys of a path as they are written; a dot in quotes parts none.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    path.split(move |c| {
        quoted ^= c == '"';
        c == '.' && !quoted
    })
    .filter(|key| !key.is_empty())
}

fn comment(line: &str) -> String {
    format!("# {line}").trim_end().to_owned()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The value that a template shows: what holds anyway, as TOML; of a tag, the first that it may have.
fn example(field: &FieldInfo) -> Option<String> {
    if field.kind() == FieldKind::Tag {
        return field.values().first().map(|value| quoted(value));
    }
    match (field.default()?, field.form()) {
        (text, _) if field.has_literal_default() => Some(literal(field.type_name(), text)),
        ("empty", Form::List) => Some("[]".to_owned()),
        ("empty", Form::Map) => Some("{}".to_owned()),
        _ => None,
    }
}

/// A literal as TOML: numbers and booleans bare where the type is one, all else as text.
fn literal(ty: &str, text: &str) -> String {
    match plain(ty) {
        Plain::Text => quoted(text),
        Plain::Boolean | Plain::Integer | Plain::Number => text.to_owned(),
    }
}

/// What documents write for a type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Boolean,
    Integer,
    Number,
    /// A text, or nothing that can be told.
    Text,
}

/// What documents write for a scalar type, by its name.
pub(super) fn plain(ty: &str) -> Plain {
    let mut ty = ty;
    while let Some((wrapper, inner)) = ty.strip_suffix('>').and_then(|ty| ty.split_once('<')) {
        match wrapper.rsplit("::").next() {
            Some("Option" | "Secret" | "Box") => ty = inner,
            Some("NonZero") => return Plain::Integer,
            _ => return Plain::Text,
        }
    }
    let name = ty.rsplit("::").next().unwrap_or(ty);
    match name {
        "bool" => Plain::Boolean,
        "f32" | "f64" => Plain::Number,
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
            Plain::Integer
        }
        name if name.starts_with("NonZero") => Plain::Integer,
        _ => Plain::Text,
    }
}

/// A text in quotes, as TOML and JSON alike write it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
