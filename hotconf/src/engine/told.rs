//! Warnings that were told, so that each is told once.

use crate::observe::Warning;
use std::collections::HashSet;

/// How many of the sources' own warnings are remembered as told.
const MOST: usize = 1024;

/// What a configuration has been warned of.
#[derive(Default)]
pub(crate) struct Told {
    /// By the documents in force.
    documents: HashSet<Warning>,
    /// By sources themselves.
    sources: HashSet<Warning>,
}

impl Told {
    /// Takes all warnings of the documents in force; returns those that the documents before did not give.
    pub(crate) fn of_documents(&mut self, warnings: &[Warning]) -> Vec<Warning> {
        let known = std::mem::take(&mut self.documents);
        let mut news = Vec::new();
        for warning in warnings {
            if self.documents.insert(warning.clone()) && !known.contains(warning) {
                news.push(warning.clone());
            }
        }
        news
    }

    /// Takes a warning that a source gave; whether it is news.
    pub(crate) fn of_source(&mut self, warning: &Warning) -> bool {
        if self.sources.len() >= MOST {
            self.sources.clear();
        }
        self.sources.insert(warning.clone())
    }
}
