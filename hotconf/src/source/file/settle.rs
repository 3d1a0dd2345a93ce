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
/// Longest wait for quiet, from the first sign after which nobody writes: constant saves must not
/// starve the reader.
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

/// For how long a file that is always fresh is read again; then the events alone are believed.
pub(super) const VERIFIED: Duration = Duration::from_millis(30);

/// A writer that has held a file for this long is spoken of: it would be waited for without end.
pub(super) const LONG_HELD: Duration = Duration::from_secs(10);

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
    /// Files that are being written.
    open: Vec<Hold>,
}

/// A file that was modified and not closed.
#[derive(Debug)]
struct Hold {
    path: PathBuf,
    /// Its first and its last modification since it was last closed.
    first: Instant,
    last: Instant,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is one thing that was seen; any may hold beside any.
struct Window {
    first: Instant,
    last: Instant,
    /// Quiet is waited for until then; set once no file is open, for a hold is not quiet's to end.
    ceiling: Option<Instant>,
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
    /// A peek has been made into what is held now.
    peeked: bool,
    /// Since when it is missing, emptied or unreadable, with nobody at work on it.
    trouble: Option<Instant>,
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
            ceiling: None,
            whole: false,
            unsure: false,
            again: None,
            suspect: None,
            lacking: false,
            demanded: false,
            peeked: false,
            trouble: None,
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
            Sign::Written => match self.open.iter_mut().find(|hold| hold.path == path) {
                Some(hold) => hold.last = at,
                None => self.open.push(Hold { path: path.to_owned(), first: at, last: at }),
            },
            Sign::Whole | Sign::Closed | Sign::Gone => self.open.retain(|hold| hold.path != path),
            Sign::Lost => self.open.clear(),
            Sign::Created | Sign::Touched => {}
        }
        if !matches!(sign, Sign::Gone | Sign::Touched) {
            // Somebody is at work on it: what was missing may be there now.
            window.trouble = None;
        }
        if self.open.is_empty() {
            window.peeked = false;
            window.ceiling.get_or_insert(at + CEILING);
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
        self.open.retain(|hold| now < hold.last + HELD);
        if let Some(release) = self.open.iter().map(|hold| hold.last + HELD).max() {
            let first = self.open.iter().map(|hold| hold.first).min().unwrap_or(now);
            let peek = first + TROUBLE;
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
        let due = window.again.unwrap_or_else(|| {
            let quiet = window.last + QUIET;
            window.ceiling.map_or(quiet, |ceiling| quiet.min(ceiling))
        });
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
        let since = match seen {
            Seen::Shrunk | Seen::Lacking => *window.trouble.get_or_insert(window.last),
            _ => *window.read.get_or_insert(now),
        };
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
                Some(since + TROUBLE)
            }
            Seen::Unsteady => Some(now + QUIET),
        };
        let Some(again) = wait else {
            self.window = None;
            return Outcome::Deliver;
        };
        window.lacking = matches!(seen, Seen::Shrunk | Seen::Lacking);
        window.stirs |= !window.lacking;
        // Who saves all the time is not waited for twice.
        let ceiling = (now < window.last + QUIET).then_some(now + QUIET);
        (window.again, window.ceiling) = (Some(again), ceiling);
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

    /// Whether a writer has kept this window open for so long that somebody should know.
    pub(super) fn is_long_held(&self, now: Instant) -> bool {
        self.is_held() && self.window.as_ref().is_some_and(|window| now >= window.first + LONG_HELD)
    }

    /// Whether what changes all the time has been read over and over.
    pub(super) fn has_verified(&self, now: Instant) -> bool {
        let read = self.window.as_ref().and_then(|window| window.read);
        read.is_some_and(|first| now >= first + VERIFIED)
    }

    /// Whether nothing is being waited for.
    pub(super) fn is_idle(&self) -> bool {
        self.window.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Seen::{Lacking, Same};
    use Sign::{Closed, Created, Gone, Lost, Touched, Whole, Written};

    const GOOD: Seen = Seen::Content { digest: 1, fresh: false, valid: true };
    const OTHER: Seen = Seen::Content { digest: 2, fresh: false, valid: true };
    const FRESH: Seen = Seen::Content { digest: 1, fresh: true, valid: true };
    const BROKEN: Seen = Seen::Content { digest: 3, fresh: false, valid: false };

    /// Plays signs at their milliseconds against a disk that holds, from each instant on, what `disk`
    /// says, and returns when something was told and what, in milliseconds.
    fn play(alone: bool, signs: &[(u64, Sign)], disk: &[(u64, Seen)], until: u64) -> Vec<(u64, Seen)> {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut settle, mut told, mut last) = (Settle::default(), Vec::new(), None);
        let mut signs = signs.iter().peekable();
        for ms in 0..=until {
            while let Some((when, sign)) = signs.next_if(|(when, _)| *when <= ms) {
                settle.sign(at(*when), *sign, Path::new("f"));
            }
            while let Decision::Read(trust) = settle.decide(at(ms), alone) {
                let now = disk.iter().rev().find(|(from, _)| *from <= ms).expect("the disk begins at 0").1;
                let seen = if last == Some(now) { Same } else { now };
                if settle.seen(at(ms), trust, seen) == Outcome::Deliver {
                    told.push((ms, now));
                    last = Some(now);
                }
            }
        }
        assert!(!settle.is_stirring(), "everything ends");
        told
    }

