//! An authorization server of the measurement's own: its keys for the hub, tokens for the calls.

use anyhow::Context;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds for which its tokens are good: longer than any measurement.
const TOKEN_S: u64 = 3_600;

/// A key and where it is published; the listener ends with the program.
pub(super) struct Issuer {
    /// Its issuer identifier.
    pub(super) address: String,
    pair: EcdsaKeyPair,
}

impl Issuer {
    pub(super) fn start() -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("no key can be made")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let address = format!("http://{}", listener.local_addr()?);
        let point = pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        let key = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": "k" });
        let keys = json!({ "keys": [key] }).to_string();
        let metadata = json!({ "issuer": address, "jwks_uri": format!("{address}/jwks") }).to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _gone = answer(stream, &keys, &metadata);
            }
        });
        Ok(Self { address, pair })
    }

    /// A token for `resource`; each number has its own.
    pub(super) fn token(&self, resource: &str, number: usize) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            "iss": self.address, "sub": "bench", "aud": resource, "iat": now, "exp": now + TOKEN_S, "jti": number.to_string(),
            "client_id": "bench", "scope": "mcp:use", "roles": ["r1"],
        });
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map(|signature| URL_SAFE_NO_PAD.encode(signature.as_ref())).unwrap_or_default();
        format!("{signed}.{signature}")
    }
}

fn answer(mut stream: TcpStream, keys: &str, metadata: &str) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    let count = stream.read(&mut asked)?;
    let is_keys = asked[..count].starts_with(b"GET /jwks");
    let body = if is_keys { keys } else { metadata };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
