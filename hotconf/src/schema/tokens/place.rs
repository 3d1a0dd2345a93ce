//! Where a token lies in its root: the numbers of its leaves, and how many fields deep it is.
//!
//! A place is a type, made of the places around it, so that all of it is known at compile time.

use super::super::meta::{Body, Group, Schema, Shape};
use super::super::section::{Node, Section};
use std::marker::PhantomData;
use std::ops::Range;

/// Where a token lies in its root.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub(super) first: u32,
    pub(super) len: u32,
    pub(super) depth: u32,
}

impl Spot {
    pub(super) fn numbers(self) -> Range<u32> {
        self.first..self.first + self.len
    }

    pub(super) fn find<Root: Section, T: 'static>(self, root: &Root) -> Option<&T> {
        root.at(self.first, self.depth)?.downcast_ref()
    }
}

/// A place in a root, known at compile time.
#[doc(hidden)]
pub trait Place: 'static {
    /// The token's numbers and depth.
    const SPOT: Spot;
    /// The number that the fields of the section here count from.
    const BASE: u32;
}

/// The root itself.
#[doc(hidden)]
#[derive(Debug)]
pub struct Here<Root>(PhantomData<fn(&Root)>);

impl<Root: Section> Place for Here<Root> {
    const SPOT: Spot = Spot { first: 0, len: Root::SECTION.len, depth: 0 };
    const BASE: u32 = 0;
}

/// Field `I` of `O`, or of its variant `V`, which stands at `P`.
#[doc(hidden)]
#[derive(Debug)]
pub struct In<P, O, const V: usize, const I: usize>(PhantomData<fn(P, O)>);

impl<P: Place, O: Section, const V: usize, const I: usize> Place for In<P, O, V, I> {
    const SPOT: Spot = field_spot::<P, O>(V, I);
    const BASE: u32 = match group::<O>(V).0.fields[I].shape {
        Shape::Optional(_) => Self::SPOT.first + 1,
        _ => Self::SPOT.first,
    };
}

/// The section that variant `V` of the enum `O`, which stands at `P`, holds.
#[doc(hidden)]
#[derive(Debug)]
pub struct Of<P, O, const V: usize>(PhantomData<fn(P, O)>);

impl<P: Place, O: Section, const V: usize> Place for Of<P, O, V> {
    const SPOT: Spot = {
        let (group, base) = group::<O>(V);
        let mut len = 0;
        if let Some(last) = group.fields.last() {
            len = last.number + last.shape.numbers();
        }
        Spot { first: P::BASE + base, len, depth: P::SPOT.depth + 1 }
    };
    const BASE: u32 = Self::SPOT.first;
}

/// The fields of a struct, or of a variant, and the number they count from.
const fn group<O: Section>(variant: usize) -> (&'static Group, u32) {
    let section: &'static Schema = O::SECTION;
    match &section.body {
        Body::Struct(group) => (group, 0),
        Body::Enum { variants, .. } => (&variants[variant].group, variants[variant].base),
    }
}

pub(super) const fn field_spot<P: Place, O: Section>(variant: usize, index: usize) -> Spot {
    let (group, base) = group::<O>(variant);
    let field = &group.fields[index];
    Spot { first: P::BASE + base + field.number, len: field.shape.numbers(), depth: P::SPOT.depth + 1 }
}

/// A token that can be made at place `P`.
#[doc(hidden)]
pub trait Make<P: Place>: Copy {
    /// The token.
    const HERE: Self;
}
