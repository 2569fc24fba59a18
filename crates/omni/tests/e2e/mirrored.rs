//! GW-1: arguments that HTTP headers mirror (2026-07-28, `x-mcp-header`), where one of the two sides knows no headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::acted::{Acted, Said, modern_hello};
use crate::harness::{Client, Era, HttpFixture, Hub, everything};

/// A call of the tool whose `region` and `count` are mirrored, with the headers given.
async fn call(client: &Client, tool: &str, arguments: Value, headers: &[(&str, &str)]) -> (u16, Value) {
    let (body, own) = client.message("tools/call", json!({ "name": tool, "arguments": arguments }));
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<(&str, &str)> = own.chain(headers.iter().copied()).collect();
    let answer = client.post(&body, &all).await;
    let messages = answer.messages();
    (answer.status, serde_json::from_str(messages.last().unwrap()).unwrap())
}

/// The fixture judges the headers that it gets: what the hub makes of a client's arguments is right, or refused.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_client_without_headers_in_front_of_a_server_that_wants_them() {
    let web = HttpFixture::start(&["--era", "modern"]);
    // One of the calls has `null` where the schema wants a number, and the header is left out for it.
    let hub = Hub::unscreened(json!({ "web": web.entry(), "other": everything(&[]) }));
    for (path, tool) in [("/mcp/web", "test_custom_header"), ("/mcp", "web__test_custom_header")] {
        let client = Client::open(&hub, path, Era::Legacy).await;
        for arguments in [
            json!({ "region": "us-west1", "count": 42, "note": "n" }),
            json!({ "region": " Zürich\n", "count": -7 }),
            json!({ "region": "=?base64?x?=", "count": null }),
            json!({ "region": "" }),
        ] {
            let (status, answer) = call(&client, tool, arguments.clone(), &[("mcp-param-region", "a lie")]).await;
            assert_eq!(status, 200, "{arguments}: {answer}");
            let echoed: Value = serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
            assert_eq!(echoed, arguments);
        }
    }
}

/// The other way round nobody but the hub can judge.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_headers_that_lie_do_not_reach_a_server_that_knows_none() {
    let web = HttpFixture::start(&["--era", "legacy"]);
    let hub = Hub::with(json!({ "web": web.entry(), "pipe": everything(&[]) }));
    for server in ["web", "pipe"] {
        let client = Client::open(&hub, &format!("/mcp/{server}"), Era::Modern).await;
        let arguments = json!({ "region": "eu", "count": 42 });
        for headers in [
            vec![("mcp-param-region", "eu"), ("mcp-param-count", "42")],
            vec![("mcp-param-region", "=?base64?ZXU=?="), ("mcp-param-count", "42.0")],
        ] {
            let (status, answer) = call(&client, "test_custom_header", arguments.clone(), &headers).await;
            assert_eq!(status, 200, "{server} {headers:?}: {answer}");
        }
        for headers in [
            vec![("mcp-param-count", "42")],
            vec![("mcp-param-region", "us"), ("mcp-param-count", "42")],
            vec![("mcp-param-region", "=?base64?ZXU?="), ("mcp-param-count", "42")],
            vec![("mcp-param-region", "eu"), ("mcp-param-count", "42"), ("mcp-param-region", "us")],
        ] {
            let (status, answer) = call(&client, "test_custom_header", arguments.clone(), &headers).await;
            assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32020)), "{server} {headers:?}: {answer}");
        }
        // A header that no annotation names is nobody's business here.
        let (status, _) = call(&client, "test_simple_text", json!({}), &[("mcp-param-region", "us")]).await;
        assert_eq!(status, 200);
    }
}

/// A server whose tool wants its argument mirrored under another name after each change; it counts the calls that ran.
async fn changing(wanted: &Arc<AtomicUsize>, ran: &Arc<AtomicUsize>) -> Acted {
    let (wanted, ran) = (Arc::clone(wanted), Arc::clone(ran));
    Acted::start(move |asked| {
        let name = format!("Name{}", wanted.load(Ordering::SeqCst));
        let properties = json!({ "text": { "type": "string", "x-mcp-header": name } });
        let tools = json!([{ "name": "tell", "inputSchema": { "type": "object", "properties": properties } }]);
        if let Some(said) = modern_hello(asked, &json!({ "tools": {} }), &tools) {
            return said;
        }
        let given = asked.headers.get(format!("mcp-param-{}", name.to_lowercase()));
        match asked.method() {
            "tools/call" if given.and_then(|value| value.to_str().ok()) == Some("x") => {
                ran.fetch_add(1, Ordering::SeqCst);
                let content = json!([{ "type": "text", "text": "told" }]);
                Said::result(asked, json!({ "resultType": "complete", "content": content }))
            }
            "tools/call" => Said::error(asked, 400, -32020, "Header mismatch: a header is missing"),
            _ => Said::error(asked, 404, -32601, "Method not found"),
        }
    })
    .await
}

/// GW-1: the schema that the hub knew is stale. It reads the tools anew and makes the call once more, which never ran.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_schema_that_went_stale_is_read_anew() {
    let (wanted, ran) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let server = changing(&wanted, &ran).await;
    let hub = Hub::with(json!({ "web": server.entry() }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp/web", Era::Legacy).await;
    assert_eq!(client.text("tell", json!({ "text": "x" })).await, "told");
    wanted.store(1, Ordering::SeqCst);
    assert_eq!(client.text("tell", json!({ "text": "x" })).await, "told");
    assert_eq!((ran.load(Ordering::SeqCst), server.asked("tools/call").len()), (2, 3));

    // A client that makes its own headers is told; what it reads then is new.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    wanted.store(2, Ordering::SeqCst);
    let own = Client::open(&hub, "/mcp/web", Era::Modern).await;
    let (status, answer) = call(&own, "tell", json!({ "text": "x" }), &[("mcp-param-name1", "x")]).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32020)), "{answer}");
    let tools = own.result("tools/list", json!({})).await;
    assert_eq!(tools["tools"][0]["inputSchema"]["properties"]["text"]["x-mcp-header"], "Name2");
    let (status, answer) = call(&own, "tell", json!({ "text": "x" }), &[("mcp-param-name2", "x")]).await;
    assert_eq!(status, 200, "{answer}");

    // One that refuses whatever it is sent is asked twice, and no more.
    let before = server.asked("tools/call").len();
    assert_eq!(
        client.error("tools/call", json!({ "name": "tell", "arguments": { "text": "y" } })).await["code"],
        -32020
    );
    assert_eq!((server.asked("tools/call").len() - before, ran.load(Ordering::SeqCst)), (2, 3));
}
