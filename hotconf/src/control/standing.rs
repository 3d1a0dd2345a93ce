//! How each source stands: what is accepted of it, what is set aside, and why it is not well.

use super::words::Standing;
use crate::error::Error;
use std::sync::Arc;

/// One source.
///
/// Being refused and being down are two things: a source that cannot be reached may have a document set
/// aside, and that stands until a newer one comes or it is accepted after all.
#[derive(Debug, Clone)]
pub(super) struct Source<D> {
    pub(super) name: Arc<str>,
    pub(super) accepted: D,
    /// The newest document, where it was refused.
    pub(super) aside: Option<D>,
    /// Why what it holds is not in force, and the number of that refusal.
    refused: Option<(u64, Error)>,
    /// Why it cannot be read.
    down: Option<Error>,
    /// Its token was cancelled.
    stopped: bool,
    /// It answers no more.
    pub(super) ended: bool,
}

impl<D> Source<D> {
    pub(super) fn new(name: Arc<str>, accepted: D) -> Self {
        Self { name, accepted, aside: None, refused: None, down: None, stopped: false, ended: false }
    }

    pub(super) fn standing(&self) -> Standing {
        match (&self.down, &self.refused) {
            _ if self.stopped => Standing::Stopped,
            (Some(error), _) => Standing::Down(error.clone()),
            (None, Some((_, error))) => Standing::Refused(error.clone()),
            (None, None) => Standing::Well,
        }
    }

    /// What it brought is in force; whether it was not well before.
    pub(super) fn accept(&mut self, document: D) -> bool {
        self.accepted = document;
        self.aside = None;
        let refused = self.refused.take().is_some();
        self.down.take().is_some() || refused
    }

    /// What was set aside is in force after all; whether it is well again by that. One that is down stays so.
    pub(super) fn accept_aside(&mut self) -> bool {
        let Some(document) = self.aside.take() else { return false };
        self.accepted = document;
        self.refused = None;
        self.down.is_none()
    }

    /// What it brought is set aside.
    pub(super) fn set_aside(&mut self, document: D, number: u64, error: Error) {
        self.aside = Some(document);
        self.refused = Some((number, error));
        self.down = None;
    }

    /// What it holds cannot even be read as a document: what was set aside of it is void.
    pub(super) fn spoil(&mut self, number: u64, error: Error) {
        self.aside = None;
        self.refused = Some((number, error));
        self.down = None;
    }

    /// It cannot be read; whether that is news. One that is tried again and fails for the same reason is none.
    pub(super) fn go_down(&mut self, error: Error) -> bool {
        let known = self.down.as_ref().is_some_and(|known| known.says_the_same(&error));
        self.down = Some(error);
        !known
    }

    /// Its token was cancelled: its layer stays as it is, so what was set aside can no more come in.
    pub(super) fn stop(&mut self) {
        self.ended = true;
        self.stopped = true;
        self.aside = None;
        self.refused = None;
        self.down = None;
    }

    /// Why it cannot be read.
    pub(super) fn why_down(&self) -> Option<&Error> {
        self.down.as_ref()
    }

    /// The refusal of what it holds.
    pub(super) fn refusal(&self) -> Option<&(u64, Error)> {
        self.refused.as_ref()
    }
}
