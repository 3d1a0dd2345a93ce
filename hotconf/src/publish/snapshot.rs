//! One version of every field, with where each value came from.

use crate::error::{Error, Problem, ProblemKind};
use crate::layer::{self, Explanations, Stack};
use crate::origin::Origin;
use crate::schema::meta::Schema;
use crate::schema::{Index, Select, keys};
use crate::value::Tree;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// One version of the whole configuration, owned: send it, hold it across `.await`.
///
/// It derefs to the configuration. Cloning it clones a pointer.
///
/// ```
/// use hotconf::{Hot, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = 2)]
///     workers: u32,
/// }
///
/// let config = Hot::fixed(App { workers: 4 });
/// let now = config.snapshot();
/// assert_eq!((now.workers, now.version()), (4, 1));
/// ```
pub struct Snapshot<T>(pub(crate) Arc<Version<T>>);

/// A value and what is known of the version that brought it.
pub(crate) struct Version<T> {
    pub(crate) value: T,
    pub(crate) meta: Arc<Meta>,
    pub(crate) scope: Scope,
}

/// Which part of the root a value is: its first number in the root's numbering.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) base: u32,
}

/// What is known of a version, whatever the type.
pub(crate) struct Meta {
    pub(crate) number: u64,
    pub(crate) at: SystemTime,
    pub(crate) schema: &'static Schema,
    pub(crate) index: Arc<Index>,
    /// The merged tree that the running value was loaded from.
    pub(crate) tree: Arc<Tree>,
    /// Leaves whose desired value waits for a restart.
    pub(crate) waiting: Vec<u32>,
    /// What the layers say: the desired configuration.
    pub(crate) stack: Arc<Stack>,
    pub(crate) fingerprint: OnceLock<String>,
}

impl Meta {
    /// Whether the value came from the program: no tree and no layer speaks of it.
    fn is_fixed(&self) -> bool {
        self.tree.root().is_absent()
    }

    /// The paths of the leaves that wait for a restart.
    fn waiting_paths(&self) -> Vec<&str> {
        self.waiting.iter().map(|number| self.index.path(*number)).collect()
    }
}

impl<T> Snapshot<T> {
    /// The version: 1 for the first, and one more for each that was installed since.
    ///
    /// A [`View`](crate::View)'s snapshot says in which version its section last moved.
    pub fn version(&self) -> u64 {
        self.0.meta.number
    }

    /// When this version was installed, by the wall clock.
    pub fn time(&self) -> SystemTime {
        self.0.meta.at
    }

    /// Where the field's value was set; for a section, where its topmost layer begins.
    pub fn origin<Out>(&self, field: impl Select<T, Out>) -> Origin {
        layer::origin_of(&self.0.meta.tree, self.0.meta.schema, &self.path_of(&field))
    }

    /// The field's dotted path from the root of the configuration.
    pub(crate) fn path_of<Out>(&self, field: &impl Select<T, Out>) -> String {
        let mut numbers = field.__numbers();
        numbers.start += self.0.scope.base;
        numbers.end += self.0.scope.base;
        let mut path = self.0.meta.index.path_of(&numbers).to_owned();
        if let Some(entry) = field.__key() {
            keys::push(&mut path, entry);
        }
        path
    }

    /// A short text that is the same wherever the same effective content is in force, secrets left out.
    ///
    /// Compare it over a fleet. It is made from the values as written, in a canonical order, so a
    /// comment, an order or a file moved changes nothing; `"5s"` and `"5000ms"` differ.
    ///
    /// A default that is written out counts as the default where it is a literal, `None`, or an empty
    /// list or map. What an expression, a type's `Default` or a section's default as a whole gives is not
    /// known as text: written out, it has another fingerprint. Empty of [`Hot::fixed`](crate::Hot::fixed),
    /// whose content is not known as text either.
    pub fn fingerprint(&self) -> &str {
        let meta = &self.0.meta;
        if meta.is_fixed() {
            return "";
        }
        meta.fingerprint.get_or_init(|| layer::fingerprint(&meta.tree, meta.schema))
    }

    /// Tells whether two handles hold the very same version.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("version", &self.version()).field("value", &self.0.value).finish()
    }
}

impl<T> Snapshot<T> {
    /// Version 1 of a value that came from nowhere.
    pub(crate) fn fixed(value: T, schema: &'static Schema) -> Self {
        let meta = Arc::new(Meta {
            number: 1,
            at: SystemTime::now(),
            schema,
            index: Arc::new(Index::new(schema)),
            tree: Arc::default(),
            waiting: Vec::new(),
            stack: Arc::default(),
            fingerprint: OnceLock::new(),
        });
        Self(Arc::new(Version { value, meta, scope: Scope::default() }))
    }

    /// Every layer's value of one field, the winner first; of a section, all its fields.
    pub fn explain_field<Out>(&self, field: impl Select<T, Out>) -> Explanations {
        self.explain_path(&self.path_of(&field)).unwrap_or_default()
    }

    /// [`explain_field`](Self::explain_field) by path, e.g. `http.timeout` or `flags.new-checkout`.
    ///
    /// # Errors
    ///
    /// A path that leads nowhere, with the nearest that does; any path of a fixed value, which has no layers.
    pub fn explain_path(&self, path: &str) -> Result<Explanations, Error> {
        if self.0.meta.is_fixed() {
            let message = "a fixed value came from no source: there is nothing to explain";
            let problem = Problem::new(ProblemKind::Usage, path, message);
            return Err(Error::problems_in("this call", vec![problem]));
        }
        layer::explain(&self.0.meta.stack, self.0.meta.schema, path)
            .map(|explained| explained.with_waiting(&self.0.meta.waiting_paths()))
            .map_err(|problem| Error::problems_in("this call", vec![problem]))
    }

    /// Every field with its value and its origin, to print: what the layers say, so that a field that
    /// waits for a restart shows its new value and says so. Of a view's snapshot, the whole
    /// configuration's; of a fixed value, nothing.
    pub fn explain(&self) -> Explanations {
        if self.0.meta.is_fixed() {
            return Explanations::default();
        }
        layer::explain_all(&self.0.meta.stack, self.0.meta.schema).with_waiting(&self.0.meta.waiting_paths())
    }
}
