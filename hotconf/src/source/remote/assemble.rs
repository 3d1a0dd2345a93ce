//! From the keys of a store to documents: one that is a whole document, or paths with their values.
//!
//! Pure. A key below the prefix is a path, with slashes or what the store has for them; a value is text that
//! the field's type reads. A key that names a section holds a document of that section, with lines of its own.

use super::store::{Entry, Map};
use crate::error::{Problem, ProblemKind};
use crate::format::{Format, Limits, parse_with};
use crate::origin::Origin;
use crate::schema::keys;
use crate::schema::meta::Schema;
use crate::source::text::Texts;
use crate::value::{Document, Layered};
use std::collections::HashMap;
use std::sync::Arc;

/// What the keys of a store are.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// One key is one whole document; without a format its name's extension tells it.
    Document(Option<Format>),
    /// One key is an object of JSON whose members are fields; a string of it is text that the field's type reads.
    #[allow(dead_code)] // stores that are compiled in
    Fields,
    /// Keys below the prefix are paths.
    Keys {
        prefix: Box<str>,
        /// What stands between the names of a path.
        separator: char,
        /// How a value is written that stands at a section.
        sections: Option<Format>,
    },
}

/// Where documents are made for.
pub(super) struct Place<'a> {
    pub(super) source: &'a str,
    pub(super) schema: &'static Schema,
    /// Keys that stand above the schema in what the source brings.
    pub(super) above: &'a [String],
    pub(super) limits: &'a Limits,
    /// Each value counts as a secret.
    pub(super) secret: bool,
    /// Names a key as a person would: `etcd /shop/http/timeout @ revision 12`.
    pub(super) locate: &'a dyn Fn(&str, &Entry) -> String,
}

/// Documents that were parsed, by key: one that did not change is not parsed again.
#[derive(Default)]
pub(super) struct Parsed {
    documents: HashMap<Arc<str>, (Entry, Arc<Document>)>,
    /// How many were parsed since this was asked last.
    fresh: u64,
}

impl Parsed {
    /// How many documents were parsed since the last call.
    pub(super) fn take_fresh(&mut self) -> u64 {
        std::mem::take(&mut self.fresh)
    }

    fn document(
        &mut self,
        key: &Arc<str>,
        entry: &Entry,
        format: Format,
        place: &Place<'_>,
        shape: fn(&mut Document),
    ) -> Result<Arc<Document>, Vec<Problem>> {
        if let Some((known, doc)) = self.documents.get(key)
            && known == entry
        {
            return Ok(doc.clone());
        }
        self.fresh += 1;
        let mut doc = parse_with(format, &(place.locate)(key, entry), entry.value(), place.limits)?;
        if place.secret {
            doc.set_secret();
        }
        shape(&mut doc);
        let doc = Arc::new(doc);
        self.documents.insert(key.clone(), (entry.clone(), doc.clone()));
        Ok(doc)
    }
}

/// The documents that `map` says, lowest first; none where nothing is there.
///
/// # Errors
///
/// Every problem of every key.
pub(super) fn assemble(
    map: &Map,
    content: &Content,
    place: &Place<'_>,
    parsed: &mut Parsed,
) -> Result<Vec<Layered>, Vec<Problem>> {
    parsed.documents.retain(|key, _| map.contains_key(key));
    match content {
        Content::Document(format) => {
            let Some((key, entry)) = map.iter().next() else { return Ok(Vec::new()) };
            let format = format.or_else(|| Format::from_path(&**key)).ok_or_else(|| {
                let message = "nothing says what format this is: give it with `.document(format)`";
                vec![Problem::new(ProblemKind::Usage, "", message).at(origin(place, key, entry))]
            })?;
            Ok(vec![Layered::from(parsed.document(key, entry, format, place, |_| ())?)])
        }
        Content::Fields => {
            let Some((key, entry)) = map.iter().next() else { return Ok(Vec::new()) };
            let doc = parsed.document(key, entry, Format::Json, place, Document::make_untyped)?;
            Ok(vec![Layered::from(doc)])
        }
        Content::Keys { prefix, separator, sections } => {
            paths(map, (prefix, *separator), *sections, place, parsed)
        }
    }
}

fn origin(place: &Place<'_>, key: &str, entry: &Entry) -> Origin {
    Origin::named(place.source, (place.locate)(key, entry))
}

/// One key below the prefix.
struct Setting<'a> {
    path: Vec<&'a str>,
    key: &'a Arc<str>,
    entry: &'a Entry,
}

