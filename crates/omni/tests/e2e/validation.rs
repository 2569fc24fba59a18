//! VAL-1 to VAL-5, TOOL-5, EXB-5: what reaches a server, and what comes back from one, seen from both ends of the wire.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::told::{say, told};
use crate::harness::{Client, Era, Hub};

/// A server of 2025-11-25 with the tools given; each call is answered with `answer`, the rest of a JSON-RPC response.
struct Server {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(tools: Value, answer: &str) -> Self {
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let (heard, answer) = (Arc::clone(&calls), answer.to_owned());
        let address = told(move |asked, mut stream| {
            let (tools, answer, heard) = (tools.clone(), answer.clone(), Arc::clone(&heard));
            async move {
                let message = asked.message();
                let id = message["id"].to_string();
                let result = match message["method"].as_str() {
                    Some("initialize") => {
                        let info = json!({ "name": "told", "version": "1" });
                        let offers = json!({ "tools": {} });
                        let result =
                            json!({ "protocolVersion": "2025-11-25", "capabilities": offers, "serverInfo": info });
                        format!(r#""result":{result}"#)
                    }
                    Some("tools/list") => format!(r#""result":{{"tools":{tools}}}"#),
                    Some("tools/call") => {
                        heard.lock().unwrap().push(asked.body.clone());
                        answer
                    }
                    Some("server/discover") => r#""error":{"code":-32601,"message":"Method not found"}"#.to_owned(),
                    _ => {
                        say(&mut stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                            .await;
                        return;
                    }
                };
                let body = format!(r#"{{"jsonrpc":"2.0","id":{id},{result}}}"#);
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                say(&mut stream, &format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await;
            }
        })
        .await;
        Self { address, calls }
    }

    fn entry(&self) -> Value {
        json!({ "url": format!("http://{}/mcp", self.address) })
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

const GOOD: &str = r#""result":{"content":[{"type":"text","text":"done"}]}"#;

fn tools() -> Value {
    json!([
        {
            "name": "order",
            "inputSchema": {
                "type": "object",
                "properties": { "count": { "type": "integer", "minimum": 1 }, "note": { "type": "string", "maxLength": 5 } },
                "required": ["count"],
                "additionalProperties": false
            }
        },
        { "name": "remote", "inputSchema": { "type": "object", "$ref": "https://example.invalid/schema" } },
        { "name": "free", "inputSchema": { "type": "object" } }
    ])
}

async fn opened(server: &Server, rest: Value, era: Era) -> (Hub, Client) {
    let mut config = json!({ "servers": { "s": server.entry() } });
    for (key, value) in rest.as_object().unwrap() {
        config[key] = value.clone();
    }
    let hub = Hub::configured(config);
    let client = Client::open(&hub, "/mcp", era).await;
    (hub, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn val_1_arguments_that_do_not_fit_never_reach_the_server() {
    let server = Server::start(tools(), GOOD).await;
    for era in Era::BOTH {
        let (_hub, client) = opened(&server, json!({}), era).await;
        let before = server.calls().len();
        for (arguments, place) in [
            (json!({}), "count"),
            (json!({ "count": "2" }), "/count"),
            (json!({ "count": 0 }), "/count"),
            (json!({ "count": 1, "note": "too long" }), "/note"),
            (json!({ "count": 1, "notes": "x" }), "notes"),
        ] {
            // 2025-11-25 and later: a tool execution error, so that the model can mend it.
            let params = json!({ "name": "s__order", "arguments": arguments });
            let result = client.result("tools/call", params).await;
            assert_eq!(result["isError"], true, "{arguments}: {result}");
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(place) && !text.contains("too long"), "{text}");
        }
        let error = client.error("tools/call", json!({ "name": "s__order", "arguments": [1] })).await;
        assert_eq!(error["code"], -32602);
        let error = client.error("tools/call", json!({ "name": "s__remote", "arguments": {} })).await;
        assert!(error["message"].as_str().unwrap().contains("validation.unusable_schema"), "{error}");
        assert_eq!(server.calls().len(), before, "{:?}", server.calls());
        assert_eq!(client.text("s__order", json!({ "count": 2, "note": "12345" })).await, "done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn val_2_what_is_coerced_is_rewritten_and_nothing_else() {
    let server = Server::start(tools(), GOOD).await;
    for era in Era::BOTH {
        let (_hub, client) = opened(&server, json!({ "validation": { "coerce": true } }), era).await;
        assert_eq!(client.text("s:order", json!({ "count": "7", "note": "\u{e9}" })).await, "done");
        let seen = server.calls().pop().unwrap();
        assert!(seen.contains(r#""count":7,"note":"é""#), "{seen}");
        let result = client.result("tools/call", json!({ "name": "s__order", "arguments": { "count": "x" } })).await;
        assert_eq!(result["isError"], true, "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn val_4_the_operators_rules_and_bounds() {
    let server = Server::start(tools(), GOOD).await;
    let rules = json!([
        { "tools": ["s:fr*"], "at": "/query", "deny": "(?i)\\bdrop\\s+table\\b", "reason": "no schema changes" },
        { "tools": ["s"], "at": "/path", "match": "^[a-z/]+$" }
    ]);
    let validation = json!({ "rules": rules, "depth_max": 6, "string_bytes_max": 64, "elements_max": 8 });
    let (_hub, client) = opened(&server, json!({ "validation": validation }), Era::Modern).await;
    for (arguments, told) in
        [(json!({ "query": "x; DROP  table y" }), "no schema changes"), (json!({ "path": "a/../b" }), "/path")]
    {
        let result = client.result("tools/call", json!({ "name": "s__free", "arguments": arguments })).await;
        assert!(result["content"][0]["text"].as_str().unwrap().contains(told), "{result}");
    }
    assert_eq!(client.text("s__free", json!({ "query": "select 1", "path": "a/b" })).await, "done");
    // VAL-3: bounds of the whole hub.
    for arguments in
        [json!({ "a": "x".repeat(65) }), json!({ "a": [1, 2, 3, 4, 5, 6, 7, 8, 9] }), json!({ "a": [[[[[[1]]]]]] })]
    {
        let error = client.error("tools/call", json!({ "name": "s__free", "arguments": arguments })).await;
        assert_eq!(error["code"], -32602, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn val_5_dangerous_characters_do_not_get_in() {
    let server = Server::start(tools(), GOOD).await;
    for era in Era::BOTH {
        let (hub, client) = opened(&server, json!({}), era).await;
        let before = server.calls().len();
        for text in ["a\0b", "\u{1b}[2J", "\u{202e}abc", "\u{e0061}\u{e0062}"] {
            let params = json!({ "name": "s__free", "arguments": { "deep": [{ "text": text }] } });
            let result = client.result("tools/call", params).await;
            assert_eq!(result["isError"], true, "{result}");
            assert!(result["content"][0]["text"].as_str().unwrap().contains("validation.characters"), "{result}");
        }
        for name in ["s__fr\u{200b}ee", "s__free\u{202e}"] {
            let (body, mut headers) = client.message("tools/call", json!({ "name": name, "arguments": {} }));
            headers.retain(|(header, _)| *header != "mcp-name");
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = client.post(&body, &headers).await.json();
            assert_eq!(answer["error"]["code"], -32602, "{answer}");
        }
        assert_eq!(server.calls().len(), before);
        // What is merely foreign arrives as it was written.
        let foreign = "می\u{200c}خواهم 👩🏽\u{200d}💻 ไทย\u{200b}ไทย \u{2067}שלום\u{2069}";
        client.call("s__free", json!({ "text": foreign })).await;
        let seen: Value = serde_json::from_str(&server.calls().pop().unwrap()).unwrap();
        assert_eq!(seen["params"]["arguments"]["text"], foreign);
        assert!(hub.ready().await["anomalies"]["requests_refused"].as_u64().unwrap() >= 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_5_answers_are_fit_to_leave() {
    let answer = r#""result":{"content":[{"type":"text","text":"\u001b[31mcard 4111 1111 1111 1111\u001b[0m, ghp_16C7e42F292c6912E7710c838347Ae178B4a, größe \ud83d\ude00"}],"structuredContent":{"n":1.50e0}}"#;
    let hidden = "ok\u{e0068}\u{e0069}";
    let tools = json!([
        { "name": "free", "description": hidden, "inputSchema": { "type": "object" } },
        { "name": "fr\u{200b}ee", "inputSchema": { "type": "object" } }
    ]);
    let server = Server::start(tools, answer).await;
    for era in Era::BOTH {
        let (_hub, client) = opened(&server, json!({}), era).await;
        let listed = client.result("tools/list", json!({})).await;
        assert_eq!(listed["tools"].as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(listed["tools"][0]["description"], "ok⟦2 hidden characters⟧");
        let text = client.text("s__free", json!({})).await;
        assert_eq!(text, "␛[31mcard [card number ending 1111]␛[0m, [GitHub token masked], größe 😀");
        let answer = client.ask("tools/call", json!({ "name": "s__free", "arguments": {} })).await;
        assert!(answer.messages()[0].contains(r#"{"n":1.50e0}"#), "{answer:?}");
        let answers = json!({ "detect": { "cards": "block" } });
        let (_hub, client) = opened(&server, json!({ "answers": answers }), era).await;
        let error = client.error("tools/call", json!({ "name": "s__free", "arguments": {} })).await;
        assert_eq!(error["code"], 403, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exb_5_errors_leave_with_an_id_and_without_paths() {
    let answer = r#""error":{"code":-32603,"message":"ENOENT: '/srv/app/secret.db'\n    at open (/srv/app/x.js:1:2)","data":{"stack":"at /srv/app/x.js","n":1}}"#;
    let server = Server::start(tools(), answer).await;
    for era in Era::BOTH {
        let (hub, client) = opened(&server, json!({}), era).await;
        let error = client.error("tools/call", json!({ "name": "s__free", "arguments": {} })).await;
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["code"], -32603);
        assert!(message.starts_with("ENOENT: '[path]' (error id e-"), "{message}");
        let id = message.split("error id ").nth(1).unwrap().trim_end_matches(')');
        assert!(!error.to_string().contains("/srv/app"), "{error}");
        let line = hub.log().lines().find(|line| line.contains(id)).map(str::to_owned).expect("the whole in the log");
        assert!(line.contains("/srv/app/x.js"), "{line}");
        // What the client wrote itself is no news to it.
        let params = json!({ "name": "s__free", "arguments": { "path": "/srv/app/secret.db" } });
        let error = client.error("tools/call", params).await;
        assert!(error["message"].as_str().unwrap().contains("'/srv/app/secret.db'"), "{error}");
        let (_hub, client) = opened(&server, json!({ "answers": { "errors_pass": ["s"] } }), era).await;
        let error = client.error("tools/call", json!({ "name": "s__free", "arguments": {} })).await;
        assert_eq!(error["data"]["stack"], "at /srv/app/x.js", "{error}");
    }
}
