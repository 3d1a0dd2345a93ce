//! The field table as documents: a Markdown table and a commented TOML template.

use super::field::{FieldInfo, FieldKind, Fields};
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

    /// A TOML document with every field commented out: doc, range and default.
    ///
    /// A line without a default is a required field; fields below a list or a map stand under the
    /// header of a first element, or of an entry `name`.
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
    /// assert_eq!(Http::fields().template(), "# Attempts per request.\n# retries = 3\n");
    /// ```
    pub fn template(&self) -> String {
        let mut text = String::new();
        for line in self.doc().lines() {
            let _ = writeln!(text, "{}", comment(line));
        }
        let mut header = String::new();
        // TOML's tables follow the root's own keys.
        let (own, below): (Vec<_>, Vec<_>) = self.iter().partition(|field| split(field.path()).0.is_empty());
        for field in own.into_iter().chain(below) {
            if !matches!(field.kind(), FieldKind::Value | FieldKind::Tag) {
                continue;
            }
            let (table, key) = split(field.path());
            if !text.is_empty() {
                text.push('\n');
            }
            if table != header {
                let _ = writeln!(text, "# [{}]", table.replace('*', "name"));
                table.clone_into(&mut header);
            }
            for line in about(field) {
                let _ = writeln!(text, "{}", comment(&line));
            }
            let value = match field.default() {
                Some(default) if field.has_literal_default() => literal(field, default),
                _ => String::new(),
            };
            let _ = writeln!(text, "{}", format!("# {key} = {value}").trim_end());
        }
        text
    }
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

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn comment(line: &str) -> String {
    format!("# {line}").trim_end().to_owned()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The default as TOML: numbers and booleans bare where the type is one, all else as text.
fn literal(field: &FieldInfo, default: &str) -> String {
    let ty = field.type_name().trim_start_matches("Option<").trim_end_matches('>');
    let bare = matches!(
        ty,
        "bool"
            | "u8"
            | "u16"
            | "u32"
            | "u64"
            | "usize"
            | "i8"
            | "i16"
            | "i32"
            | "i64"
            | "isize"
            | "f32"
            | "f64"
    );
    if bare { default.to_owned() } else { format!("{default:?}") }
}
