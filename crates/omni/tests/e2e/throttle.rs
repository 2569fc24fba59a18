//! EMG-2: who asks for more than they may is told when to come again, and nobody else notices.

use serde_json::{Value, json};

use crate::harness::{Client, Era, Hub, everything, http, until};

fn hub(throttle: Value) -> Hub {
    Hub::configured(json!({ "throttle": throttle, "servers": { "s": everything(&[]), "other": everything(&[]) } }))
}

/// One call without a session.
async fn call(hub: &Hub, server: &str) -> http::Answer {
    let client = Client::open(hub, "/mcp", Era::Modern).await;
    let name = format!("{server}__test_simple_text");
    client.ask("tools/call", json!({ "name": name, "arguments": {} })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_2_too_much_is_429_with_the_time_to_wait() {
    let limited = json!({ "tools": { "s:*": { "rate": "30/h", "burst": 2 } } });
    let hub = hub(limited.clone());
    hub.awake().await;
    for _ in 0..2 {
        assert_eq!(call(&hub, "s").await.status, 200);
    }
    let refused = call(&hub, "s").await;
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((60..=120).contains(&seconds), "{seconds}");
    let error = refused.json()["error"].clone();
    assert_eq!((&error["code"], &error["data"]["limit"]), (&json!(429), &json!("throttle.tools.s:*")), "{error}");
    assert_eq!(error["data"]["retryAfterSeconds"], seconds);
    assert_eq!(call(&hub, "other").await.status, 200, "another server's tools have no such limit");
    // An alias counts as the same tool, and so does the endpoint of one server.
    let client = Client::open(&hub, "/mcp/s", Era::Legacy).await;
    let said = client.error("tools/call", json!({ "name": "test_simple_text", "arguments": {} })).await;
    assert_eq!(said["code"], 429, "{said}");
    // What did not change goes on counting; what did begins anew.
    let servers = json!({ "s": everything(&[]) });
    hub.reconfigure(json!({ "throttle": limited, "servers": servers.clone() }));
    until("the change is taken over", 20, async || {
        let ready = hub.ready().await;
        if ready["servers"].as_array().unwrap().len() == 1 { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;
    assert_eq!(call(&hub, "s").await.status, 429);
    hub.reconfigure(json!({ "servers": servers }));
    until("the limit is gone", 20, async || {
        let status = call(&hub, "s").await.status;
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[test]
fn emg_2_a_limit_that_is_none_is_named_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    std::fs::write(home.path().join("omni.yaml"), "servers: {}\nthrottle:\n  principal: { rate: 5 a day }\n").unwrap();
    let mut command = crate::harness::hub::command(&home);
    let done = command.args(["check"]).stderr(std::process::Stdio::piped()).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!done.status.success() && said.contains("throttle.principal") && said.contains(":3:"), "{said}");
}
