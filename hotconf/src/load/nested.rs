//! Sections inside fields: a section itself, an optional one, lists and maps of them.
//!
//! The law: bringing a value from the old tree to the new one gives what loading the new one gives.
//! What is the same in both trees is kept as it is, without being read.

use super::HotConf;
use super::at::{At, Name, is_unset, same_defaults};
use super::loader::Loader;
use crate::schema::{DiffKind, Moved};
use crate::value::{Item, Kind, Ref};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// A field type that holds sections.
pub trait Nested: Sized {
    /// Builds the value; `None` where a problem was reported.
    fn load(cx: &mut Loader<'_>, at: At<'_>) -> Option<Self>;

    /// Brings the value from the old tree to the new one.
    fn update(&mut self, cx: &mut Loader<'_>, at: At<'_>);

    /// Adds the numbers that differ, counted from `base`.
    fn differ(&self, other: &Self, base: u32, out: &mut Moved);

    /// Takes every `restart` leaf from the value that runs; what it has no counterpart for stays.
    fn freeze(&mut self, running: &Self);
}

impl<S: HotConf> Nested for S {
    fn load(cx: &mut Loader<'_>, at: At<'_>) -> Option<Self> {
        if at.is_misplaced() {
            cx.refused = true;
            return None;
        }
        S::__load(cx, at)
    }

    fn update(&mut self, cx: &mut Loader<'_>, at: At<'_>) {
        if at.is_misplaced() && !cx.recheck {
            cx.refused = true;
        } else {
            self.__update(cx, at);
        }
    }

    fn differ(&self, other: &Self, base: u32, out: &mut Moved) {
        self.__differ(other, base, out);
    }

    fn freeze(&mut self, running: &Self) {
        self.__freeze(running);
    }
}

impl<S: HotConf> Nested for Option<S> {
    fn load(cx: &mut Loader<'_>, at: At<'_>) -> Option<Self> {
        if at.is_unset() { Some(None) } else { S::load(cx, at).map(Some) }
    }

    fn update(&mut self, cx: &mut Loader<'_>, at: At<'_>) {
        let was_set = cx.patch.is_some() || at.old.is_some_and(|old| !is_unset(old));
        match self {
            _ if cx.recheck => self.iter_mut().for_each(|section| section.update(cx, at)),
            _ if at.is_unset() => *self = None,
            Some(section) if was_set => section.update(cx, at),
            _ => {
                let section = S::load(cx, at).map(Some);
                cx.put(self, section);
            }
        }
    }

    fn differ(&self, other: &Self, base: u32, out: &mut Moved) {
        match (self, other) {
            (None, None) => {}
            (Some(a), Some(b)) => a.differ(b, base + 1, out),
            // Whoever listens below hears of it too.
            _ => (base..=base + S::SCHEMA.len).for_each(|number| out.push(number)),
        }
    }

    fn freeze(&mut self, running: &Self) {
        if let (Some(section), Some(running)) = (self, running) {
            section.freeze(running);
        }
    }
}

impl<S: HotConf> Nested for Vec<S> {
    fn load(cx: &mut Loader<'_>, at: At<'_>) -> Option<Self> {
        if is_misplaced(at, Kind::Array) {
            cx.refused = true;
            return None;
        }
        let elements = at.new.elements();
        let mut list = Some(Self::with_capacity(elements.len()));
        // To the last element, whatever is wrong with the first: all problems in one pass.
        for (index, element) in elements.into_iter().enumerate() {
            let step = at.step_to(Name::Index(index));
            match (S::load(cx, at.inside(element, None, &step, cx.problems.len())), &mut list) {
                (Some(section), Some(list)) => list.push(section),
                _ => list = None,
            }
        }
        list
    }

    fn update(&mut self, cx: &mut Loader<'_>, at: At<'_>) {
        if cx.recheck {
            return self.iter_mut().for_each(|section| section.update(cx, at));
        }
        let old = at.old.map(Ref::elements).unwrap_or_default();
        if cx.patch.is_some() || old.len() != self.len() || is_misplaced(at, Kind::Array) {
            let list = Self::load(cx, at);
            return cx.put(self, list);
        }
        let new = at.new.elements();
        self.truncate(new.len());
        for (index, element) in new.into_iter().enumerate() {
            let before = old.get(index).copied();
            if before.is_some_and(|before| {
                before.same(element) && same_defaults(at.schema, element.tree, before.tree)
            }) {
                continue;
            }
            let step = at.step_to(Name::Index(index));
            let inside = at.inside(element, before, &step, cx.problems.len());
            match self.get_mut(index) {
                Some(section) => section.update(cx, inside),
                None => self.extend(S::load(cx, inside)),
            }
        }
    }

