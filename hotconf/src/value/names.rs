//! Which files a tree names, and whether two places name the same files of the same content.
//!
//! No type is known here: a text that leads to one of the files at hand is taken for a name. Where it is
//! none, a leaf is read once more than it had to be, and comes out the same.

use super::tape::{Document, Kind};
use super::tree::{Ref, Tree};
use crate::named::{Contents, Held};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Tree {
    /// Those of the files at hand that it names.
    pub(crate) fn names(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let Some(contents) = self.contents.as_deref().filter(|contents| !contents.is_empty()) else {
            return found;
        };
        let items = self.items.iter().chain(self.entries.iter().map(|(.., item)| item)).chain([&self.root]);
        for item in items {
            let Some((doc, node)) = self.at(*item).node() else { continue };
            scan(doc, node, &mut |text, is_text| {
                if is_text && is_container(text) {
                    // What is in it is known to the type alone: nothing is left that it may name.
                    found.extend(contents.paths());
                }
                found.extend(contents.named(dir(doc), text).map(|(path, _)| path.to_owned()));
            });
        }
        found
    }

    /// The file at hand that a default names.
    pub(crate) fn named_by_default(&self, text: &str) -> Option<(&Path, Option<&Held>)> {
        self.contents.as_deref()?.named(None, text)
    }

    /// Whether a default names the same file, of the same content.
    pub(crate) fn same_by_default(&self, other: &Self, text: &str) -> bool {
        match (self.named_by_default(text), other.named_by_default(text)) {
            (Some((path, held)), Some((other, known))) => path == other && same_bytes(held, known),
            (found, known) => found.is_none() && known.is_none(),
        }
    }

    /// Whether both know the same of files.
    pub(crate) fn same_contents(&self, other: &Self) -> bool {
        match (&self.contents, &other.contents) {
            (Some(new), Some(old)) => Arc::ptr_eq(new, old) || (new.is_empty() && old.is_empty()),
            (new, old) => [new, old].into_iter().flatten().all(|contents| contents.is_empty()),
        }
    }
}

impl<'t> Ref<'t> {
    /// What the files are that one document names here: by path, with the content where it could be read.
    pub(crate) fn contents(self) -> Vec<(&'t Path, Option<&'t Held>)> {
        let (Some(contents), Some((doc, node))) = (self.tree.contents.as_deref(), self.node()) else {
            return Vec::new();
        };
        named(contents, doc, node).unwrap_or_default()
    }
}

/// Compares what two subtrees, each of one document and saying the same, name.
#[inline]
pub(super) fn same(new: Ref<'_>, old: Ref<'_>) -> bool {
    let none = |tree: &Tree| tree.contents.as_deref().is_none_or(Contents::is_empty);
    (none(new.tree) && none(old.tree)) || same_names(new, old)
}

fn same_names(new: Ref<'_>, old: Ref<'_>) -> bool {
    let (Some((ours, node)), Some((theirs, other))) = (new.node(), old.node()) else { return true };
    if new.tree.same_contents(old.tree) && ours.dir() == theirs.dir() {
        return true;
    }
    match (found(new.tree, ours, node), found(old.tree, theirs, other)) {
        (Some(found), Some(known)) => {
            found.len() == known.len()
                && found.iter().zip(&known).all(|(a, b)| a.0 == b.0 && same_bytes(a.1, b.1))
        }
        // A list that is written as a text: what it names is known to the type alone.
        _ => false,
    }
}

fn found<'t>(tree: &'t Tree, doc: &Document, node: u32) -> Option<Vec<(&'t Path, Option<&'t Held>)>> {
    tree.contents.as_deref().map_or(Some(Vec::new()), |contents| named(contents, doc, node))
}

fn same_bytes(a: Option<&Held>, b: Option<&Held>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => std::ptr::eq(a, b) || a.bytes == b.bytes,
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Sorted; `None` where it cannot be told.
fn named<'c>(contents: &'c Contents, doc: &Document, node: u32) -> Option<Vec<(&'c Path, Option<&'c Held>)>> {
    let (mut found, mut unsure) = (Vec::new(), false);
    scan(doc, node, &mut |text, is_text| {
        unsure |= is_text && is_container(text);
        found.extend(contents.named(dir(doc), text));
    });
    found.sort_unstable_by_key(|(path, _)| *path);
    (!unsure).then_some(found)
}

fn dir(doc: &Document) -> Option<&Path> {
    doc.dir().map(|dir| &**dir)
}

/// Whether a text is read as a list or a table where the type is one.
fn is_container(text: &str) -> bool {
    text.trim_start().starts_with(['[', '{'])
}

/// Visits every string at and below `node`; `true` of text without a type.
fn scan(doc: &Document, node: u32, visit: &mut dyn FnMut(&str, bool)) {
    match doc.kind(node) {
        Kind::Table => doc.entries(node).for_each(|(_, value)| scan(doc, value, visit)),
        Kind::Array => doc.elements(node).for_each(|element| scan(doc, element, visit)),
        Kind::Str | Kind::Text => visit(doc.str(node), doc.kind(node) == Kind::Text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named::Unread;
    use crate::value::Value;

    fn tree(dir: &str, text: &str, files: &[(&str, &str)]) -> Tree {
        let value = Value::Table(vec![("cert".to_owned(), Value::String(text.to_owned()))]);
        let doc = Document::of("app.toml", &value).in_dir(Some(Arc::from(Path::new(dir))));
        let files = files.iter().map(|(path, bytes)| {
            let held = Held { path: path.into(), bytes: bytes.as_bytes().to_vec().into() };
            (PathBuf::from(path), Ok::<_, Unread>(Arc::new(held)))
        });
        let contents = Contents::none(Arc::from(Path::new("/work"))).with(files.collect());
        Tree { contents: Some(Arc::new(contents)), ..Tree::single(doc) }
    }

    #[test]
    fn the_same_name_of_another_content_is_not_the_same() {
        let one = tree("/etc", "a.pem", &[("/etc/a.pem", "1")]);
        assert!(one.root().same(tree("/etc", "a.pem", &[("/etc/a.pem", "1")]).root()));
        assert!(!one.root().same(tree("/etc", "a.pem", &[("/etc/a.pem", "2")]).root()));
        assert!(!one.root().same(tree("/opt", "a.pem", &[("/opt/a.pem", "1")]).root()), "another file");
        assert!(one.root().same(tree("/etc", "a.pem", &[("/etc/a.pem", "1"), ("/etc/b.pem", "2")]).root()));
    }

    #[test]
    fn what_no_text_leads_to_is_not_named() {
        let tree = tree("/etc", "a.pem", &[("/etc/a.pem", "1"), ("/work/a.pem", "1"), ("/etc/b.pem", "2")]);
        assert_eq!(tree.names(), BTreeSet::from([PathBuf::from("/etc/a.pem")]));
    }
}
