//! The layers of a configuration, lowest first: which documents each source gives at present.
//!
//! A stack is cheap to clone (documents are shared), so that a candidate is a clone with one layer
//! replaced. The derive's defaults are no layer: they hold where no slot of the tree was filled.

use super::merge::{Merged, Policy, merge};
use crate::schema::meta::Schema;
use crate::value::Layered;
use std::sync::Arc;

/// The documents of all sources, in the order of precedence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stack {
    layers: Vec<Layer>,
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

    /// Merges all layers.
    pub(crate) fn merge(&self, schema: &'static Schema, policy: Policy) -> Merged {
        merge(&self.docs(), schema, policy)
    }
}
