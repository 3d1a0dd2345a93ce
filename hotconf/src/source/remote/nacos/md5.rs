//! MD5 (RFC 1321), by which Nacos tells one content from another. It protects nothing here.
//!
//! Pure. Our own: it is small and never changes, and a crate would bring others with it.

use std::fmt::Write;

/// How far each step of the four rounds turns.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The constants of the steps: the integer parts of `2^32 × |sin(n)|`, written out, since no machine promises the last
/// digit of a sine.
#[rustfmt::skip]
const STEPS: [u32; BLOCK] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee,
    0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be,
    0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa,
    0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed,
    0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c,
    0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05,
    0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039,
    0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1,
    0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

const BLOCK: usize = 64;

/// The digest of `bytes`, in lower-case hexadecimal.
pub(super) fn md5(bytes: &[u8]) -> Box<str> {
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let mut blocks = bytes.chunks_exact(BLOCK);
    for block in &mut blocks {
        take(&mut state, block);
    }
    // The rest, one bit, zeros, and the length in bits, modulo 2^64.
    let mut rest = blocks.remainder().to_vec();
    rest.push(0x80);
    rest.resize((rest.len() + 8).next_multiple_of(BLOCK) - 8, 0);
    rest.extend((bytes.len() as u64).wrapping_mul(8).to_le_bytes());
    for block in rest.chunks_exact(BLOCK) {
        take(&mut state, block);
    }
    let mut digest = String::with_capacity(32);
    for byte in state.iter().flat_map(|word| word.to_le_bytes()) {
        // A string takes all that is written.
        let _ = write!(digest, "{byte:02x}");
    }
    digest.into()
}

fn take(state: &mut [u32; 4], block: &[u8]) {
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| block[4 * at + byte]));
    let [mut a, mut b, mut c, mut d] = *state;
    for (n, step) in STEPS.iter().enumerate() {
        let (mixed, at) = match n / 16 {
            0 => (b & c | !b & d, n),
            1 => (d & b | !d & c, (5 * n + 1) % 16),
            2 => (b ^ c ^ d, (3 * n + 5) % 16),
            _ => (c ^ (b | !d), 7 * n % 16),
        };
        let sum = a.wrapping_add(mixed).wrapping_add(*step).wrapping_add(word(at));
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(TURNS[n / 16][n % 4]));
    }
    for (kept, word) in state.iter_mut().zip([a, b, c, d]) {
        *kept = kept.wrapping_add(word);
    }
}

#[cfg(test)]
mod tests {
    use super::md5;

    #[test]
    fn the_vectors_of_the_standard() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "d174ab98d277d9f5a5611c2c9f419d9f",
            ),
        ] {
            assert_eq!(&*md5(text.as_bytes()), digest);
        }
    }

    #[test]
    fn lengths_around_the_end_of_a_block() {
        for (length, digest) in [
            (55, "ef1772b6dff9a122358552954ad0df65"),
            (56, "3b0c8ac703f828b04c6c197006d17218"),
            (57, "652b906d60af96844ebd21b674f35e93"),
            (63, "b06521f39153d618550606be297466d5"),
            (64, "014842d480b571495a4a0363793f7367"),
            (65, "c743a45e0d2e6a95cb859adae0248435"),
            (119, "8a7bd0732ed6a28ce75f6dabc90e1613"),
            (120, "5f61c0ccad4cac44c75ff505e1f1e537"),
            (128, "e510683b3f5ffe4093d021808bc6ff70"),
        ] {
            assert_eq!(&*md5(&vec![b'a'; length]), digest, "{length}");
        }
    }
}
