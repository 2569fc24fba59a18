//! CFG-1 to CFG-8: a profile changes what a client is told and shown, while the hub runs, and never adds to what policy allows.

use std::fs;

use serde_json::{Value, json};

use crate::harness::hub::command;
use crate::harness::recorded::{log_of, record};
use crate::harness::{Client, Era, Hub, everything, http, until};

const TEXT: &str = "# Reviewer\r\n\nBe kind.  \n- `${HOME}` stays, \"quotes\" too\n";

fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("profiles")).unwrap();
    for (name, text) in files {
        fs::write(home.path().join("profiles").join(name), text).unwrap();
    }
    home
}

/// What a client of `era` is told first.
async fn told(hub: &Hub, path: &str, era: Era) -> String {
    let result = match era {
        Era::Modern => Client::open(hub, path, era).await.result("server/discover", json!({})).await,
        Era::Legacy => {
            let info = json!({ "name": "omni-e2e", "version": "1" });
            let params = json!({ "protocolVersion": era.version(), "capabilities": {}, "clientInfo": info });
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
            let headers = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
            let request = http::request(::http::Method::POST, hub.address, path, &headers, body.to_string());
            http::send(hub.address, request).await.json()["result"].clone()
        }
    };
    result["instructions"].as_str().unwrap_or_default().to_owned()
}

/// The tools that are not the hub's own.
async fn of_servers(client: &Client) -> Vec<String> {
    let mut tools = client.tools().await;
    tools.retain(|tool| tool.contains("__"));
    tools
}

