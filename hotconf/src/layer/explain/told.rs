//! What an event shows of a setting: its value as text, and the settings inside of what moved.

use super::leaves::{at_path, leaves};
use super::render::render;
use super::{default_text, is_secret};
use crate::schema::keys;
use crate::schema::meta::Schema;
use crate::value::Tree;
use std::collections::BTreeMap;

/// The value at a path as TOML would write it; the default where nobody speaks of it, `None` where
/// nothing holds, `(secret)` of a secret.
pub(crate) fn rendered(tree: &Tree, schema: &'static Schema, path: &str) -> Option<String> {
    let steps = keys::split(path).ok()?;
    // What the schema does not know may be anything: it is not shown.
    let spot = schema.locate(&super::leaves::indexed(&steps)).ok()?;
    let field = spot.field;
    let secret = field.is_some_and(is_secret);
    match at_path(tree, schema, path) {
        Some(place) if !place.is_absent() => Some(render(place, secret)),
        _ => field.and_then(|field| default_text(field, secret)),
    }
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
