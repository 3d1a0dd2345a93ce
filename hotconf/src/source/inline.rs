//! Documents that the program holds itself: for tests, built-in bases, and settings made by code.

use super::{BoxFuture, Context, Source, SourceError, SourceErrorKind, Update};
use crate::error::{Problem, ProblemKind};
use crate::format::Format;
use crate::origin::Origin;
use crate::sync::lock;
use crate::value::{Document, Value};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// A document in the program.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     port: u16,
/// }
///
/// let app = Hot::<App>::builder().source(Inline::toml("app.toml", "port = 80")).read()?;
/// assert_eq!(app.port, 80);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a source does nothing until it is given to a builder"]
pub struct Inline {
    name: String,
    shared: Arc<Shared>,
    /// The version that the last update had; 0 before the first.
    seen: u64,
    live: bool,
}

/// Replaces the document of an [`Inline`] source while it is in use.
///
/// ```
/// use hotconf::{Format, Inline};
///
/// let (source, handle) = Inline::channel("app.toml", Format::Toml, "port = 80");
/// handle.set("port = 81");
/// # drop(source);
/// ```
#[derive(Clone, Debug)]
pub struct InlineHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

struct State {
    content: Held,
    /// Counts up with every `set`, from 1.
    version: u64,
    waker: Option<Waker>,
}

#[derive(Clone)]
enum Held {
    Text(Format, Arc<str>),
    Document(Arc<Document>),
    /// What was given could not be written, and why.
    Nothing(Arc<str>),
}

impl std::fmt::Debug for State {
    /// Shows no content: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Inline {
    /// A TOML text; `name` is what errors call it.
    pub fn toml(name: impl Into<String>, text: impl AsRef<str>) -> Self {
        Self::text(name, Format::Toml, text)
    }

    /// A YAML text; `name` is what errors call it.
    pub fn yaml(name: impl Into<String>, text: impl AsRef<str>) -> Self {
        Self::text(name, Format::Yaml, text)
    }

    /// A JSON text; `name` is what errors call it.
    pub fn json(name: impl Into<String>, text: impl AsRef<str>) -> Self {
        Self::text(name, Format::Json, text)
    }

    /// Whatever serde can write, a struct or a [`Value`]; `name` is what errors call it.
    ///
    /// A `Duration` is taken as it is. What serde refuses to write is an error of the load.
    ///
    /// ```
    /// use hotconf::{Hot, HotConf, Inline};
    /// use std::collections::HashMap;
    ///
    /// #[derive(Clone, HotConf)]
    /// struct App {
    ///     port: u16,
    /// }
    ///
    /// let base = HashMap::from([("port", 80)]);
    /// assert_eq!(Hot::<App>::builder().source(Inline::value("built in", &base)).read()?.port, 80);
    /// # Ok::<(), hotconf::Error>(())
    /// ```
    pub fn value(name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        let held = match Value::of(&value) {
            Ok(value) => Held::Document(Arc::new(Document::of(&name, &value))),
            Err(error) => Held::Nothing(error.to_string().into()),
        };
        Self::holding(name, held, false)
    }

    /// A text that can be replaced through the handle, as if a file had been saved.
    pub fn channel(name: impl Into<String>, format: Format, text: impl AsRef<str>) -> (Self, InlineHandle) {
        let source = Self::holding(name.into(), Held::Text(format, text.as_ref().into()), true);
        let handle = InlineHandle { shared: source.shared.clone() };
        (source, handle)
    }

    /// A text of `format`; `name` is what errors call it.
    pub fn text(name: impl Into<String>, format: Format, text: impl AsRef<str>) -> Self {
        Self::holding(name.into(), Held::Text(format, text.as_ref().into()), false)
    }

    fn holding(name: String, content: Held, live: bool) -> Self {
        let state = Mutex::new(State { content, version: 1, waker: None });
        Self { name, shared: Arc::new(Shared { state }), seen: 0, live }
    }
}

impl InlineHandle {
    /// Replaces the text; its format stays. Of several calls in a row the last one counts.
    pub fn set(&self, text: impl AsRef<str>) {
        self.replace(|content| {
            let format = match content {
                Held::Text(format, _) => *format,
                Held::Document(_) | Held::Nothing(_) => Format::Toml,
            };
            Held::Text(format, text.as_ref().into())
        });
    }

    fn replace(&self, with: impl FnOnce(&Held) -> Held) {
        let waker = {
            let mut state = lock(&self.shared.state);
            state.content = with(&state.content);
            state.version += 1;
            state.waker.take()
        };
        // Woken after the lock is released: the woken task may look at once.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Source for Inline {
    fn describe(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }

    fn next<'a>(&'a mut self, context: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            // Cancel-safe: nothing counts as taken before it is returned.
            let (content, version) = std::future::poll_fn(|cx| {
                let mut state = lock(&self.shared.state);
                if state.version == self.seen {
                    state.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready((state.content.clone(), state.version))
            })
            .await;
            let update = match content {
                Held::Text(format, text) => context.parse_apart(format, &self.name, text).await,
                Held::Document(doc) => Ok(Update::documents(vec![doc])),
                Held::Nothing(reason) => {
                    let problem = Problem::new(ProblemKind::Usage, "", reason.as_ref());
                    let problem = problem.at(Origin::named(&*self.name, self.name.clone()));
                    Err(SourceError::problems(SourceErrorKind::Invalid, vec![problem]))
                }
            };
            self.seen = version;
            update
        })
    }

    fn refresh(&mut self) {
        self.seen = 0;
    }

    fn is_live(&self) -> bool {
        self.live
    }
}
