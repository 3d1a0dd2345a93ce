//! A reload on the calling thread, for the benches: merge, load, compare, swap; and a telling alone.

use super::first::first_snapshot;
use super::judge::{self, Base, Refused};
use crate::format::{Format, Limits, parse_again};
use crate::layer::{Policy, Stack};
use crate::load::HotConf;
use crate::named::Contents;
use crate::publish::{Core, Meta, Scope, Snapshot, Version};
use crate::schema::Select;
use crate::source::Update;
use crate::subscribe::{Hub, Topic, Watch};
use crate::value::Layered;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// Layers, and the version that they gave.
pub(crate) struct Bench<T> {
    layers: Vec<Vec<Layered>>,
    base: Base<T>,
    core: Arc<Core<T>>,
    contents: Arc<Contents>,
}

impl<T: HotConf> Bench<T> {
    pub(crate) fn new(layers: Vec<Update>) -> Self {
        let layers: Vec<_> = layers.into_iter().map(Update::into_docs).collect();
        let first = judge::first::<T>(stack(&layers), none(), Policy::default());
        let candidate = first.unwrap_or_else(|refused| refuse(&refused));
        let (running, _) = first_snapshot(candidate);
        Self { layers, base: Base::first(running.clone()), core: Core::new(running), contents: none() }
    }

    pub(crate) fn reload(&mut self, layer: usize, update: Update) -> usize {
        self.layers[layer] = update.into_docs();
        let (candidate, _) =
            judge::judge(&self.base, stack(&self.layers), self.contents.clone(), Policy::default())
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

    /// The same, of the text of one document: parsed beside what it said before, as sources do it.
    pub(crate) fn reread(&mut self, layer: usize, format: Format, text: &str) -> usize {
        let before = &self.layers[layer][0].doc;
        let read =
            parse_again(format, before.name(), text.as_bytes(), &Limits::default(), Some(before.as_ref()));
        let read = read.unwrap_or_else(|problems| panic!("a bench reads what is valid: {problems:?}"));
        self.reload(layer, Update::documents(vec![Arc::new(read.doc)]))
    }

    pub(crate) fn value(&self) -> &T {
        &self.base.running
    }
}

/// Versions to come, and who is told of them.
pub(crate) struct Telling<T> {
    topic: Arc<Topic<T>>,
    versions: Vec<Snapshot<T>>,
}

impl<T: HotConf> Telling<T> {
    pub(crate) fn new(first: T) -> Self {
        let first = Snapshot::fixed(first, T::SCHEMA);
        Self { topic: Topic::new(first.clone(), T::SCHEMA.len, Hub::fixed()), versions: vec![first] }
    }

    pub(crate) fn then(&mut self, values: impl IntoIterator<Item = T>) {
        let numbered = |(n, value)| {
            let mut version = Snapshot::fixed(value, T::SCHEMA);
            let inner = Arc::get_mut(&mut version.0).expect("made just now");
            Arc::get_mut(&mut inner.meta).expect("made just now").number = n;
            version
        };
        self.versions.extend((self.versions.len() as u64 + 1..).zip(values).map(numbered));
    }

    pub(crate) fn watch<Out: 'static>(&self, field: impl Select<T, Out>) -> Watch<Out> {
        self.topic.registry.watch(&self.topic.core, field)
    }

    pub(crate) fn tell(&self, version: usize, moved: &[u32]) {
        self.topic.tell(&self.versions[version - 1], &self.versions[version], moved);
    }
}

fn stack(layers: &[Vec<Layered>]) -> Stack {
    let mut stack = Stack::default();
    for layer in layers {
        stack.push("bench", layer.clone());
    }
    stack
}

/// No file is named.
fn none() -> Arc<Contents> {
    Arc::new(Contents::none(Arc::from(Path::new(""))))
}

fn refuse<R>(refused: &Refused) -> R {
    panic!("a bench loads what is valid: {:?}", refused.refusal.problems)
}
