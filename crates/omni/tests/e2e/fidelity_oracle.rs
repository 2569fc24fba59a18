//! The same conversation with a server directly and through the hub, recorded on the wire: what differs is listed here, each
//! with its reason, and nothing else may. What is listed and does not differ any more is wrong too.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::peers::Peers;
use crate::harness::{Client, Era, HttpFixture, Hub, everything};
use crate::real_servers::Listening;

/// Differences that depend on time: questions that a server asks one after the other come within the moment in which the hub
/// gathers them, or do not.
const TIMED: [&str; 1] = ["test_input_required_result_multiple_inputs /messages"];

/// One way in which the hub may differ, by the beginning of where it does.
pub(crate) struct Known {
    /// `STEP PLACE`, where `*` stands for any step; the place is a JSON pointer into the recorded exchange, in which `*` stands
    /// for any one segment.
    pub(crate) place: &'static str,
    /// Why; each is told in `docs/ARCHITECTURE.md`, "Known differences from talking to a server directly".
    pub(crate) reason: &'static str,
}

impl Known {
    fn covers(&self, step: &str, place: &str) -> bool {
        let (its_step, its_place) = self.place.split_once(" /").unwrap_or((self.place.trim_end(), ""));
        let fits = |(known, found): (&str, &str)| known == "*" || known == found || known.is_empty();
        let (known, found): (Vec<_>, Vec<_>) =
            (its_place.split('/').collect(), place.trim_start_matches('/').split('/').collect());
        (its_step == "*" || its_step == step) && known.len() <= found.len() && known.into_iter().zip(found).all(fits)
    }
}

/// One exchange, as it was on the wire: status, kind of answer, messages.
pub(crate) type Exchange = (String, Value);

async fn step(said: &mut Vec<Exchange>, client: &Client, name: &str, method: &str, params: Value) -> Value {
    let answer = client.ask(method, params).await;
    let messages: Vec<Value> = answer.messages().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let kind = answer.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
    let kind = kind.split(';').next().unwrap_or_default();
    let last = messages.last().cloned().unwrap_or_default();
    said.push((name.to_owned(), json!({ "status": answer.status, "kind": kind, "messages": messages })));
    last
}

/// What a conversation is about.
struct Talk<'a> {
    calls: &'a [(&'a str, Value)],
    uris: &'a [&'a str],
    prompts: &'a [&'a str],
}

/// The whole conversation of one client, with tools and prompts under `prefix`.
async fn converse(client: &Client, era: Era, prefix: &str, talk: &Talk<'_>) -> Vec<Exchange> {
    let Talk { calls, uris, prompts } = *talk;
    let mut said = Vec::new();
    if era == Era::Modern {
        step(&mut said, client, "discover", "server/discover", json!({})).await;
    }
    for list in ["tools", "prompts", "resources", "resources/templates"] {
        step(&mut said, client, &format!("list {list}"), &format!("{list}/list"), json!({})).await;
    }
    for (tool, arguments) in calls {
        for token in [None, Some("a token")] {
            let mut params = json!({ "name": format!("{prefix}{tool}"), "arguments": arguments });
            if let Some(token) = token {
                params["_meta"] = json!({ "progressToken": token });
            }
            let name = format!("call {tool}{}", token.map_or("", |_| " with progress"));
            step(&mut said, client, &name, "tools/call", params).await;
        }
    }
    for uri in uris {
        step(&mut said, client, &format!("read {uri}"), "resources/read", json!({ "uri": uri })).await;
    }
    for prompt in prompts {
        let params =
            json!({ "name": format!("{prefix}{prompt}"), "arguments": { "arg1": "a", "arg2": "b", "city": "Paris" } });
        step(&mut said, client, &format!("prompt {prompt}"), "prompts/get", params).await;
    }
    let reference = json!({ "type": "ref/prompt", "name": format!("{prefix}{}", prompts[0]) });
    let params = json!({ "ref": reference, "argument": { "name": "arg1", "value": "t" } });
    step(&mut said, client, "complete", "completion/complete", params).await;
    if era == Era::Legacy {
        step(&mut said, client, "ping", "ping", json!({})).await;
        step(&mut said, client, "level", "logging/setLevel", json!({ "level": "error" })).await;
    }
    step(&mut said, client, "call without a name", "tools/call", json!({ "arguments": {} })).await;
    step(&mut said, client, "read without a uri", "resources/read", json!({})).await;
    step(&mut said, client, "unknown method", "vendor/unknown", json!({})).await;
    said
}

