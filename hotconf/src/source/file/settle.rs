//! When a file that stirs is read, and when what was read is taken: a pure machine.
//!
//! Signs with their instants go in, a [`Decision`] comes out; it reads no clock and no file. The rules
//! that hold:
//!
//! 1. That a writer is at work is book-keeping: a modification opens, a close or a rename closes.
//!    While anything is open, no content is taken; at [`TROUBLE`] a peek tells trouble only.
//! 2. A window opens with the first sign and closes with what was taken, or with nothing to tell.
//!    Every wait in it ends: quiet at [`CEILING`], open files at [`HELD`], trouble at [`TROUBLE`].
//! 3. Signs are a wake-up: a window that turns out to hold the same bytes closes in silence.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Quiet after a close, before the file is read: an editor's second write comes within it.
pub(super) const QUIET: Duration = Duration::from_millis(20);
/// Longest wait for quiet, from the first sign: constant saves must not starve the reader.
pub(super) const CEILING: Duration = Duration::from_millis(300);
/// How long a file that was modified and not closed is held back, from its last modification.
pub(super) const HELD: Duration = Duration::from_secs(2);
/// How long a file may be gone, empty or unreadable before it is told. The promise is one second; the
/// rest is for the way to the subscriber.
pub(super) const TROUBLE: Duration = Duration::from_millis(950);
/// A change that no event announced is read again after this, and taken if it stayed the same.
pub(super) const CONFIRM: Duration = Duration::from_millis(100);
/// A file whose time of modification says that it changed just now, though its events say that all is
/// quiet, is read again after this: events travel through another thread and may be late.
pub(super) const VERIFY: Duration = Duration::from_millis(10);

/// What a hint means for the file that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Renamed into place, or a link that was made: whole.
    Whole,
    /// Closed after writing.
    Closed,
    /// Created, and so far not written.
    Created,
    /// Modified.
    Written,
    /// Removed or renamed away.
    Gone,
    /// Permissions or times changed, or a name that was removed exists again.
    Touched,
    /// Events were lost.
    Lost,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing stirs.
    Idle,
    /// Look again then, or at the next sign.
    Wait(Instant),
    /// Read, and say what was [`seen`](Settle::seen).
    Read(Trust),
}

/// How far what is read now can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Renamed into place: whole by construction.
    Whole,
    /// All writers have closed.
    Quiet,
    /// A writer holds the file: only trouble is told.
    Peek,
}

/// What a read found. The number is a digest of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// What was told last.
    Same,
    /// A document, or text that is none; `fresh`: modified within the last milliseconds.
    Content { digest: u64, fresh: bool, valid: bool },
    /// Fewer pieces than before: a fragment is gone, a search falls back.
    Shrunk,
    /// Missing, emptied, or not to be read.
    Lacking,
    /// It changed under each attempt to read it.
    Unsteady,
}

/// What becomes of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Tell it.
    Deliver,
    /// It is what was told last.
    Nothing,
    /// Not yet: decide again.
    Wait,
}

/// The machine.
#[derive(Debug, Default)]
pub(super) struct Settle {
    window: Option<Window>,
    /// Files that were modified and not closed, with their last modification.
    open: Vec<(PathBuf, Instant)>,
}

#[derive(Debug)]
struct Window {
    first: Instant,
    last: Instant,
    /// Quiet is waited for until then.
    ceiling: Instant,
    /// A file was renamed into place and nothing was written since.
    whole: bool,
    /// Signs may be missing: what is read must be confirmed.
    unsure: bool,
    /// The next read, where a read has asked for another.
    again: Option<Instant>,
    /// Digest of what awaits confirmation.
    suspect: Option<u64>,
    /// The last read found the file missing, emptied or unreadable.
    lacking: bool,
    /// Somebody asked: the next read is told, whatever it finds.
    demanded: bool,
    /// A peek has been made.
    peeked: bool,
    /// The first read for which all writers had closed.
    read: Option<Instant>,
    /// There is reason to think that a change is coming.
    stirs: bool,
}

impl Window {
    fn new(at: Instant) -> Self {
        Self {
            first: at,
            last: at,
            ceiling: at + CEILING,
            whole: false,
            unsure: false,
            again: None,
            suspect: None,
            lacking: false,
            demanded: false,
            peeked: false,
            read: None,
            stirs: false,
        }
    }
}

