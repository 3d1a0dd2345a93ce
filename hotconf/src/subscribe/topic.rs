//! One published value with all who hear of it: the root's, or a section's for a view.
//!
//! [`install`](Topic::install) makes a version readable everywhere, views included; only then
//! [`tell`](Topic::tell) wakes watches and hands callbacks to workers. One thread does both.

use super::registry::{Hub, Registry};
use crate::publish::{Core, Follower, Live, LiveValue, Scope, Slot, Snapshot, Version};
use crate::schema::Select;
use crate::sync::lock;
use std::any::Any;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Arc, Mutex, Weak};

/// A value, its readers and its subscribers.
pub(crate) struct Topic<T> {
    pub(crate) core: Arc<Core<T>>,
    pub(crate) registry: Arc<Registry<T>>,
    views: Mutex<Views>,
}

#[derive(Default)]
struct Views {
    all: Vec<Weak<dyn Viewed>>,
    closed: bool,
}

/// A view's topic, as its parent knows it.
trait Viewed: Send + Sync {
    /// Tells of what the last install brought.
    fn tell_on(&self);
    fn close_on(&self);
}

impl<T: Send + Sync + 'static> Topic<T> {
    /// A topic whose value has `leaves` leaves.
    pub(crate) fn new(first: Snapshot<T>, leaves: u32, hub: Arc<Hub>) -> Arc<Self> {
        let registry = Arc::new(Registry::new(leaves, hub));
        Arc::new(Self { core: Core::new(first), registry, views: Mutex::default() })
    }

    /// Swaps, then brings lives and views up to date.
    pub(crate) fn install(&self, after: &Snapshot<T>, moved: &[u32]) {
        self.core.install(after, moved);
    }

    /// Tells watches, then callbacks; then the views'.
    pub(crate) fn tell(&self, before: &Snapshot<T>, after: &Snapshot<T>, moved: &[u32]) {
        self.registry.tell(before, after, moved);
        for view in self.views() {
            view.tell_on();
        }
    }

    /// Ends every subscription here and in the views.
    pub(crate) fn close(&self) {
        self.registry.close_all();
        lock(&self.views).closed = true;
        for view in self.views() {
            view.close_on();
        }
    }

    fn views(&self) -> Vec<Arc<dyn Viewed>> {
        let mut views = lock(&self.views);
        views.all.retain(|v| v.strong_count() > 0);
        views.all.iter().filter_map(Weak::upgrade).collect()
    }

    /// Mirrors one field in an atomic.
    pub(crate) fn live<V: LiveValue>(&self, field: impl Select<T, V>) -> Live<V> {
        let mirror = self.core.follow(|now| {
            let slot = Slot::new(field.__get(&now).__to_bits());
            Arc::new(Mirror { slot, field: field.clone(), of: PhantomData })
        });
        Live::new(mirror.slot.clone(), mirror)
    }

    /// A topic of one section, kept up to date with this one while the second value lives.
    pub(crate) fn view<Part>(
        &self,
        field: impl Select<T, Part>,
    ) -> (Arc<Topic<Part>>, Arc<dyn Any + Send + Sync>)
    where
        Part: Send + Sync + 'static,
    {
        let numbers = field.__numbers();
        let projection = self.core.follow(|now| {
            let scope = Scope { base: now.0.scope.base + numbers.start };
            let first = Version { value: field.__get(&now), meta: now.0.meta.clone(), scope };
            Arc::new(Projection {
                field: field.clone(),
                topic: Topic::new(
                    Snapshot(Arc::new(first)),
                    numbers.end - numbers.start,
                    self.registry.hub().clone(),
                ),
                untold: Mutex::new(None),
                of: PhantomData,
            })
        });
        let viewed: Arc<dyn Viewed> = projection.clone();
        let closed = {
            let mut views = lock(&self.views);
            // Views that are gone would else pile up between two versions.
            if views.all.len() == views.all.capacity() {
                views.all.retain(|v| v.strong_count() > 0);
            }
            views.all.push(Arc::downgrade(&viewed));
            views.closed
        };
        if closed {
            viewed.close_on();
        }
        (projection.topic.clone(), projection)
    }
}

/// Keeps an atomic up to date.
struct Mirror<S, T, V> {
    slot: Arc<Slot>,
    field: S,
    of: PhantomData<fn(&T) -> V>,
}

impl<T: 'static, V: LiveValue, S: Select<T, V>> Follower<T> for Mirror<S, T, V> {
    fn follow(&self, after: &Snapshot<T>, _: &[u32]) {
        self.slot.set(self.field.__get(after).__to_bits());
    }

    fn numbers(&self) -> Range<u32> {
        self.field.__numbers()
    }
}

type Untold<Part> = (Snapshot<Part>, Snapshot<Part>, Vec<u32>);

/// Keeps a view's topic up to date.
struct Projection<S, T, Part> {
    field: S,
    topic: Arc<Topic<Part>>,
    /// Installed and not yet told: before, after, what moved.
    untold: Mutex<Option<Untold<Part>>>,
    of: PhantomData<fn(&T)>,
}

impl<T, Part, S> Follower<T> for Projection<S, T, Part>
where
    T: 'static,
    Part: Send + Sync + 'static,
    S: Select<T, Part>,
{
    fn follow(&self, after: &Snapshot<T>, moved: &[u32]) {
        let start = self.field.__numbers().start;
        let moved: Vec<u32> = moved.iter().map(|n| n - start).collect();
        let before = self.topic.core.cell.snapshot();
        let scope = Scope { base: after.0.scope.base + start };
        let version = Version { value: self.field.__get(after), meta: after.0.meta.clone(), scope };
        let after = Snapshot(Arc::new(version));
        self.topic.install(&after, &moved);
        *lock(&self.untold) = Some((before, after, moved));
    }

    fn numbers(&self) -> Range<u32> {
        self.field.__numbers()
    }
}

impl<T, Part, S> Viewed for Projection<S, T, Part>
where
    T: 'static,
    Part: Send + Sync + 'static,
    S: Select<T, Part>,
{
    fn tell_on(&self) {
        let untold = lock(&self.untold).take();
        if let Some((before, after, moved)) = untold {
            self.topic.tell(&before, &after, &moved);
        }
    }

    fn close_on(&self) {
        self.topic.close();
    }
}
