//! RET-1 and SHB-4: checkpoints reach their witnesses, events their receivers, each once and in order, also over a restart.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::harness::recorded::{log_of, records};
use crate::harness::told::{Asked, reply, told};
use crate::harness::{Client, Era, Hub, everything, until};

const TOOL: &str = "s__test_simple_text";

/// A receiver that refuses the first of what it is sent, and keeps the rest.
async fn receiver(kept: Arc<Mutex<Vec<Asked>>>) -> std::net::SocketAddr {
    let refused = Arc::new(std::sync::atomic::AtomicBool::new(false));
    told(move |asked, mut stream| {
        let (kept, refused) = (Arc::clone(&kept), Arc::clone(&refused));
        async move {
            if refused.swap(true, std::sync::atomic::Ordering::SeqCst) {
                kept.lock().unwrap().push(asked);
                reply(&mut stream, "200 OK", "content-type: application/json\r\n", "{}").await;
            } else {
                reply(&mut stream, "503 Service Unavailable", "", "").await;
            }
        }
    })
    .await
}

fn attribute<'a>(record: &'a Value, name: &str) -> &'a Value {
    let all = record["attributes"].as_array().unwrap();
    let found = all.iter().find(|one| one["key"] == format!("omni.audit.{name}"));
    found.map_or(&Value::Null, |one| &one["value"])
}