impl Settle {
    /// A sign came at `at` about the file at `path`.
    pub(super) fn sign(&mut self, at: Instant, sign: Sign, path: &Path) {
        let window = self.window.get_or_insert_with(|| Window::new(at));
        window.last = window.last.max(at);
        // A read that awaits confirmation keeps its date; one that waits for a file to come back does not.
        if window.suspect.is_none() && !window.demanded {
            window.again = None;
        }
        window.stirs |= !matches!(sign, Sign::Touched);
        match sign {
            Sign::Whole => window.whole = true,
            Sign::Created | Sign::Written | Sign::Gone => window.whole = false,
            Sign::Lost => (window.whole, window.unsure) = (false, true),
            Sign::Closed | Sign::Touched => {}
        }
        match sign {
            Sign::Written => match self.open.iter_mut().find(|(open, _)| open == path) {
                Some((_, last)) => *last = at,
                None => self.open.push((path.to_owned(), at)),
            },
            Sign::Whole | Sign::Closed | Sign::Gone => self.open.retain(|(open, _)| open != path),
            Sign::Lost => self.open.clear(),
            Sign::Created | Sign::Touched => {}
        }
    }

    /// The content poll is due: whatever it finds was announced by no event.
    pub(super) fn poll(&mut self, now: Instant) {
        if self.window.is_none() {
            self.window = Some(Window { unsure: true, again: Some(now), ..Window::new(now) });
        }
    }

    /// Somebody wants to know now: what is on disk is told, unless a writer holds it.
    pub(super) fn demand(&mut self, now: Instant) {
        let window = self.window.get_or_insert_with(|| Window::new(now));
        (window.demanded, window.again) = (true, Some(now));
    }

    /// A directory is followed as of now that was not before: what happened in it is not known.
    pub(super) fn blind(&mut self, now: Instant) {
        let window = self.window.get_or_insert_with(|| Window::new(now));
        window.unsure |= !window.whole;
    }

    /// What to do at `now`; `alone`: the configuration follows this one file and no other.
    pub(super) fn decide(&mut self, now: Instant, alone: bool) -> Decision {
        let Some(window) = &self.window else { return Decision::Idle };
        self.open.retain(|(_, last)| now < *last + HELD);
        if let Some(release) = self.open.iter().map(|(_, last)| *last + HELD).max() {
            let peek = window.first + TROUBLE;
            return match window.peeked {
                false if now >= peek => Decision::Read(Trust::Peek),
                false => Decision::Wait(release.min(peek)),
                true => Decision::Wait(release),
            };
        }
        let whole = window.whole && alone && window.suspect.is_none();
        if whole && window.again.is_none() {
            return Decision::Read(Trust::Whole);
        }
        let due = window.again.unwrap_or_else(|| (window.last + QUIET).min(window.ceiling));
        if now < due {
            return Decision::Wait(due);
        }
        Decision::Read(if whole { Trust::Whole } else { Trust::Quiet })
    }

    /// What the read found that [`decide`](Self::decide) asked for.
    pub(super) fn seen(&mut self, now: Instant, trust: Trust, seen: Seen) -> Outcome {
        let Some(window) = &mut self.window else { return Outcome::Nothing };
        if trust == Trust::Peek {
            window.peeked = true;
            let trouble = matches!(seen, Seen::Lacking | Seen::Content { valid: false, .. });
            return if trouble { Outcome::Deliver } else { Outcome::Wait };
        }
        let demanded = std::mem::take(&mut window.demanded);
        let read = *window.read.get_or_insert(now);
        let since = if matches!(seen, Seen::Content { .. }) { read } else { window.first };
        let late = demanded || now >= since + TROUBLE;
        let wait = match seen {
            Seen::Same if demanded => None,
            Seen::Same => {
                self.window = None;
                return Outcome::Nothing;
            }
            _ if late => None,
            Seen::Content { digest, .. } if window.suspect == Some(digest) => None,
            Seen::Content { digest, fresh, valid } => {
                let quiet = now >= window.last + QUIET;
                let wait = match trust {
                    Trust::Whole => None,
                    _ if window.unsure => Some(CONFIRM),
                    _ if fresh => Some(VERIFY),
                    _ if !valid && !quiet => Some(QUIET),
                    _ => None,
                };
                window.suspect = wait.map(|_| digest);
                wait.map(|wait| now + wait)
            }
            Seen::Shrunk | Seen::Lacking => {
                (window.lacking, window.suspect) = (true, None);
                Some(window.first + TROUBLE)
            }
            Seen::Unsteady => Some(now + QUIET),
        };
        let Some(again) = wait else {
            self.window = None;
            return Outcome::Deliver;
        };
        window.lacking = matches!(seen, Seen::Shrunk | Seen::Lacking);
        window.stirs |= !window.lacking;
        (window.again, window.ceiling) = (Some(again), now + CEILING);
        Outcome::Wait
    }

    /// Whether a change seems to be coming, so that others should wait for it.
    pub(super) fn is_stirring(&self) -> bool {
        self.window.as_ref().is_some_and(|window| window.stirs && !window.lacking)
    }

    /// Whether a writer holds a file.
    pub(super) fn is_held(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether nothing is being waited for.
    pub(super) fn is_idle(&self) -> bool {
        self.window.is_none()
    }
}
