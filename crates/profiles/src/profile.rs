//! A profile as it is applied: bases laid under it, variables put in.

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};

use crate::name::ProfileName;
use crate::offer::Offer;

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// By what it is called.
    pub name: ProfileName,
    /// What it is for, in its own words.
    pub description: Option<String>,
    /// What a client is told.
    pub text: String,
    /// What of the servers is shown.
    pub offer: Offer,
    /// The file.
    pub file: PathBuf,
    /// The profiles that it builds on, the lowest first.
    pub bases: Vec<ProfileName>,
    /// SHA-256 of what it gives: of the text, which for a plain file is that of the file; where it takes something away, of
    /// that as well.
    pub sha256: [u8; 32],
}

impl Profile {
    /// The digest of a text and an offer.
    pub(crate) fn digest(text: &str, offer: &Offer) -> [u8; 32] {
        let mut all = text.as_bytes().to_vec();
        if !offer.is_everything() {
            all.push(0);
            all.extend(offer.to_json().to_string().into_bytes());
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &all).as_ref());
        sha256
    }

    /// The digest as people write it.
    #[must_use]
    pub fn hash(&self) -> String {
        omni_types::hex(&self.sha256)
    }
}
