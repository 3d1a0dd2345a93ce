//! What became of what a store said, where several configurations may follow it: one answer for all of them.
//!
//! Pure. It is accepted once all who follow have accepted it, and refused as soon as one refuses it; where that turns,
//! because a change of another source has it accepted after all, that is told as well. What newer content
//! overtook is told no more; a session that says the same content anew is told the same verdict anew.

use crate::source::{Cursor, Verdict};
use std::collections::BTreeMap;

/// What each follower made of the newest content.
#[derive(Default)]
pub(super) struct Verdicts {
    /// The number of the newest content, and where in the store's history it stands now.
    content: u64,
    cursor: Cursor,
    /// Numbers followers.
    count: u64,
    followers: BTreeMap<u64, Option<Verdict>>,
    /// What the session was told of this content, or is about to be: whether it is accepted.
    told: Option<bool>,
    due: Option<Verdict>,
}

impl Verdicts {
    /// One more follows; its number.
    pub(super) fn join(&mut self) -> u64 {
        self.count += 1;
        self.followers.insert(self.count, None);
        self.count
    }

    /// One follows no more: the others may have been waiting for it.
    pub(super) fn leave(&mut self, follower: u64) {
        self.followers.remove(&follower);
        self.weigh();
    }

    /// What a follower made of a content.
    pub(super) fn decide(&mut self, follower: u64, content: u64, verdict: &Verdict) {
        let entry = self.followers.get_mut(&follower).filter(|_| content == self.content);
        if let Some(entry) = entry.filter(|_| *verdict != Verdict::Superseded) {
            *entry = Some(verdict.clone());
            self.weigh();
        }
    }

    /// A new session: it has been told nothing.
    pub(super) fn begin(&mut self) {
        (self.told, self.due) = (None, None);
    }

    /// The store said this content as of `cursor`; `anew`: it said all of it, or that something was written.
    pub(super) fn said(&mut self, content: u64, cursor: &Cursor, anew: bool) {
        if content != self.content {
            self.content = content;
            self.followers.values_mut().for_each(|verdict| *verdict = None);
            self.begin();
        } else if anew && *cursor != self.cursor {
            self.begin();
        }
        self.cursor = cursor.clone();
        self.weigh();
    }

    /// Whether the session is to be told something.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some()
    }

    /// Takes what the session is to be told.
    pub(super) fn take(&mut self) -> Option<(Cursor, Verdict)> {
        self.due.take().map(|verdict| (self.cursor.clone(), verdict))
    }

    fn weigh(&mut self) {
        let refused = self.followers.values().flatten().find(|verdict| !is_accepted(verdict));
        let all = || self.followers.values().all(Option::is_some);
        let accepted = || self.followers.values().flatten().next_back().filter(|_| all());
        let Some(verdict) = refused.or_else(accepted) else { return };
        if self.told.replace(is_accepted(verdict)) != self.told {
            self.due = Some(verdict.clone());
        }
    }
}

/// Whether it is in force.
pub(super) fn is_accepted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Applied { .. } | Verdict::Unchanged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(order: u64) -> Cursor {
        Cursor { order, ..Cursor::default() }
    }

    fn of_two() -> (Verdicts, u64, u64) {
        let mut verdicts = Verdicts::default();
        let (first, second) = (verdicts.join(), verdicts.join());
        verdicts.said(1, &at(10), true);
        (verdicts, first, second)
    }

    const APPLIED: Verdict = Verdict::Applied { version: 2 };

    #[test]
    fn it_is_accepted_once_all_have_accepted_it() {
        let (mut verdicts, first, second) = of_two();
        verdicts.decide(first, 1, &APPLIED);
        verdicts.decide(second, 1, &Verdict::Superseded);
        assert_eq!(verdicts.take(), None);
        verdicts.decide(second, 1, &Verdict::Unchanged);
        assert_eq!(verdicts.take(), Some((at(10), Verdict::Unchanged)));
        verdicts.decide(first, 1, &Verdict::Unchanged);
        assert!(!verdicts.is_due(), "that was told");
    }

    #[test]
    fn it_is_refused_as_soon_as_one_refuses_it_and_accepted_when_nobody_does_any_more() {
        let (mut verdicts, first, second) = of_two();
        verdicts.decide(first, 1, &Verdict::Refused);
        assert_eq!(verdicts.take(), Some((at(10), Verdict::Refused)));
        verdicts.decide(second, 1, &APPLIED);
        assert_eq!(verdicts.take(), None);
        verdicts.decide(first, 1, &APPLIED);
        assert_eq!(verdicts.take(), Some((at(10), APPLIED)));
    }

    #[test]
    fn who_follows_no_more_is_not_waited_for() {
        let (mut verdicts, first, second) = of_two();
        verdicts.decide(first, 1, &APPLIED);
        verdicts.leave(second);
        assert_eq!(verdicts.take(), Some((at(10), APPLIED)));
        verdicts.leave(first);
        assert_eq!(verdicts.take(), None);
    }

    #[test]
    fn what_newer_content_overtook_is_told_no_more() {
        let (mut verdicts, first, second) = of_two();
        verdicts.decide(first, 1, &Verdict::Refused);
        verdicts.said(2, &at(11), true);
        verdicts.decide(second, 1, &Verdict::Refused);
        assert_eq!(verdicts.take(), None);
    }

    #[test]
    fn a_session_that_says_the_same_anew_is_told_the_same_anew_and_a_heartbeat_is_not_answered() {
        let (mut verdicts, first, second) = of_two();
        verdicts.decide(first, 1, &APPLIED);
        verdicts.decide(second, 1, &APPLIED);
        assert!(verdicts.take().is_some());
        verdicts.said(1, &at(10), true);
        verdicts.said(1, &at(11), false);
        assert_eq!(verdicts.take(), None);
        verdicts.said(1, &at(12), true);
        assert_eq!(verdicts.take(), Some((at(12), APPLIED)));
        verdicts.begin();
        verdicts.said(1, &at(12), true);
        assert_eq!(verdicts.take(), Some((at(12), APPLIED)));
    }
}
