//! AUTH-3: keys that change, are missing, are far too many, or cannot be had, without a restart of the hub.

use serde_json::json;

use crate::harness::idp::SigningKey;
use crate::harness::until;
use crate::oauth::World;

#[tokio::test]
async fn auth_3_a_new_key_is_found_and_unknown_ones_cost_the_provider_nothing() {
    let world = World::new(json!({}), json!({ "keys_floor_s": 2 })).await;
    assert_eq!(world.try_token(&world.token("ann")).await.status, 200);
    assert_eq!(world.idp.keys_asked(), 1, "fetched once");
    let second = SigningKey::new("k2");
    world.idp.publishes(&[&world.key, &second]);
    let claims = world.idp.claims("ann", &world.resource("/mcp")).to_string();
    let token = second.sign(&second.header().to_string(), &claims);
    until("the new key is taken", 20, async || match world.try_token(&token).await.status {
        200 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    let before = world.idp.keys_asked();
    let began = std::time::Instant::now();
    for number in 0..60 {
        let unknown = SigningKey::new(&format!("made-up-{number}"));
        let token = unknown.sign(&unknown.header().to_string(), &claims);
        assert_eq!(world.try_token(&token).await.status, 401);
    }
    let most = 2 + usize::try_from(began.elapsed().as_secs() / 2).unwrap();
    assert!(world.idp.keys_asked() - before <= most, "{} fetches", world.idp.keys_asked() - before);
    assert_eq!(world.try_token(&world.token("ann")).await.status, 200, "known keys go on meanwhile");
}

/// Who stole a key gives tokens an end of his own: none of them may outlive the key, also one that was taken before.
#[tokio::test]
async fn auth_3_a_key_that_is_withdrawn_ends_the_tokens_that_it_signed() {
    let world = World::new(json!({}), json!({ "keys_floor_s": 1, "keys_refresh_s": 1 })).await;
    let mut claims = world.idp.claims("ann", &world.resource("/mcp"));
    claims["exp"] = json!(crate::harness::idp::now() + 10 * 365 * 24 * 3600);
    let token = world.signed(&claims);
    assert_eq!(world.try_token(&token).await.status, 200);
    world.idp.publishes(&[&SigningKey::new("k2")]);
    until("the token is refused", 30, async || match world.try_token(&token).await.status {
        401 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
}

#[tokio::test]
async fn auth_3_many_that_come_at_once_are_one_fetch() {
    let world = World::new(json!({}), json!({})).await;
    let tokens: Vec<String> = (0..20).map(|number| world.token(&format!("user-{number}"))).collect();
    let tries = tokens.iter().map(|token| world.try_token(token));
    for answer in futures_util::future::join_all(tries).await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(world.idp.keys_asked(), 1);
}

#[tokio::test]
async fn auth_3_bombs_and_nonsense_for_keys_leave_the_old_ones_in_force() {
    let world = World::new(json!({}), json!({ "keys_floor_s": 1, "keys_refresh_s": 1 })).await;
    assert_eq!(world.try_token(&world.token("ann")).await.status, 200);
    let key = world.key.jwk();
    let huge = json!({ "keys": vec![key.clone(); 101] }).to_string();
    let private = {
        let mut key = key.clone();
        key["d"] = json!("AAAA");
        json!({ "keys": [key] }).to_string()
    };
    for (what, keys) in [
        ("too many keys", huge),
        ("too many bytes", format!("{{\"keys\":[],\"x\":\"{}\"}}", "a".repeat(300 * 1024))),
        ("nested without end", format!("{{\"keys\":{}", "[".repeat(100_000))),
        ("no JSON", "<html>".to_owned()),
        ("no keys", "{\"keys\":[]}".to_owned()),
        ("private and symmetric keys", private),
        ("a symmetric key", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"k1\"}]}".to_owned()),
        ("keys twice", format!("{{\"keys\":[],\"keys\":[{key}]}}")),
    ] {
        let before = world.idp.keys_asked();
        world.idp.says_of_keys(keys);
        until(what, 20, async || {
            assert_eq!(world.try_token(&world.token("ann")).await.status, 200, "{what}");
            if world.idp.keys_asked() > before + 1 { Ok(()) } else { Err("not fetched yet".to_owned()) }
        })
        .await;
    }
}

#[tokio::test]
async fn auth_3_a_provider_that_is_down_is_lived_without_for_a_bounded_time() {
    let keeping = json!({ "keys_floor_s": 1, "keys_refresh_s": 1, "keys_stale_max_s": 4 });
    let world = World::new(json!({}), keeping).await;
    assert_eq!(world.try_token(&world.token("ann")).await.status, 200);
    world.idp.is_down(true);
    assert_eq!(world.try_token(&world.token("bob")).await.status, 200, "the keys that are there serve on");
    until("keys that are too old are not used", 60, async || match world.try_token(&world.token("ann")).await.status {
        503 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    world.idp.is_down(false);
    until("the provider is back", 60, async || match world.try_token(&world.token("ann")).await.status {
        200 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
}