/// Where two trees differ, with both sides.
fn compare(place: &str, direct: &Value, hub: &Value, found: &mut Vec<(String, String)>) {
    match (direct, hub) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let absent = json!("(absent)");
                let (a, b) = (a.get(name).unwrap_or(&absent), b.get(name).unwrap_or(&absent));
                compare(&format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}/{at}"), a, b, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push((place.to_owned(), format!("directly {a}, through the hub {b}"))),
    }
}

/// Holds the two conversations against the known differences; what is wrong with either.
pub(crate) fn judge(what: &str, direct: &[Exchange], hub: &[Exchange], known: &[&[Known]]) -> Vec<String> {
    let known: Vec<&Known> = known.iter().copied().flatten().collect();
    let mut used: BTreeMap<&str, usize> = known.iter().map(|known| (known.place, 0)).collect();
    let mut wrong = Vec::new();
    assert_eq!(direct.len(), hub.len());
    for ((name, direct), (_, hub)) in direct.iter().zip(hub) {
        let mut found = Vec::new();
        compare("", direct, hub, &mut found);
        for (place, sides) in found {
            let whole = format!("{name} {place}");
            match known.iter().find(|known| known.covers(name, &place)) {
                Some(known) => *used.entry(known.place).or_default() += 1,
                None => wrong.push(format!("{what}: {whole}: {sides}")),
            }
        }
    }
    for known in known.iter().filter(|known| used[known.place] == 0 && !TIMED.contains(&known.place)) {
        wrong.push(format!("{what}: {}: listed ({}), and does not differ: take it out", known.place, known.reason));
    }
    wrong
}

/// Fails with all that is wrong.
pub(crate) fn conclude(wrong: &[String]) {
    assert!(wrong.is_empty(), "not as `Known differences` says:\n  {}", wrong.join("\n  "));
}

/// Behind a channel that several clients share.
const SHARED_CHANNEL: &[Known] = &[Known {
    place: "call test_tool_with_progress with progress /messages/3/result/content/0/text",
    reason: "progress tokens are the hub's own there, or those of two clients would meet; this tool tells its token",
}];

/// Where arguments do not fit the tool's schema.
const UNFIT: &[Known] = &[
    Known {
        place: "call echo /messages/0/result/content/0/text",
        reason: "the hub says what does not fit, in its words",
    },
    Known {
        place: "call echo with progress /messages/0/result/content/0/text",
        reason: "the hub says what does not fit, in its words",
    },
];

/// At `/mcp`, where names lead to their servers.
const ALL: &[Known] = &[
    Known { place: "read nothing:at-all /messages/0/error/message", reason: "no server offers it, so none is asked" },
    Known { place: "unknown method /messages/0/error/message", reason: "it names no server, so none is asked" },
];

/// At `/mcp`, in 2026-07-28.
const ALL_MODERN: &[Known] = &[
    Known { place: "read nothing:at-all /messages/0/error/message", reason: "no server offers it, so none is asked" },
    Known { place: "unknown method /messages/0/error/message", reason: "it names no server, so none is asked" },
    Known { place: "discover /messages/0/result/_meta/", reason: "it is the hub that answers for all its servers" },
    Known { place: "discover /messages/0/result/instructions", reason: "those of all servers, each under its name" },
];

/// At every endpoint, in every era.
const EVERYWHERE: &[Known] = &[
    Known { place: "* /kind", reason: "an answer with nothing before it is sent as JSON, whatever its server chose" },
    Known { place: "call without a name ", reason: "what the hub routes by it requires itself, before any server" },
    Known { place: "read without a uri ", reason: "what the hub routes by it requires itself, before any server" },
];

/// In 2026-07-28.
const MODERN: &[Known] = &[
    Known { place: "discover /messages/0/result/supportedVersions", reason: "each hop has its own revisions" },
    Known { place: "list tools /messages/0/result/_meta", reason: "the list is the hub's, which says who answers" },
    Known { place: "list prompts /messages/0/result/_meta", reason: "the list is the hub's, which says who answers" },
    Known { place: "list resources /messages/0/result/_meta", reason: "the list is the hub's, which says who answers" },
    Known {
        place: "list resources/templates /messages/0/result/_meta",
        reason: "the list is the hub's, which says who answers",
    },
];