/// What the endpoint at `path` answers.
async fn status(hub: &Hub, path: &str) -> u16 {
    Client::open(hub, path, Era::Modern).await.ask("tools/list", json!({})).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn cfg_8_a_profile_tells_its_text_and_shows_what_it_says() {
    let less = "---\ntools: [\"s:test_simple_*\", \"s:test_image_content\"]\nresources: []\nprompts: [\"s:test_simple_prompt\"]\n---\nLess.\n";
    let home = home(&[("reviewer.md", TEXT), ("less.md", less)]);
    let deny = json!(["s:test_simple_text"]);
    let config = json!({ "servers": { "s": everything(&[]) }, "policy": { "deny": deny }, "profiles": {} });
    let hub = Hub::at(home, config);
    hub.awake().await;
    for era in Era::BOTH {
        let plain = Client::open(&hub, "/mcp/p/reviewer", era).await;
        let text = told(&hub, "/mcp/p/reviewer", era).await;
        assert!(text.starts_with(TEXT), "{text:?}");
        let all = Client::open(&hub, "/mcp", era).await;
        assert_eq!(of_servers(&plain).await, of_servers(&all).await);
        assert!(!told(&hub, "/mcp", era).await.contains("Be kind"));
        let narrow = Client::open(&hub, "/mcp/p/less", era).await;
        let tools = of_servers(&narrow).await;
        // What policy denies no profile brings back.
        assert_eq!(tools, ["s__test_image_content"]);
        let (uris, _) = narrow.list("resources/list", "resources", "uri").await;
        assert_eq!(uris, [] as [String; 0]);
        let (prompts, _) = narrow.list("prompts/list", "prompts", "name").await;
        assert_eq!(prompts, ["s__test_simple_prompt"]);
        for name in ["s__test_error_handling", "s:test_error_handling", "s__test_simple_text"] {
            let answer = narrow.ask("tools/call", json!({ "name": name, "arguments": {} })).await;
            assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!(403)), "{name}: {answer:?}");
        }
        let answer = narrow.ask("tools/call", json!({ "name": "s__test_error_handling", "arguments": {} })).await;
        assert_eq!(answer.json()["error"]["data"]["policy"], "profile less");
        for (method, params) in [
            ("resources/read", json!({ "uri": "test://static-binary" })),
            ("prompts/get", json!({ "name": "s__test_prompt_with_arguments", "arguments": {} })),
        ] {
            let error = narrow.error(method, params).await;
            assert!([403, -32002, -32602].contains(&error["code"].as_i64().unwrap()), "{method}: {error}");
        }
        narrow.call("s__test_image_content", json!({})).await;
    }
    assert_eq!(status(&hub, "/mcp/p/nobody").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn cfg_6_a_changed_profile_is_taken_over_and_a_bad_one_leaves_the_others() {
    let home = home(&[("dev.md", "One.\n")]);
    let hub = Hub::at(home, json!({ "servers": { "s": everything(&[]) }, "profiles": {} }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp/p/dev", Era::Modern).await;
    assert!(client.tools().await.len() > 1);
    let folder = hub.home.path().join("profiles");
    let put = |name: &str, text: &str| {
        let (whole, file) = (folder.join(".new"), folder.join(name));
        fs::write(&whole, text).unwrap();
        fs::rename(whole, file).unwrap();
    };
    put("bad.md", "---\nnmae: x\n---\n");
    put("dev.md", "---\npolicy: {deny: [\"*\"]}\n---\nTwo.\n");
    until("the profile is another one", 15, async || {
        let tools = of_servers(&client).await;
        if tools.is_empty() { Ok(()) } else { Err(format!("{tools:?}")) }
    })
    .await;
    assert!(told(&hub, "/mcp/p/dev", Era::Modern).await.starts_with("Two.\n"));
    until("the fault is told", 15, async || {
        let log = hub.log();
        if log.contains("bad.md:2:1") && log.contains("nmae") { Ok(()) } else { Err(log) }
    })
    .await;
    // Gone, it shows nothing.
    fs::remove_file(folder.join("dev.md")).unwrap();
    until("the endpoint is gone", 15, async || match status(&hub, "/mcp/p/dev").await {
        404 => Ok(()),
        status => Err(status.to_string()),
    })
    .await;
}

/// CFG-3: commands see the same; CFG-1: a project's file is written and mended to the byte.
#[test]
fn cfg_1_commands_list_show_and_write_profiles() {
    let home = home(&[
        ("base.md", "# Base\n\n## Rules\n- One\n"),
        ("dev.md", "---\nextends: base\ndescription: For work.\n---\n## Rules\n- Two\u{202e}\n"),
    ]);
    fs::write(home.path().join("omni.yaml"), "profiles: {}\n").unwrap();
    fs::write(home.path().join("CLAUDE.md"), "# Mine\n").unwrap();
    let omni = |arguments: &[&str]| {
        let output = command(&home).arg("profile").args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (good, listed) = omni(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((good, &listed["profiles"][1]["name"], &listed["faults"]), (true, &json!("dev"), &json!([])));
    let (_, shown) = omni(&["show", "dev"]);
    assert!(shown.contains("builds on base") && shown.contains("- One\n- Two\\u{202e}"), "{shown}");
    let read = || fs::read_to_string(home.path().join("CLAUDE.md")).unwrap();
    let (good, difference) = omni(&["apply", "dev"]);
    assert!(good && difference.contains("+- One") && read() == "# Mine\n", "{difference}");
    assert!(omni(&["apply", "dev", "--write"]).0 && read().contains("- One\n- Two"));
    assert!(omni(&["apply", "base", "--write"]).0 && !read().contains("- Two"));
    assert!(omni(&["apply", "--undo", "--write"]).0);
    assert_eq!(read(), "# Mine\n");
    assert!(!omni(&["apply", "--undo", "--write"]).0 && !omni(&["show", "nobody"]).0);
}

/// CFG-1: whoever applies a profile has it in every session, hears of it, and gets what policy allows and no more.
#[tokio::test(flavor = "multi_thread")]
async fn cfg_1_a_profile_is_applied_by_name_and_taken_back() {
    let less = "---\ndescription: Little.\ntools: [\"s:test_simple_*\"]\n---\nLess.\n";
    let home = home(&[("less.md", less), ("plain.md", TEXT)]);
    let servers = json!({ "s": everything(&[]) });
    let policy = json!({ "deny": ["omni:get_applied_config"], "approve": ["omni:list_claude_configs"] });
    let hub = Hub::at(home, json!({ "servers": servers, "profiles": {}, "policy": policy }));
    hub.awake().await;
    let legacy = Client::open(&hub, "/mcp", Era::Legacy).await;
    let mut stream = legacy.stream().await;
    let modern = Client::open(&hub, "/mcp", Era::Modern).await;
    let before = modern.tools().await;
    for own in ["apply_profile", "list_profiles", "get_profile", "apply_claude_config"] {
        assert!(before.contains(&own.to_owned()), "{before:?}");
    }
    // Listing equals calling, for the hub's own as well.
    for denied in ["get_applied_config", "list_claude_configs"] {
        assert!(!before.contains(&denied.to_owned()), "{before:?}");
        assert_eq!(modern.error("tools/call", json!({ "name": denied, "arguments": {} })).await["code"], 403);
    }
    let got = modern.call("get_profile", json!({ "name": "plain" })).await;
    assert_eq!(got["content"][1]["text"], TEXT, "{got}");
    let call = json!({ "name": "apply_profile", "arguments": { "name": "nobody" } });
    let wrong = modern.result("tools/call", call).await;
    assert_eq!(wrong["isError"], true, "{wrong}");
    assert!(wrong["content"][0]["text"].as_str().unwrap().contains("less, plain"), "{wrong}");

    let applied = modern.call("apply_profile", json!({ "name": "less" })).await;
    assert_eq!(applied["content"][1]["text"], "Less.\n", "{applied}");
    until("the other session hears of it", 15, async || {
        let told = stream.message().await;
        if told["method"] == "notifications/tools/list_changed" { Ok(()) } else { Err(told.to_string()) }
    })
    .await;
    for client in [&legacy, &modern] {
        let tools = client.tools().await;
        assert!(tools.contains(&"s__test_simple_text".to_owned()), "{tools:?}");
        assert!(tools.contains(&"apply_profile".to_owned()) && !tools.contains(&"s__test_error_handling".to_owned()));
        let error = client.error("tools/call", json!({ "name": "s__test_error_handling", "arguments": {} })).await;
        assert_eq!((&error["code"], &error["data"]["policy"]), (&json!(403), &json!("profile less")), "{error}");
        let listed: Value = serde_json::from_str(&client.text("list_profiles", json!({})).await).unwrap();
        let applied: Vec<&Value> = listed["profiles"].as_array().unwrap().iter().map(|one| &one["applied"]).collect();
        assert_eq!(applied, [true, false]);
    }
    assert!(told(&hub, "/mcp", Era::Modern).await.starts_with("Less.\n"));
    // A path of its own stays what it is, and has nothing to choose.
    let own = Client::open(&hub, "/mcp/p/plain", Era::Modern).await.tools().await;
    assert!(own.contains(&"list_profiles".to_owned()) && !own.contains(&"apply_profile".to_owned()), "{own:?}");
    assert!(own.contains(&"s__test_error_handling".to_owned()), "{own:?}");
    // By the names of the system before this one.
    let config = modern.call("apply_claude_config", json!({ "filePath": "./profiles/plain.md" })).await;
    assert!(config["content"][0]["text"].as_str().unwrap().starts_with("Successfully loaded CLAUDE.md"), "{config}");
    for path in ["../omni.yaml", "/etc/passwd", ""] {
        let call = json!({ "name": "apply_claude_config", "arguments": { "filePath": path } });
        let refused = modern.result("tools/call", call).await;
        assert_eq!(refused["isError"], true, "{refused}");
    }
    modern.call("apply_profile", json!({})).await;
    assert_eq!(modern.tools().await, before);
    assert!(!Client::open(&hub, "/mcp/s", Era::Modern).await.tools().await.contains(&"apply_profile".to_owned()));
    for action in ["profiles/load", "profiles/apply"] {
        let event = record(&log_of(&hub), json!({ "action": action, "profile": "less" })).await;
        assert_eq!(event["profile_sha256"].as_str().map(str::len), Some(64), "{event}");
    }
}
