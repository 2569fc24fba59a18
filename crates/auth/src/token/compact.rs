//! A signed token in its compact form: header, claims and signature, read strictly and believed in nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::token::Algorithm;
use crate::unique;

/// What stands in a token.
#[derive(Debug)]
pub(crate) struct Compact<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    /// The whole header.
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

/// Why a text is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompactError {
    #[error("it is no three parts in base64url")]
    Form,
    #[error("its {0} is no JSON object: {1}")]
    Json(&'static str, String),
    #[error("its algorithm is none of those that are taken")]
    Algorithm,
    #[error("its header says `crit`: it wants something understood that is not")]
    Critical,
    #[error("its header is wrong: {0}")]
    Header(&'static str),
}

impl<'a> Compact<'a> {
    /// Reads `text`.
    ///
    /// # Errors
    /// When it is no signed token, wants an extension understood (RFC 7515 section 4.1.11), or could be read in two ways.
    pub(crate) fn parse(text: &'a str) -> Result<Self, CompactError> {
        let (signed, signature) = text.rsplit_once('.').ok_or(CompactError::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(CompactError::Form)?;
        if claims.contains('.') || signature.is_empty() {
            return Err(CompactError::Form);
        }
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| CompactError::Form);
        let object = |what: &'static str, part: &str| {
            unique::object(&decoded(part)?).map_err(|error| CompactError::Json(what, error.to_string()))
        };
        let header = object("header", header)?;
        if header.contains_key("crit") {
            return Err(CompactError::Critical);
        }
        if header.get("b64").is_some() || header.contains_key("zip") || header.contains_key("enc") {
            return Err(CompactError::Header("it is encoded in a way that is not read here"));
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(CompactError::Header("`kid` is no text")),
        };
        Ok(Self {
            algorithm: algorithm.ok_or(CompactError::Algorithm)?,
            key_id,
            claims: object("payload", claims)?,
            header,
            signed,
            signature: decoded(signature)?,
        })
    }

    /// The type that its header names, without `application/`, in small letters (RFC 7515 section 4.1.9).
    pub(crate) fn kind(&self) -> Option<String> {
        let kind = self.header.get("typ")?.as_str()?.to_ascii_lowercase();
        Some(kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind))
    }

    /// What is signed, and the signature.
    pub(crate) fn signature(&self) -> (&[u8], &[u8]) {
        (self.signed.as_bytes(), &self.signature)
    }

    /// A claim that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// A claim that may be one text or several: `aud`. `None` when it is neither.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        match self.claims.get(name)? {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(all) => all.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => None,
        }
    }
}
