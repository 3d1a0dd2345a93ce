//! What a type must offer to be a section, and what a field must offer to hold sections.
//!
//! [`Section`] is written by the derive; it is the part of `HotConf` that stands left of loading.
//! [`Node`] covers a section itself, an optional one, lists and maps of them. Neither reads a source.

use super::meta::{Schema, Shape};
use super::tokens::{Field, Kind, Make, MapField, Partial, Place, Tree};
use std::any::Any;
use std::collections::{BTreeMap, HashMap};

/// A struct or an internally tagged enum that derives `HotConf`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a section of configuration",
    label = "this type does not derive `HotConf`",
    note = "write `#[derive(HotConf)]` on `{Self}`, or remove `nested` to read it as one value"
)]
pub trait Section: Sized + 'static {
    /// What the type says of itself.
    const SECTION: &'static Schema;

    /// Its tokens, seen from `Root`, at place `P`.
    type Fields<Root: 'static, K: Kind, P: Place>: Tree + Make<P>;

    /// The value `depth` fields down, on the way to leaf `number`; `depth` is at least 1. Of an enum's
    /// tag the enum; of a depth that is greater than the leaf's the leaf.
    fn __at(&self, number: u32, depth: u32) -> Option<&dyn Any>;

    /// The derived type itself, whatever holds it.
    fn __any(&self) -> &dyn Any {
        self
    }

    /// Tells whether no leaf differs.
    fn __same(&self, other: &Self) -> bool;
}

impl<S: Section> Section for Box<S> {
    const SECTION: &'static Schema = S::SECTION;
    type Fields<Root: 'static, K: Kind, P: Place> = S::Fields<Root, K, P>;

    fn __at(&self, number: u32, depth: u32) -> Option<&dyn Any> {
        (**self).__at(number, depth)
    }

    fn __any(&self) -> &dyn Any {
        (**self).__any()
    }

    fn __same(&self, other: &Self) -> bool {
        (**self).__same(other)
    }
}

/// The type of a `nested` field.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not hold sections of configuration",
    label = "neither derives `HotConf`, nor is it an `Option`, `Vec` or map of a type that does",
    note = "`nested` works on a type that derives `HotConf`, on `Option` and `Vec` of one, and on `HashMap` and `BTreeMap` from `String` to one",
    note = "remove `nested` to read the field as one value"
)]
pub trait Node: Sized + 'static {
    /// What it is made of.
    const SHAPE: Shape;

    /// Its token.
    type Token<Root: 'static, K: Kind, P: Place>: Make<P>;

    /// The value `depth` fields down, on the way to leaf `number`, both counted from here.
    fn at(&self, number: u32, depth: u32) -> Option<&dyn Any>;
}

impl<S: Section> Node for S {
    const SHAPE: Shape = Shape::Section(S::SECTION);
    type Token<Root: 'static, K: Kind, P: Place> = S::Fields<Root, K, P>;

    fn at(&self, number: u32, depth: u32) -> Option<&dyn Any> {
        if depth == 0 { Some(self.__any()) } else { self.__at(number, depth) }
    }
}

impl<S: Section> Node for Option<S> {
    const SHAPE: Shape = Shape::Optional(S::SECTION);
    type Token<Root: 'static, K: Kind, P: Place> = S::Fields<Root, Partial, P>;

    fn at(&self, number: u32, depth: u32) -> Option<&dyn Any> {
        // Number 0 is the presence, whatever the depth; the leaves follow.
        let section = self.as_ref()?;
        if number == 0 { Some(section.__any()) } else { section.at(number - 1, depth) }
    }
}

impl<S: Section> Node for Vec<S> {
    const SHAPE: Shape = Shape::List(S::SECTION);
    type Token<Root: 'static, K: Kind, P: Place> = Field<Root, Self, K>;

    fn at(&self, _number: u32, _depth: u32) -> Option<&dyn Any> {
        Some(self)
    }
}

impl<T: Section, H: std::hash::BuildHasher + 'static> Node for HashMap<String, T, H> {
    const SHAPE: Shape = Shape::Map(T::SECTION);
    type Token<Root: 'static, K: Kind, P: Place> = MapField<Root, Self, K>;

    fn at(&self, _number: u32, _depth: u32) -> Option<&dyn Any> {
        Some(self)
    }
}

impl<S: Section> Node for BTreeMap<String, S> {
    const SHAPE: Shape = Shape::Map(S::SECTION);
    type Token<Root: 'static, K: Kind, P: Place> = MapField<Root, Self, K>;

    fn at(&self, _number: u32, _depth: u32) -> Option<&dyn Any> {
        Some(self)
    }
}

/// A map from names to values.
#[doc(hidden)]
pub trait Keyed: 'static {
    /// What it holds.
    type Value: 'static;

    /// The value under `key`.
    fn entry(&self, key: &str) -> Option<&Self::Value>;

    /// Tells whether both hold the same keys, and `same` of each value.
    fn same(&self, other: &Self, same: fn(&Self::Value, &Self::Value) -> bool) -> bool;
}

impl<V: 'static, H: std::hash::BuildHasher + 'static> Keyed for HashMap<String, V, H> {
    type Value = V;

    fn entry(&self, key: &str) -> Option<&V> {
        self.get(key)
    }

    fn same(&self, other: &Self, same: fn(&V, &V) -> bool) -> bool {
        self.len() == other.len() && self.iter().all(|(key, a)| other.get(key).is_some_and(|b| same(a, b)))
    }
}

impl<V: 'static> Keyed for BTreeMap<String, V> {
    type Value = V;

    fn entry(&self, key: &str) -> Option<&V> {
        self.get(key)
    }

    fn same(&self, other: &Self, same: fn(&V, &V) -> bool) -> bool {
        self.len() == other.len() && self.iter().all(|(key, a)| other.get(key).is_some_and(|b| same(a, b)))
    }
}
