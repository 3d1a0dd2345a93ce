//! The one error type, and the problems of which it is made.
//!
//! An [`Error`] says in one report everything that is wrong: what, where, what was expected, what was
//! found, and what stays in force. No secret can be in it: the stages that make a [`Problem`] leave
//! the found value out wherever the field is secret or unknown.

mod problem;
mod report;

pub use problem::{Problem, ProblemKind};
pub use report::Error;
