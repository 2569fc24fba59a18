//! Ed25519 keys as signed notes name them: `NAME+HASH+KEY`, and `PRIVATE+KEY+NAME+HASH+KEY` for the private half.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use omni_types::random;

use crate::error::LogError;

/// The kind of key, as signed notes number it.
const ED25519_KIND: u8 = 1;
const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// The public half: all that an auditor needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    /// The key of this name.
    #[must_use]
    pub fn new(name: &str, public: [u8; 32]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(name.as_bytes());
        context.update(b"\n");
        context.update(&[ED25519_KIND]);
        context.update(&public);
        let mut id = [0; 4];
        id.copy_from_slice(&context.finish().as_ref()[..4]);
        Self { name: name.to_owned(), id, public }
    }

    /// The name, which is the log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of the hash of name and key, which signatures carry.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The key itself.
    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.public
    }

    /// Whether this key signed `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), encoded(&self.public))
    }
}

impl FromStr for VerifierKey {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let wrong = |what: &str| LogError::malformed("a public key (NAME+HASH+KEY)", what);
        // The key is base64, whose alphabet has a plus sign: it is the rest after the second one.
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("it has fewer than three parts"));
        };
        check_name(name)?;
        let key = Self::new(name, decoded(key).ok_or_else(|| wrong("its third part is no Ed25519 key in base64"))?);
        if format!("{:08x}", u32::from_be_bytes(key.id)) != id {
            return Err(wrong("its hash does not fit name and key: a character was changed"));
        }
        Ok(key)
    }
}

/// The private half.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
    public: VerifierKey,
}

impl SigningKey {
    /// A new key of this name.
    ///
    /// # Errors
    /// Where the system has no randomness, or the name is none.
    pub fn generate(name: &str) -> Result<Self, LogError> {
        Self::from_seed(name, random().map_err(|error| LogError::Key(format!("no signing key: {error}")))?)
    }

    /// The key of this name that a seed makes.
    ///
    /// # Errors
    /// Where the name is none.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, LogError> {
        check_name(name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| LogError::Key("the signing key is none for Ed25519".to_owned()))?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { pair, seed, public: VerifierKey::new(name, public) })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// The text that the key file holds. A secret.
    #[must_use]
    pub fn secret_text(&self) -> String {
        let id = u32::from_be_bytes(self.public.id);
        format!("{SECRET_PREFIX}{}+{id:08x}+{}", self.public.name, encoded(&self.seed))
    }

    /// Reads what [`SigningKey::secret_text`] wrote.
    ///
    /// # Errors
    /// Where it is no such text.
    pub fn from_secret_text(text: &str) -> Result<Self, LogError> {
        let wrong = || LogError::Key("the signing key's file is no private key (PRIVATE+KEY+NAME+HASH+KEY)".to_owned());
        let mut parts = text.trim().strip_prefix(SECRET_PREFIX).ok_or_else(wrong)?.splitn(3, '+');
        let (Some(name), Some(id), Some(seed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let key = Self::from_seed(name, decoded(seed).ok_or_else(wrong)?)?;
        if format!("{:08x}", u32::from_be_bytes(key.public.id)) == id { Ok(key) } else { Err(wrong()) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

fn check_name(name: &str) -> Result<(), LogError> {
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+') {
        return Err(LogError::malformed("a name of a key", format!("{name:?} is empty, or has spaces or a plus sign")));
    }
    Ok(())
}

fn encoded(key: &[u8; 32]) -> String {
    let mut bytes = [ED25519_KIND; 33];
    bytes[1..].copy_from_slice(key);
    STANDARD.encode(bytes)
}

fn decoded(text: &str) -> Option<[u8; 32]> {
    match STANDARD.decode(text).ok()?.split_first()? {
        (&ED25519_KIND, key) => key.try_into().ok(),
        _ => None,
    }
}
