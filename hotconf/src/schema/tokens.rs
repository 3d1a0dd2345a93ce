//! Compile-checked names of fields: `Shop::FIELDS.http.timeout`.
//!
//! A token knows the numbers of its leaves, how many fields deep it lies, and how two of its values are
//! compared. It holds no path of getters: the root walks down to it by number
//! ([`Section::__at`]), which costs one function per section instead of several per field. The derive
//! pairs number and type, so the walk always ends at the type that the token names.
//!
//! Sections have tokens too: the derived tree of a section implements [`Tree`], and [`Select`] for
//! everything that can be subscribed to is implemented here only.

use super::meta::{Body, Group, Schema, Shape};
use super::section::{Keyed, Node, Section};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// A field of `Root` whose type is `T`.
///
/// `K` tells whether it is always there: [`Total`], or [`Partial`] below an `Option` or a variant of
/// an enum, where a subscriber gets an `Option<T>`.
///
/// ```
/// use hotconf::{Field, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct Http {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// const RETRIES: Field<Http, u32> = Http::FIELDS.retries;
/// let same = RETRIES;
/// assert_eq!(format!("{same:?}"), "Field(0)");
/// ```
pub struct Field<Root, T, K = Total> {
    spot: Spot,
    same: fn(&T, &T) -> bool,
    of: PhantomData<fn(&Root) -> K>,
}

/// A field of `Root` that holds sections by name; [`key`](Self::key) selects one of them.
///
/// ```
/// use hotconf::HotConf;
/// use std::collections::HashMap;
///
/// #[derive(Clone, HotConf)]
/// struct Flag {
///     #[hotconf(default = false)]
///     on: bool,
/// }
///
/// #[derive(Clone, HotConf)]
/// struct Shop {
///     #[hotconf(nested)]
///     flags: HashMap<String, Flag>,
/// }
///
/// let checkout = Shop::FIELDS.flags.key("new-checkout");
/// assert_eq!(format!("{checkout:?}"), "Entry(0, \"new-checkout\")");
/// ```
pub struct MapField<Root, M, K = Total> {
    field: Field<Root, M, K>,
}

/// One entry of a map: a subscriber gets an `Option<V>`.
///
/// ```
/// use hotconf::HotConf;
/// use std::collections::BTreeMap;
///
/// #[derive(Clone, HotConf)]
/// struct Limits {
///     #[hotconf(default)]
///     per_user: BTreeMap<String, u32>,
/// }
///
/// let ann = Limits::FIELDS.per_user.key("ann");
/// assert_eq!(format!("{ann:?}"), "Entry(0, \"ann\")");
/// ```
pub struct Entry<Root, V> {
    spot: Spot,
    key: Arc<str>,
    find: for<'a> fn(&'a dyn Any, &str) -> Option<&'a V>,
    same: fn(&V, &V) -> bool,
    of: PhantomData<fn(&Root)>,
}

/// What can be selected from a configuration: fields, sections, entries of maps.
///
/// Implemented by [`Field`], [`MapField`], [`Entry`] and the sections of `FIELDS`; not to be
/// implemented elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not select a part of `{Root}`",
    note = "write a token such as `{Root}::FIELDS.name`, or pass a closure to the method whose name ends in `_with`"
)]
pub trait Select<Root, Out>: Clone + Send + Sync + 'static {
    /// The selected value, cloned.
    #[doc(hidden)]
    fn __get(&self, root: &Root) -> Out;

    /// Tells, without cloning, whether both have the same.
    #[doc(hidden)]
    fn __same(&self, a: &Root, b: &Root) -> bool;

    /// The leaves of the root whose move can move it.
    #[doc(hidden)]
    fn __numbers(&self) -> Range<u32>;

    /// The key of a map's entry.
    #[doc(hidden)]
    fn __key(&self) -> Option<&str> {
        None
    }
}

/// What can be selected and is always there.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not select a part of `{Root}` that is always there",
    note = "below an `Option`, a variant of an enum, or a map, there may be no value"
)]
pub trait Pick<Root, T>: Select<Root, T> {
    /// The selected value.
    #[doc(hidden)]
    fn __pick<'r>(&self, root: &'r Root) -> &'r T;
}

