//! AUTH-1, AUTH-2, AUTH-5, SMET-1: the hub as an OAuth 2 resource server: what it says of itself, whom it lets in, and the
//! attacks on tokens that it stands.

use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};

use crate::harness::http::{Answer, get, request, send};
use crate::harness::idp::{Idp, SigningKey, encode, now};
use crate::harness::told::{reply_json, told};
use crate::harness::{Hub, bad};

const BOTH: &str = "application/json, text/event-stream";

/// An authorization server, its key, and a hub that takes its tokens.
pub(crate) struct World {
    pub(crate) idp: Idp,
    pub(crate) key: SigningKey,
    pub(crate) hub: Hub,
}

impl World {
    pub(crate) async fn new(auth: Value, provider: Value) -> Self {
        Self::before(json!({ "echo": bad(&["hang"]) }), auth, provider).await
    }

    /// In front of `servers`, with `auth` and `provider` beside what every test needs.
    pub(crate) async fn before(servers: Value, mut auth: Value, mut provider: Value) -> Self {
        let key = SigningKey::new("k1");
        let idp = Idp::start(&[&key]).await;
        provider["issuer"] = json!(idp.issuer());
        auth["mode"] = json!("oauth");
        auth["providers"] = json!([provider]);
        // Whoever comes with a token may do nothing by default; these tests are about who it is.
        let policy = json!({ "roles": { "admin": { "members": ["user:*"] } } });
        // They fail at will: how that slows them is told elsewhere.
        let throttle = json!({ "failed_logins": { "rate": "1000/s" } });
        let hub = Hub::configured(json!({ "servers": servers, "auth": auth, "policy": policy, "throttle": throttle }));
        Self { idp, key, hub }
    }

    /// The resource at `path`.
    pub(crate) fn resource(&self, path: &str) -> String {
        format!("http://{}{path}", self.hub.address)
    }

    /// A good token of `subject` for `/mcp`.
    pub(crate) fn token(&self, subject: &str) -> String {
        self.signed(&self.idp.claims(subject, &self.resource("/mcp")))
    }

    pub(crate) fn signed(&self, claims: &Value) -> String {
        self.key.sign(&self.key.header().to_string(), &claims.to_string())
    }

    pub(crate) async fn try_token(&self, token: &str) -> Answer {
        self.initialize("/mcp", &[("authorization", &format!("Bearer {token}"))]).await
    }

