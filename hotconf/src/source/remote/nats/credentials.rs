//! Who we are by a key: a file of credentials, and the signature that shows that the key is ours.
//!
//! Pure. What is wrong with a file is told without a letter of it.
//! (nats-io/nkeys: base 32 of a kind, 32 bytes and a checksum; ADR-14 for the file.)

use super::api::Claims;
use crate::source::remote::net::base64;
use crate::source::remote::net::crypto::Ed25519;
use zeroize::Zeroizing;

/// The kind of a seed, and that of a user, as the first five bits of each byte.
const SEED: u8 = 18 << 3;
const USER: u8 = 20 << 3;

/// What `CONNECT` says for the credentials in `file`: the JWT, or the public key where there is none, and the
/// signature of `nonce`.
pub(super) fn claims(file: &[u8], nonce: &str) -> Result<Claims, &'static str> {
    let file = std::str::from_utf8(file).map_err(|_| "is no text in UTF-8")?;
    let seed = block(file, "NKEY SEED").or_else(|| {
        // A file that holds a seed and nothing else.
        Some(file.trim()).filter(|text| text.starts_with('S') && !text.contains(char::is_whitespace))
    });
    let seed = seed.ok_or("has no seed: expected `-----BEGIN USER NKEY SEED-----`")?;
    let seed = decode(seed).ok_or("has a seed that cannot be read")?;
    let [kind, user, key @ ..] = &**seed else { return Err("has a seed that is too short") };
    if kind & 0xf8 != SEED || (kind & 7) << 5 | (user & 0xf8) >> 3 != USER {
        return Err("has a seed that is not of a user");
    }
    let pair = Ed25519::of_seed(key).ok_or("has a seed of another length")?;
    if nonce.is_empty() {
        return Err("cannot be used: the server asks nobody to sign; does it know users by keys?");
    }
    let signature = base64(&pair.sign(nonce.as_bytes()));
    let signature = signature.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let whoever = match block(file, "USER JWT") {
        Some(jwt) => ("jwt", Zeroizing::new(jwt.to_owned())),
        None => ("nkey", Zeroizing::new(encode(USER, pair.public()))),
    };
    Ok(vec![whoever, ("sig", Zeroizing::new(signature))])
}

/// The line behind the one that begins the block of this name.
fn block<'a>(file: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = file.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| line.starts_with("--") && line.contains("BEGIN") && line.contains(name))?;
    lines.next().filter(|line| !line.starts_with("--"))
}

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The bytes before the checksum, if that is right.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes() {
        let value = LETTERS.iter().position(|&known| known == letter)?;
        bits = bits << 5 | u32::try_from(value).expect("one of 32");
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
        bits &= (1 << held) - 1;
    }
    let rest = bytes.len().checked_sub(2)?;
    let sum = u16::from_le_bytes([bytes[rest], bytes[rest + 1]]);
    bytes.truncate(rest);
    (checksum(&bytes) == sum).then_some(bytes)
}

fn encode(kind: u8, key: &[u8]) -> String {
    let mut bytes = [&[kind], key].concat();
    bytes.extend(checksum(&bytes).to_le_bytes());
    let mut text = String::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(LETTERS[(bits >> held & 31) as usize]));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        text.push(char::from(LETTERS[(bits << (5 - held) & 31) as usize]));
    }
    text
}

/// CRC-16 of XMODEM.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(
            sum ^ u16::from(*byte) << 8,
            |sum, _| if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The seed of 32 bytes that are all this one.
    fn seed(byte: u8) -> String {
        let mut key = vec![(USER & 31) << 3];
        key.extend([byte; 32]);
        encode(SEED | USER >> 5, &key)
    }

    #[test]
    fn a_file_has_a_token_and_a_seed() {
        let seed = seed(7);
        assert!(seed.starts_with("SU"), "{seed}");
        let file = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0.abc\n------END NATS USER JWT------\n\n*** IMPORTANT ***\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let said = claims(file.as_bytes(), "nonce").unwrap();
        assert_eq!((said[0].0, said[0].1.as_str(), said[1].0), ("jwt", "eyJ0.abc", "sig"));
        assert_eq!(said[1].1.len(), 86);
        let said = claims(format!("{seed}\n").as_bytes(), "nonce").unwrap();
        assert!(said[0].0 == "nkey" && said[0].1.starts_with('U') && said[0].1.len() == 56, "{}", *said[0].1);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_without_it() {
        let good = seed(7);
        for wrong in
            ["", "hunter2", "-----BEGIN USER NKEY SEED-----\n", &good.replacen('A', "B", 1), &good[..40]]
        {
            let said = claims(wrong.as_bytes(), "nonce").unwrap_err();
            assert!(!said.contains("hunter"), "{said}");
        }
        let account = {
            let mut key = vec![0];
            key.extend([7; 32]);
            encode(SEED, &key)
        };
        assert_eq!(claims(account.as_bytes(), "n").unwrap_err(), "has a seed that is not of a user");
        assert!(claims(good.as_bytes(), "").is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(key in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = encode(USER, &key);
            prop_assert_eq!(&decode(&text).unwrap()[1..], &*key);
        }

        #[test]
        fn no_file_panics(file in prop::collection::vec(any::<u8>(), 0..90), text in "[A-Z2-7]{0,60}") {
            let _ = (claims(&file, "n"), claims(format!("S{text}").as_bytes(), "n"));
        }
    }
}
