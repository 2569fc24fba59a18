//! GW-1: arguments that HTTP headers mirror (2026-07-28, `x-mcp-header`), where one of the two sides knows no headers.

use serde_json::{Value, json};

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
    let hub = Hub::with(json!({ "web": web.entry(), "other": everything(&[]) }));
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
