//! Tree → typed value, through the derive: every problem in one pass.
//!
//! Pure: no I/O, no clock, no lock. Generated code names fields and types and calls the [`Loader`];
//! the logic is here.

mod at;
mod boxed;
mod checks;
mod loader;
mod nested;
mod panics;
mod patch;
mod refusal;
mod run;
mod set;
#[cfg(test)]
mod tests;

pub use at::At;
pub(crate) use at::named_by_default;
pub use loader::Loader;
pub use nested::Nested;
pub(crate) use run::{load, recheck, update};
pub use set::SetError;

use crate::diff::Diff;
use crate::schema::Moved;
use crate::schema::meta::Schema;

/// A configuration type: implemented by `#[derive(HotConf)]`, not by hand.
///
/// The derive generates the setters, the field table and the typed diff; a program calls the methods
/// without `__`.
///
/// ```
/// use hotconf::HotConf;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     /// How often to try again.
///     #[hotconf(default = 3, range = "1..=10")]
///     retries: u32,
/// }
///
/// let mut app = App { retries: 3 };
/// let before = app.clone();
/// app.set("retries", 5)?;
/// assert_eq!(before.diff(&app).paths(), ["retries"]);
/// assert!(app.set("retries", 50).is_err());
/// assert_eq!(app.retries, 5);
/// # Ok::<(), hotconf::SetError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a section of configuration",
    label = "this type does not derive `HotConf`",
    note = "write `#[derive(HotConf)]` on `{Self}`, or remove `nested` to read it as one value",
    note = "`nested` also works on an `Option`, a `Vec` and a `HashMap` or `BTreeMap` from `String` of such a type"
)]
pub trait HotConf: crate::schema::Section + Clone + Send + Sync + Sized + 'static {
    /// The table of fields: path, type, doc, default, range and flags of each.
    fn fields() -> crate::schema::Fields {
        crate::schema::Fields::of(Self::SCHEMA)
    }

    /// Sets what stands at `path`: a leaf, a section, an entry of a map, a list as a whole.
    ///
    /// The value goes the way of a document: decoded by the field's own type, held to its range, asked
    /// of its checks and those of all sections above. A text for a field that is no string is
    /// [`Value::Text`](crate::Value::Text). `()` unsets: `None`, the default, or an entry less.
    ///
    /// A section that is missing, or an entry that is new, is made of what is set and of its defaults. A
    /// field of an enum can be set where the enum is of a variant that has it; another variant is set as a
    /// whole, with its tag. Of a map of leaves, `HashMap<String, _>` or `BTreeMap<String, _>`, one entry
    /// can be set, too.
    ///
    /// # Errors
    ///
    /// Path, expected and found; the value is then as it was.
    fn set<V: serde::Serialize>(&mut self, path: &str, value: V) -> Result<(), SetError> {
        set::set(self, path, &value)
    }

    /// Tells which fields differ, from this value, the old one, to `new`. Allocates nothing where none
    /// does.
    fn diff<'v>(&'v self, new: &'v Self) -> Diff<'v, Self> {
        let mut moved = Moved::with_details();
        self.__differ(new, 0, &mut moved);
        Diff::between(self, new, moved)
    }

    /// What the type says of itself.
    #[doc(hidden)]
    const SCHEMA: &'static Schema = Self::SECTION;

    /// Builds the value from a section of the tree; `None` where a problem was reported.
    #[doc(hidden)]
    fn __load(cx: &mut Loader<'_>, at: At<'_>) -> Option<Self>;

    /// Sets the fields that moved between the loader's old and new tree, and checks them.
    #[doc(hidden)]
    fn __update(&mut self, cx: &mut Loader<'_>, at: At<'_>);

    /// Adds the numbers of the fields that differ, counted from `base`.
    #[doc(hidden)]
    fn __differ(&self, other: &Self, base: u32, out: &mut crate::schema::Moved);

    /// Takes every `restart` leaf from `start`.
    #[doc(hidden)]
    fn __freeze(&mut self, start: &Self) {
        let _ = start;
    }
}
