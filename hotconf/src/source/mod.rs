//! Where configuration comes from: one small trait for files, stores and tests.
//!
//! The engine pulls; a source spawns nothing and holds no callback; cancelling is dropping a future.
//! Delivery is level-triggered: what arrives is the state as of now, so a lost or a doubled hint is
//! harmless.

mod activity;
mod context;
mod error;
mod remarks;
mod services;
mod update;

pub(crate) mod args;
#[cfg(feature = "clap")]
pub(crate) mod clap;
pub(crate) mod combinators;
pub(crate) mod env;
pub(crate) mod file;
pub(crate) mod inline;
#[cfg(feature = "remote")]
pub mod remote;
mod text;

pub(crate) use activity::{Activity, Linked};
pub use args::Args;
#[cfg(feature = "clap")]
pub use clap::Clap;
pub use combinators::SourceExt;
pub use context::{Context, Stirring};
pub(crate) use context::{Group, LONG};
pub use env::Env;
pub use error::{SourceError, SourceErrorKind};
pub use file::{Dotenv, File, SecretsDir};
pub(crate) use file::{NamedFiles, read_named};
pub use inline::{Inline, InlineHandle};
pub(crate) use remarks::{Matter, Remarks};
pub(crate) use services::{Hint, Inbox, Services, WatchFailure, Watching};
pub(crate) use update::Content;
pub use update::{Cursor, Update, Verdict};

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

/// A boxed future that can be sent to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place that configuration comes from.
///
/// The engine calls [`next`](Source::next) again and again, and drops the future to cancel. A source
/// has no thread, task or callback of its own.
///
/// ```
/// use hotconf::{BoxFuture, Context, Format, Hot, HotConf, Source, SourceError, Update};
/// use std::borrow::Cow;
///
/// /// Answers once, from a table of this machine's facts.
/// struct Machine;
///
/// impl Source for Machine {
///     fn describe(&self) -> Cow<'_, str> {
///         "this machine".into()
///     }
///     fn next<'a>(&'a mut self, _: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
///         Box::pin(async { Update::parse(Format::Toml, "this machine", b"retries = 7") })
///     }
///     fn is_live(&self) -> bool {
///         false
///     }
/// }
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder().source(Machine).blocking_start()?;
/// assert_eq!(config.load().retries, 7);
/// # Ok::<(), hotconf::Error>(())
/// ```
pub trait Source: Send + 'static {
    /// Names this source in errors, events and logs, e.g. `etcd http://10.0.0.1:2379 /shop/`.
    fn describe(&self) -> Cow<'_, str>;

    /// The first call answers at once with everything; later calls wait for what follows.
    ///
    /// It runs on the engine's one thread, which all configurations of the process share, so it must not
    /// block: no blocking I/O, no lock that is held for long, no `std::thread::sleep`. Await instead, by
    /// [`Context::sleep`] for one; or have a thread of your own do it and wake the future by a channel. A call
    /// that holds the thread for 500 ms or more is told as a warning.
    ///
    /// # Cancel safety
    ///
    /// An implementation must lose no change when the future is dropped: what was not returned is
    /// returned by the next call.
    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>>;

    /// Makes the following `next` answer at once: reload on demand, full resync.
    fn refresh(&mut self) {}

    /// Told once per update what became of it; and once more where it was refused, and a change of another source
    /// has it accepted after all.
    fn settled(&mut self, cursor: &Cursor, verdict: &Verdict) {
        let _ = (cursor, verdict);
    }

    /// Whether there can be anything to wait for after the first answer.
    ///
    /// `false` (environment, arguments): the engine does not wait on it, and asks again on `reload`.
    fn is_live(&self) -> bool {
        true
    }
}
