//! AUTH-2: tokens that are bound to a key (RFC 9449), and what becomes of them without the key.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::harness::http::Answer;
use crate::harness::idp::{SigningKey, encode, now};
use crate::oauth::World;

/// A proof's header and claims for a POST to `/mcp`.
fn proof(world: &World, key: &SigningKey, token: &str, id: &str) -> (Value, Value) {
    let ath = encode(digest(&SHA256, token.as_bytes()).as_ref());
    let claims = json!({ "jti": id, "htm": "POST", "htu": world.resource("/mcp"), "iat": now(), "ath": ath });
    (json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk() }), claims)
}

async fn show(world: &World, token: &str, proof: &str) -> Answer {
    world.initialize("/mcp", &[("authorization", &format!("DPoP {token}")), ("dpop", proof)]).await
}

fn bound(world: &World, key: &SigningKey) -> String {
    let mut claims = world.idp.claims("ann", &world.resource("/mcp"));
    claims["cnf"] = json!({ "jkt": key.thumbprint() });
    world.signed(&claims)
}

#[tokio::test]
async fn auth_2_a_bound_token_goes_with_its_proof_once_and_with_nothing_else() {
    let world = World::new(json!({}), json!({})).await;
    let (key, other) = (SigningKey::new("client"), SigningKey::new("thief"));
    let token = bound(&world, &key);
    let sign = |key: &SigningKey, (header, claims): (Value, Value)| key.sign(&header.to_string(), &claims.to_string());
    let good = sign(&key, proof(&world, &key, &token, "p1"));
    assert_eq!(show(&world, &token, &good).await.status, 200);
    let changed = |id: &str, name: &str, value: Value| {
        let (header, mut claims) = proof(&world, &key, &token, id);
        claims[name] = value;
        sign(&key, (header, claims))
    };
    let private = {
        let (mut header, claims) = proof(&world, &key, &token, "p2");
        header["jwk"]["d"] = json!("AAAA");
        sign(&key, (header, claims))
    };
    let untyped = {
        let (mut header, claims) = proof(&world, &key, &token, "p3");
        header["typ"] = json!("JWT");
        sign(&key, (header, claims))
    };
    for (what, proof) in [
        ("a proof that served", good.clone()),
        ("another's key", sign(&other, proof(&world, &other, &token, "p4"))),
        ("a key that did not sign", sign(&other, proof(&world, &key, &token, "p5"))),
        ("another method", changed("p6", "htm", json!("GET"))),
        ("another address", changed("p7", "htu", json!("http://other.example/mcp"))),
        ("another endpoint", changed("p8", "htu", json!(world.resource("/mcp/echo")))),
        ("another token", changed("p9", "ath", json!("AAAA"))),
        ("no token", changed("p10", "ath", Value::Null)),
        ("made long ago", changed("p11", "iat", json!(now() - 120))),
        ("made in the future", changed("p12", "iat", json!(now() + 120))),
        ("without an id", changed("", "jti", Value::Null)),
        ("a private key", private),
        ("another type", untyped),
        ("no proof at all", "x".to_owned()),
    ] {
        let refused = show(&world, &token, &proof).await;
        let told: Vec<_> = refused.headers.get_all("www-authenticate").iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(refused.status, 401, "{what}: {:?}", refused.body);
        assert!(
            told.iter()
                .any(|one| one.starts_with("DPoP ") && one.contains("invalid_dpop_proof") && one.contains("algs=")),
            "{what}: {told:?}"
        );
    }
    let query = changed("p13", "htu", json!(format!("{}?a=b#c", world.resource("/mcp"))));
    assert_eq!(show(&world, &token, &query).await.status, 200, "query and fragment are no part of it");
    assert_eq!(world.try_token(&token).await.status, 401, "a stolen token alone is worth nothing");
    let free = world.token("ann");
    let proof = sign(&key, proof(&world, &key, &free, "p14"));
    assert_eq!(show(&world, &free, &proof).await.status, 401, "a token that is not bound is none of DPoP");
}

#[tokio::test]
async fn auth_2_nonces_and_bound_tokens_alone_where_the_operator_wants_them() {
    let world = World::new(json!({ "dpop": { "required": true, "nonce": true } }), json!({})).await;
    let key = SigningKey::new("client");
    let token = bound(&world, &key);
    assert_eq!(world.try_token(&world.token("ann")).await.status, 401, "a token that is not bound");
    let (header, claims) = proof(&world, &key, &token, "n1");
    let refused = show(&world, &token, &key.sign(&header.to_string(), &claims.to_string())).await;
    assert_eq!(refused.status, 401);
    let nonce = refused.headers["dpop-nonce"].to_str().unwrap().to_owned();
    let (header, mut claims) = proof(&world, &key, &token, "n2");
    claims["nonce"] = json!(nonce);
    assert_eq!(show(&world, &token, &key.sign(&header.to_string(), &claims.to_string())).await.status, 200);
    claims["jti"] = json!("n3");
    claims["nonce"] = json!("made-up");
    assert_eq!(show(&world, &token, &key.sign(&header.to_string(), &claims.to_string())).await.status, 401);
}
