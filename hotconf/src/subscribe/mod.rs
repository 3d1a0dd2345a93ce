//! Tells exactly the subscribers whose field moved.
//!
//! [`registry`] knows who wants what; [`callback`] and [`watch`] are the two kinds of subscriber, both
//! fed through a [`fold`]; [`job`] is how a callback reaches a worker, and [`calls`] counts who runs; [`signal`] and [`gate`] are the two
//! places where somebody waits, [`blocking`] parks a thread for a future; [`subscription`] is the guard; [`change`] is what a callback is given.
//!
//! Rules: no lock is held across code of the user (closures, their captures, `PartialEq`, `Clone` and
//! wakers); the thread that tells runs no code of the user but wakers; a panic of the user stays with
//! the subscriber that caused it.

pub(crate) mod blocking;
mod callback;
mod calls;
mod change;
mod fold;
mod gate;
mod job;
mod registry;
mod signal;
mod subscription;
#[cfg(test)]
mod tests;
mod topic;
mod watch;

pub use change::Change;
pub use subscription::Subscription;
pub use watch::Watch;

pub(crate) use calls::Calls;
pub(crate) use job::{Job, Pool, Report, Trouble, contained};
pub(crate) use registry::Hub;
pub(crate) use topic::Topic;
