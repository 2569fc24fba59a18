//! A witness's key, and its signature with the time (C2SP tlog-cosignature, `cosignature/v1`).

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::LogError;
use crate::keys::{random, read_secret, replace, write_secret};
use crate::note::SigningKey;

/// The kind of key, as signed notes number it: Ed25519 over a checkpoint with a time.
const COSIGNATURE_KIND: u8 = 4;
const NAME_PREFIX: &str = "omni-mcp-hub/witness/";

#[derive(Debug)]
pub(super) struct Cosigner {
    key: SigningKey,
}

impl Cosigner {
    /// The key in this folder; made where there is none.
    pub(super) fn open(folder: &Path) -> Result<Self, LogError> {
        let path = folder.join("witness.key");
        let key = match read_secret(&path)? {
            Some(text) => SigningKey::from_secret_text(&text)?,
            None => {
                let id: [u8; 8] = random()?;
                let key = SigningKey::generate(&format!("{NAME_PREFIX}{:016x}", u64::from_be_bytes(id)))?;
                write_secret(&path, &key.secret_text())?;
                key
            }
        };
        let cosigner = Self { key };
        replace(&folder.join("witness.vkey"), format!("{}\n", cosigner.public()).as_bytes(), 0o644)?;
        Ok(cosigner)
    }

    /// `NAME+HASH+KEY`.
    pub(super) fn public(&self) -> String {
        let id = omni_types::hex(&self.id());
        format!("{}+{id}+{}", self.name(), STANDARD.encode(self.typed()))
    }

    /// The line of a signed note by which it says that it saw this text at this time (seconds since 1970).
    pub(super) fn cosign(&self, text: &str, seconds: u64) -> String {
        let signature = self.key.sign(format!("cosignature/v1\ntime {seconds}\n{text}").as_bytes());
        let bytes = [self.id().as_slice(), &seconds.to_be_bytes(), &signature].concat();
        format!("\u{2014} {} {}\n", self.name(), STANDARD.encode(bytes))
    }

    fn name(&self) -> &str {
        self.key.public().name()
    }

    fn typed(&self) -> Vec<u8> {
        [&[COSIGNATURE_KIND], self.key.public().bytes().as_slice()].concat()
    }

    fn id(&self) -> [u8; 4] {
        let hash = digest(&SHA256, &[self.name().as_bytes(), b"\n", &self.typed()].concat());
        let mut id = [0; 4];
        id.copy_from_slice(&hash.as_ref()[..4]);
        id
    }
}
