//! The addresses of one thing, of which one at a time is asked.

use super::endpoint::Endpoint;
use crate::source::SourceError;
use crate::source::remote::Identity;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An address and those of its replicas.
pub(crate) struct Addresses {
    /// Or what is wrong with one of them.
    all: Result<Vec<Endpoint>, SourceError>,
    /// Which is next; a number beyond them until it is drawn.
    turn: AtomicUsize,
}

impl Addresses {
    pub(crate) fn new(first: Result<Endpoint, SourceError>) -> Self {
        Self { all: first.map(|endpoint| vec![endpoint]), turn: AtomicUsize::new(usize::MAX) }
    }

    /// Another address of the same.
    pub(crate) fn add(&mut self, replica: Result<Endpoint, SourceError>) {
        match (&mut self.all, replica) {
            (Ok(all), Ok(replica)) => all.push(replica),
            (Ok(_), Err(error)) => self.all = Err(error),
            (Err(_), _) => {}
        }
    }

    /// The address whose turn it is: one drawn at first, so that many programs spread over all, and after each
    /// failure the next.
    pub(crate) fn choose(&self, attempt: u32, random: u64) -> Result<&Endpoint, SourceError> {
        let all = self.all.as_deref().map_err(Clone::clone)?;
        let count = all.len();
        let turn = match self.turn.load(Ordering::Relaxed) {
            usize::MAX => usize::try_from(random % count as u64).unwrap_or_default(),
            turn if attempt > 0 => (turn + 1) % count,
            turn => turn % count,
        };
        self.turn.store(turn, Ordering::Relaxed);
        Ok(&all[turn])
    }

    /// Names them in errors and origins; `what` is what they are of.
    pub(crate) fn describe(&self, what: &str) -> String {
        match self.all.as_deref() {
            Ok([only]) => only.to_string(),
            Ok([first, others @ ..]) => format!("{first} (or {} more)", others.len()),
            Ok([]) | Err(_) => format!("{what} (its address cannot be read)"),
        }
    }

    /// What tells them from others; `None` where they cannot be read.
    pub(crate) fn identity(&self) -> Option<Identity> {
        Some(Identity::of(self.all.as_ref().ok()?.iter().map(Endpoint::whole)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_drawn_at_first_and_after_each_failure_the_next_is_asked() {
        let mut addresses = Addresses::new(Endpoint::parse("http://a"));
        addresses.add(Endpoint::parse("http://b"));
        addresses.add(Endpoint::parse("http://c"));
        let chosen = |attempt| addresses.choose(attempt, 4).unwrap().host().to_owned();
        assert_eq!([chosen(0), chosen(0), chosen(1), chosen(2), chosen(0)], ["b", "b", "c", "a", "a"]);
        addresses.add(Endpoint::parse("ftp://d"));
        assert!(addresses.choose(0, 0).is_err() && addresses.identity().is_none());
    }
}