/// Kind of a field that is always there.
#[derive(Clone, Copy, Debug)]
pub enum Total {}

/// Kind of a field below an `Option` or a variant of an enum.
#[derive(Clone, Copy, Debug)]
pub enum Partial {}

/// [`Total`] or [`Partial`].
#[doc(hidden)]
pub trait Kind: 'static {
    /// What a subscriber gets.
    type Out<T>;

    /// Clones what was found.
    fn out<T: Clone>(found: Option<&T>) -> Self::Out<T>;
}

impl Kind for Total {
    type Out<T> = T;

    fn out<T: Clone>(found: Option<&T>) -> T {
        found.cloned().expect(TOTAL)
    }
}

impl Kind for Partial {
    type Out<T> = Option<T>;

    fn out<T: Clone>(found: Option<&T>) -> Option<T> {
        found.cloned()
    }
}

/// Where a token lies in its root.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    first: u32,
    len: u32,
    depth: u32,
}

impl Spot {
    fn numbers(self) -> Range<u32> {
        self.first..self.first + self.len
    }

    fn find<Root: Section, T: 'static>(self, root: &Root) -> Option<&T> {
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

const fn field_spot<P: Place, O: Section>(variant: usize, index: usize) -> Spot {
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

/// The tokens of a section; itself the section's token.
#[doc(hidden)]
pub trait Tree: Copy {
    /// Whose tokens they are.
    type Root: 'static;
    /// The section.
    type Value: 'static;
    /// Whether it is always there.
    type Kind: Kind;
    /// Where it lies.
    type Place: Place;
}

impl<Root, T: 'static, K> Field<Root, T, K> {
    /// The token of a field of a type whose derive failed.
    #[doc(hidden)]
    pub const __NONE: Self =
        Self { spot: Spot { first: 0, len: 0, depth: 0 }, same: |_, _| true, of: PhantomData };

    /// Field `index` of `O`, or of its variant, at place `P`; a leaf.
    #[doc(hidden)]
    pub const fn __leaf<P: Place, O: Section>(variant: usize, index: usize) -> Self
    where
        T: PartialEq,
    {
        Self { spot: field_spot::<P, O>(variant, index), same: T::eq, of: PhantomData }
    }
}

impl<Root, M: Keyed, K> Field<Root, M, K> {
    /// Selects one entry of the map.
    pub fn key(self, key: impl Into<Arc<str>>) -> Entry<Root, M::Value>
    where
        M::Value: PartialEq,
    {
        Entry::new::<M>(self.spot, key.into(), M::Value::eq)
    }
}

impl<Root, M: Keyed, K> MapField<Root, M, K> {
    /// Selects one entry of the map.
    pub fn key(self, key: impl Into<Arc<str>>) -> Entry<Root, M::Value>
    where
        M::Value: Section,
    {
        Entry::new::<M>(self.field.spot, key.into(), M::Value::__same)
    }
}

impl<Root, V: 'static> Entry<Root, V> {
    fn new<M: Keyed<Value = V>>(spot: Spot, key: Arc<str>, same: fn(&V, &V) -> bool) -> Self {
        Self {
            spot,
            key,
            find: |map, key| map.downcast_ref::<M>().and_then(|map| map.entry(key)),
            same,
            of: PhantomData,
        }
    }

    fn find<'r>(&self, root: &'r Root) -> Option<&'r V>
    where
        Root: Section,
    {
        (self.find)(root.at(self.spot.first, self.spot.depth)?, &self.key)
    }
}

impl<Root: 'static, S: Section, K: Kind, P: Place> Make<P> for Field<Root, Vec<S>, K> {
    const HERE: Self = Self {
        spot: P::SPOT,
        same: |a, b| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.__same(b)),
        of: PhantomData,
    };
}

impl<Root: 'static, M: Keyed<Value: Section>, K: Kind, P: Place> Make<P> for MapField<Root, M, K> {
    const HERE: Self =
        Self { field: Field { spot: P::SPOT, same: |a, b| a.same(b, M::Value::__same), of: PhantomData } };
}

