//! Signature algorithms (RFC 7518, RFC 8037): asymmetric ones alone, each with the kind of key it goes with.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token::material::Material;

/// A signature algorithm. There is no `none` and no HMAC: a key that can sign is nobody's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// ECDSA with P-384 and SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

impl Algorithm {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// Its name in a header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of that name, to the letter; `Ed25519` is its newer name (RFC 9864).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDSA);
        }
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    const fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
            Self::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
            _ => None,
        }
    }

    const fn ecdsa(self) -> Option<&'static EcdsaVerificationAlgorithm> {
        match self {
            Self::ES256 => Some(&ECDSA_P256_SHA256_FIXED),
            Self::ES384 => Some(&ECDSA_P384_SHA384_FIXED),
            _ => None,
        }
    }

    /// Whether a key of this kind can have made a signature of this algorithm.
    pub(crate) const fn goes_with(self, material: &Material) -> bool {
        matches!(
            (self, material),
            (Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512, Material::Rsa(_))
                | (Self::ES256, Material::P256(_))
                | (Self::ES384, Material::P384(_))
                | (Self::EdDSA, Material::Ed25519(_))
        )
    }

    /// Whether `signature` of `message` is that of `material`.
    pub(crate) fn verifies(self, material: &Material, message: &[u8], signature: &[u8]) -> bool {
        match material {
            Material::Rsa(components) => {
                self.rsa().is_some_and(|how| components.verify(how, message, signature).is_ok())
            }
            Material::P256(point) | Material::P384(point) => self
                .ecdsa()
                .filter(|_| self.goes_with(material))
                .is_some_and(|how| UnparsedPublicKey::new(how, point).verify(message, signature).is_ok()),
            Material::Ed25519(point) => {
                self == Self::EdDSA && UnparsedPublicKey::new(&ED25519, point).verify(message, signature).is_ok()
            }
        }
    }
}
