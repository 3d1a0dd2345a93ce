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
pub use load::HotConf;
pub use origin::Origin;
pub use source::{
    BoxFuture, Context, Cursor, Source, SourceError, SourceErrorKind, Stirring, Update, Verdict,
};
pub use value::Value;
