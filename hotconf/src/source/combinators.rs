//! What every source can be turned into: optional, a part of itself, mounted below a key.

use super::{
    BoxFuture, Content, Context, Cursor, Matter, Source, SourceError, SourceErrorKind, Update, Verdict,
};
use crate::error::{Problem, ProblemKind};
use crate::schema::keys;
use crate::schema::meta::Schema;
use crate::schema::nearest::did_you_mean;
use crate::value::Layered;
use std::borrow::Cow;
use tokio_util::sync::CancellationToken;

/// Adapters of every [`Source`].
///
/// ```
/// use hotconf::{Hot, HotConf, Inline, SourceExt};
///
/// #[derive(Clone, HotConf)]
/// struct Worker {
///     threads: u32,
/// }
///
/// let all = Inline::toml("all.toml", "[worker]\nthreads = 4\n[other]\nx = 1");
/// let worker = Hot::<Worker>::builder().source(all.at("worker")).read()?;
/// assert_eq!(worker.threads, 4);
/// # Ok::<(), hotconf::Error>(())
/// ```
pub trait SourceExt: Source + Sized {
    /// Lets the source be absent: it then says nothing, and its removal is a change and no failure.
    ///
    /// A start goes on without one that has not answered by the
    /// [`startup_deadline`](crate::Builder::startup_deadline): it is down, which is told, and what it brings
    /// later is a change. Nor does a start wait longer than 2 s for a remote store that cannot be reached, for
    /// whatever reason. Any other source that answers with an error, and any that is there and not valid, fails the
    /// start all the same: a file that cannot be read is no absent file.
    fn optional(self) -> Optional<Self> {
        Optional { source: self }
    }

    /// Takes the table at `path`, a dotted path, for the whole. Where it is missing nothing is said, and that is
    /// warned of unless the source is [`optional`](Self::optional).
    ///
    /// The reserved table `hotconf` is then that of the table taken.
    fn at(self, path: &str) -> At<Self> {
        At { source: self, keys: keys::split(path), path: path.to_owned() }
    }

    /// Stops this source alone when `token` is cancelled: what it brought last stays in force, its status
    /// says [`Stopped`](crate::SourceState::Stopped), and the other sources go on. What of it was refused and
    /// waited is forgotten.
    ///
    /// ```
    /// use hotconf::{Format, Hot, HotConf, Inline, SourceExt};
    /// use tokio_util::sync::CancellationToken;
    ///
    /// #[derive(Clone, HotConf)]
    /// struct App {
    ///     port: u16,
    /// }
    ///
    /// let token = CancellationToken::new();
    /// let (source, handle) = Inline::channel("app.toml", Format::Toml, "port = 80");
    /// let config = Hot::<App>::builder().source(source.cancelled_by(&token)).blocking_start()?;
    /// token.cancel();
    /// handle.set("port = 81");
    /// config.blocking_reload()?;
    /// assert_eq!(config.load().port, 80);
    /// # Ok::<(), hotconf::Error>(())
    /// ```
    fn cancelled_by(self, token: &CancellationToken) -> CancelledBy<Self> {
        CancelledBy { source: self, token: token.clone(), asked: true }
    }

    /// Puts all that the source says below `path`, a dotted path of the configuration.
    fn under(self, path: &str) -> Under<Self> {
        Under { source: self, keys: keys::split(path), path: path.to_owned() }
    }
}

impl<S: Source> SourceExt for S {}

/// A source that may be absent: see [`SourceExt::optional`].
#[derive(Clone, Debug)]
#[must_use = "a source does nothing until it is given to a builder"]
pub struct Optional<S> {
    source: S,
}

/// A part of a source: see [`SourceExt::at`].
#[derive(Clone, Debug)]
#[must_use = "a source does nothing until it is given to a builder"]
pub struct At<S> {
    source: S,
    keys: Result<Vec<String>, &'static str>,
    path: String,
}

/// A source below a path: see [`SourceExt::under`].
#[derive(Clone, Debug)]
#[must_use = "a source does nothing until it is given to a builder"]
pub struct Under<S> {
    source: S,
    keys: Result<Vec<String>, &'static str>,
    path: String,
}

/// A source with a token of its own: see [`SourceExt::cancelled_by`].
#[derive(Clone, Debug)]
#[must_use = "a source does nothing until it is given to a builder"]
pub struct CancelledBy<S> {
    source: S,
    token: CancellationToken,
    /// The source was not asked yet, or shall be asked anew.
    asked: bool,
}