/// Names of `/mcp` without the server's, so that only real differences are left.
fn without_prefix(said: Vec<Exchange>, prefix: &str) -> Vec<Exchange> {
    let plain = |value: Value| serde_json::from_str(&value.to_string().replace(prefix, "")).unwrap();
    said.into_iter().map(|(name, exchange)| (name, plain(exchange))).collect()
}

pub(crate) fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").trim_end_matches("/mcp").parse().unwrap()
}

/// Everything that the fixture does which needs nothing of its client.
fn fixture_calls() -> Vec<(&'static str, Value)> {
    let plain = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_error_handling",
        "test_tool_with_progress",
        "no_such_tool",
    ];
    plain.into_iter().map(|tool| (tool, json!({}))).collect()
}

const FIXTURE_URIS: [&str; 5] =
    ["test://static-text", "test://static-binary", "test://template/7/data", "test://nowhere", "nothing:at-all"];
const FIXTURE_PROMPTS: [&str; 4] =
    ["test_prompt_with_arguments", "test_simple_prompt", "test_prompt_with_image", "no_such_prompt"];

async fn fixture(era: Era, own: &[Known], stdio: &[Known], all: &[Known]) {
    let direct = HttpFixture::start(&[]);
    let hub = Hub::with(json!({ "http": direct.entry(), "stdio": everything(&[]) }));
    let alone = Hub::with(json!({ "http": direct.entry() }));
    hub.awake().await;
    alone.awake().await;
    let calls = fixture_calls();
    let talk = async |client: Client, prefix: &str| {
        converse(&client, era, prefix, &Talk { calls: &calls, uris: &FIXTURE_URIS, prompts: &FIXTURE_PROMPTS }).await
    };
    let plain = talk(Client::at(address(&direct.url), "/mcp", era, json!({})).await, "").await;
    let mut wrong = Vec::new();
    let through = talk(Client::open(&hub, "/mcp/http", era).await, "").await;
    wrong.extend(judge("/mcp/http", &plain, &through, &[EVERYWHERE, own]));
    let through = talk(Client::open(&hub, "/mcp/stdio", era).await, "").await;
    wrong.extend(judge("/mcp/stdio", &plain, &through, &[EVERYWHERE, own, stdio]));
    let through = without_prefix(talk(Client::open(&alone, "/mcp", era).await, "http__").await, "http__");
    wrong.extend(judge("/mcp", &plain, &through, &[EVERYWHERE, own, all]));
    conclude(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_conversation_of_2026_07_28_differs_only_where_it_is_said() {
    fixture(Era::Modern, MODERN, SHARED_CHANNEL, ALL_MODERN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_conversation_of_2025_11_25_differs_only_where_it_is_said() {
    fixture(Era::Legacy, &[], SHARED_CHANNEL, ALL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_npm_everything_says_the_same_through_the_hub() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("server-everything/dist/index.js");
    let (_listening, address) = Listening::on_a_port(&peers.node, &[program.as_ref(), "streamableHttp".as_ref()]).await;
    let hub = Hub::with(json!({
        "http": { "url": format!("http://{address}/mcp") },
        "stdio": { "command": peers.node, "args": [program, "stdio"] },
    }));
    hub.awake().await;
    let calls = [
        ("echo", json!({ "message": "hi" })),
        ("get-sum", json!({ "a": 1.5, "b": 2 })),
        ("get-tiny-image", json!({})),
        ("get-structured-content", json!({ "location": "New York" })),
        ("get-annotated-message", json!({ "messageType": "error", "includeImage": true })),
        ("get-resource-links", json!({ "count": 3 })),
        ("trigger-long-running-operation", json!({ "duration": 0.2, "steps": 2 })),
        ("echo", json!({ "wrong": true })),
        ("no-such-tool", json!({})),
    ];
    let uris = ["demo://resource/static/document/architecture.md", "demo://resource/nowhere"];
    let prompts = ["args-prompt", "simple-prompt", "no-such-prompt"];
    let about = Talk { calls: &calls, uris: &uris, prompts: &prompts };
    let talk = async |client: Client| converse(&client, Era::Legacy, "", &about).await;
    let plain = talk(Client::at(address, "/mcp", Era::Legacy, json!({})).await).await;
    let mut wrong = Vec::new();
    for path in ["/mcp/http", "/mcp/stdio"] {
        let through = talk(Client::open(&hub, path, Era::Legacy).await).await;
        wrong.extend(judge(path, &plain, &through, &[EVERYWHERE, UNFIT]));
    }
    conclude(&wrong);
}
