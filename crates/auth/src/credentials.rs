//! What a client presents with a request: read from its headers, nothing of it believed yet.

use std::fmt;
use std::net::IpAddr;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName};

use crate::bases::Bases;
use crate::identified::Certified;
use crate::refusal::Refusal;

/// The proof of possession that goes with a DPoP token (RFC 9449).
const DPOP: HeaderName = HeaderName::from_static("dpop");
/// Bytes of a token.
pub(crate) const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A request as far as it matters who sends it. Tokens are taken from its headers alone: never from query or body.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Its method.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// The path of the endpoint it goes to: with an origin of the hub's, the resource that tokens are for (RFC 8707).
    pub resource: &'a str,
    /// The hub's origins.
    pub bases: &'a Bases,
    /// The certificate that was shown in the handshake of this very connection.
    pub certified: Option<&'a Certified>,
    /// Where it comes from, as far as that counts.
    pub source: Option<Source<'a>>,
}

/// Where a request comes from: what one such place may have of what all share is bounded.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// What counts as one place: an address, or the first of a network.
    pub network: IpAddr,
    /// Refuses where so many of its logins failed that no authorization server is asked for it any more.
    pub slowed: &'a (dyn Fn() -> Result<(), Refusal> + Sync),
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.network)
    }
}

/// A token as it was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    /// `Authorization: Bearer`
    Bearer(&'a str),
    /// `Authorization: DPoP` with its proof.
    Dpop { token: &'a str, proof: &'a str },
}

impl<'a> Presented<'a> {
    /// The token.
    pub(crate) const fn token(self) -> &'a str {
        match self {
            Self::Bearer(token) | Self::Dpop { token, .. } => token,
        }
    }

    /// Reads the headers; `None` when they hold no token.
    ///
    /// # Errors
    /// When they hold several, or one in no form that is known (RFC 6750 section 3.1: 400).
    pub(crate) fn read(headers: &'a HeaderMap) -> Result<Option<Self>, Refusal> {
        let Some(value) = only(headers, &AUTHORIZATION, "Authorization")? else { return Ok(None) };
        let Some((scheme, token)) = value.split_once(' ') else {
            return Err(Refusal::malformed("Authorization is written `Bearer TOKEN`"));
        };
        let token = token.trim_matches(' ');
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(right) {
            let why = format!("a token has 1 to {TOKEN_BYTES_MAX} letters, digits and -._~+/=");
            return Err(Refusal::malformed(why));
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Some(Self::Bearer(token)));
        }
        if scheme.eq_ignore_ascii_case("dpop") {
            let proof = only(headers, &DPOP, "DPoP")?;
            let proof = proof.ok_or_else(|| Refusal::bad_proof("the header DPoP, with the proof, is missing"))?;
            return Ok(Some(Self::Dpop { token, proof }));
        }
        Err(Refusal::malformed("Authorization is written `Bearer TOKEN`: other schemes are not known here"))
    }
}

/// The one value of a header. Of two, each program would take another.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName, shown: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Refusal::malformed(format!("more than one {shown} header"))),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| Refusal::malformed(format!("{shown} is not written in ASCII")))?;
            Ok(Some(text))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderMap;

    use super::{Presented, TOKEN_BYTES_MAX};

    fn read(values: &[&str]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("authorization", value.parse().unwrap());
        }
        let read = Presented::read(&headers);
        read.map(|found| found.map(|p| p.token().to_owned())).map_err(|refusal| refusal.public().to_owned())
    }

    #[test]
    fn auth_1_one_token_in_one_header_and_nothing_else() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["Bearer abc"]), Ok(Some("abc".to_owned())));
        assert_eq!(read(&["bearer  a.b-c_d~e+f/g="]), Ok(Some("a.b-c_d~e+f/g=".to_owned())));
        for wrong in
            ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Basic abc", "abc", "Bearer a\u{e9}", "Bearer\tabc"]
        {
            assert!(read(&[wrong]).is_err(), "{wrong}");
        }
        assert!(read(&["Bearer a", "Bearer b"]).unwrap_err().contains("more than one"));
        assert!(read(&[&format!("Bearer {}", "a".repeat(TOKEN_BYTES_MAX + 1))]).is_err());
        assert!(read(&["DPoP abc"]).unwrap_err().contains("DPoP"), "without a proof");
    }
}
