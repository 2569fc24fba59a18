//! When a token is good (RFC 7519 section 4.1), by clocks that differ a little.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The times that a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) expires_at: u64,
    pub(crate) issued_at: Option<u64>,
}

impl Times {
    /// Reads them from `claims`, and refuses a token that is not good at `now`, give or take `leeway` seconds.
    ///
    /// # Errors
    /// Which of them is wrong.
    pub(crate) fn check(claims: &Map<String, Value>, now: u64, leeway: u64) -> Result<Self, Refusal> {
        let expires_at = time(claims, "exp")?.ok_or_else(|| Refusal::invalid("the token does not say when it ends"))?;
        if now >= expires_at.saturating_add(leeway) {
            return Err(Refusal::invalid("the token has expired"));
        }
        if time(claims, "nbf")?.is_some_and(|from| from > now.saturating_add(leeway)) {
            return Err(Refusal::invalid("the token is not good yet"));
        }
        let issued_at = time(claims, "iat")?;
        if issued_at.is_some_and(|at| at > now.saturating_add(leeway)) {
            return Err(Refusal::invalid("the token was issued in the future: a clock is wrong"));
        }
        Ok(Self { expires_at, issued_at })
    }
}

/// Seconds since 1970. A number that is none of seconds, or a text, is refused: it is never taken for "no limit".
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_u64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| (0.0..9e15).contains(seconds))?;
        // Fractions are allowed (RFC 7519 section 2, NumericDate); a token ends no later for one.
        Some(seconds as u64)
    });
    whole.map(Some).ok_or_else(|| Refusal::invalid(format!("the token's `{name}` is no time")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::Times;

    fn good(claims: &serde_json::Value) -> bool {
        Times::check(claims.as_object().unwrap(), 1_000, 30).is_ok()
    }

    #[test]
    fn auth_2_times_within_the_leeway_and_no_tricks_with_numbers() {
        assert!(good(&json!({"exp": 1_001})) && good(&json!({"exp": 971})) && !good(&json!({"exp": 970})));
        assert!(good(&json!({"exp": 2_000, "nbf": 1_030})) && !good(&json!({"exp": 2_000, "nbf": 1_031})));
        assert!(good(&json!({"exp": 2_000, "iat": 1_030})) && !good(&json!({"exp": 2_000, "iat": 1_031})));
        assert!(good(&json!({"exp": 1_001.5})) && !good(&json!({"exp": 969.9})));
        for none in [json!(null), json!("2000"), json!(-1), json!(1e300), json!(true), json!([2_000])] {
            assert!(!good(&json!({"exp": none})), "{none}");
            assert!(!good(&json!({"exp": 2_000, "nbf": none})), "{none}");
        }
        assert!(!good(&json!({})), "a token without an end");
    }
}
