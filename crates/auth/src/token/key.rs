//! A public key as a JWK says it (RFC 7517): which algorithms it verifies is the key's matter, never the token's.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::token::algorithm::Algorithm;
use crate::token::material::Material;

/// Bits of an RSA modulus: fewer can be broken, more cost too much to look at.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// Bytes of an RSA exponent: a large one makes a verification slow.
const EXPONENT_BYTES_MAX: usize = 4;
/// Bytes of a coordinate.
const P256_BYTES: usize = 32;
const P384_BYTES: usize = 48;
const ED25519_BYTES: usize = 32;
/// Begins an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;
/// Bytes of a key's id.
const KEY_ID_BYTES_MAX: usize = 256;
/// Members that only a private or symmetric key has (RFC 7518 section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    /// The one algorithm it is for, where it says so.
    algorithm: Option<Algorithm>,
    material: Material,
    /// Members that its thumbprint is made of, in order (RFC 7638).
    canonical: String,
}

impl Key {
    /// Reads a JWK; `None` for one that verifies no signature here: another kind or curve, another use, a weak one.
    pub(crate) fn of_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member)) {
            return None;
        }
        if jwk.get("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        let operations =
            jwk.get("key_ops").map(|all| all.as_array().is_some_and(|all| all.iter().any(|o| o == "verify")));
        if operations == Some(false) {
            return None;
        }
        let part = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let exact = |name: &str, bytes: usize| part(name).filter(|part| part.len() == bytes);
        let point = |bytes: usize| {
            let (x, y) = (exact("x", bytes)?, exact("y", bytes)?);
            Some([&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat())
        };
        let (material, canonical) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let significant = |bytes: Vec<u8>| bytes.iter().position(|b| *b != 0).map(|at| bytes[at..].to_vec());
                let (n, e) = (significant(part("n")?)?, significant(part("e")?)?);
                let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
                let odd = e.last().is_some_and(|last| last % 2 == 1) && e != [1];
                if !RSA_BITS.contains(&bits) || e.len() > EXPONENT_BYTES_MAX || !odd {
                    return None;
                }
                let canonical = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text("e")?, text("n")?);
                (Material::Rsa(RsaPublicKeyComponents { n, e }), canonical)
            }
            ("EC", Some("P-256")) => (Material::P256(point(P256_BYTES)?), elliptic("P-256", text("x")?, text("y")?)),
            ("EC", Some("P-384")) => (Material::P384(point(P384_BYTES)?), elliptic("P-384", text("x")?, text("y")?)),
            ("OKP", Some("Ed25519")) => {
                let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text("x")?);
                (Material::Ed25519(exact("x", ED25519_BYTES)?), canonical)
            }
            _ => return None,
        };
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::parse(name.as_str()?).filter(|alg| alg.goes_with(&material))?),
        };
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().filter(|id| id.len() <= KEY_ID_BYTES_MAX)?.to_owned()),
        };
        Some(Self { id, algorithm, material, canonical })
    }

    /// Whether it verifies signatures of `algorithm`.
    pub(crate) fn is_for(&self, algorithm: Algorithm) -> bool {
        algorithm.goes_with(&self.material) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether `signature` of `message` is this key's, by `algorithm`.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.is_for(algorithm) && algorithm.verifies(&self.material, message, signature)
    }

    /// Its SHA-256 thumbprint (RFC 7638).
    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.canonical.as_bytes()))
    }
}

fn elliptic(curve: &str, x: &str, y: &str) -> String {
    format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
}
