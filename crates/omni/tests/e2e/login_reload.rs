//! AUTH-1 to AUTH-4: who is let in changes while the hub runs, all at once or not at all.

use std::process::Output;

use http::Method;
use serde_json::{Value, json};

use crate::harness::http::{Events, begin, get, request};
use crate::harness::idp::{Idp, SigningKey};
use crate::harness::{bad, hub};
use crate::oauth::World;

fn reload(world: &World) -> Output {
    let mut command = hub::command(&world.hub.home);
    command.arg("--config").arg(world.hub.config_file()).arg("reload");
    command.env("OMNI_DATA_DIR", world.hub.home.path().join("data"));
    command.stderr(std::process::Stdio::piped()).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn configure(world: &World, auth: &Value) {
    let policy = json!({ "roles": { "admin": { "members": ["user:*"] } } });
    let throttle = json!({ "failed_logins": { "rate": "1000/s" } });
    let servers = json!({ "echo": bad(&["hang"]) });
    world.hub.reconfigure(json!({ "servers": servers, "auth": auth, "policy": policy, "throttle": throttle }));
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_1_settings_of_logins_are_taken_over_whole_and_a_bad_one_changes_nothing() {
    let world = World::new(json!({}), json!({})).await;
    let ann = world.token("ann");
    let opened = world.try_token(&ann).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let bearer = format!("Bearer {ann}");
    let headers = [("accept", "text/event-stream"), ("authorization", bearer.as_str()), ("mcp-session-id", &session)];
    let address = world.hub.address;
    let stream = begin(address, request(Method::GET, address, "/mcp", &headers, "")).await;
    assert_eq!(stream.status(), 200);
    let mut events = Events::of(stream);

    // A mistake anywhere in it: the old one is in force as a whole, and it is said where and why.
    let key = SigningKey::new("k2");
    let other = Idp::start(&[&key]).await;
    for (provider, why) in [
        (json!({ "issuer": other.issuer(), "algorithms": ["HS256"] }), "HS256"),
        (json!({ "issuer": other.issuer(), "keys_url": "x" }), "keys_url"),
        (json!({ "issuer": "no address" }), "issuer"),
    ] {
        configure(&world, &json!({ "mode": "oauth", "providers": [provider] }));
        let refused = reload(&world);
        assert!(!refused.status.success(), "{provider}");
        assert!(told(&refused).contains("omni.yaml") && told(&refused).contains(why), "{}", told(&refused));
        assert_eq!(world.try_token(&ann).await.status, 200);
    }

    // Another server's tokens are taken from now on, and no others: also where a token was taken, or a stream is open.
    configure(&world, &json!({ "mode": "oauth", "providers": [{ "issuer": other.issuer() }] }));
    let taken = reload(&world);
    assert!(taken.status.success() && !told(&taken).contains("started again"), "{}", told(&taken));
    assert_eq!(world.try_token(&ann).await.status, 401);
    while events.event().await.is_some() {}
    let claims = other.claims("bob", &world.resource("/mcp")).to_string();
    let bob = key.sign(&key.header().to_string(), &claims);
    assert_eq!(world.try_token(&bob).await.status, 200);
    let metadata = get(address, "/.well-known/oauth-protected-resource/mcp", &[]).await.json();
    assert_eq!(metadata["authorization_servers"], json!([other.issuer()]));

    // What stays the same goes on with the keys that it has, also when their server cannot be asked; mappings are new at once.
    other.is_down(true);
    let mapped = json!({ "issuer": other.issuer(), "claims": { "id": "jti" } });
    configure(&world, &json!({ "mode": "oauth", "providers": [mapped], "scopes": ["mcp:admin"] }));
    assert!(reload(&world).status.success());
    assert_eq!(world.try_token(&bob).await.status, 403, "the new scope is asked of it");

    // How long calls may take to finish is in force at once, and named by nobody.
    let policy = json!({ "roles": { "admin": { "members": ["user:*"] } } });
    let auth = json!({ "mode": "oauth", "providers": [{ "issuer": other.issuer() }] });
    let gateway = json!({ "drain_timeout_s": 7 });
    let servers = json!({ "echo": bad(&["hang"]) });
    world.hub.reconfigure(json!({ "servers": servers, "auth": auth, "policy": policy, "gateway": gateway }));
    let drains = reload(&world);
    assert!(drains.status.success() && !told(&drains).contains("started again"), "{}", told(&drains));

    // Another way to log in waits, and that is said.
    configure(&world, &json!({ "mode": "none" }));
    let waits = reload(&world);
    assert!(waits.status.success() && told(&waits).contains("`auth.mode`"), "{}", told(&waits));
    assert_eq!(world.initialize("/mcp", &[]).await.status, 401);
}
