//! What waits for one subscriber: at most one step, from the last delivered to the latest.
//!
//! Invariants
//! 1. `told` never falls, and a telling at or below it changes nothing: never backwards, never doubled.
//! 2. What waits begins at the state that was delivered last, or at one whose field is the same.
//! 3. What waits ends at the latest version that moved the field: the final state is never lost.
//!
//! Nothing is kept while nothing waits, so that an idle subscriber holds no old version in memory. That
//! rests on this: a subscriber is told of every version that moved its field. If nothing waits, its field
//! has not moved since it was last delivered, and the version before the one being told has the delivered
//! value. That the two ends differ is found out by the subscriber, because comparing is code of the user.

/// A step: what was delivered last, and what is the latest.
pub(super) struct Step<P> {
    pub(super) old: P,
    pub(super) new: P,
}

/// The mailbox of one subscriber; `P` is a snapshot. Callers hold its lock, and drop what is
/// returned to them outside of it: the last pointer to a version drops values of the user.
pub(super) struct Fold<P> {
    told: u64,
    open: bool,
    waiting: Option<Step<P>>,
}

impl<P: Clone> Fold<P> {
    /// A mailbox that gathers and gives nothing out until its baseline is known.
    ///
    /// The order is: register, read the version in force, [`open`](Self::open) with it. A version swapped
    /// in before the reading is in the baseline; one swapped in later finds the registration.
    pub(super) fn gathering() -> Self {
        Self { told: 0, open: false, waiting: None }
    }

    /// Sets the baseline. Returns what became superfluous.
    #[must_use]
    pub(super) fn open(&mut self, baseline: P, version: u64) -> (Option<P>, Option<Step<P>>) {
        self.open = true;
        if version >= self.told {
            self.told = version;
            return (Some(baseline), self.waiting.take());
        }
        match &mut self.waiting {
            Some(step) => (Some(std::mem::replace(&mut step.old, baseline)), None),
            None => (Some(baseline), None),
        }
    }

    /// Takes in a version that moved the field. Returns the one that it replaces.
    #[must_use]
    pub(super) fn tell(&mut self, before: &P, after: &P, version: u64) -> Option<P> {
        if version <= self.told {
            return None;
        }
        self.told = version;
        if let Some(step) = &mut self.waiting {
            Some(std::mem::replace(&mut step.new, after.clone()))
        } else {
            self.waiting = Some(Step { old: before.clone(), new: after.clone() });
            None
        }
    }

    /// Tells whether [`take`](Self::take) would give something.
    pub(super) fn is_waiting(&self) -> bool {
        self.open && self.waiting.is_some()
    }

    /// The latest version that waits.
    pub(super) fn latest(&self) -> Option<&P> {
        self.waiting.as_ref().filter(|_| self.open).map(|step| &step.new)
    }

    /// Takes out what waits; what follows is folded on its own.
    pub(super) fn take(&mut self) -> Option<Step<P>> {
        if self.open { self.waiting.take() } else { None }
    }

    /// Puts back a step that could not be delivered. Returns what is superfluous.
    #[must_use]
    pub(super) fn give_back(&mut self, step: Step<P>) -> Option<(P, P)> {
        if let Some(later) = &mut self.waiting {
            Some((std::mem::replace(&mut later.old, step.old), step.new))
        } else {
            self.waiting = Some(step);
            None
        }
    }

    /// A second mailbox in the same state, for a second reader.
    pub(super) fn fork(&self) -> Self {
        let waiting = self.waiting.as_ref().map(|s| Step { old: s.old.clone(), new: s.new.clone() });
        Self { told: self.told, open: self.open, waiting }
    }
}

#[cfg(test)]
mod tests {
    use super::Fold;

    /// A version: its number and the value of the field.
    type V = (u64, u8);

    /// A small generator (`SplitMix64`), so that a failing schedule can be named by its seed.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            ((z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) % n
        }
    }

    /// Compares as a subscriber does; appends what it would see.
    fn deliver(fold: &mut Fold<V>, seen: &mut Vec<(V, V)>) {
        if let Some(step) = fold.take()
            && step.old.1 != step.new.1
        {
            seen.push((step.old, step.new));
        }
    }

    fn run(seed: u64) {
        let mut random = Random(seed);
        let mut fold = Fold::gathering();
        let mut current: V = (1, 0);
        let mut untold: Option<(V, V)> = None;
        let (mut registered, mut baseline) = (false, None::<V>);
        let mut seen = Vec::new();
        for _ in 0..200 {
            match random.below(6) {
                // Swap; the telling comes later, but before the next swap: there is one installer.
                0 | 1 if untold.is_none() => {
                    let value = u8::try_from(random.below(3)).expect("small");
                    let next = (current.0 + 1, value);
                    untold = Some((current, next));
                    current = next;
                }
                2 | 3 => {
                    if let Some((before, after)) = untold.take() {
                        // Only a version that moved the field is told, now and then one that did not
                        // (a neighbour in the same map moved).
                        if registered && (before.1 != after.1 || random.below(4) == 0) {
                            let _ = fold.tell(&before, &after, after.0);
                        }
                    }
                }
                4 if !registered => registered = true,
                4 if baseline.is_none() => {
                    baseline = Some(current);
                    let _ = fold.open(current, current.0);
                }
                5 => {
                    if random.below(5) == 0
                        && let Some(step) = fold.take()
                    {
                        let _ = fold.give_back(step);
                    }
                    deliver(&mut fold, &mut seen);
                }
                _ => {}
            }
        }
        let Some(baseline) = baseline else { return };
        if let Some((before, after)) = untold {
            let _ = fold.tell(&before, &after, after.0);
        }
        deliver(&mut fold, &mut seen);
        let mut last = baseline;
        for (old, new) in seen {
            assert_eq!(old.1, last.1, "seed {seed}: old is what was delivered last");
            assert_ne!(old.1, new.1, "seed {seed}: never equal");
            assert!(new.0 > last.0, "seed {seed}: never backwards");
            last = new;
        }
        assert_eq!(last.1, current.1, "seed {seed}: the final state is delivered");
    }

    #[test]
    fn every_schedule_gives_a_valid_fold() {
        (0..5_000).for_each(run);
    }

    #[test]
    fn an_idle_mailbox_keeps_no_version() {
        let mut fold = Fold::gathering();
        let version = std::sync::Arc::new(());
        drop(fold.open(version.clone(), 1));
        assert_eq!(std::sync::Arc::strong_count(&version), 1);
    }

    #[test]
    fn a_fork_goes_its_own_way() {
        let mut fold = Fold::gathering();
        let _ = fold.open((1, 0), 1);
        let _ = fold.tell(&(1, 0), &(2, 5), 2);
        let mut fork = fold.fork();
        assert_eq!(fold.take().map(|s| s.new), Some((2, 5)));
        let _ = fork.tell(&(2, 5), &(3, 6), 3);
        assert_eq!(fork.take().map(|s| (s.old, s.new)), Some(((1, 0), (3, 6))));
        assert!(fold.take().is_none());
    }
}
