//! Compile-checked names of fields: `Shop::FIELDS.http.timeout`.
//!
//! A token knows the numbers of its leaves, how many fields deep it lies, and how two of its values are
//! compared. It holds no path of getters: the root walks down to it by number
//! ([`Section::__at`]), which costs one function per section instead of several per field. The derive
//! pairs number and type, so the walk always ends at the type that the token names.
//!
//! [`place`] is where a token lies, told at compile time; [`select`] is what can be asked of one. The
//! derived tree of a section is a token too.

mod place;
mod select;

pub use place::{Here, In, Make, Of, Place};
pub use select::{Kind, Partial, Pick, Select, Total, Tree};

use super::section::{Keyed, Node, Section};
use place::{Spot, field_spot};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
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