impl<Root, T, K> Select<Root, K::Out<T>> for Field<Root, T, K>
where
    Root: Section,
    T: Clone + Send + Sync + 'static,
    K: Kind,
{
    fn __get(&self, root: &Root) -> K::Out<T> {
        K::out(self.spot.find(root))
    }

    fn __same(&self, a: &Root, b: &Root) -> bool {
        both(self.spot.find(a), self.spot.find(b), self.same)
    }

    fn __numbers(&self) -> Range<u32> {
        self.spot.numbers()
    }
}

impl<Root, T> Pick<Root, T> for Field<Root, T, Total>
where
    Root: Section,
    T: Clone + Send + Sync + 'static,
{
    fn __pick<'r>(&self, root: &'r Root) -> &'r T {
        self.spot.find(root).expect(TOTAL)
    }
}

impl<Root, M, K> Select<Root, K::Out<M>> for MapField<Root, M, K>
where
    Root: Section,
    M: Clone + Send + Sync + 'static,
    K: Kind,
{
    fn __get(&self, root: &Root) -> K::Out<M> {
        self.field.__get(root)
    }

    fn __same(&self, a: &Root, b: &Root) -> bool {
        self.field.__same(a, b)
    }

    fn __numbers(&self) -> Range<u32> {
        self.field.__numbers()
    }
}

impl<Root, M> Pick<Root, M> for MapField<Root, M, Total>
where
    Root: Section,
    M: Clone + Send + Sync + 'static,
{
    fn __pick<'r>(&self, root: &'r Root) -> &'r M {
        self.field.__pick(root)
    }
}

impl<Root, V> Select<Root, Option<V>> for Entry<Root, V>
where
    Root: Section,
    V: Clone + Send + Sync + 'static,
{
    fn __get(&self, root: &Root) -> Option<V> {
        self.find(root).cloned()
    }

    fn __same(&self, a: &Root, b: &Root) -> bool {
        both(self.find(a), self.find(b), self.same)
    }

    fn __numbers(&self) -> Range<u32> {
        self.spot.numbers()
    }

    fn __key(&self) -> Option<&str> {
        Some(&self.key)
    }
}

impl<S> Select<S::Root, <S::Kind as Kind>::Out<S::Value>> for S
where
    S: Tree<Root: Section, Value: Section + Clone> + Send + Sync + 'static,
{
    fn __get(&self, root: &S::Root) -> <S::Kind as Kind>::Out<S::Value> {
        S::Kind::out(S::Place::SPOT.find(root))
    }

    fn __same(&self, a: &S::Root, b: &S::Root) -> bool {
        let spot = S::Place::SPOT;
        both(spot.find(a), spot.find(b), S::Value::__same)
    }

    fn __numbers(&self) -> Range<u32> {
        S::Place::SPOT.numbers()
    }
}

impl<S> Pick<S::Root, S::Value> for S
where
    S: Tree<Root: Section, Value: Section + Clone, Kind = Total> + Send + Sync + 'static,
{
    fn __pick<'r>(&self, root: &'r S::Root) -> &'r S::Value {
        S::Place::SPOT.find(root).expect(TOTAL)
    }
}

fn both<T>(a: Option<&T>, b: Option<&T>, same: fn(&T, &T) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl<Root, T, K> Clone for Field<Root, T, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Root, T, K> Copy for Field<Root, T, K> {}

impl<Root, T, K> fmt::Debug for Field<Root, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Field").field(&self.spot.first).finish()
    }
}

impl<Root, M, K> Clone for MapField<Root, M, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Root, M, K> Copy for MapField<Root, M, K> {}

impl<Root, M, K> fmt::Debug for MapField<Root, M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.field.fmt(f)
    }
}

impl<Root, V> Clone for Entry<Root, V> {
    fn clone(&self) -> Self {
        Self { key: Arc::clone(&self.key), ..*self }
    }
}

impl<Root, V> fmt::Debug for Entry<Root, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.spot.first).field(&self.key).finish()
    }
}

const TOTAL: &str = "the derive makes total tokens only for fields that are always there";