macro_rules! forward {
    () => {
        fn describe(&self) -> Cow<'_, str> {
            self.source.describe()
        }

        fn refresh(&mut self) {
            self.source.refresh();
        }

        fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
            self.source.settled(cursor, verdict);
        }

        fn is_live(&self) -> bool {
            self.source.is_live()
        }
    };
}

impl<S: Source> Source for Optional<S> {
    forward!();

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            match self.source.next(&cx.optional()).await {
                Err(error) if error.is_absent() => Ok(Update::absent()),
                other => other.map(|update| Update { optional: true, ..update }),
            }
        })
    }
}

impl<S: Source> Source for At<S> {
    forward!();

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            let keys = known(&self.keys, &self.path)?;
            let above = keys.iter().chain(cx.above()).cloned().collect();
            let inner = cx.placed(cx.schema, above);
            let mut update = self.source.next(&inner).await?;
            if let Content::Documents(docs) = &mut update.content {
                for doc in docs.iter_mut() {
                    doc.take(keys);
                }
                // Variables and arguments that say nothing of a part are the rule.
                let texts = docs.iter().any(|doc| !doc.doc.text().is_empty());
                let lacks = texts && !cx.is_optional() && !update.optional && !docs.iter().any(Layered::says);
                let remark = lacks.then(|| {
                    format!(
                        "`{}` is not in it, so all that is taken from it is nothing; \
                         say `.optional()` if it may be missing",
                        self.path
                    )
                });
                cx.warn_of(Matter::Part, remark.into_iter().collect());
            }
            Ok(update)
        })
    }
}

impl<S: Source> Source for Under<S> {
    forward!();

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            let keys = known(&self.keys, &self.path)?;
            let inner = beneath(cx, keys, &self.path)?;
            let mut update = self.source.next(&inner).await?;
            if let Content::Documents(docs) = &mut update.content {
                for doc in docs {
                    doc.mount(keys);
                }
            }
            Ok(update)
        })
    }
}

impl<S: Source> Source for CancelledBy<S> {
    fn describe(&self) -> Cow<'_, str> {
        self.source.describe()
    }

    fn refresh(&mut self) {
        self.asked = true;
        self.source.refresh();
    }

    fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
        self.source.settled(cursor, verdict);
    }

    /// There is always the token to wait for.
    fn is_live(&self) -> bool {
        true
    }

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            let answer = async {
                if !self.asked && !self.source.is_live() {
                    return std::future::pending().await;
                }
                let answer = self.source.next(cx).await;
                self.asked = false;
                answer.map(|update| Update { fixed: update.fixed || !self.source.is_live(), ..update })
            };
            let answer = self.token.run_until_cancelled(answer).await;
            // An answer that came together with the cancelling would win; off means off.
            if let Some(answer) = answer.filter(|_| !self.token.is_cancelled()) {
                return answer;
            }
            // The engine's token of this source: who awaits this future drops it now.
            cx.cancelled().cancel();
            std::future::pending().await
        })
    }
}

fn known<'k>(keys: &'k Result<Vec<String>, &'static str>, path: &str) -> Result<&'k [String], SourceError> {
    match keys {
        Ok(keys) => Ok(keys),
        Err(reason) => Err(refused(path, format!("not a path: {reason}"))),
    }
}

/// The context of a source that is mounted at `keys`: its schema is what stands there.
fn beneath(cx: &Context, keys: &[String], path: &str) -> Result<Context, SourceError> {
    let common = cx.above().iter().zip(keys).take_while(|(a, b)| a == b).count();
    if common == keys.len() {
        return Ok(cx.placed(cx.schema, cx.above()[common..].to_vec()));
    }
    if common < cx.above().len() {
        // What is mounted here is not of the part that is taken above.
        return Ok(cx.placed(Schema::EMPTY, Vec::new()));
    }
    let rest = &keys[common..];
    let spot = cx.schema.locate(rest).map_err(|miss| {
        let hint = did_you_mean(miss.suggestion(cx.schema, &rest[miss.at]).as_deref());
        refused(path, format!("nothing can be mounted here: there is no such setting{hint}"))
    })?;
    Ok(cx.placed(spot.schema.unwrap_or(Schema::EMPTY), Vec::new()))
}

fn refused(path: &str, message: String) -> SourceError {
    SourceError::problems(SourceErrorKind::Invalid, vec![Problem::new(ProblemKind::Usage, path, message)])
}
