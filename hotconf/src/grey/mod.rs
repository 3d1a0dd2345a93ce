//! Overlays of a document that hold on some instances only: by label, by share, by time.
//!
//! [`read`] makes rules of the table `hotconf.when`; [`rule`] says whether one holds here and now, why, and when
//! that changes; [`test`](self::test) is what a rule asks of a label, [`bucket`] where an instance stands in a share,
//! [`moment`] an instant as it is written. Pure: who we are and what time it is are given.

mod bucket;
mod instance;
mod moment;
mod read;
mod rule;
mod test;

pub use instance::Instance;
pub(crate) use moment::Moment;
pub(crate) use read::{Overlay, read};
