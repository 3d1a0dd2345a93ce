//! A reload on the calling thread, for the benches: merge, load, compare, swap.

use super::first::first_snapshot;
use super::judge::{self, Base, Refused};
use crate::layer::{Policy, Stack};
use crate::load::HotConf;
use crate::publish::{Core, Meta, Scope, Snapshot, Version};
use crate::source::Update;
use crate::value::Layered;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// Layers, and the version that they gave.
pub(crate) struct Bench<T> {
    layers: Vec<Vec<Layered>>,
    base: Base<T>,
    core: Arc<Core<T>>,
}

impl<T: HotConf> Bench<T> {
    pub(crate) fn new(layers: Vec<Update>) -> Self {
        let layers: Vec<_> = layers.into_iter().map(Update::into_docs).collect();
        let first = judge::first::<T>(stack(&layers), Policy::default());
        let candidate = first.unwrap_or_else(|refused| refuse(&refused));
        let (running, _) = first_snapshot(candidate);
        Self { layers, base: Base::first(running.clone()), core: Core::new(running) }
    }

    pub(crate) fn reload(&mut self, layer: usize, update: Update) -> usize {
        self.layers[layer] = update.into_docs();
        let (candidate, _) = judge::judge(&self.base, stack(&self.layers), Policy::default())
            .unwrap_or_else(|refused| refuse(&refused));
        let before = &self.base.running.0.meta;
        let meta = Arc::new(Meta {
            number: before.number + 1,
            at: SystemTime::now(),
            schema: T::SCHEMA,
            index: before.index.clone(),
            tree: candidate.tree.clone(),
            waiting: Vec::new(),
            stack: candidate.stack,
            fingerprint: OnceLock::new(),
        });
        let version = Version { value: *candidate.desired, meta, scope: Scope::default() };
        let running = Snapshot(Arc::new(version));
        self.core.install(&running, candidate.moved.as_slice());
        self.base = self.base.next(None, candidate.tree, running);
        candidate.moved.as_slice().len()
    }

    pub(crate) fn value(&self) -> &T {
        &self.base.running
    }
}

fn stack(layers: &[Vec<Layered>]) -> Stack {
    let mut stack = Stack::default();
    for layer in layers {
        stack.push("bench", layer.clone());
    }
    stack
}

fn refuse<R>(refused: &Refused) -> R {
    panic!("a bench loads what is valid: {:?}", refused.refusal.problems)
}
