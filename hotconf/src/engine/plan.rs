//! What a driver works with: its sources, and what they bring, as control hands it about.

use super::pull::Order;
use crate::control::Document;
use crate::grey::Instance;
use crate::layer::{Policy, Stack};
use crate::named::Contents;
use crate::observe::SourceState;
use crate::source::{Cursor, Update};
use crate::value::Layered;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a configuration was set up with.
pub(crate) struct Plan {
    pub(crate) name: Arc<str>,
    /// Those of the program, and last the one that stands for the files that settings name.
    pub(crate) sources: Vec<Handle>,
    pub(crate) policy: Policy,
    /// Who we are, for overlays.
    pub(crate) here: Arc<Instance>,
}

impl Plan {
    /// The source that stands for the files that settings name.
    pub(crate) fn files(&self) -> usize {
        self.sources.len() - 1
    }

    /// The contents of these files, as far as they are at hand.
    pub(crate) fn contents(&self, documents: &[Offer]) -> Option<Arc<Contents>> {
        documents.get(self.files()).and_then(|offer| offer.contents.clone())
    }

    /// The layers that documents make, one per source.
    pub(crate) fn stack(&self, documents: &[Offer]) -> Stack {
        let mut stack = Stack::default();
        for (offer, source) in documents.iter().zip(&self.sources).take(self.files()) {
            stack.push(source.name.clone(), offer.docs.to_vec());
        }
        stack
    }
}

/// A source as the driver knows it.
pub(crate) struct Handle {
    pub(crate) name: Arc<str>,
    /// It can bring something after its first answer.
    pub(crate) live: bool,
    pub(crate) orders: mpsc::UnboundedSender<Order>,
}

impl Handle {
    /// Notes what an update says of its source.
    pub(crate) fn note(&mut self, update: &Update) {
        self.live &= !update.fixed;
    }

    /// The state of this source while it is well.
    pub(crate) fn well(&self) -> SourceState {
        if self.live { SourceState::Following } else { SourceState::Fixed }
    }

    /// Tells its task something. One that has ended need not be told.
    pub(crate) fn order(&self, order: Order) {
        drop(self.orders.send(order));
    }
}

impl Document for Offer {
    fn mended(&self, accepted: &Self) -> Option<Self> {
        let accepted = accepted.contents.as_ref()?;
        self.contents.as_ref()?.mended(accepted).map(Self::files)
    }
}

/// What a source brought.
#[derive(Clone)]
pub(crate) struct Offer {
    docs: Arc<[Layered]>,
    pub(crate) cursor: Cursor,
    /// Of the source that stands for the files that settings name.
    contents: Option<Arc<Contents>>,
}

impl Offer {
    pub(crate) fn new(mut update: Update) -> Self {
        let cursor = std::mem::take(&mut update.cursor);
        Self { docs: update.into_docs().into(), cursor, contents: None }
    }

    /// The files that settings name.
    pub(crate) fn files(contents: Contents) -> Self {
        Self { contents: Some(Arc::new(contents)), ..Self::absent() }
    }

    /// Of a source that brought nothing.
    pub(crate) fn absent() -> Self {
        Self::new(Update::absent())
    }
}
