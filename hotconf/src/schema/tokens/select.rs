//! What can be asked of a token: the value it selects, old and new compared, its numbers.
//!
//! A field, a map and a section lie at a fixed place and answer alike; they are [`Token`]s. The entry of
//! a map is found by its key.

use super::super::section::Section;
use super::place::{Place, Spot};
use super::{Entry, Field, MapField};
use std::ops::Range;

/// What can be selected from a configuration: fields, sections, entries of maps.
///
/// Implemented by [`Field`], [`MapField`], [`Entry`] and the sections of `FIELDS`; not to be
/// implemented elsewhere.
///
/// ```
/// use hotconf::{Hot, HotConf, Select};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     workers: u32,
///     name: String,
/// }
///
/// /// Takes whatever selects a `T`.
/// fn line<T: ToString + Send + Sync + 'static>(config: &Hot<App>, what: impl Select<App, T>) -> String {
///     config.view(what).load().to_string()
/// }
///
/// let config = Hot::fixed(App { workers: 4, name: "shop".to_owned() });
/// assert_eq!(line(&config, App::FIELDS.workers), "4");
/// assert_eq!(line(&config, App::FIELDS.name), "shop");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not select a part of `{Root}`",
    note = "write a token such as `{Root}::FIELDS.name`, or pass a closure to the method whose name ends in `_with`"
)]
pub trait Select<Root, Out>: Clone + Send + Sync + 'static {
    /// The selected value, borrowed: `&T`, or `Option<&T>` where there may be none.
    type Ref<'r>
    where
        Root: 'r;

    /// The selected value, cloned.
    #[doc(hidden)]
    fn __get(&self, root: &Root) -> Out;

    /// The selected value where it stands.
    #[doc(hidden)]
    fn __find<'r>(&self, root: &'r Root) -> Self::Ref<'r>;

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
///
/// ```
/// use hotconf::{HotConf, Pick};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     workers: u32,
/// }
///
/// fn always_there<T>(_: impl Pick<App, T>) {}
/// always_there(App::FIELDS.workers);
/// always_there(App::FIELDS);
/// ```
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
///
/// ```
/// use hotconf::{Field, HotConf, Total};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     workers: u32,
/// }
///
/// const WORKERS: Field<App, u32, Total> = App::FIELDS.workers;
/// let (a, b) = (App { workers: 1 }, App { workers: 2 });
/// assert_eq!(a.diff(&b).get(WORKERS), Some((&1, &2)));
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Total {}

/// Kind of a field below an `Option` or a variant of an enum: who asks for it gets an `Option`.
///
/// ```
/// use hotconf::{Field, HotConf, Partial};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(nested)]
///     tls: Option<Tls>,
/// }
///
/// #[derive(Clone, HotConf)]
/// struct Tls {
///     port: u16,
/// }
///
/// const PORT: Field<App, u16, Partial> = App::FIELDS.tls.port;
/// let (a, b) = (App { tls: None }, App { tls: Some(Tls { port: 443 }) });
/// assert_eq!(a.diff(&b).get(PORT), Some((None, Some(&443))));
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Partial {}

/// [`Total`] or [`Partial`].
#[doc(hidden)]
pub trait Kind: 'static {
    /// What a subscriber gets.
    type Out<T>;

    /// The same, borrowed.
    type Ref<'r, T: 'r>;

    /// Clones what was found.
    fn out<T: Clone>(found: Option<&T>) -> Self::Out<T>;

    /// What was found.
    fn borrowed<T>(found: Option<&T>) -> Self::Ref<'_, T>;
}

impl Kind for Total {
    type Out<T> = T;
    type Ref<'r, T: 'r> = &'r T;

    fn out<T: Clone>(found: Option<&T>) -> T {
        found.cloned().expect(TOTAL)
    }

    fn borrowed<T>(found: Option<&T>) -> &T {
        found.expect(TOTAL)
    }
}

impl Kind for Partial {
    type Out<T> = Option<T>;
    type Ref<'r, T: 'r> = Option<&'r T>;

    fn out<T: Clone>(found: Option<&T>) -> Option<T> {
        found.cloned()
    }

    fn borrowed<T>(found: Option<&T>) -> Option<&T> {
        found
    }
}

/// A token that lies at one place of its root.
#[doc(hidden)]
pub trait Token: Copy {
    /// Whose token it is.
    type Root;
    /// What it selects.
    type Value: 'static;
    /// Whether that is always there.
    type Kind: Kind;

    /// Where it lies.
    fn spot(&self) -> Spot;

    /// How two of its values are compared.
    fn same(&self) -> fn(&Self::Value, &Self::Value) -> bool;
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

impl<S: Tree<Value: Section>> Token for S {
    type Root = S::Root;
    type Value = S::Value;
    type Kind = S::Kind;

    fn spot(&self) -> Spot {
        S::Place::SPOT
    }

    fn same(&self) -> fn(&S::Value, &S::Value) -> bool {
        S::Value::__same
    }
}

impl<Root, T: 'static, K: Kind> Token for Field<Root, T, K> {
    type Root = Root;
    type Value = T;
    type Kind = K;

    fn spot(&self) -> Spot {
        self.spot
    }

    fn same(&self) -> fn(&T, &T) -> bool {
        self.same
    }
}

impl<Root, M: 'static, K: Kind> Token for MapField<Root, M, K> {
    type Root = Root;
    type Value = M;
    type Kind = K;

    fn spot(&self) -> Spot {
        self.field.spot
    }

    fn same(&self) -> fn(&M, &M) -> bool {
        self.field.same
    }
}

impl<S> Select<S::Root, <S::Kind as Kind>::Out<S::Value>> for S
where
    S: Token<Root: Section, Value: Clone + Send + Sync> + Send + Sync + 'static,
{
    type Ref<'r>
        = <S::Kind as Kind>::Ref<'r, S::Value>
    where
        S::Root: 'r;

    fn __get(&self, root: &S::Root) -> <S::Kind as Kind>::Out<S::Value> {
        S::Kind::out(self.spot().find(root))
    }

    fn __find<'r>(&self, root: &'r S::Root) -> Self::Ref<'r> {
        S::Kind::borrowed(self.spot().find(root))
    }

    fn __same(&self, a: &S::Root, b: &S::Root) -> bool {
        let spot = self.spot();
        both(spot.find(a), spot.find(b), self.same())
    }

    fn __numbers(&self) -> Range<u32> {
        self.spot().numbers()
    }
}

impl<S> Pick<S::Root, S::Value> for S
where
    S: Token<Root: Section, Value: Clone + Send + Sync, Kind = Total> + Send + Sync + 'static,
{
    fn __pick<'r>(&self, root: &'r S::Root) -> &'r S::Value {
        self.spot().find(root).expect(TOTAL)
    }
}

impl<Root, V> Select<Root, Option<V>> for Entry<Root, V>
where
    Root: Section,
    V: Clone + Send + Sync + 'static,
{
    type Ref<'r> = Option<&'r V>;

    fn __get(&self, root: &Root) -> Option<V> {
        self.find(root).cloned()
    }

    fn __find<'r>(&self, root: &'r Root) -> Option<&'r V> {
        self.find(root)
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

fn both<T>(a: Option<&T>, b: Option<&T>, same: fn(&T, &T) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

const TOTAL: &str = "the derive makes total tokens only for fields that are always there";
