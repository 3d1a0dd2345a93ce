//! Where an instance stands in a share: one of 100 000 buckets, the same for ever and on every machine.
//!
//! The hash is `MurmurHash3_x86_32` (Austin Appleby, public domain) with seed 0, over salt, rule and instance, each
//! preceded by its length as a little-endian `u32`, so that `("ab", "c")` is not `("a", "bc")`. The high bits make
//! the bucket: `(hash × 100 000) >> 32`. Integers only: no rounding moves an instance.

/// Into how many parts the instances are divided: a share has three decimals of a per cent.
pub(crate) const BUCKETS: u32 = 100_000;

/// The bucket of the instance `id` for a rule: below [`BUCKETS`].
pub(crate) fn bucket(salt: &str, rule: &str, id: &str) -> u32 {
    let mut hash = Murmur3::default();
    for part in [salt, rule, id] {
        // Names are short; of one that is not, its length modulo 2^32 serves as well.
        #[allow(clippy::cast_possible_truncation)]
        hash.write(&(part.len() as u32).to_le_bytes());
        hash.write(part.as_bytes());
    }
    let place = (u64::from(hash.finish()) * u64::from(BUCKETS)) >> 32;
    u32::try_from(place).expect("it is below the number of buckets")
}

/// `MurmurHash3_x86_32` of a text that comes in parts.
#[derive(Default)]
struct Murmur3 {
    state: u32,
    /// Bytes that make no whole block yet, the first lowest.
    tail: u32,
    length: u32,
}

impl Murmur3 {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let at = self.length % 4;
            self.tail |= u32::from(*byte) << (8 * at);
            self.length = self.length.wrapping_add(1);
            if at == 3 {
                self.state ^= scramble(std::mem::take(&mut self.tail));
                self.state = self.state.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
            }
        }
    }

    fn finish(self) -> u32 {
        // A tail of no bytes scrambles to nothing.
        let mut hash = self.state ^ scramble(self.tail) ^ self.length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn murmur(text: &[u8]) -> u32 {
        let mut hash = Murmur3::default();
        hash.write(text);
        hash.finish()
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(murmur(b""), 0);
        assert_eq!(murmur(b"hello"), 0x248b_fa47);
        assert_eq!(murmur(b"hello, world"), 0x149b_bb7f);
        assert_eq!(murmur(b"The quick brown fox jumps over the lazy dog"), 0x2e4f_f723);
        // flagd's own vector: flag key and targeting key without a separator.
        assert_eq!(murmur(b"flaguser-1"), 3_034_658_845);
    }

    #[test]
    fn parts_are_told_apart_by_their_lengths() {
        assert_ne!(bucket("", "ab", "c"), bucket("", "a", "bc"));
        assert_ne!(bucket("s", "", "c"), bucket("", "s", "c"));
    }

    #[test]
    fn instances_spread_evenly() {
        // A million ids in a hundred parts: a part differs from its 10 000 by less than five standard deviations.
        let mut parts = [0_u32; 100];
        for n in 0..1_000_000 {
            parts[(bucket("", "canary", &format!("pod-{n}")) / (BUCKETS / 100)) as usize] += 1;
        }
        assert!(parts.iter().all(|part| part.abs_diff(10_000) < 500), "{parts:?}");
    }
}
