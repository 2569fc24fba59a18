//! An authorization server in the test's own process: it signs what a test tells it to, however wrong.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::told::{reply, told};

/// A P-256 key.
#[derive(Debug, Clone)]
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pair: Arc<EcdsaKeyPair>,
}

impl SigningKey {
    pub(crate) fn new(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { id: id.to_owned(), pair: Arc::new(pair) }
    }

    /// Its public half.
    pub(crate) fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (encode(&point[1..33]), encode(&point[33..65]));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": self.id })
    }

    /// Its thumbprint (RFC 7638).
    pub(crate) fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let text = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        encode(digest(&SHA256, text.as_bytes()).as_ref())
    }

    /// A token of these parts, as they are written.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature.as_ref()))
    }

    /// The header of an access token of this key.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.id })
    }
}

/// Base64url.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What the server answers.
#[derive(Debug, Default)]
struct Says {
    keys: String,
    introspection: Value,
    down: bool,
}

/// A running server; it ends with the test.
#[derive(Debug, Clone)]
pub(crate) struct Idp {
    address: SocketAddr,
    says: Arc<Mutex<Says>>,
    keys_asked: Arc<AtomicUsize>,
    /// What it was asked to introspect: authorization and body.
    pub(crate) introspected: Arc<Mutex<Vec<(String, String)>>>,
}

impl Idp {
    /// One whose keys are `keys`.
    pub(crate) async fn start(keys: &[&SigningKey]) -> Self {
        let (says, keys_asked) = (Arc::<Mutex<Says>>::default(), Arc::<AtomicUsize>::default());
        let introspected: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let (told_says, told_asked, told_introspected) = (says.clone(), keys_asked.clone(), introspected.clone());
        let address = told(move |asked, mut stream| {
            let (says, keys_asked, introspected) = (told_says.clone(), told_asked.clone(), told_introspected.clone());
            async move {
                let issuer = format!("http://{}", asked.header("host").unwrap_or_default());
                let body = {
                    let says = says.lock().unwrap();
                    match asked.path.as_str() {
                        _ if says.down => None,
                        "/.well-known/openid-configuration" => Some(
                            json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks"), "introspection_endpoint": format!("{issuer}/look") })
                                .to_string(),
                        ),
                        "/jwks" => {
                            keys_asked.fetch_add(1, Ordering::Relaxed);
                            Some(says.keys.clone())
                        }
                        "/look" => {
                            let who = asked.header("authorization").unwrap_or_default().to_owned();
                            introspected.lock().unwrap().push((who, asked.body.clone()));
                            Some(says.introspection.to_string())
                        }
                        _ => Some(String::new()).filter(|_| false),
                    }
                };
                match body {
                    Some(body) => reply(&mut stream, "200 OK", "content-type: application/json\r\n", &body).await,
                    None if says.lock().unwrap().down => {}
                    None => reply(&mut stream, "404 Not Found", "", "").await,
                }
            }
        })
        .await;
        let idp = Self { address, says, keys_asked, introspected };
        idp.publishes(keys);
        idp
    }

    /// Its issuer identifier.
    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on these are its keys.
    pub(crate) fn publishes(&self, keys: &[&SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.says_of_keys(json!({ "keys": keys }).to_string());
    }

    /// From now on this is what it says when it is asked for keys.
    pub(crate) fn says_of_keys(&self, text: String) {
        self.says.lock().unwrap().keys = text;
    }

    /// From now on this is what it says of opaque tokens.
    pub(crate) fn says_of_tokens(&self, answer: Value) {
        self.says.lock().unwrap().introspection = answer;
    }

    /// It answers nobody.
    pub(crate) fn is_down(&self, down: bool) {
        self.says.lock().unwrap().down = down;
    }

    /// How often it was asked for its keys.
    pub(crate) fn keys_asked(&self) -> usize {
        self.keys_asked.load(Ordering::Relaxed)
    }

    /// The claims of a good token for `resource`.
    pub(crate) fn claims(&self, subject: &str, resource: &str) -> Value {
        static TOKENS: AtomicUsize = AtomicUsize::new(0);
        let id = format!("t{}", TOKENS.fetch_add(1, Ordering::Relaxed));
        json!({
            "iss": self.issuer(), "sub": subject, "aud": resource, "exp": now() + 300, "iat": now(), "jti": id,
            "client_id": "cli", "scope": "mcp:read mcp:write",
        })
    }
}