    fn differ(&self, other: &Self, base: u32, out: &mut Moved) {
        if self.len() != other.len() || self.iter().zip(other).any(|(a, b)| differs(a, b)) {
            out.push(base);
        }
    }

    fn freeze(&mut self, running: &Self) {
        for (section, running) in self.iter_mut().zip(running) {
            section.freeze(running);
        }
    }
}

/// The two maps differ in nothing but their type.
macro_rules! maps {
    ($(impl[$($generics:tt)*] $map:ty;)*) => {$(
        impl<$($generics)*> Nested for $map {
            fn load(cx: &mut Loader<'_>, at: At<'_>) -> Option<Self> {
                if is_misplaced(at, Kind::Table) {
                    cx.refused = true;
                    return None;
                }
                let mut map = Some(Self::default());
                for (key, entry) in at.new.entries() {
                    let step = at.step_to(Name::Key(key));
                    match (S::load(cx, at.inside(entry, None, &step, cx.problems.len())), &mut map) {
                        (Some(section), Some(map)) => drop(map.insert(key.to_owned(), section)),
                        _ => map = None,
                    }
                }
                map
            }

            fn update(&mut self, cx: &mut Loader<'_>, at: At<'_>) {
                if cx.recheck {
                    return self.values_mut().for_each(|section| section.update(cx, at));
                }
                if let Some(key) = cx.unset_entry(at) {
                    self.remove(key);
                    return;
                }
                let (old, new) = (at.old.map(Ref::entries).unwrap_or_default(), at.new.entries());
                let strays = cx.patch.is_none() && old.len() != self.len();
                if strays || is_misplaced(at, Kind::Table) {
                    let map = Self::load(cx, at);
                    return cx.put(self, map);
                }
                let mut old: HashMap<&str, Ref<'_>> = old.into_iter().collect();
                for (key, entry) in new {
                    let before = old.remove(key);
                    if before.is_some_and(|before| before.same(entry) && same_defaults(at.schema, entry.tree, before.tree)) {
                        continue;
                    }
                    let step = at.step_to(Name::Key(key));
                    // A setter's old tree is empty: every field that it mentions has moved.
                    let before = before.or_else(|| cx.patch.is_some().then(|| entry.tree.at(Item::Absent)));
                    let inside = at.inside(entry, before, &step, cx.problems.len());
                    match self.get_mut(key) {
                        Some(section) if before.is_some() => section.update(cx, inside),
                        _ => self.extend(S::load(cx, inside).map(|section| (key.to_owned(), section))),
                    }
                }
                for key in old.into_keys() {
                    self.remove(key);
                }
            }

            fn differ(&self, other: &Self, base: u32, out: &mut Moved) {
                let moved = |(key, section): (&String, &S)| {
                    other.get(key).is_none_or(|theirs| differs(section, theirs))
                };
                if !out.wants_details() {
                    if self.len() != other.len() || self.iter().any(moved) {
                        out.push(base);
                    }
                    return;
                }
                let here = self.iter().filter(|&entry| moved(entry)).map(|(key, _)| key);
                let new = other.keys().filter(|key| !self.contains_key(*key));
                let named = here.chain(new).map(|key| {
                    (key.clone(), DiffKind::of(self.contains_key(key), other.contains_key(key)))
                });
                let mut named: Vec<_> = named.collect();
                if !named.is_empty() {
                    named.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                    out.push(base);
                    out.entries(base, named);
                }
            }

            fn freeze(&mut self, running: &Self) {
                for (key, section) in self {
                    if let Some(running) = running.get(key) {
                        section.freeze(running);
                    }
                }
            }
        }
    )*};
}

maps! {
    impl[S: HotConf, H: BuildHasher + Default] HashMap<String, S, H>;
    impl[S: HotConf] BTreeMap<String, S>;
}

/// Tells whether something stands here that is not the container: the merge has reported it.
fn is_misplaced(at: At<'_>, container: Kind) -> bool {
    !at.is_unset() && at.new.kind() != Some(container)
}

/// Tells whether any leaf differs; allocates only if one does.
fn differs<S: HotConf>(a: &S, b: &S) -> bool {
    let mut moved = Moved::default();
    a.__differ(b, 0, &mut moved);
    !moved.is_empty()
}
