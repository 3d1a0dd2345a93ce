//! What generated code names, and what the benches measure; no API. It may change in any release.

use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::str::FromStr;

pub use crate::load::{At, HotConf, Loader, Nested};
pub use crate::schema::Moved;
pub use crate::schema::meta::{Body, FieldMeta, Form, Group, Merge, Schema, Shape, Variant, based, numbered};
pub use crate::schema::section::{Node, Section};
pub use crate::schema::tokens::{Field, Here, In, Kind, Make, Of, Partial, Place, Total, Tree};
pub use crate::secret::probe::{hides, hides_parsed, hides_with};
pub use crate::value::de::{De, LeafError};
pub use std::any::Any;
pub use std::clone::Clone;
pub use std::cmp::{PartialEq, PartialOrd};
pub use std::default::Default;
pub use std::marker::{Copy, PhantomData, Send, Sync};
pub use std::option::Option::{self, None, Some};
pub use std::primitive::{bool, str, u32, usize};

/// Tells whether no leaf of two sections differs.
pub fn same<T: HotConf>(a: &T, b: &T) -> bool {
    let mut moved = Moved::default();
    a.__differ(b, 0, &mut moved);
    moved.is_empty()
}

/// Adds `number` where two leaves differ.
pub fn differ<T: PartialEq>(a: &T, b: &T, number: u32, out: &mut Moved) {
    if a != b {
        out.push(number);
    }
}

/// The same of a leaf that may be missing.
pub fn differ_option<T: PartialEq>(a: &Option<T>, b: &Option<T>, number: u32, out: &mut Moved) {
    if a != b {
        out.push(number);
        out.kind(number, a.is_some(), b.is_some());
    }
}

/// Adds all numbers of an enum section whose tag changed.
pub fn differ_all(section: &Schema, base: u32, out: &mut Moved) {
    for number in base..base + section.len {
        out.push(number);
    }
}

/// What the derive asks of a leaf's type.
pub trait Leaf: DeserializeOwned + PartialEq + Clone + Send + Sync + 'static {}

impl<T: DeserializeOwned + PartialEq + Clone + Send + Sync + 'static> Leaf for T {}

/// What the derive asks of a type parameter of a `parse` leaf.
pub trait Parsed: FromStr<Err: Display> {}

impl<T: FromStr<Err: Display>> Parsed for T {}

/// The way to leaf `number` of `section`: variant, field, and the number counted from the field's first.
pub fn step(section: &'static Schema, number: u32) -> Option<(usize, usize, u32)> {
    let (variant, group, base) = section.group_of(number)?;
    let field = group.field_at(number - base)?;
    Some((variant, field, number - base - group.fields[field].number))
}

/// The value `depth` fields below the section that a variant holds.
pub fn variant_at<'s, S: Section>(
    inner: &'s S,
    outer: &'static Schema,
    variant: usize,
    number: u32,
    depth: u32,
) -> Option<&'s dyn Any> {
    inner.at(number - base(outer, variant), depth)
}

/// The first number of a variant's fields, counted from the enum's first.
pub const fn base(section: &Schema, variant: usize) -> u32 {
    match &section.body {
        Body::Struct(_) => 0,
        Body::Enum { variants, .. } => variants[variant].base,
    }
}

/// The number of field `index` of a variant of `section`, counted from the section's first.
pub const fn number(section: &Schema, variant: usize, index: usize) -> u32 {
    match &section.body {
        Body::Struct(group) => group.fields[index].number,
        Body::Enum { variants, .. } => variants[variant].base + variants[variant].group.fields[index].number,
    }
}

/// A reload without threads, so that instructions can be counted: all of it but I/O and telling.
pub struct Bench<T>(crate::engine::Bench<T>);

impl<T: HotConf> Bench<T> {
    /// Loads the layers, lowest first.
    pub fn new(layers: Vec<crate::Update>) -> Self {
        Self(crate::engine::Bench::new(layers))
    }

    /// Replaces what a layer says and puts the new version in force; how many leaves moved.
    pub fn reload(&mut self, layer: usize, update: crate::Update) -> usize {
        self.0.reload(layer, update)
    }

    /// The same with a text, parsed beside what the layer's document said before, as sources do it.
    pub fn reread(&mut self, layer: usize, format: crate::Format, text: &str) -> usize {
        self.0.reread(layer, format, text)
    }

    /// The value in force.
    pub fn value(&self) -> &T {
        self.0.value()
    }
}

/// The telling of versions alone, without a reload around it.
pub struct Telling<T>(crate::engine::Telling<T>);

impl<T: HotConf> Telling<T> {
    /// Nothing to tell yet.
    pub fn new(first: T) -> Self {
        Self(crate::engine::Telling::new(first))
    }

    /// The versions that follow.
    pub fn then(&mut self, values: impl IntoIterator<Item = T>) {
        self.0.then(values);
    }

    /// A subscriber.
    pub fn watch<Out: 'static>(&self, field: impl crate::Select<T, Out>) -> crate::Watch<Out> {
        self.0.watch(field)
    }

    /// Tells of the step to the version that follows `version`, in which the leaves `moved` moved.
    pub fn tell(&self, version: usize, moved: &[u32]) {
        self.0.tell(version, moved);
    }
}
