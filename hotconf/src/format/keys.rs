//! Finding a key that stands twice in one table.
//!
//! Small tables are compared pair by pair, which beats hashing; larger ones go through a table of
//! hashes. The hash is quick and not keyed: should somebody craft collisions, probing gives up after a
//! few steps and the keys are sorted instead, so that the cost stays `n log n` whatever the document.

use std::borrow::Cow;

/// A key and the byte offset at which it stands.
pub(super) struct Key<'t> {
    pub(super) name: Cow<'t, str>,
    pub(super) at: usize,
}

/// Finds duplicates; keeps its memory from one table to the next.
#[derive(Default)]
pub(super) struct Duplicates {
    /// Index + 1 into the keys; 0 is free.
    slots: Vec<u32>,
}

/// Up to this many keys, comparing all pairs is faster: lengths differ more often than not.
const FEW: usize = 12;
/// An honest table at half load practically never probes this far.
const PROBES: usize = 32;

impl Duplicates {
    /// Calls `found(first, later)` with the indexes of keys that are the same.
    pub(super) fn find(&mut self, keys: &[Key<'_>], mut found: impl FnMut(usize, usize)) {
        if keys.len() <= FEW {
            for (later, key) in keys.iter().enumerate() {
                if let Some(first) = keys[..later].iter().position(|k| k.name == key.name) {
                    found(first, later);
                }
            }
        } else if !self.hashed(keys) {
            sorted(keys, found);
        }
    }

    /// Tells whether all keys are surely different. `false` (a duplicate, or collisions) asks for a sort.
    fn hashed(&mut self, keys: &[Key<'_>]) -> bool {
        let size = (keys.len() * 2).next_power_of_two();
        self.slots.clear();
        self.slots.resize(size, 0);
        let slots = &mut self.slots[..size];
        for (key, mark) in keys.iter().zip(1_u32..) {
            let mut at = hash(key.name.as_bytes());
            let last = at.wrapping_add(PROBES);
            loop {
                let slot = &mut slots[at & (size - 1)];
                if *slot == 0 {
                    *slot = mark;
                    break;
                }
                at = at.wrapping_add(1);
                if at == last || keys[*slot as usize - 1].name == key.name {
                    return false;
                }
            }
        }
        true
    }
}

/// Sorts the keys; equal ones end up side by side, in the document's order.
fn sorted(keys: &[Key<'_>], mut found: impl FnMut(usize, usize)) {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&a, &b| keys[a].name.cmp(&keys[b].name));
    let mut first = 0;
    for i in 1..order.len() {
        if keys[order[i]].name == keys[order[first]].name {
            found(order[first], order[i]);
        } else {
            first = i;
        }
    }
}

/// Mixes the length with what a key begins and ends with, sixteen bytes at most: keys that are longer and
/// differ in the middle only are rare enough for probing.
fn hash(bytes: &[u8]) -> usize {
    const K: u64 = 0xf135_7aea_2e62_a9c5;
    let (low, high) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(low), Some(high)) => (u64::from_le_bytes(*low), u64::from_le_bytes(*high)),
        // Halves that overlap, or first, middle and last byte: the length tells which is which.
        _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
            (Some(low), Some(high), _) => {
                (u64::from(u32::from_le_bytes(*low)), u64::from(u32::from_le_bytes(*high)))
            }
            (_, _, [first, .., last]) => {
                (u64::from(*first), u64::from(bytes[bytes.len() / 2]) << 8 | u64::from(*last))
            }
            _ => (bytes.first().map_or(0, |&only| u64::from(only)), 0),
        },
    };
    let hash = (low ^ bytes.len() as u64).wrapping_mul(K).rotate_left(29) ^ high;
    // The upper half is the well mixed one.
    usize::try_from(hash.wrapping_mul(K) >> 32).expect("32 bits fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[String]) -> Vec<Key<'_>> {
        names.iter().enumerate().map(|(at, name)| Key { name: Cow::Borrowed(name), at }).collect()
    }

    fn found(names: &[String]) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        Duplicates::default().find(&keys(names), |first, later| pairs.push((first, later)));
        pairs
    }

    #[test]
    fn different_keys_are_no_duplicates_in_any_number() {
        for n in [0, 1, 2, FEW, FEW + 1, 5_000] {
            let names: Vec<String> = (0..n).map(|i| format!("key_{i}")).collect();
            assert_eq!(found(&names), []);
        }
    }

    #[test]
    fn a_key_that_stands_thrice_is_found_twice_with_its_first_place() {
        for n in [3, FEW + 1, 5_000] {
            let mut names: Vec<String> = (0..n).map(|i| format!("key_{i}")).collect();
            names.push("key_1".into());
            names.push("key_1".into());
            assert_eq!(found(&names), [(1, n), (1, n + 1)]);
        }
    }

    #[test]
    fn crafted_collisions_fall_back_to_sorting() {
        let wanted = hash(b"") & 1023;
        let names: Vec<String> = (0..)
            .map(|i: u32| format!("{i:08}"))
            .filter(|s| hash(s.as_bytes()) & 1023 == wanted)
            .take(400)
            .collect();
        assert!(!Duplicates::default().hashed(&keys(&names)));
        assert_eq!(found(&names), []);
    }
}