#[tokio::test(flavor = "multi_thread")]
async fn ret_1_events_reach_a_collector_once_and_in_order_also_over_a_restart() {
    let kept: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let address = receiver(Arc::clone(&kept)).await;
    let url = format!("http://{address}/v1/logs");
    let forward = json!([{ "kind": "otlp", "name": "siem", "url": url, "authorization": "Bearer x" }]);
    let config = json!({ "servers": { "s": everything(&[]) }, "audit": { "forward": forward } });
    let mut hub = Hub::configured(config.clone());
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    client.ask("tools/call", json!({ "name": TOOL, "arguments": {} })).await;
    let told = |kept: &Mutex<Vec<Asked>>| -> Vec<Value> {
        let all = kept.lock().unwrap();
        let of = |asked: &Asked| {
            let records = &asked.message()["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
            records.as_array().unwrap().clone()
        };
        all.iter().flat_map(of).collect()
    };
    let call = until("the call is told", 30, async || {
        let all = told(&kept);
        let call = all.iter().find(|one| one["eventName"] == "omni.audit.call").cloned();
        call.ok_or_else(|| format!("{all:?}"))
    })
    .await;
    assert_eq!(attribute(&call, "server"), &json!({ "stringValue": "s" }), "{call}");
    assert_eq!(call["traceId"].as_str().unwrap().len(), 32, "{call}");
    assert!(call["timeUnixNano"].is_string() && call["severityNumber"] == 9, "{call}");
    let first = kept.lock().unwrap()[0].clone();
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/v1/logs"));
    assert_eq!(first.header("authorization"), Some("Bearer x"));
    assert_eq!(first.header("content-type"), Some("application/json"));
    hub.terminate();
    assert_eq!(hub.stopped(), Some(0));
    // The same data directory, another hub.
    let home = std::mem::replace(&mut hub.home, tempfile::tempdir().unwrap());
    drop(hub);
    std::fs::remove_dir_all(home.path().join("tmp")).unwrap();
    let hub = Hub::at(home, config);
    until("all that is on record is told", 30, async || {
        let indexes: Vec<u64> = told(&kept)
            .iter()
            .map(|one| attribute(one, "index")["intValue"].as_str().unwrap().parse().unwrap())
            .collect();
        let wanted: Vec<u64> = (0..records(&log_of(&hub)).len() as u64).collect();
        if indexes == wanted && wanted.len() > 4 { Ok(()) } else { Err(format!("{indexes:?} of {wanted:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_4_signed_checkpoints_reach_a_file_and_a_webhook() {
    let kept: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let address = receiver(Arc::clone(&kept)).await;
    let witnesses = json!([
        { "kind": "file", "path": "elsewhere/checkpoints" },
        { "kind": "webhook", "url": format!("http://{address}/hook") },
    ]);
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("elsewhere")).unwrap();
    let audit = json!({ "witnesses": witnesses, "witness_every_s": 1 });
    let mut hub = Hub::at(home, json!({ "servers": { "s": everything(&[]) }, "audit": audit }));
    let file = hub.home.path().join("elsewhere/checkpoints");
    until("both have a checkpoint", 30, async || {
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        let sent = kept.lock().unwrap().len();
        if written.starts_with("omni-mcp-hub/audit/") && sent > 0 { Ok(()) } else { Err(format!("{written} {sent}")) }
    })
    .await;
    hub.terminate();
    assert_eq!(hub.stopped(), Some(0));
    let archive = omni_audit::Archive::open(&log_of(&hub)).unwrap();
    let written = std::fs::read_to_string(&file).unwrap();
    let sent = kept.lock().unwrap()[0].body.clone();
    for text in [written.as_str(), sent.as_str()] {
        let notes = omni_audit::parse_notes(text).unwrap();
        assert!(!notes.is_empty(), "{text}");
        for note in notes {
            assert!(archive.verifiers().iter().any(|key| note.is_signed_by(key)), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ret_1_events_reach_a_syslog_receiver_in_counted_frames() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let forward = json!([{ "kind": "syslog", "name": "siem", "url": url }]);
    let hub = Hub::configured(json!({ "servers": { "s": everything(&[]) }, "audit": { "forward": forward } }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    client.ask("tools/call", json!({ "name": TOOL, "arguments": {} })).await;
    let (mut stream, _) = crate::harness::in_time("the hub connects", listener.accept()).await.unwrap();
    let mut bytes = Vec::new();
    crate::harness::in_time("the call is told", async {
        while !String::from_utf8_lossy(&bytes).contains(r#""action":"tools/call""#) {
            assert!(tokio::io::AsyncReadExt::read_buf(&mut stream, &mut bytes).await.unwrap() > 0);
        }
    })
    .await;
    let mut rest = bytes.as_slice();
    let mut messages = Vec::new();
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
        let Some(message) = rest.get(space + 1..space + 1 + length) else { break };
        messages.push(std::str::from_utf8(message).unwrap().to_owned());
        rest = &rest[space + 1 + length..];
    }
    let (head, text) = messages[0].split_once(" - \u{feff}").unwrap();
    assert!(head.starts_with("<110>1 20") && head.ends_with(" configuration"), "{head}");
    let event: Value = serde_json::from_str(text).unwrap();
    assert_eq!((&event["index"], &event["action"]), (&json!(0), &json!("hub/start")), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_4_a_syslog_witness_has_checkpoints_and_a_receiver_of_lines_has_events() {
    let kept: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let address = receiver(Arc::clone(&kept)).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audit = json!({
        "witnesses": [{ "kind": "syslog", "url": format!("tcp://{}", listener.local_addr().unwrap()) }],
        "witness_every_s": 1,
        "forward": [{ "kind": "lines", "name": "lines", "url": format!("http://{address}/in") }],
    });
    let hub = Hub::configured(json!({ "servers": { "s": everything(&[]) }, "audit": audit }));
    let (mut stream, _) = crate::harness::in_time("the hub connects", listener.accept()).await.unwrap();
    let mut bytes = Vec::new();
    // One frame, whole: its length, a space, the message.
    let frame = crate::harness::in_time("a checkpoint is told", async {
        loop {
            if let Some((length, rest)) = std::str::from_utf8(&bytes).ok().and_then(|text| text.split_once(' '))
                && let Some(message) = rest.get(..length.parse().unwrap())
            {
                return message.to_owned();
            }
            assert!(tokio::io::AsyncReadExt::read_buf(&mut stream, &mut bytes).await.unwrap() > 0);
        }
    })
    .await;
    let (head, text) = frame.split_once(" - \u{feff}").unwrap();
    assert!(head.starts_with("<110>1 20") && head.ends_with(" checkpoint"), "{head}");
    let told: Value = serde_json::from_str(text).unwrap();
    let note = omni_audit::Note::parse(told["checkpoint"].as_str().unwrap()).unwrap();
    let archive = omni_audit::Archive::open(&log_of(&hub)).unwrap();
    assert!(note.is_signed_by(&archive.verifiers()[0]), "{note}");
    let lines = until("the events are told", 30, async || {
        let all: Vec<Asked> = kept.lock().unwrap().clone();
        let lines: Vec<Value> = all
            .iter()
            .flat_map(|asked| asked.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
            .collect();
        if lines.is_empty() { Err(format!("{all:?}")) } else { Ok(lines) }
    })
    .await;
    assert_eq!((&lines[0]["index"], &lines[0]["action"]), (&json!(0), &json!("hub/start")), "{lines:?}");
    assert_eq!(kept.lock().unwrap()[0].header("content-type"), Some("application/x-ndjson"));
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_4_another_hub_cosigns_checkpoints_and_finds_a_history_that_was_cut() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("data/audit");
    let (begun, _) = omni_audit::LastingLog::open(&omni_audit::LogSettings::new(&log)).unwrap();
    begun.close();
    let key = std::fs::read_to_string(log.join("log.vkey")).unwrap();
    let watching = Hub::configured(json!({ "servers": {}, "audit": { "witness_of": [key.trim()] } }));
    let url = format!("http://{}/witness", watching.address);
    let audit = json!({ "witnesses": [{ "kind": "hub", "url": url }], "witness_every_s": 1 });
    let config = json!({ "servers": { "s": everything(&[]) }, "audit": audit });
    let old = tempfile::tempdir().unwrap();
    copy(&log, &old.path().join("audit"));
    let mut hub = Hub::at(home, config.clone());
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    client.ask("tools/call", json!({ "name": TOOL, "arguments": {} })).await;
    let folder = watching.home.path().join("data/witness");
    let latest = || {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let path = files.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "latest"))?;
        std::fs::read_to_string(path).ok()
    };
    until("the call is under a checkpoint that the other hub saw", 30, async || {
        let note = latest().and_then(|text| omni_audit::Note::parse(&text).ok());
        let size = note.and_then(|note| omni_audit::Checkpoint::of(&note).ok()).map_or(0, |checkpoint| checkpoint.size);
        let there = records(&log_of(&hub)).len() as u64;
        if size > 2 && size == there { Ok(()) } else { Err(format!("{size} of {there}")) }
    })
    .await;
    let seen = latest().unwrap();
    assert_eq!(seen.matches("\u{2014} ").count(), 2, "the log's signature and the witness's: {seen}");
    hub.terminate();
    assert_eq!(hub.stopped(), Some(0));
    // What it keeps is what `verify` compares with.
    std::fs::write(old.path().join("seen"), latest().unwrap()).unwrap();
    let options = omni_audit::VerifyOptions {
        witnesses: vec![("the other hub".to_owned(), latest().unwrap())],
        ..omni_audit::VerifyOptions::default()
    };
    assert_eq!(omni_audit::verify(&log_of(&hub), &options).unwrap().findings, []);
    // The same key, and the log as it was before: as whoever holds the disk may put it back.
    let again = tempfile::tempdir().unwrap();
    copy(&old.path().join("audit"), &again.path().join("data/audit"));
    let cut = Hub::at(again, config);
    until("the other hub refuses it", 30, async || {
        let log = cut.log();
        if log.contains("it was cut, or written anew") { Ok(()) } else { Err(log) }
    })
    .await;
    assert!(!omni_audit::verify(&log_of(&cut), &options).unwrap().findings.is_empty());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to) } else { assert!(std::fs::copy(&from, &to).is_ok()) }
    }
}
