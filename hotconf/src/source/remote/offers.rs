//! What a configuration was offered, until it is known what became of it.
//!
//! Pure. Places of a store's history need not differ, so each offer is numbered, and the number is what the engine
//! says its verdict of: [`Cursor::order`] of what it is handed.

use super::verdicts::is_accepted;
use crate::source::{Cursor, Verdict};
use crate::value::Layered;
use std::collections::VecDeque;

/// What was offered.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// The number of its content, where the store said it; `None`: it is from the cache.
    pub(super) content: Option<u64>,
    /// Where in the store's history it stands.
    pub(super) cursor: Cursor,
    /// What it says, where that is to be kept.
    pub(super) documents: Option<Vec<Layered>>,
}

/// Offers whose verdict may still come: what is under way, and what was refused last. That may be accepted
/// after all, with a change of another source.
#[derive(Default)]
pub(super) struct Offers {
    count: u64,
    open: VecDeque<(u64, Offer)>,
}

impl Offers {
    /// Notes an offer; the cursor under which it is handed on.
    pub(super) fn make(&mut self, offer: Offer) -> Cursor {
        self.count += 1;
        self.open.push_back((self.count, offer));
        Cursor { order: self.count, ..Cursor::default() }
    }

    /// What came last could not even be offered.
    pub(super) fn void(&mut self) {
        self.count += 1;
    }

    /// What a verdict is of, and whether nothing newer came since; `None`: of nothing that is known.
    pub(super) fn settled(&mut self, handed: &Cursor, verdict: &Verdict) -> Option<(Offer, bool)> {
        let number = handed.order;
        let at = self.open.iter().position(|(n, _)| *n == number)?;
        let newest = number == self.count;
        if *verdict == Verdict::Superseded {
            return self.open.remove(at).map(|(_, offer)| (offer, newest));
        }
        // Verdicts come in order: whatever is older is settled by this one.
        self.open.drain(..at);
        let offer = if is_accepted(verdict) {
            self.open.pop_front().map(|(_, offer)| offer)
        } else {
            self.open.front().map(|(_, offer)| offer.clone())
        };
        offer.map(|offer| (offer, newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(order: u64) -> Offer {
        let cursor = Cursor { order, ..Cursor::default() };
        Offer { content: Some(order), cursor, documents: None }
    }

    #[test]
    fn what_was_refused_may_be_accepted_until_something_newer_is_settled() {
        let mut offers = Offers::default();
        // As of a store without places in its history.
        let handed: Vec<_> = (0..3).map(|_| offers.make(offer(0))).collect();
        let says = |offers: &mut Offers, n: usize, verdict: Verdict| {
            offers.settled(&handed[n], &verdict).map(|(_, newest)| newest)
        };
        assert_eq!(says(&mut offers, 0, Verdict::Refused), Some(false));
        assert_eq!(says(&mut offers, 0, Verdict::Applied { version: 2 }), Some(false));
        assert_eq!(says(&mut offers, 0, Verdict::Unchanged), None, "once");
        assert_eq!(says(&mut offers, 1, Verdict::Refused), Some(false));
        assert_eq!(says(&mut offers, 2, Verdict::Refused), Some(true));
        assert_eq!(says(&mut offers, 1, Verdict::Unchanged), None);
        offers.void();
        assert_eq!(says(&mut offers, 2, Verdict::Unchanged), Some(false), "what came last is something else");
        assert!(offers.open.is_empty());
    }

    #[test]
    fn what_was_overtaken_is_forgotten() {
        let mut offers = Offers::default();
        let (first, second) = (offers.make(offer(1)), offers.make(offer(2)));
        assert!(offers.settled(&first, &Verdict::Superseded).is_some());
        let (settled, newest) = offers.settled(&second, &Verdict::Unchanged).unwrap();
        assert_eq!((settled.cursor.order, newest, offers.open.len()), (2, true, 0));
    }
}
