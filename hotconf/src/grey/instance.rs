//! Who we are: what rules ask about.

use super::bucket::bucket;
use std::collections::BTreeMap;

/// The instance that a program is, as the rules of overlays see it: an identity and labels.
///
/// The identity decides in which shares the instance is. It is to be one that stays: the name of a stateful
/// pod, a machine's id; an address moves. Without an identity an instance is in no share. A label that an
/// instance lacks holds for nothing but `exists = false`.
///
/// ```
/// use hotconf::Instance;
///
/// let here = Instance::of("pod-7").label("zone", "eu-1").label("version", "2.3.1");
/// assert_eq!(here.get("zone"), Some("eu-1"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    id: Option<Box<str>>,
    labels: BTreeMap<Box<str>, Box<str>>,
}

impl Instance {
    /// The instance with this identity. An empty one is none.
    pub fn of(id: impl Into<String>) -> Self {
        let id = Some(id.into()).filter(|id| !id.is_empty());
        Self { id: id.map(Into::into), labels: BTreeMap::new() }
    }

    /// An instance without an identity: it is in no share.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Gives it a label; the last of a name counts.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into().into(), value.into().into());
        self
    }

    /// The identity.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The label of this name.
    pub fn get(&self, label: &str) -> Option<&str> {
        self.labels.get(label).map(|value| &**value)
    }

    /// Where it stands in the shares of a rule, 0 to 99 999; it is in a share of `n` per cent where that is below
    /// `n` × 1 000. So raising a share only adds instances, and lowering it takes away those that came last.
    ///
    /// `salt` is the rule's own, or empty. The bucket is `(h × 100 000) >> 32`, where `h` is `MurmurHash3_x86_32`
    /// with seed 0 over salt, rule and identity, each preceded by its length as a little-endian `u32`:
    ///
    /// ```
    /// use hotconf::Instance;
    ///
    /// assert_eq!(Instance::of("pod-0").bucket("", "canary"), Some(90_249));
    /// assert_eq!(Instance::of("pod-1").bucket("", "canary"), Some(16_930));
    /// assert_eq!(Instance::of("pod-0").bucket("2026", "canary"), Some(98_760));
    /// assert_eq!(Instance::anonymous().bucket("", "canary"), None);
    /// ```
    pub fn bucket(&self, salt: &str, rule: &str) -> Option<u32> {
        self.id().map(|id| bucket(salt, rule, id))
    }
}