    pub(crate) async fn initialize(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let info = json!({ "name": "t", "version": "0" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        self.post(path, headers, &body).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json"), ("accept", BOTH)];
        all.extend_from_slice(headers);
        send(self.hub.address, request(Method::POST, self.hub.address, path, &all, body.to_string())).await
    }
}

fn challenge(answer: &Answer) -> String {
    answer.headers["www-authenticate"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn auth_1_the_hub_says_where_to_log_in_for_each_endpoint() {
    let world = World::new(json!({ "scopes": ["mcp:read", "mcp:write"] }), json!({})).await;
    for path in ["/mcp", "/mcp/echo", "/mcp/nothing", "/mcp/p/team", "/sse"] {
        let refused = world.initialize(path, &[]).await;
        let told = challenge(&refused);
        assert_eq!(refused.status, 401);
        let place = format!("http://{}/.well-known/oauth-protected-resource{path}", world.hub.address);
        assert!(told.contains(&format!("resource_metadata=\"{place}\"")), "{told}");
        assert!(told.contains("scope=\"mcp:read mcp:write\"") && !told.contains("error="), "{told}");
        let metadata =
            get(world.hub.address, &format!("/.well-known/oauth-protected-resource{path}"), &[]).await.json();
        assert_eq!(metadata["resource"], world.resource(path));
        assert_eq!(metadata["authorization_servers"], json!([world.idp.issuer()]));
        assert_eq!(metadata["scopes_supported"], json!(["mcp:read", "mcp:write"]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    }
    let root = get(world.hub.address, "/.well-known/oauth-protected-resource", &[]).await.json();
    assert_eq!(root["resource"], world.resource("/mcp"));
    // By the name the client knows it.
    let host = format!("localhost:{}", world.hub.address.port());
    let named = get(world.hub.address, "/.well-known/oauth-protected-resource/mcp", &[("host", &host)]).await.json();
    assert_eq!(named["resource"], format!("http://{host}/mcp"));
    for none in ["/../etc", "/mcp/a/b", "/mcp%22", "/other"] {
        let path = format!("/.well-known/oauth-protected-resource{none}");
        assert_eq!(get(world.hub.address, &path, &[]).await.status, 404, "{none}");
    }
}

#[tokio::test]
async fn auth_2_a_good_token_lets_in_and_a_session_belongs_to_its_opener() {
    let world = World::new(json!({ "scopes": ["mcp:read"] }), json!({})).await;
    let ann = format!("Bearer {}", world.token("ann"));
    let bob = format!("Bearer {}", world.token("bob"));
    let opened = world.initialize("/mcp", &[("authorization", &ann)]).await;
    assert_eq!(opened.status, 200, "{:?}", opened.body);
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let by = async |who: &str| world.post("/mcp", &[("authorization", who), ("mcp-session-id", &session)], &list).await;
    assert_eq!(by(&ann).await.status, 200);
    assert_eq!(by(&bob).await.status, 404, "somebody else's session is none");
    assert_eq!(by("Bearer none").await.status, 401);
    // With another token of the same subject the session goes on.
    assert_eq!(by(&format!("Bearer {}", world.token("ann"))).await.status, 200);
    // The narrower endpoint is another resource, and so is the wider one.
    assert_eq!(world.initialize("/mcp/echo", &[("authorization", &ann)]).await.status, 401);
    let narrow = world.signed(&world.idp.claims("ann", &world.resource("/mcp/echo")));
    let narrow = format!("Bearer {narrow}");
    assert_eq!(world.initialize("/mcp/echo", &[("authorization", &narrow)]).await.status, 200);
    assert_eq!(world.initialize("/mcp", &[("authorization", &narrow)]).await.status, 401);
    // Too little scope: 403, with all that is needed.
    let mut claims = world.idp.claims("ann", &world.resource("/mcp"));
    claims["scope"] = json!("other");
    let refused = world.try_token(&world.signed(&claims)).await;
    let told = challenge(&refused);
    assert_eq!(refused.status, 403);
    assert!(told.contains("error=\"insufficient_scope\"") && told.contains("scope=\"mcp:read\""), "{told}");
    assert!(told.contains("resource_metadata="), "{told}");
}

/// Tokens are refused with `invalid_token`.
async fn refuses(world: &World, tokens: impl IntoIterator<Item = (&str, String)>) {
    for (what, token) in tokens {
        let refused = world.try_token(&token).await;
        assert_eq!(refused.status, 401, "{what}: {:?}", refused.body);
        assert!(challenge(&refused).contains("error=\"invalid_token\""), "{what}: {}", challenge(&refused));
    }
}

#[tokio::test]
async fn auth_2_forged_tokens_are_refused() {
    let world = World::new(json!({}), json!({})).await;
    let good = world.idp.claims("ann", &world.resource("/mcp"));
    let headed = |changes: Value| {
        let mut header = world.key.header();
        for (name, value) in changes.as_object().unwrap() {
            header[name] = value.clone();
        }
        world.key.sign(&header.to_string(), &good.to_string())
    };
    assert_eq!(world.try_token(&world.signed(&good)).await.status, 200);
    let signed = world.signed(&good);
    let token: Vec<&str> = signed.split('.').collect();
    let none = encode(br#"{"alg":"none","typ":"at+jwt","kid":"k1"}"#);
    let mut tampered = good.clone();
    tampered["sub"] = json!("root");
    let tampered = encode(tampered.to_string().as_bytes());
    let stranger = SigningKey::new("k1");
    let own_key = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1", "jwk": stranger.jwk() });
    let forged = [
        ("no signature, alg none", format!("{none}.{}.", token[1])),
        ("alg none with a signature", format!("{none}.{}.{}", token[1], token[2])),
        ("the signature left away", format!("{}.{}.", token[0], token[1])),
        ("other claims under the signature", format!("{}.{tampered}.{}", token[0], token[2])),
        ("a key of the same name", stranger.sign(&stranger.header().to_string(), &good.to_string())),
        ("a key that the token brings", stranger.sign(&own_key.to_string(), &good.to_string())),
        ("HMAC with the public key", headed(json!({ "alg": "HS256" }))),
        ("RSA with an elliptic key", headed(json!({ "alg": "RS256" }))),
        ("another curve", headed(json!({ "alg": "ES384" }))),
        ("an algorithm in other letters", headed(json!({ "alg": "es256" }))),
        ("an id token", headed(json!({ "typ": "JWT" }))),
        ("no type", headed(json!({ "typ": null }))),
        ("a proof for a token", headed(json!({ "typ": "dpop+jwt" }))),
        ("a critical extension", headed(json!({ "crit": ["exp"] }))),
        ("an unencoded payload", headed(json!({ "b64": false }))),
        ("a key that is a path", headed(json!({ "kid": "../../../../dev/null" }))),
        ("a key that is a query", headed(json!({ "kid": "k1' OR '1'='1" }))),
        ("a key that is a list", headed(json!({ "kid": ["k1"] }))),
        ("keys elsewhere", headed(json!({ "kid": "x", "jku": "http://127.0.0.1:9/jwks" }))),
        ("five parts", format!("{signed}.a.b")),
    ];
    refuses(&world, forged).await;
}

#[tokio::test]
async fn auth_2_tokens_for_others_elsewhere_and_other_times_are_refused() {
    let world = World::new(json!({ "clock_skew_s": 5 }), json!({})).await;
    let good = world.idp.claims("ann", &world.resource("/mcp"));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        world.signed(&claims)
    };
    let doubled = |member: &str| {
        let claims = good.to_string().replacen('{', &format!("{{\"{member}\":\"root\","), 1);
        world.key.sign(&world.key.header().to_string(), &claims)
    };
    let wrong = [
        ("another issuer", with("iss", json!("http://evil.example"))),
        ("an issuer with a slash more", with("iss", json!(format!("{}/", world.idp.issuer())))),
        ("no issuer", with("iss", Value::Null)),
        ("another resource", with("aud", json!("http://other.example/mcp"))),
        ("the client as audience", with("aud", json!("cli"))),
        ("no audience", with("aud", Value::Null)),
        ("an empty audience", with("aud", json!([]))),
        ("an audience that is none", with("aud", json!({ "a": 1 }))),
        ("expired", with("exp", json!(now() - 60))),
        ("without an end", with("exp", Value::Null)),
        ("an end in words", with("exp", json!("9999999999"))),
        ("not good yet", with("nbf", json!(now() + 120))),
        ("issued in the future", with("iat", json!(now() + 120))),
        ("nobody's", with("sub", json!(""))),
        ("a claim that stands twice", doubled("sub")),
        ("a claim that stands twice in other letters", doubled("s\\u0075b")),
        ("bound to what is not known", with("cnf", json!({ "x5t#S256": "a" }))),
    ];
    refuses(&world, wrong).await;
    // Within the skew that is allowed, clocks may differ.
    assert_eq!(world.try_token(&with("nbf", json!(now() + 4))).await.status, 200);
    assert_eq!(world.try_token(&with("aud", json!(["a", world.resource("/mcp")]))).await.status, 200, "one of several");
}

#[tokio::test]
async fn auth_2_providers_without_resources_and_types_work_where_the_operator_says_so() {
    let provider = json!({ "audiences": ["api://omni"], "token_types": ["JWT"], "claims": { "id": "oid" } });
    let world = World::new(json!({}), provider).await;
    let mut claims = world.idp.claims("ann", "api://omni");
    claims["oid"] = json!("ann-1");
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": "k1" });
    let token = format!("Bearer {}", world.key.sign(&header.to_string(), &claims.to_string()));
    for path in ["/mcp", "/mcp/echo"] {
        assert_eq!(world.initialize(path, &[("authorization", &token)]).await.status, 200, "{path}");
    }
    assert_eq!(world.try_token(&world.token("ann")).await.status, 401, "at+jwt was not allowed");
}

#[tokio::test]
async fn auth_1_the_token_never_goes_on_to_a_server() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let into = Arc::clone(&heard);
    let upstream = told(move |asked, mut stream| {
        let into = Arc::clone(&into);
        async move {
            into.lock().unwrap().push(format!("{asked:?}"));
            let message = asked.message();
            let result = match message["method"].as_str() {
                Some("initialize") => {
                    json!({ "protocolVersion": "2025-06-18", "capabilities": { "tools": {} }, "serverInfo": { "name": "u", "version": "0" } })
                }
                Some("tools/list") => json!({ "tools": [{ "name": "t", "inputSchema": { "type": "object" } }] }),
                _ => json!({ "content": [] }),
            };
            reply_json(&mut stream, &json!({ "jsonrpc": "2.0", "id": message["id"], "result": result })).await;
        }
    })
    .await;
    let servers = json!({ "up": { "url": format!("http://{upstream}/mcp") } });
    let world = World::before(servers, json!({}), json!({})).await;
    let token = world.token("ann");
    let bearer = format!("Bearer {token}");
    let opened = world.initialize("/mcp", &[("authorization", &bearer)]).await;
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let call =
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "up__t", "arguments": {} } });
    let headers = [("authorization", bearer.as_str()), ("mcp-session-id", session.as_str())];
    let called = world.post("/mcp", &headers, &call).await;
    assert_eq!(called.status, 200, "{:?}", called.body);
    let heard = heard.lock().unwrap();
    assert!(heard.iter().any(|one| one.contains("tools/call")), "{heard:?}");
    let signature = token.rsplit('.').next().unwrap();
    assert!(
        heard.iter().all(|one| !one.contains(signature) && !one.to_lowercase().contains("authorization:")),
        "{heard:?}"
    );
    assert!(!world.hub.log().contains(signature), "and it is in no log");
}

#[tokio::test]
async fn auth_2_opaque_tokens_are_looked_up_where_they_were_issued() {
    let introspection = json!({ "client_id": "omni", "client_secret": "s:e cret", "keep_s": 60 });
    let world = World::new(json!({}), json!({ "introspection": introspection })).await;
    let mut answer = world.idp.claims("ann", &world.resource("/mcp"));
    answer["active"] = json!(true);
    world.idp.says_of_tokens(answer.clone());
    assert_eq!(world.try_token("opaque-one").await.status, 200);
    assert_eq!(world.try_token("opaque-one").await.status, 200);
    let asked = world.idp.introspected.lock().unwrap().clone();
    assert_eq!(asked.len(), 1, "the answer is kept: {asked:?}");
    assert!(asked[0].0.starts_with("Basic ") && asked[0].1.contains("token=opaque-one"), "{asked:?}");
    for (name, value) in [
        ("active", json!(false)),
        ("active", json!("true")),
        ("aud", json!("other")),
        ("exp", json!(now() - 60)),
        // Bound to a certificate (RFC 8705), which nobody looked at.
        ("cnf", json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" })),
        ("cnf", json!({ "jkt": 1 })),
    ] {
        let mut wrong = answer.clone();
        wrong[name] = value;
        world.idp.says_of_tokens(wrong.clone());
        let refused = world.try_token(&format!("opaque-{}-{}", name, wrong[name].to_string().len())).await;
        assert_eq!(refused.status, 401, "{wrong}");
    }
    world.idp.is_down(true);
    let refused = world.try_token("opaque-two").await;
    assert_eq!(refused.status, 503, "nobody can tell: {:?}", refused.body);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(world.try_token("opaque-one").await.status, 200, "what was told is still kept");
}
