//! What a source brings, and what it is told of it.

use super::SourceError;
use crate::format::Format;
use crate::value::{Document, Layered};
use std::sync::Arc;

/// Where in a source's history an update stands.
///
/// ```
/// use hotconf::{Cursor, Format, Update};
///
/// // Revision 42 of a store, in the life of the store that it was read in.
/// let cursor = Cursor { epoch: 1, order: 42, ..Cursor::default() };
/// let update = Update::parse(Format::Toml, "store", b"retries = 3")?.with_cursor(cursor);
/// # let _ = update;
/// # Ok::<(), hotconf::SourceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Which history.
    pub epoch: u64,
    /// The place in it; 0 where places cannot be compared.
    pub order: u64,
    /// Verbatim, for the server.
    pub token: Option<Box<str>>,
}

/// What became of an update: what a source is told in [`Source::settled`](crate::Source::settled).
///
/// ```
/// use hotconf::Verdict;
///
/// fn acknowledge(verdict: &Verdict) -> bool {
///     matches!(verdict, Verdict::Applied { .. } | Verdict::Unchanged)
/// }
/// assert!(acknowledge(&Verdict::Applied { version: 2 }));
/// assert!(!acknowledge(&Verdict::Refused));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is in force as of this version.
    Applied {
        /// The version that has it.
        version: u64,
    },
    /// It is accepted and moved nothing: it says what was in force already, or all of it waits for a restart.
    Unchanged,
    /// It was refused; what it brought before stays in force.
    Refused,
    /// A newer one of the same source came before it was looked at.
    Superseded,
}

/// The state of a source as of now: a whole document, or nothing.
///
/// ```
/// use hotconf::{Cursor, Format, SourceErrorKind, Update};
///
/// assert!(Update::parse(Format::Toml, "settings", b"retries = 3").is_ok());
/// let error = Update::parse(Format::Toml, "settings", b"retries = ").unwrap_err();
/// assert_eq!(error.kind(), SourceErrorKind::Invalid);
/// ```
#[derive(Clone, Debug)]
pub struct Update {
    pub(crate) content: Content,
    pub(crate) cursor: Cursor,
    /// It came through `.optional()`: that a part of it is missing is no news.
    pub(crate) optional: bool,
    /// Nothing follows it until it is asked for, though there is a token to wait for.
    pub(crate) fixed: bool,
}

/// What is in an [`Update`].
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// The documents of the source, lowest first: one of most, several of a directory of fragments.
    Documents(Vec<Layered>),
    /// An optional source that is not there.
    Absent,
}

impl Update {
    /// A text in `format`, within the default limits; `name` is what errors call it, e.g. a path or an address.
    ///
    /// # Errors
    ///
    /// Every syntax error of the text, with line and column.
    pub fn parse(format: Format, name: &str, text: &[u8]) -> Result<Self, SourceError> {
        let doc = crate::format::parse(format, name, text)
            .map_err(|problems| SourceError::problems(super::SourceErrorKind::Invalid, problems))?;
        Ok(Self::documents(vec![Arc::new(doc)]))
    }

    pub(crate) fn documents(docs: Vec<Arc<Document>>) -> Self {
        Self {
            content: Content::Documents(docs.into_iter().map(Layered::from).collect()),
            cursor: Cursor::default(),
            optional: false,
            fixed: false,
        }
    }

    /// The source is there and has nothing to say.
    pub fn absent() -> Self {
        Self { content: Content::Absent, cursor: Cursor::default(), optional: false, fixed: false }
    }

    /// What it brings, lowest first; nothing for a source that is not there.
    pub(crate) fn into_docs(self) -> Vec<Layered> {
        match self.content {
            Content::Documents(docs) => docs,
            Content::Absent => Vec::new(),
        }
    }

    /// Each value of it counts as a secret, whatever field it is for: no error, event, explanation or fingerprint shows
    /// it, and no cache keeps it unless it is sealed.
    ///
    /// What the program's own type shows is its own to say: a field that is no [`Secret`](crate::Secret) is in the
    /// `Debug` of its struct.
    ///
    /// ```
    /// use hotconf::{BoxFuture, Context, Hot, HotConf, Source, SourceError, Format, Update};
    ///
    /// struct Safe;
    ///
    /// impl Source for Safe {
    ///     fn describe(&self) -> std::borrow::Cow<'_, str> {
    ///         "safe".into()
    ///     }
    ///     fn next<'a>(&'a mut self, _: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
    ///         let update = Update::parse(Format::Toml, "safe", b"user = 'shop'").map(Update::secret);
    ///         Box::pin(std::future::ready(update))
    ///     }
    /// }
    ///
    /// # #[derive(Clone, HotConf)]
    /// # struct App {
    /// #     user: String,
    /// # }
    /// let app = Hot::<App>::builder().source(Safe).read()?;
    /// assert_eq!(app.user, "shop");
    /// assert_eq!(app.explain_path("user")?[0].value(), "(secret)");
    /// # Ok::<(), hotconf::Error>(())
    /// ```
    #[must_use]
    pub fn secret(mut self) -> Self {
        if let Content::Documents(docs) = &mut self.content {
            for doc in docs {
                Arc::make_mut(&mut doc.doc).set_secret();
            }
        }
        self
    }

    /// Says where in the source's history it stands.
    #[must_use]
    pub fn with_cursor(mut self, cursor: Cursor) -> Self {
        self.cursor = cursor;
        self
    }
}
