//! What it costs to check a token that was never seen, by algorithm: `cargo run --release -p omni-auth --example tokens`.
//!
//! CPU time of the thread; the median of many turns, because the machine is shared.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use omni_auth::settings::AuthSettings;
use omni_auth::{Authenticator, Bases, Credentials};
use omni_types::Principal;
use serde_json::{Value, json};

/// Turns of which the median is taken, and tokens of one: the kernel counts in steps of some ms, which many tokens share.
const TURNS: usize = 21;
const TOKENS: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (rsa, p256, edwards) = (
        RsaKeyPair::generate(KeySize::Rsa2048)?,
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
        Ed25519KeyPair::generate()?,
    );
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    // An RSAPublicKey of 2048 bits and the exponent 65537 in DER (RFC 8017 appendix A.1.1): both stand at fixed places.
    let der = rsa.public_key().as_ref();
    let (n, e) = (&der[9..265], &der[der.len() - 3..]);
    let point = p256.public_key().as_ref();
    let keys = json!({ "keys": [
        { "kty": "RSA", "kid": "RS256", "alg": "RS256", "n": encode(n), "e": encode(e) },
        { "kty": "EC", "crv": "P-256", "kid": "ES256", "x": encode(&point[1..33]), "y": encode(&point[33..]) },
        { "kty": "OKP", "crv": "Ed25519", "kid": "EdDSA", "x": encode(edwards.public_key().as_ref()) },
    ] });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let issuer = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(answer(stream, &keys))));
    let sign = |algorithm: &str, text: &[u8]| -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        Ok(match algorithm {
            "RS256" => {
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)?;
                signature
            }
            "ES256" => p256.sign(&SystemRandom::new(), text)?.as_ref().to_vec(),
            _ => edwards.sign(text).as_ref().to_vec(),
        })
    };
    let settings = json!({ "mode": "oauth", "providers": [{ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks"),
        "audiences": ["hub"], "algorithms": ["RS256", "ES256", "EdDSA"] }] });
    let settings: AuthSettings = serde_json::from_value(settings)?;
    let authenticator = Authenticator::build(&settings, Principal::local("ann"), None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut out = std::io::stdout();
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let mut all = Vec::new();
        for turn in 0..=TURNS {
            let mut tokens = Vec::new();
            for number in 0..TOKENS {
                let claims = json!({ "iss": issuer, "sub": "bench", "aud": "hub", "iat": now, "exp": now + 3_600,
                    "jti": format!("{algorithm}-{turn}-{number}"), "client_id": "bench", "scope": "mcp:use", "roles": ["r1"] });
                let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": algorithm });
                let part = |value: &Value| encode(value.to_string().as_bytes());
                let signed = format!("{}.{}", part(&header), part(&claims));
                tokens.push(format!("{signed}.{}", encode(&sign(algorithm, signed.as_bytes())?)));
            }
            let spent = runtime.block_on(check(&authenticator, &tokens))?;
            // The first fetches the keys.
            all.extend((turn > 0).then_some(spent / u32::try_from(TOKENS)?));
        }
        all.sort_unstable();
        writeln!(out, "{algorithm}: {:.1?} a token ({:.1?} - {:.1?})", all[TURNS / 2], all[0], all[TURNS - 1])?;
    }
    Ok(())
}

/// CPU time that it takes to let all of `tokens` in.
async fn check(authenticator: &Authenticator, tokens: &[String]) -> Result<Duration, Box<dyn std::error::Error>> {
    let bases = Bases::of("http://hub");
    let began = cpu();
    for token in tokens {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
        let (method, path) = ("POST", "/mcp");
        let credentials = Credentials {
            headers: &headers,
            method,
            path,
            resource: path,
            bases: &bases,
            certified: None,
            source: None,
        };
        authenticator.identify(&credentials).await.map_err(|refusal| format!("{refusal:?}"))?;
    }
    Ok(cpu() - began)
}

fn answer(mut stream: TcpStream, keys: &Value) -> std::io::Result<()> {
    let _asked = stream.read(&mut [0; 4096])?;
    let body = keys.to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// CPU time of the first thread, on which all of this runs.
fn cpu() -> Duration {
    let spent = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(spent.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}
