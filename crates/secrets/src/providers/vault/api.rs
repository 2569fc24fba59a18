//! Requests to Vault's API, and what it says when it refuses.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode};
use omni_egress::{Client, PoolLimits, Target, collect};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::held::{Held, VALUE_BYTES_MAX};
use crate::settings::VaultSettings;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 4;
/// After which a connection that nobody uses is closed.
const IDLE: Duration = Duration::from_secs(30);
/// To connect; the whole is bounded by who asks.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer: a value with what stands around it, escaped.
const ANSWER_BYTES_MAX: usize = 4 * VALUE_BYTES_MAX;
/// Bytes of a file of root certificates.
const ROOTS_BYTES_MAX: u64 = 1 << 20;
/// Bytes that stand for themselves in a path.
const PLAIN: &[u8] = b"-._~/";

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");

/// An answer.
pub(crate) type Answer = (StatusCode, Zeroizing<Vec<u8>>);

/// One server.
pub(crate) struct Api {
    client: Client,
    namespace: Option<HeaderValue>,
}

impl Api {
    pub(crate) fn build(settings: &VaultSettings) -> Result<Self, String> {
        let mut target = Target::parse(&settings.url).map_err(|error| format!("secrets.vault.url: {error}"))?;
        if !settings.url.starts_with("https://") && !is_here(&settings.url) {
            return Err("secrets.vault.url: a token does not go over the network in clear: write https://".to_owned());
        }
        if let Some(file) = &settings.ca_file {
            let wrong = |why: String| format!("secrets.vault.ca_file: {}: {why}", file.display());
            let size = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
            if size > ROOTS_BYTES_MAX {
                return Err(wrong(format!("is larger than {ROOTS_BYTES_MAX} bytes")));
            }
            let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            target = target.trusting(&pem).map_err(wrong)?;
        }
        let limits =
            PoolLimits { initial: 1, size: 1, max: CONNECTIONS_MAX, connect_timeout: CONNECT, idle_timeout: IDLE };
        let namespace = settings.namespace.as_deref().map(HeaderValue::from_str).transpose();
        let namespace = namespace.map_err(|_| "secrets.vault.namespace: cannot stand in a header".to_owned())?;
        Ok(Self { client: Client::new(target, limits), namespace })
    }

    pub(crate) fn authority(&self) -> String {
        self.client.target().authority()
    }

    /// Sends one request.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&Held>,
        body: Option<&Value>,
    ) -> Result<Answer, Fault> {
        let unreachable = |why: String| Fault::Unreachable(format!("cannot be asked: {why}"));
        let path: PathAndQuery = encoded(path).parse().map_err(|_| unreachable("its path is none".to_owned()))?;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        headers.extend(self.namespace.clone().map(|namespace| (NAMESPACE, namespace)));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose())
                .map_err(|_| unreachable("its token cannot stand in a header".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let answer = self.client.at(path).send(method, headers, body).await.map_err(|e| unreachable(e.to_string()))?;
        let (head, body) = answer.into_parts();
        let body = collect(body, ANSWER_BYTES_MAX).await.map_err(|error| unreachable(error.to_string()))?;
        Ok((head.status, Zeroizing::new(body.to_vec())))
    }
}

/// Why it refused, in its own words where it has some: whoever tells them masks what the hub showed it.
pub(crate) fn refused(status: StatusCode, body: &[u8]) -> Fault {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = answer["errors"][0]
        .as_str()
        .map(|said| said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect::<String>());
    let said = said.filter(|said| !said.is_empty()).map(|said| format!(": {said}")).unwrap_or_default();
    let hint = match status {
        StatusCode::FORBIDDEN => "; look at the token and its policies",
        StatusCode::SERVICE_UNAVAILABLE => "; it is sealed or starting",
        _ => "",
    };
    let why = format!("answered {}{said}{hint}", status.as_u16());
    // What it refuses to one it may give to another: only a server that cannot answer is left alone for a while.
    let answers = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
    if answers { Fault::Unusable(why) } else { Fault::Unreachable(why) }
}

/// Whether an address is of this machine.
fn is_here(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn encoded(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _to_a_string = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::{encoded, is_here};

    #[test]
    fn sec_1_paths_are_encoded() {
        assert_eq!(encoded("/v1/a b?#%ü"), "/v1/a%20b%3F%23%25%C3%BC");
    }

    #[test]
    fn sec_5_addresses_of_this_machine_are_told_from_others() {
        for (url, here) in [
            ("http://127.0.0.1:8200", true),
            ("http://[::1]:8200/", true),
            ("http://localhost", true),
            ("http://vault:8200", false),
            ("http://127.0.0.1.evil.example", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
        }
    }
}
