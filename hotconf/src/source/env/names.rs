//! Names of variables, made from the schema.
//!
//! Every field has one name: prefix, then the keys of its path in upper snake case, joined by `_`; the
//! customary `__` between keys is accepted too. Keys of maps are the user's, so what stands between a
//! map's name and a field's name is the key, in lower case.

use crate::schema::meta::{FieldMeta, Form, Schema, Shape};

/// A part of the pattern that a field's variable has.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// A key of the schema: the key and its upper snake case.
    Key(String, String),
    /// A key of a map.
    Any,
}

/// The variable of one field.
#[derive(Clone, Debug)]
pub(super) struct Name {
    parts: Vec<Part>,
    pub(super) field: Option<&'static FieldMeta>,
    /// The path ends below a map of leaves.
    pub(super) inside: bool,
    /// Taken as it is, without the prefix.
    exact: Option<&'static str>,
    /// A section as a whole: takes an inline table only.
    pub(super) section: bool,
}

impl Name {
    /// The variable's customary spelling, without the prefix.
    pub(super) fn text(&self) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Key(_, upper) => upper.as_str(),
            Part::Any => "<KEY>",
        });
        self.exact.map_or_else(|| parts.collect::<Vec<_>>().join("_"), str::to_owned)
    }

    /// Whether it has a part of the user's choice.
    pub(super) fn is_open(&self) -> bool {
        self.parts.contains(&Part::Any)
    }

    /// The keys of a pattern without open parts.
    pub(super) fn keys(&self) -> Vec<String> {
        let key = |part: &Part| match part {
            Part::Key(key, _) => Some(key.clone()),
            Part::Any => None,
        };
        self.parts.iter().filter_map(key).collect()
    }

    pub(super) fn exact(&self) -> Option<&'static str> {
        self.exact
    }

    /// The paths that `variable`, without the prefix, can mean by this pattern.
    pub(super) fn paths(&self, variable: &str) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        walk(&self.parts, variable, true, &mut Vec::new(), &mut found);
        found.sort();
        found.dedup();
        found
    }
}

fn walk(parts: &[Part], rest: &str, first: bool, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let Some((part, parts)) = parts.split_first() else {
        if rest.is_empty() && !first {
            found.push(path.clone());
        }
        return;
    };
    // One underscore between keys, or two.
    let starts: &[&str] = if first { &[""] } else { &["__", "_"] };
    for separator in starts {
        let Some(rest) = rest.strip_prefix(separator) else { continue };
        match part {
            Part::Key(key, upper) => {
                if let Some(rest) = rest.strip_prefix(upper.as_str()) {
                    path.push(key.clone());
                    walk(parts, rest, false, path, found);
                    path.pop();
                }
            }
            Part::Any => {
                let ends = rest.char_indices().map(|(at, _)| at).skip(1).chain([rest.len()]);
                for end in ends.filter(|&end| end > 0 && !rest[..end].starts_with('_')) {
                    if rest[..end].ends_with('_') {
                        continue;
                    }
                    path.push(rest[..end].to_lowercase());
                    walk(parts, &rest[end..], false, path, found);
                    path.pop();
                }
            }
        }
    }
}

/// The variables of all fields below `above`, which stands over the schema.
pub(super) fn names(schema: &'static Schema, above: &[String]) -> Vec<Name> {
    let mut parts: Vec<Part> = above.iter().map(|key| Part::Key(key.clone(), upper_snake(key))).collect();
    let mut names = Vec::new();
    section(schema, &mut parts, &mut names);
    names
}

fn section(schema: &'static Schema, parts: &mut Vec<Part>, names: &mut Vec<Name>) {
    if let Some(tag) = schema.tag() {
        parts.push(Part::Key(tag.into(), upper_snake(tag)));
        add(names, parts, None, false);
        parts.pop();
    }
    for (field, name) in schema.groups().flat_map(|group| group.spellings()) {
        if field.env.is_some() && name != field.name {
            // It has one variable, named by its author.
            continue;
        }
        parts.push(Part::Key(field.name.into(), upper_snake(name)));
        add(names, parts, Some(field), false);
        match field.shape {
            Shape::Section(inner) | Shape::Optional(inner) => section(inner, parts, names),
            Shape::Map(inner) => {
                parts.push(Part::Any);
                section(inner, parts, names);
                parts.pop();
            }
            Shape::Leaf if field.form == Form::Map => {
                parts.push(Part::Any);
                add(names, parts, Some(field), true);
                parts.pop();
            }
            Shape::Leaf | Shape::List(_) => {}
        }
        parts.pop();
    }
}

fn add(names: &mut Vec<Name>, parts: &[Part], field: Option<&'static FieldMeta>, inside: bool) {
    // Variants of an enum may share a field's name: it is one variable.
    if names.iter().any(|name| name.parts == parts) {
        return;
    }
    let section = field.is_some_and(|f| matches!(f.shape, Shape::Section(_) | Shape::Optional(_)));
    let exact = field.and_then(|field| field.env).filter(|_| !inside);
    names.push(Name { parts: parts.to_vec(), field, inside, exact, section });
}

/// `max-size`, `maxSize` and `max_size` → `MAX_SIZE`; `HTTPPort` → `HTTP_PORT`.
pub(super) fn upper_snake(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    let mut name = String::with_capacity(key.len() + 4);
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let next_is_lower = chars.get(at + 1).is_some_and(|c| c.is_lowercase());
        let begins = c.is_uppercase()
            && before.is_some_and(|b| {
                b.is_lowercase() || b.is_ascii_digit() || (b.is_uppercase() && next_is_lower)
            });
        if begins {
            name.push('_');
        }
        if c.is_alphanumeric() { name.extend(c.to_uppercase()) } else { name.push('_') }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::upper_snake;

    #[test]
    fn keys_become_upper_snake_case() {
        for (key, name) in [
            ("timeout", "TIMEOUT"),
            ("max-size", "MAX_SIZE"),
            ("maxSize", "MAX_SIZE"),
            ("HTTPPort", "HTTP_PORT"),
            ("db_password", "DB_PASSWORD"),
            ("s3Bucket", "S3_BUCKET"),
        ] {
            assert_eq!(upper_snake(key), name);
        }
    }
}
