//! Offers, refusals and second tries.

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input<D> {
    /// One window's documents, by source.
    Offered(Vec<(usize, D)>),
    /// What the sources brought cannot even be read as a document; what was set aside of it is void.
    Broken(usize),
    /// The candidate that [`Effect::Try`] asked for was judged.
    Judged(Judged),
}

/// How a candidate fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It is valid.
    Good,
    /// It is not.
    Bad,
}

/// What the engine shall do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect<D> {
    /// Load a candidate from these documents, one per source, and say how it fared.
    Try(Vec<D>),
    /// The candidate tried last is accepted: put it in force. The sources whose documents came in.
    Accept {
        /// Sources whose document is now accepted and was not before.
        sources: Vec<usize>,
    },
    /// Report the first candidate's problems. The sources whose documents stay out.
    Refuse {
        /// Newcomers that were refused.
        sources: Vec<usize>,
    },
}

/// What is accepted of each source, and what was set aside.
#[derive(Debug, Clone)]
pub(crate) struct Control<D> {
    accepted: Vec<D>,
    aside: Vec<Option<D>>,
    trial: Option<Trial<D>>,
}

/// A candidate that is being judged.
#[derive(Debug, Clone)]
struct Trial<D> {
    newcomers: Vec<(usize, D)>,
    /// The first candidate held documents that had been set aside earlier: those sources.
    older: Vec<usize>,
    /// This is the second candidate: accepted documents and the newcomers alone.
    second: bool,
}

impl<D: Clone> Control<D> {
    /// Begins with what the first load accepted.
    pub(crate) fn new(accepted: Vec<D>) -> Self {
        let aside = vec![None; accepted.len()];
        Self { accepted, aside, trial: None }
    }

    /// The accepted document of each source.
    #[cfg(test)]
    pub(crate) fn accepted(&self) -> &[D] {
        &self.accepted
    }

    /// Tells whether a document of this source is set aside.
    #[cfg(test)]
    pub(crate) fn is_aside(&self, source: usize) -> bool {
        self.aside[source].is_some()
    }

    /// Takes one input and says what to do. While a candidate is judged, nothing else is offered.
    pub(crate) fn step(&mut self, input: Input<D>) -> Vec<Effect<D>> {
        match input {
            Input::Offered(newcomers) => self.offered(newcomers),
            Input::Broken(source) => {
                self.aside[source] = None;
                Vec::new()
            }
            Input::Judged(judged) => match self.trial.take() {
                Some(trial) => self.judged(trial, judged),
                None => Vec::new(),
            },
        }
    }

    fn offered(&mut self, newcomers: Vec<(usize, D)>) -> Vec<Effect<D>> {
        debug_assert!(self.trial.is_none(), "one candidate at a time");
        let is_new = |source: usize| newcomers.iter().any(|(s, _)| *s == source);
        let older = (0..self.aside.len()).filter(|s| self.aside[*s].is_some() && !is_new(*s)).collect();
        let mut candidate = self.accepted.clone();
        for (source, aside) in self.aside.iter().enumerate() {
            if let Some(doc) = aside {
                candidate[source] = doc.clone();
            }
        }
        for (source, doc) in &newcomers {
            candidate[*source] = doc.clone();
        }
        self.trial = Some(Trial { newcomers, older, second: false });
        vec![Effect::Try(candidate)]
    }

