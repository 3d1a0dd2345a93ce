//! What of cryptography stores need besides TLS: signatures, digests, random bytes. The only file that names `ring`.

use crate::source::SourceError;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// A key that signs.
#[cfg_attr(not(feature = "nats"), allow(dead_code))]
pub(crate) struct Ed25519(Ed25519KeyPair);

#[cfg_attr(not(feature = "nats"), allow(dead_code))]
impl Ed25519 {
    /// The key of these 32 bytes; none where they are of another number.
    pub(crate) fn of_seed(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The half that everybody may know.
    pub(crate) fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The signature of `message`: 64 bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

/// SHA-1, where a protocol asks for it and nothing depends on its strength.
#[cfg_attr(not(feature = "websocket"), allow(dead_code))]
pub(crate) fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

/// Bytes that nobody can foresee.
#[cfg_attr(not(feature = "websocket"), allow(dead_code))]
pub(crate) fn random<const N: usize>() -> Result<[u8; N], SourceError> {
    let mut bytes = [0; N];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(SourceError::down("this machine gives no random numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_published_one() {
        let digest = sha1(b"abc");
        assert_eq!((digest.len(), &digest[..4]), (20, &[0xa9, 0x99, 0x3e, 0x36][..]));
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random::<16>().unwrap(), random::<16>().unwrap());
    }
}