fn paths(
    map: &Map,
    (prefix, separator): (&str, char),
    sections: Option<Format>,
    place: &Place<'_>,
    parsed: &mut Parsed,
) -> Result<Vec<Layered>, Vec<Problem>> {
    let mut settings: Vec<Setting<'_>> = map
        .iter()
        .filter_map(|(key, entry)| {
            let path: Vec<&str> =
                key.strip_prefix(prefix)?.split(separator).filter(|key| !key.is_empty()).collect();
            // What a folder is called that some stores show as a key without a value.
            let folder = key.ends_with(separator) && entry.value().is_empty();
            (!path.is_empty() && !folder).then_some(Setting { path, key, entry })
        })
        .collect();
    settings.sort_by(|a, b| a.path.cmp(&b.path));
    let (mut texts, mut documents, mut problems) = (Texts::of(place.secret), Vec::new(), Vec::new());
    let mut value_at: Option<&Setting<'_>> = None;
    for setting in &settings {
        let full: Vec<String> = setting.path.iter().map(|&key| key.to_owned()).collect();
        let below = full.strip_prefix(place.above);
        let spot = below.and_then(|keys| place.schema.locate(keys).ok());
        let section = spot.as_ref().is_some_and(|spot| spot.schema.is_some());
        if let (true, Some(format)) = (section, sections) {
            match parsed.document(setting.key, setting.entry, format, place, |_| ()) {
                Ok(doc) => {
                    let mut doc = Layered::from(doc);
                    doc.mount(&full);
                    documents.push(doc);
                }
                Err(faults) => problems.extend(faults),
            }
            continue;
        }
        let at = || origin(place, setting.key, setting.entry);
        let path = || keys::join(setting.path.iter().copied());
        if let Some(value) = value_at.filter(|value| setting.path.starts_with(&value.path)) {
            let message = format!(
                "expected a value or keys below it, found both: {} too",
                (place.locate)(value.key, value.entry)
            );
            problems.push(Problem::new(ProblemKind::Syntax, path(), message).at(at()));
            continue;
        }
        value_at = Some(setting);
        let Ok(text) = std::str::from_utf8(setting.entry.value()) else {
            let message = "expected text in UTF-8";
            problems.push(Problem::new(ProblemKind::Syntax, path(), message).at(at()));
            continue;
        };
        // Whole sections and lists are read here, everything else by the field's own type.
        let (field, inside) = spot.map_or((None, true), |spot| (spot.field, spot.inside));
        if let Err(problem) = texts.put(&full, field, inside, text, at()) {
            problems.push(problem);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if value_at.is_some() {
        documents.push(Layered::from(Arc::new(texts.into_document(place.source))));
    }
    Ok(documents)
}

#[cfg(all(test, feature = "json", feature = "toml"))]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> Map {
        let entry = |(n, (key, value)): (usize, &(&str, &str))| {
            (Arc::from(*key), Entry::new(value.as_bytes(), n as u64 + 1))
        };
        entries.iter().enumerate().map(entry).collect()
    }

    fn made(map: &Map, content: &Content) -> Result<Vec<Layered>, Vec<Problem>> {
        let place = Place {
            source: "store",
            schema: Schema::EMPTY,
            above: &[],
            limits: &Limits::default(),
            secret: false,
            locate: &|key, entry| format!("store {key} @ revision {}", entry.revision()),
        };
        assemble(map, content, &place, &mut Parsed::default())
    }

    fn below(prefix: &str) -> Content {
        Content::Keys { prefix: prefix.into(), separator: '/', sections: None }
    }

    #[test]
    fn keys_below_the_prefix_are_paths_with_an_origin_each() {
        let map = map(&[("/shop/a-b", "1"), ("/shop/a/x", "2"), ("/shop/a/y/z", "3"), ("/shop/dir/", "")]);
        let docs = made(&map, &below("/shop/")).unwrap();
        let doc = &docs[0].doc;
        let table = |node| -> Vec<_> { doc.entries(node).map(|(k, v)| (doc.str(k).to_owned(), v)).collect() };
        let root = table(Document::ROOT);
        assert_eq!(root.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["a", "a-b"]);
        let a = table(root[0].1);
        assert_eq!(doc.str(a[0].1), "2");
        assert_eq!(doc.origin(a[0].1).to_string(), "store /shop/a/x @ revision 2");
    }

    #[test]
    fn another_separator_leaves_slashes_alone() {
        let content = Content::Keys { prefix: "shop:".into(), separator: ':', sections: None };
        let docs = made(&map(&[("shop:flags:a/b", "1"), ("shop:x:", "")]), &content).unwrap();
        let doc = &docs[0].doc;
        let (key, flags) = doc.entries(Document::ROOT).next().unwrap();
        assert_eq!((doc.entries(Document::ROOT).count(), doc.str(key)), (1, "flags"));
        assert_eq!(doc.str(doc.entries(flags).next().unwrap().0), "a/b");
    }

    #[test]
    fn a_key_that_is_both_a_value_and_a_folder_is_refused_with_both_names() {
        let problems = made(&map(&[("a", "1"), ("a/b", "2")]), &below("")).unwrap_err();
        assert_eq!(problems.len(), 1);
        let said = problems[0].to_string();
        assert!(said.contains("store a @ revision 1") && said.contains("store a/b @ revision 2"), "{said}");
    }

    #[test]
    fn a_value_that_is_no_text_is_refused_and_not_shown() {
        let map = [(Arc::from("k"), Entry::new([0xff_u8, 0x41], 3))].into();
        let problems = made(&map, &below("")).unwrap_err();
        assert!(problems[0].to_string().contains("store k @ revision 3"), "{}", problems[0]);
    }

    #[test]
    fn a_document_has_lines_of_its_own() {
        let docs = made(&map(&[("app.json", "\n{\"a\": 1}")]), &Content::Document(None)).unwrap();
        let doc = &docs[0].doc;
        let (_, value) = doc.entries(Document::ROOT).next().unwrap();
        assert_eq!(doc.origin(value).to_string(), "store app.json @ revision 1:2:7");
        let problems = made(&map(&[("app", "{}")]), &Content::Document(None)).unwrap_err();
        assert!(problems[0].message().contains("format"), "{}", problems[0]);
    }

    #[test]
    fn nothing_is_no_document() {
        assert!(made(&Map::new(), &below("")).unwrap().is_empty());
        assert!(made(&Map::new(), &Content::Document(None)).unwrap().is_empty());
    }
}