    fn judged(&mut self, trial: Trial<D>, judged: Judged) -> Vec<Effect<D>> {
        match (judged, trial.second) {
            (Judged::Good, second) => {
                let mut sources: Vec<usize> = trial.newcomers.iter().map(|(s, _)| *s).collect();
                for (source, doc) in trial.newcomers {
                    self.accepted[source] = doc;
                    self.aside[source] = None;
                }
                if !second {
                    for source in trial.older {
                        if let Some(doc) = self.aside[source].take() {
                            self.accepted[source] = doc;
                            sources.push(source);
                        }
                    }
                }
                sources.sort_unstable();
                vec![Effect::Accept { sources }]
            }
            (Judged::Bad, false) if !trial.older.is_empty() => {
                let mut candidate = self.accepted.clone();
                for (source, doc) in &trial.newcomers {
                    candidate[*source] = doc.clone();
                }
                self.trial = Some(Trial { second: true, ..trial });
                vec![Effect::Try(candidate)]
            }
            (Judged::Bad, _) => {
                let sources = trial.newcomers.iter().map(|(s, _)| *s).collect();
                for (source, doc) in trial.newcomers {
                    self.aside[source] = Some(doc);
                }
                vec![Effect::Refuse { sources }]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a history: documents are `source * 100 + revision`; a candidate is bad while it holds a
    /// document named in `bad`. Returns what was tried, and what each source has in force at the end.
    fn walk(
        sources: u32,
        bad: &[u32],
        history: &[&[(usize, u32)]],
    ) -> (Vec<Vec<u32>>, Vec<u32>, Vec<String>) {
        let mut control = Control::new((0..sources).map(|s| s * 100).collect());
        let (mut tried, mut told) = (Vec::new(), Vec::new());
        for window in history {
            let mut effects = control.step(Input::Offered(window.to_vec()));
            while let Some(effect) = effects.pop() {
                match effect {
                    Effect::Try(candidate) => {
                        let judged = if candidate.iter().any(|d| bad.contains(d)) {
                            Judged::Bad
                        } else {
                            Judged::Good
                        };
                        tried.push(candidate);
                        effects = control.step(Input::Judged(judged));
                    }
                    Effect::Accept { sources } => told.push(format!("accept {sources:?}")),
                    Effect::Refuse { sources } => told.push(format!("refuse {sources:?}")),
                }
            }
        }
        (tried, control.accepted().to_vec(), told)
    }

    #[test]
    fn a_good_document_is_accepted() {
        let (tried, accepted, told) = walk(2, &[], &[&[(0, 1)]]);
        assert_eq!((tried, accepted), (vec![vec![1, 100]], vec![1, 100]));
        assert_eq!(told, ["accept [0]"]);
    }

    #[test]
    fn a_bad_document_is_set_aside_and_the_accepted_one_stays() {
        let (_, accepted, told) = walk(2, &[1], &[&[(0, 1)]]);
        assert_eq!(accepted, [0, 100]);
        assert_eq!(told, ["refuse [0]"]);
    }

    #[test]
    fn documents_of_one_window_are_refused_together() {
        let (_, accepted, told) = walk(2, &[1], &[&[(0, 1), (1, 101)]]);
        assert_eq!(accepted, [0, 100]);
        assert_eq!(told, ["refuse [0, 1]"]);
    }

    #[test]
    fn a_broken_document_does_not_block_another_source() {
        let (tried, accepted, told) = walk(2, &[1], &[&[(0, 1)], &[(1, 101)]]);
        assert_eq!(accepted, [0, 101]);
        assert_eq!(told, ["refuse [0]", "accept [1]"]);
        assert_eq!(tried, [vec![1, 100], vec![1, 101], vec![0, 101]], "the set-aside one is tried first");
    }

    #[test]
    fn a_set_aside_document_is_accepted_as_soon_as_another_makes_it_good() {
        // Bad is a combination here: document 1 is fine once source 1 has 101.
        let mut control = Control::new(vec![0, 100]);
        assert_eq!(control.step(Input::Offered(vec![(0, 1)])), [Effect::Try(vec![1, 100])]);
        assert_eq!(control.step(Input::Judged(Judged::Bad)), [Effect::Refuse { sources: vec![0] }]);
        assert!(control.is_aside(0));
        assert_eq!(control.step(Input::Offered(vec![(1, 101)])), [Effect::Try(vec![1, 101])]);
        assert_eq!(control.step(Input::Judged(Judged::Good)), [Effect::Accept { sources: vec![0, 1] }]);
        assert_eq!(control.accepted(), [1, 101]);
    }

    #[test]
    fn a_newer_document_replaces_the_set_aside_one() {
        let (tried, accepted, _) = walk(1, &[1], &[&[(0, 1)], &[(0, 2)]]);
        assert_eq!(accepted, [2]);
        assert_eq!(tried, [vec![1], vec![2]], "no second try: nothing older was in it");
    }

    #[test]
    fn when_both_candidates_are_bad_the_newcomer_is_set_aside_too() {
        let (tried, accepted, told) = walk(2, &[1, 101], &[&[(0, 1)], &[(1, 101)], &[(0, 2)]]);
        assert_eq!(accepted, [2, 100]);
        assert_eq!(told, ["refuse [0]", "refuse [1]", "accept [0]"]);
        assert_eq!(tried.last(), Some(&vec![2, 100]));
    }

    #[test]
    fn a_document_that_cannot_be_read_voids_the_one_set_aside_before() {
        let mut control = Control::new(vec![0]);
        control.step(Input::Offered(vec![(0, 1)]));
        control.step(Input::Judged(Judged::Bad));
        control.step(Input::Broken(0));
        assert!(!control.is_aside(0));
    }
}
