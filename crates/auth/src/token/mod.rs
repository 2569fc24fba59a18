//! Signed tokens (RFC 7515, RFC 7519): read strictly, verified by a key that decides on the algorithm.

mod algorithm;
mod compact;
mod key;
mod material;
mod times;

pub use algorithm::Algorithm;
pub(crate) use compact::Compact;
pub(crate) use key::Key;
pub(crate) use times::Times;

/// Whether `text` is written as a signed token is; nothing of it is believed.
#[must_use]
pub fn reads_token(text: &str) -> bool {
    Compact::parse(text).is_ok()
}
