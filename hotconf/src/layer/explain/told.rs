//! What an event shows of a setting: its value as text, and the settings inside of what moved.

use super::leaves::{Standing, leaves, stand};
use super::render::{SECRET, render};
use super::{default_text, is_secret};
use crate::schema::keys;
use crate::schema::meta::{Fallback, Schema};
use crate::value::Tree;
use std::collections::BTreeMap;

/// The value at a path as TOML would write it; the default where nobody speaks of it, `None` where
/// there is no such setting at present, `(secret)` of a secret.
pub(crate) fn rendered(tree: &Tree, schema: &'static Schema, path: &str) -> Option<String> {
    let Standing { place, field, whole } = stand(tree, schema, path)?;
    let secret = field.is_some_and(is_secret);
    match field {
        _ if !place.is_absent() => Some(render(place, secret)),
        _ if whole => Some(if secret { SECRET } else { "default" }.to_owned()),
        field => field.and_then(|field| default_text(field, secret)),
    }
}

/// Whether both trees have the setting at a path, and say the same of it.
pub(crate) fn is_same(before: &Tree, after: &Tree, schema: &'static Schema, path: &str) -> bool {
    let (Some(old), Some(new)) = (stand(before, schema, path), stand(after, schema, path)) else {
        return false;
    };
    if !old.place.is_absent() || !new.place.is_absent() {
        return old.place.same(new.place);
    }
    let shown = |at: &Standing<'_>| match at.field.map(|field| field.default) {
        Some(Fallback::Shown(text)) if !at.whole => Some(text),
        _ => None,
    };
    shown(&old).is_some_and(|text| shown(&new) == Some(text))
}

/// The paths at or below `path` that differ between two trees: of a list or a map of sections, the
/// leaves inside; of all else, the path itself.
pub(crate) fn moved_paths(before: &Tree, after: &Tree, schema: &'static Schema, path: &str) -> Vec<String> {
    let Ok(asked) = keys::split(path) else { return vec![path.to_owned()] };
    let collect = |tree| {
        let mut found = BTreeMap::new();
        leaves(tree, schema, &mut |leaf| {
            let inside = leaf.path.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']));
            if inside {
                found.insert(leaf.path.to_owned(), leaf.value.item);
            }
        });
        found
    };
    let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (collect(before), collect(after));
    let mut moved: Vec<String> = Vec::new();
    for (path, item) in &new {
        let same = old.get(path).is_some_and(|old| before.at(*old).same(after.at(*item)));
        if !same {
            moved.push(path.clone());
        }
    }
    moved.extend(old.into_keys().filter(|path| !new.contains_key(path)));
    if moved.is_empty() || asked.is_empty() {
        return vec![path.to_owned()];
    }
    moved
}
