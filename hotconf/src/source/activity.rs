//! What sources have done and how they stand: written by a source, read by `status()`.

use super::Remarks;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What a source has done so far, for `status()`: shared by the engine and the source's context.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// How often the source was read, and how many documents were parsed.
    pub(crate) reads: AtomicU64,
    pub(crate) parses: AtomicU64,
    /// How many of the parses looked at one changed value alone.
    pub(crate) splices: AtomicU64,
    /// Changes are found by the content poll alone, because a watch could not be set.
    pub(crate) polling: AtomicBool,
    /// It may be absent: a start goes on without it. Known from its first call on.
    pub(crate) optional: AtomicBool,
    /// What it has to say of itself.
    pub(crate) remarks: Remarks,
    /// When the source was last looked at.
    checked: Mutex<Option<Instant>>,
    /// How a remote source stands, as its own loop knows it.
    standing: Mutex<Option<Standing>>,
}

/// How a remote source stands.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "remote"), allow(dead_code))]
pub(crate) struct Standing {
    pub(crate) link: Linked,
    /// Since when it is so.
    pub(crate) since: Instant,
    /// When the store last showed that it lives; the loop keeps it up to date.
    pub(crate) life: Arc<Mutex<Option<Instant>>>,
    /// It has brought something.
    pub(crate) holds: bool,
    /// It is linked, and asked now and then: its store tells nothing when it happens.
    pub(crate) polled: bool,
    /// What is in force of it came from its cache on disk.
    pub(crate) cached: bool,
    /// The place in the store's history that is in force.
    pub(crate) revision: Option<String>,
    /// Attempts that failed, since the beginning.
    pub(crate) retries: u64,
    /// Why the last attempt failed, while none has worked.
    pub(crate) error: Option<String>,
}

/// Whether a remote source is linked to its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "remote"), allow(dead_code))]
pub(crate) enum Linked {
    /// The store is followed.
    Live,
    /// The first attempt, or the first after a session was lost.
    Connecting,
    /// The store cannot be reached.
    Failing,
}

impl Activity {
    /// Notes that the source was read.
    pub(crate) fn read(&self, at: Instant) {
        *crate::sync::lock(&self.checked) = Some(at);
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes how many documents were parsed, and of how many of them one changed value alone.
    pub(crate) fn parsed(&self, parses: u64, splices: u64) {
        self.parses.fetch_add(parses, Ordering::Relaxed);
        self.splices.fetch_add(splices, Ordering::Relaxed);
    }

    /// Notes that a glance showed the source to be as it was read.
    pub(crate) fn glanced(&self, at: Instant) {
        *crate::sync::lock(&self.checked) = Some(at);
    }

    /// How it stands, where it is a remote source.
    pub(crate) fn standing(&self) -> Option<Standing> {
        crate::sync::lock(&self.standing).clone()
    }

    /// Changes how it stands.
    #[cfg(feature = "remote")]
    pub(crate) fn stand(&self, change: impl FnOnce(&mut Option<Standing>)) {
        change(&mut crate::sync::lock(&self.standing));
    }

    /// When the source was last looked at.
    pub(crate) fn checked(&self) -> Option<Instant> {
        *crate::sync::lock(&self.checked)
    }
}
