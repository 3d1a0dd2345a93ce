//! Live configuration for Rust.
#![forbid(unsafe_code)]
#![allow(dead_code, unused_imports)]

mod error;
mod origin;
mod secret;
mod sync;
mod units;
mod value;

mod format;
mod schema;

mod layer;
mod source;

mod control;
mod diff;
mod engine;
mod load;
mod observe;
mod publish;
mod subscribe;

mod builder;
mod hot;
mod view;

#[doc(hidden)]
pub mod private;
pub mod testing;

pub use error::{Error, Problem, ProblemKind};
pub use format::Format;
pub use layer::{Candidate, Explanation, Explanations};
pub use load::HotConf;
pub use origin::Origin;
#[cfg(feature = "clap")]
pub use source::Clap;
pub use source::{
    Args, BoxFuture, Context, Cursor, Dotenv, Env, File, Inline, InlineHandle, SecretsDir, Source, SourceError,
    SourceErrorKind, SourceExt, Stirring, Update, Verdict,
};
pub use units::ByteSize;
pub use value::Value;
