//! TOOL-2 and TOOL-7: what policy forbids is not listed and not called, by whatever name.

use serde_json::{Value, json};

use crate::harness::{Client, Era, Hub, bad, everything, until};

#[tokio::test(flavor = "multi_thread")]
async fn tool_2_what_is_denied_is_hidden_and_cannot_be_called_by_any_name() {
    let servers = json!({ "s": everything(&[]), "other": bad(&["hang"]) });
    let deny = json!(["s:test_simple_*", "s:test://static-binary", "other"]);
    let hub = Hub::configured(json!({ "servers": servers, "policy": { "deny": deny } }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        let tools = until("the lists are known", 10, async || {
            let tools = client.tools().await;
            if tools.is_empty() { Err("no tools".to_owned()) } else { Ok(tools) }
        })
        .await;
        assert!(tools.contains(&"s__test_error_handling".to_owned()), "{tools:?}");
        assert!(!tools.iter().any(|tool| tool.contains("test_simple_text") || tool.starts_with("other")), "{tools:?}");
        for name in ["s__test_simple_text", "s:test_simple_text", "other__echo", "other:echo"] {
            let answer = client.ask("tools/call", json!({ "name": name, "arguments": { "text": "x" } })).await;
            let error = &answer.json()["error"];
            let hidden = [403, -32602].contains(&error["code"].as_i64().unwrap());
            assert!(hidden, "{name}: {error}");
            assert_eq!((answer.status, &error["code"]), (403, &json!(403)), "{name}: {error}");
            assert!(error["message"].as_str().unwrap().contains("policy.deny"), "{error}");
        }
        assert!(client.text("s:test_tool_with_logging", json!({})).await.len() > 1);
        let (uris, _) = client.list("resources/list", "resources", "uri").await;
        assert!(!uris.contains(&"test://static-binary".to_owned()), "{uris:?}");
        let answer = client.ask("resources/read", json!({ "uri": "test://static-binary" })).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!(403)));
        let (prompts, _) = client.list("prompts/list", "prompts", "name").await;
        assert!(!prompts.contains(&"s__test_simple_prompt".to_owned()), "{prompts:?}");
        let answer = client.ask("prompts/get", json!({ "name": "s__test_simple_prompt" })).await;
        assert_eq!(answer.json()["error"]["code"], 403, "{answer:?}");
        // Nor is a second name beside the one that is judged.
        let argument = json!({ "name": "arg1", "value": "" });
        let both = json!({
            "name": "s__test_prompt_with_arguments",
            "ref": { "type": "ref/prompt", "name": "s__test_simple_prompt" },
            "argument": argument,
        });
        assert_eq!(client.error("completion/complete", both).await["code"], -32602);
        // The endpoint of one server is no way around.
        let alone = Client::open(&hub, "/mcp/s", era).await;
        assert!(!alone.tools().await.contains(&"test_simple_text".to_owned()));
        let answer = alone.ask("tools/call", json!({ "name": "test_simple_text", "arguments": {} })).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!(403)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_2_what_no_rule_allows_is_denied() {
    let servers = json!({ "s": everything(&[]) });
    let policy = json!({ "allow": ["s:test_error_*"] });
    let hub = Hub::configured(json!({ "servers": servers, "policy": policy }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    assert_eq!(client.tools().await, ["s__test_error_handling"]);
    let error = client.error("tools/call", json!({ "name": "s__test_simple_text", "arguments": {} })).await;
    assert_eq!(error["code"], 403);
    assert!(error["message"].as_str().unwrap().contains("policy.allow"), "{error}");
}

/// What a denial says besides its sentence, for programs.
#[tokio::test(flavor = "multi_thread")]
async fn tool_7_a_denial_names_its_policy_and_what_would_be_needed() {
    let servers = json!({ "s": everything(&[]) });
    let hub = Hub::configured(json!({ "servers": servers, "policy": { "deny": ["s:test_simple_*"] } }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp/s", era).await;
        let answer = client.ask("tools/call", json!({ "name": "test_simple_text", "arguments": {} })).await;
        let data = &answer.json()["error"]["data"];
        assert_eq!((answer.status, &data["policy"]), (403, &json!("policy.deny[0]")), "{data}");
        assert!(data["reason"].as_str().unwrap().contains("s:test_simple_text"), "{data}");
        assert!(data["needed"].is_string(), "{data}");
    }
    until("it is written down", 10, async || {
        let log = hub.log();
        let told = log.lines().any(|line| line.contains("decision") && line.contains("policy.deny[0]"));
        if told { Ok(()) } else { Err(log) }
    })
    .await;
}

/// A role sees and calls what its server says changes nothing, by every name and at every endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn auth_5_a_role_lists_what_it_may_call() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("files")).unwrap();
    std::fs::write(home.path().join("files/a.txt"), "hello").unwrap();
    let files = json!({ "builtin": { "kind": "filesystem", "roots": ["files"], "write": true } });
    let policy = json!({ "allow": [], "roles": { "viewer": { "members": ["local:*"] } } });
    let hub = Hub::at(home, json!({ "servers": { "files": files }, "policy": policy }));
    for era in Era::BOTH {
        // Called before it was ever listed: what its server says of it has to be asked first.
        let alone = Client::open(&hub, "/mcp/files", era).await;
        let read = alone.ask("tools/call", json!({ "name": "read_text_file", "arguments": { "path": "a.txt" } })).await;
        assert_ne!(read.status, 403, "{read:?}");
        let client = Client::open(&hub, "/mcp", era).await;
        let tools = client.tools().await;
        assert!(tools.iter().any(|tool| tool.contains("read")), "{tools:?}");
        assert!(!tools.iter().any(|tool| tool.contains("write") || tool.contains("delete")), "{tools:?}");
        let names = ["files__write_file", "files:write_file"];
        for (client, name) in names.map(|name| (&client, name)).into_iter().chain([(&alone, "write_file")]) {
            let answer = client.ask("tools/call", json!({ "name": name, "arguments": {} })).await;
            assert_eq!(answer.status, 403, "{name} {answer:?}");
        }
    }
}

/// A policy that looks at arguments: the tool is listed, each call is decided; a changed file is taken over, a wrong one not.
#[tokio::test(flavor = "multi_thread")]
async fn tool_2_a_cedar_file_decides_on_arguments_and_is_followed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("rules.cedar");
    let rule = |word: &str| {
        format!(
            r#"permit(principal, action == Action::"tools/call", resource == Tool::"b:echo")
               when {{ context.arguments.hasTag("text") && context.arguments.getTag("text") == "{word}" }};"#
        )
    };
    std::fs::write(&file, rule("one")).unwrap();
    let policy = json!({ "allow": [], "files": ["rules.cedar"] });
    let hub = Hub::at(home, json!({ "servers": { "b": bad(&["hang"]) }, "policy": policy }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let status = async |text: &str| {
        client.ask("tools/call", json!({ "name": "b__echo", "arguments": { "text": text } })).await.status
    };
    until("it is listed", 10, async || {
        let tools = client.tools().await;
        if tools == ["b__echo"] { Ok(()) } else { Err(format!("{tools:?}")) }
    })
    .await;
    assert_eq!((status("one").await, status("two").await), (200, 403));
    std::fs::write(&file, rule("two")).unwrap();
    until("the file is taken over", 15, async || {
        let now = (status("one").await, status("two").await);
        if now == (403, 200) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    std::fs::write(&file, "permit(principal, action, resource) when { resource.nmae == 1 };").unwrap();
    until("the fault is told", 15, async || {
        let log = hub.log();
        if log.contains("rules.cedar:1:") { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!((status("one").await, status("two").await), (403, 200), "the old policy stays in force");
}

/// A yes of the person in front of the client is for one call with its arguments, and is used once.
#[tokio::test(flavor = "multi_thread")]
async fn tool_7_a_call_waits_for_the_word_of_the_person_who_calls() {
    let config = json!({ "servers": { "b": bad(&["hang"]) }, "policy": { "approve": ["b:echo"] } });
    let hub = Hub::configured(config);
    let form = json!({ "elicitation": { "form": {} } });
    let client = Client::able(&hub, "/mcp", Era::Modern, form.clone()).await;
    let call = |text: &str| json!({ "name": "b__echo", "arguments": { "text": text } });
    let again = |text: &str, state: &Value, action: &str, approve: bool| {
        let answer = json!({ "omni-approval": { "action": action, "content": { "approve": approve } } });
        let mut params = call(text);
        params["requestState"] = state.clone();
        params["inputResponses"] = answer;
        params
    };
    let asked = client.result("tools/call", call("x")).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let message = asked["inputRequests"]["omni-approval"]["params"]["message"].as_str().unwrap();
    assert!(message.contains("b:echo") && message.contains(r#"{"text":"x"}"#), "{message}");
    let state = &asked["requestState"];
    // Another call does not go with it: it is asked about anew.
    let other = client.result("tools/call", again("y", state, "accept", true)).await;
    assert_eq!(other["resultType"], "input_required", "{other}");
    let done = client.result("tools/call", again("x", state, "accept", true)).await;
    assert_eq!(done["content"][0]["text"], "x", "{done}");
    let twice = client.error("tools/call", again("x", state, "accept", true)).await;
    assert_eq!(twice["code"], -32602, "one word for one call: {twice}");
    for (action, approve) in [("decline", true), ("accept", false)] {
        let asked = client.result("tools/call", call("x")).await;
        let refused = client.ask("tools/call", again("x", &asked["requestState"], action, approve)).await;
        assert_eq!((refused.status, &refused.json()["error"]["data"]["policy"]), (403, &json!("policy.approve[0]")));
    }
    // Who cannot ask waits for an administrator (`admin.rs`).
    for era in Era::BOTH {
        let mute = Client::open(&hub, "/mcp", era).await;
        assert!(mute.tools().await.contains(&"b__echo".to_owned()), "what may be approved is listed");
    }
    // A client of an earlier revision is asked on its stream.
    let client = Client::able(&hub, "/mcp", Era::Legacy, form).await;
    let mut stream = client.stream().await;
    for (approve, status) in [(true, 200), (false, 403)] {
        let answering = async {
            let question = loop {
                let message = stream.message().await;
                if message["method"] == "elicitation/create" {
                    break message;
                }
            };
            let result = json!({ "action": "accept", "content": { "approve": approve } });
            let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
            client.post(&answer.to_string(), &[]).await
        };
        let (answer, taken) = tokio::join!(client.ask("tools/call", call("z")), answering);
        assert_eq!((answer.status, taken.status), (status, 202), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_2_a_rule_sees_where_a_call_comes_from() {
    let home = tempfile::tempdir().unwrap();
    let rule = r#"@id("near") forbid(principal, action, resource in Server::"s") unless { context.loopback };"#;
    std::fs::write(home.path().join("near.cedar"), rule).unwrap();
    let hub = Hub::at(
        home,
        json!({
            "gateway": { "behind_proxy": true },
            "policy": { "files": ["near.cedar"] },
            "servers": { "s": everything(&[]) },
        }),
    );
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp/s", era).await;
        let (body, headers) = client.message("tools/call", json!({ "name": "test_simple_text", "arguments": {} }));
        // The proxy's word is the last one; what stands before it, anybody may have written. One that says nothing lets nobody
        // pass for a program of this machine.
        for (told, status) in [(None, 403), (Some("127.0.0.1, 192.0.2.1"), 403), (Some("192.0.2.1, 127.0.0.1"), 200)] {
            let mut all: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            all.extend(told.map(|told| ("x-forwarded-for", told)));
            assert_eq!(client.post(&body, &all).await.status, status, "{told:?}");
        }
    }
}
