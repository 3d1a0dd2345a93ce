//! What the sources of one process share: one feed per store, kept by those who follow it.

use super::store::Identity;
use crate::sync::lock;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

/// Things that are the same for equal identities; each goes with the last who uses it.
#[derive(Default)]
pub(crate) struct Commons {
    shared: Mutex<HashMap<(TypeId, Identity), Weak<dyn Any + Send + Sync>>>,
}

impl Commons {
    /// The one that is in use under this identity, or a new one.
    pub(super) fn share<T: Any + Send + Sync>(
        &self,
        identity: &Identity,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut shared = lock(&self.shared);
        let key = (TypeId::of::<T>(), identity.clone());
        let used = shared.get(&key).and_then(Weak::upgrade).and_then(|used| used.downcast::<T>().ok());
        used.unwrap_or_else(|| {
            shared.retain(|_, used| used.strong_count() > 0);
            let made = Arc::new(make());
            let weak: Weak<dyn Any + Send + Sync> = Arc::downgrade(&made) as Weak<_>;
            shared.insert(key, weak);
            made
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_identities_share_one_as_long_as_somebody_uses_it() {
        let commons = Commons::default();
        let of = |name: &str, value: u32| commons.share(&Identity::of([name]), || value);
        let (first, other) = (of("a", 1), of("b", 2));
        assert_eq!((*of("a", 3), *other), (1, 2));
        drop(first);
        assert_eq!(*of("a", 4), 4);
    }
}
