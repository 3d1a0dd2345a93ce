//! The layers of a configuration, lowest first: which documents each source gives at present.
//!
//! A stack is cheap to clone (documents are shared), so that a candidate is a clone with one layer
//! replaced. The derive's defaults are no layer: they hold where no slot of the tree was filled.

use super::merge::{Merged, Opened, Policy, merge_with, open};
use super::overlays::Overlays;
use crate::grey::{Instance, Moment};
use crate::schema::meta::Schema;
use crate::value::Layered;
use std::sync::Arc;

/// The documents of all sources, in the order of precedence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stack {
    layers: Vec<Layer>,
    overlays: Arc<Overlays>,
}

/// One source's documents.
#[derive(Clone, Debug)]
struct Layer {
    name: Arc<str>,
    docs: Vec<Layered>,
}

impl Stack {
    /// Adds a layer above all others; returns its index.
    pub(crate) fn push(&mut self, name: impl Into<Arc<str>>, docs: Vec<Layered>) -> usize {
        self.layers.push(Layer { name: name.into(), docs });
        self.layers.len() - 1
    }

    /// The name of a layer: what its source says of itself.
    pub(crate) fn name(&self, layer: usize) -> &Arc<str> {
        &self.layers[layer].name
    }

    /// The names of all layers, lowest first.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.layers.iter().map(|layer| &layer.name)
    }

    /// All documents, lowest first: what [`merge`] takes.
    pub(crate) fn docs(&self) -> Vec<Layered> {
        self.layers.iter().flat_map(|layer| layer.docs.iter().cloned()).collect()
    }

    /// The layer that the document at `index` of [`docs`](Self::docs) belongs to.
    pub(crate) fn layer_of(&self, index: usize) -> Option<usize> {
        let mut before = 0;
        self.layers.iter().position(|layer| {
            before += layer.docs.len();
            index < before
        })
    }

    /// How many bytes of text the documents have: what a load of them costs.
    pub(crate) fn bytes(&self) -> usize {
        self.layers.iter().flat_map(|layer| &layer.docs).map(|layered| layered.doc.text().len()).sum()
    }

    /// Asks every overlay of the documents whether it holds `here` and `now`; the next instant at which one flips.
    pub(crate) fn ask_overlays(&mut self, here: &Arc<Instance>, now: Moment) -> Option<Moment> {
        let (overlays, flips) = Overlays::ask(&self.docs(), here, now);
        self.overlays = Arc::new(overlays);
        flips
    }

    /// The same stack on other instances: with each overlay that does not hold here, by its name.
    pub(crate) fn elsewhere(&self) -> Vec<(Arc<str>, Self)> {
        let with = |overlays| Self { layers: self.layers.clone(), overlays: Arc::new(overlays) };
        self.overlays.others().map(|(name, overlays)| (name, with(overlays))).collect()
    }

    /// What there is to say of the overlay of this number.
    pub(super) fn overlay_note(&self, number: usize) -> String {
        self.overlays.note(number)
    }

    /// Whether the overlay of this number holds.
    pub(super) fn overlay_holds(&self, number: usize) -> bool {
        self.overlays.holds(number)
    }

    /// Merges all layers.
    pub(crate) fn merge(&self, schema: &'static Schema, policy: Policy) -> Merged {
        merge_with(&self.docs(), &self.overlays, schema, policy)
    }

    /// All layers and all overlays, for whoever asks who says what.
    pub(super) fn open(&self, schema: &'static Schema) -> Opened {
        open(&self.docs(), &self.overlays, true, schema)
    }
}
