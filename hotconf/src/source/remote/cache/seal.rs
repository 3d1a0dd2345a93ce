//! A cache that only the holder of a key can read or make: XChaCha20-Poly1305.
//!
//! The nonce has 24 bytes and is drawn anew for each generation, so that one key serves for ever. What stands
//! before the sealed bytes is authenticated with them.

use crate::secret::Secret;
use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

const MAGIC: &[u8; 15] = b"hotconf sealed\x01";
const NONCE: usize = 24;

/// Seals with `key`.
///
/// # Errors
///
/// The system gives no random bytes.
pub(super) fn seal(key: &Secret<[u8; 32]>, plain: &[u8]) -> Result<Vec<u8>, &'static str> {
    let nonce = XNonce::try_generate().map_err(|_| "the system gives no random bytes")?;
    let sealed = cipher(key).encrypt(&nonce, Payload { msg: plain, aad: MAGIC });
    let sealed = sealed.map_err(|_| "it is too long to be sealed")?;
    Ok([MAGIC.as_slice(), nonce.as_slice(), &sealed].concat())
}

/// What was sealed with `key`.
///
/// # Errors
///
/// Why it cannot be read, as the end of a sentence.
pub(super) fn open(key: &Secret<[u8; 32]>, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is not sealed, or by another version of hotconf")?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or("it ends too early")?;
    let payload = Payload { msg: sealed, aad: MAGIC };
    let plain = cipher(key).decrypt(&XNonce::from(*nonce), payload);
    plain.map_err(|_| "it was sealed with another key, or damaged")
}

fn cipher(key: &Secret<[u8; 32]>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_opens_it_and_every_damage_is_found() {
        let (key, other) = (Secret::from([7; 32]), Secret::from([8; 32]));
        let sealed = seal(&key, b"canary").unwrap();
        assert_eq!(open(&key, &sealed).unwrap(), b"canary");
        assert_ne!(sealed, seal(&key, b"canary").unwrap(), "a nonce of its own");
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
        assert!(open(&other, &sealed).unwrap_err().contains("another key"));
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(open(&key, &damaged).is_err(), "{at}");
            assert!(open(&key, &sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn it_is_the_cipher_of_the_draft() {
        // draft-irtf-cfrg-xchacha-03, A.3.1: the published key, nonce, data and result.
        let (mut key, mut nonce) = ([0; 32], [0; 24]);
        key.iter_mut().zip(0x80..).for_each(|(byte, n)| *byte = n);
        nonce.iter_mut().zip(0x40..).for_each(|(byte, n)| *byte = n);
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain = b"Ladies and Gentlemen of the class of '99: \
                      If I could offer you only one tip for the future, sunscreen would be it.";
        let payload = Payload { msg: plain.as_slice(), aad: &aad };
        let sealed = cipher(&Secret::from(key)).encrypt(&XNonce::from(nonce), payload).unwrap();
        let tag = &sealed[plain.len()..];
        assert_eq!(sealed[..4], [0xbd, 0x6d, 0x17, 0x9d]);
        assert_eq!(tag, 0xc087_5924_c1c7_9879_47de_afd8_780a_cf49_u128.to_be_bytes());
    }
}
