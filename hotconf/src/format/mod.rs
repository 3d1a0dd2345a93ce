//! Bytes → tape: one parser a file, each the sole user of its crate.

/// A document format.
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

/// Parses `bytes`; on failure every syntax problem that can be told, with line and column.
pub(crate) fn parse(
    format: Format,
    name: &str,
    bytes: &[u8],
) -> Result<crate::value::Document, Vec<crate::error::Problem>> {
    let _ = (format, name, bytes);
    unreachable!("filled in")
}