    #[test]
    fn a_rename_is_read_at_once_where_the_file_is_alone() {
        assert_eq!(play(true, &[(5, Whole)], &[(0, GOOD)], 500), [(5, GOOD)]);
        assert_eq!(play(true, &[(5, Whole), (5, Touched), (6, Touched)], &[(0, GOOD)], 500), [(5, GOOD)]);
        assert_eq!(play(false, &[(5, Whole)], &[(0, GOOD)], 500), [(25, GOOD)]);
    }

    #[test]
    fn a_close_is_followed_by_20_ms_of_quiet_and_constant_closes_by_300() {
        assert_eq!(
            play(true, &[(0, Written), (1, Closed), (15, Written), (16, Closed)], &[(0, GOOD)], 500),
            [(36, GOOD)]
        );
        let constant: Vec<_> = (0..60).flat_map(|i| [(i * 10, Written), (i * 10 + 1, Closed)]).collect();
        let told = play(true, &constant, &[(0, GOOD), (400, OTHER)], 1000);
        assert_eq!(told[0].0, 301, "read between two writes, not within one");
        assert_eq!(told[1], (611, OTHER));
    }

    #[test]
    fn a_file_that_is_not_closed_is_held_until_it_is_or_2_s_after_its_last_modification() {
        let disk = [(0, GOOD), (1500, OTHER)];
        assert_eq!(
            play(true, &[(0, Written), (700, Written), (1500, Written), (1510, Closed)], &disk, 4000),
            [(1530, OTHER)]
        );
        assert_eq!(play(true, &[(0, Written), (1500, Written)], &disk, 4000), [(3500, OTHER)]);
    }

    #[test]
    fn trouble_under_a_writer_is_told_at_a_second_and_content_never() {
        let disk = [(0, BROKEN), (3000, GOOD)];
        let told = play(true, &[(0, Written), (1500, Written), (3000, Closed)], &disk, 4000);
        assert_eq!(told, [(950, BROKEN), (3020, GOOD)]);
    }

    #[test]
    fn a_broken_file_is_told_when_its_writer_has_closed() {
        assert_eq!(play(true, &[(0, Written), (5, Closed)], &[(0, BROKEN)], 2000), [(25, BROKEN)]);
    }

    #[test]
    fn a_file_that_is_gone_or_emptied_is_told_at_a_second_unless_it_comes_back() {
        assert_eq!(play(true, &[(0, Gone)], &[(0, Lacking)], 2000), [(950, Lacking)]);
        let back = [(0, Gone), (500, Created), (500, Written), (530, Closed)];
        assert_eq!(play(true, &back, &[(0, Lacking), (510, GOOD)], 2000), [(550, GOOD)]);
        let appended = [(0, Written), (1, Closed), (40, Written), (41, Closed)];
        assert_eq!(play(true, &appended, &[(0, Lacking), (40, GOOD)], 2000), [(61, GOOD)]);
    }

    #[test]
    fn vim_is_one_save() {
        let signs =
            [(0, Gone), (1, Created), (2, Written), (3, Written), (3, Touched), (4, Closed), (4, Touched)];
        assert_eq!(play(true, &signs, &[(0, Lacking), (3, GOOD)], 2000), [(24, GOOD)]);
    }

    #[test]
    fn a_name_that_appears_unwritten_is_read_after_quiet() {
        assert_eq!(play(true, &[(0, Created)], &[(0, GOOD)], 2000), [(20, GOOD)]);
    }

    #[test]
    fn a_file_modified_just_now_is_read_twice_though_its_events_are_quiet() {
        assert_eq!(play(true, &[(0, Closed)], &[(0, FRESH)], 2000), [(30, FRESH)]);
    }

    #[test]
    fn what_no_event_announced_is_confirmed() {
        assert_eq!(play(true, &[(0, Lost)], &[(0, GOOD)], 2000), [(120, GOOD)]);
        assert_eq!(play(true, &[(0, Lost)], &[(0, GOOD), (100, OTHER)], 2000), [(220, OTHER)]);
    }

    #[test]
    fn a_poll_that_finds_the_same_ends_in_silence() {
        let (mut settle, now) = (Settle::default(), Instant::now());
        settle.poll(now);
        assert_eq!(settle.decide(now, true), Decision::Read(Trust::Quiet));
        assert!(!settle.is_stirring());
        assert_eq!(settle.seen(now, Trust::Quiet, Same), Outcome::Nothing);
        assert_eq!(settle.decide(now, true), Decision::Idle);
    }

    #[test]
    fn a_demand_is_answered_at_once_but_never_from_under_a_writer() {
        let (mut settle, now) = (Settle::default(), Instant::now());
        settle.demand(now);
        assert_eq!(settle.decide(now, true), Decision::Read(Trust::Quiet));
        assert_eq!(settle.seen(now, Trust::Quiet, Same), Outcome::Deliver);
        settle.sign(now, Written, Path::new("f"));
        settle.demand(now);
        assert!(matches!(settle.decide(now, true), Decision::Wait(_)));
        settle.sign(now, Closed, Path::new("f"));
        assert_eq!(settle.decide(now, true), Decision::Read(Trust::Quiet));
    }
}
