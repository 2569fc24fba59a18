//! AUTH-1, AUTH-4, EMG-2: opaque tokens: whose they are, who may ask about how many, and what a reload leaves; and the
//! resources that profiles are.

use http::Method;
use serde_json::{Value, json};

use crate::harness::http::{Answer, request, send};
use crate::harness::idp::{Idp, SigningKey};
use crate::harness::{Hub, bad, hub};
use crate::oauth::World;

/// A provider whose opaque tokens begin with `prefix`, or with anything.
async fn provider(prefix: Option<&str>) -> (Idp, Value) {
    let idp = Idp::start(&[&SigningKey::new("k1")]).await;
    let mut introspection = json!({ "client_id": "omni", "client_secret": "s", "keep_s": 3_600 });
    if let Some(prefix) = prefix {
        introspection["token_prefixes"] = json!([prefix]);
    }
    let settings = json!({ "issuer": idp.issuer(), "introspection": introspection });
    (idp, settings)
}

fn config(auth: &Value, throttle: &Value) -> Value {
    let policy = json!({ "roles": { "admin": { "members": ["user:*"] } } });
    json!({ "servers": { "echo": bad(&["hang"]) }, "auth": auth, "policy": policy, "throttle": throttle })
}

async fn shown(hub: &Hub, token: &str) -> Answer {
    let info = json!({ "name": "t", "version": "0" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("authorization", bearer.as_str()),
    ];
    send(hub.address, request(Method::POST, hub.address, "/mcp", &headers, body)).await
}

/// From now on `idp` says that every token is `subject`'s, for `hub`.
fn vouches(idp: &Idp, hub: &Hub, subject: &str) {
    let mut answer = idp.claims(subject, &format!("http://{}/mcp", hub.address));
    answer["active"] = json!(true);
    idp.says_of_tokens(answer);
}

/// AUTH-2: whoever sees a token could use it, so nobody sees it but who issued it.
#[tokio::test(flavor = "multi_thread")]
async fn auth_2_an_opaque_token_is_shown_to_the_one_server_whose_tokens_begin_so() {
    let ((one, first), (two, second), (rest, third)) =
        tokio::join!(provider(Some("one_")), provider(Some("one_two_")), provider(None));
    let auth = json!({ "mode": "oauth", "providers": [first, second, third] });
    let hub = Hub::configured(config(&auth, &json!({})));
    for (idp, subject) in [(&one, "ann"), (&two, "bob"), (&rest, "cleo")] {
        vouches(idp, &hub, subject);
    }
    for token in ["one_a", "one_two_b", "other"] {
        assert_eq!(shown(&hub, token).await.status, 200, "{token}");
    }
    for (idp, token) in [(&one, "one_a"), (&two, "one_two_b"), (&rest, "other")] {
        let asked = idp.introspected.lock().unwrap().clone();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].1.contains(&format!("token={token}&")), "{asked:?}");
    }
}

/// AUTH-4: a change of the logins that does not concern a token's own provider lets nobody ask about it again.
#[tokio::test(flavor = "multi_thread")]
async fn auth_4_a_token_that_was_checked_by_what_stays_the_same_is_not_asked_about_again() {
    let ((idp, settings), (_other, added)) = tokio::join!(provider(None), provider(Some("two_")));
    let hub = Hub::configured(config(&json!({ "mode": "oauth", "providers": [settings] }), &json!({})));
    vouches(&idp, &hub, "ann");
    assert_eq!(shown(&hub, "opaque").await.status, 200);
    let reload = || {
        let mut command = hub::command(&hub.home);
        command.arg("--config").arg(hub.config_file()).arg("reload");
        let done = command.env("OMNI_DATA_DIR", hub.home.path().join("data")).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    hub.reconfigure(config(&json!({ "mode": "oauth", "providers": [settings, added] }), &json!({})));
    reload();
    assert_eq!(shown(&hub, "opaque").await.status, 200);
    assert_eq!(idp.introspected.lock().unwrap().len(), 1, "what was said of it still counts");
    // What was checked by other words is checked anew.
    let mut changed = settings.clone();
    changed["claims"] = json!({ "id": "client_id" });
    hub.reconfigure(config(&json!({ "mode": "oauth", "providers": [changed, added] }), &json!({})));
    reload();
    assert_eq!(shown(&hub, "opaque").await.status, 200);
    assert_eq!(idp.introspected.lock().unwrap().len(), 2);
}

/// EMG-2: whose logins fail and fail is not asked about, however good the next token may be; others are.
#[tokio::test(flavor = "multi_thread")]
async fn emg_2_no_server_is_asked_about_tokens_of_a_source_whose_logins_fail() {
    let (idp, settings) = provider(None).await;
    let throttle = json!({ "failed_logins": { "rate": "1/h", "burst": 2 } });
    let hub = Hub::configured(config(&json!({ "mode": "oauth", "providers": [settings] }), &throttle));
    vouches(&idp, &hub, "ann");
    assert_eq!(shown(&hub, "good").await.status, 200);
    idp.says_of_tokens(json!({ "active": false }));
    let mut statuses = Vec::new();
    for guess in 0..5 {
        statuses.push(shown(&hub, &format!("guess-{guess}")).await.status);
    }
    assert_eq!(statuses, [401, 401, 429, 429, 429]);
    assert_eq!(idp.introspected.lock().unwrap().len(), 4, "the last two were not asked about");
    vouches(&idp, &hub, "ann");
    let refused = shown(&hub, "good-too").await;
    assert_eq!(refused.status, 429);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(shown(&hub, "good").await.status, 200, "who is known is let in");
}

/// AUTH-1: a profile's path is a resource of its own: what was issued for another endpoint is not taken there.
#[tokio::test(flavor = "multi_thread")]
async fn auth_1_a_profile_is_a_resource_of_its_own() {
    let world = World::new(json!({}), json!({})).await;
    let bearer = |path: &str| format!("Bearer {}", world.signed(&world.idp.claims("ann", &world.resource(path))));
    let status = async |path: &str, token: &str| world.initialize(path, &[("authorization", token)]).await.status;
    let (of_hub, of_profile) = (bearer("/mcp"), bearer("/mcp/p/team"));
    assert_eq!(status("/mcp/p/team", &of_hub).await, 401);
    assert_eq!(status("/mcp", &of_profile).await, 401);
    assert_eq!(status("/mcp/p/other", &of_profile).await, 401);
    // Let in by the token; that there is no such profile is told to who has logged in alone.
    assert_eq!(status("/mcp/p/team", &of_profile).await, 404);
}
