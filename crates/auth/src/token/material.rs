//! What a public key is made of, by its kind.

use aws_lc_rs::signature::RsaPublicKeyComponents;

/// A public key; a point is as SEC 1 writes it, uncompressed.
#[derive(Debug, Clone)]
pub(crate) enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}
