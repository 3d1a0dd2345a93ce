//! What a [`Feed`](super::feed::Feed) tells those who follow it: the state as of now.

use super::store::Map;
use super::warnings::Warnings;
use crate::source::{Cursor, SourceError};
use std::sync::Arc;

/// What followers see.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    /// All keys, as of `cursor`; `None` before the first listing.
    pub(super) map: Option<Arc<Map>>,
    /// Counts what `map` was.
    pub(super) content: u64,
    pub(super) cursor: Cursor,
    pub(super) link: Link,
    /// The session asks now and then, and is told nothing.
    pub(super) polled: bool,
    /// The last request to list anew that was answered, well or not.
    pub(super) answered: u64,
    /// Attempts that failed since the beginning.
    pub(super) retries: u64,
    /// Why the last attempt failed.
    pub(super) error: Option<SourceError>,
    /// Counts the times that the store was lost.
    pub(super) outage: u64,
    pub(super) warnings: Warnings,
}

/// How the connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    /// The first attempt, or the first after a session was lost, which comes soon: no reason to say anything yet.
    #[default]
    Connecting,
    /// A session follows the store.
    Live,
    /// An attempt failed.
    Failing,
}
