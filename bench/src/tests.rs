//! The upstream, the proxy and the load against one another, on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::load::{Era, LoadArgs, run as load};
use crate::upstream::{Speaks, Upstream, UpstreamArgs, serve_on};
use crate::{Cli, rawproxy};
use clap::{CommandFactory, Parser};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn upstream(era: Speaks, sse: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let args = UpstreamArgs { listen: address, stdio: false, tools: 50, payload: 100_000, sse, era };
    tokio::spawn(serve_on(listener, Upstream::new(&args)));
    address
}

async fn proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(rawproxy::serve_on(listener, to));
    address
}

fn arguments(to: SocketAddr, more: &[&str]) -> LoadArgs {
    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        load: LoadArgs,
    }
    let url = format!("http://{to}/mcp");
    let fixed = ["load", "--url", &url, "--calls", "40", "--sessions", "5", "--payload", "100000"];
    Only::try_parse_from(fixed.iter().chain(more)).unwrap().load
}

/// Sends bytes on a connection of its own; the status and the body's text.
async fn exchange(to: SocketAddr, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer[9..12].parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[tokio::test]
async fn every_call_is_answered_and_checked_in_both_eras_straight_and_through_the_proxy() {
    for sse in [false, true] {
        let direct = upstream(Speaks::Both, sse).await;
        for to in [direct, proxy(direct).await] {
            for era in ["legacy", "modern"] {
                for tool in ["echo", "blob"] {
                    let measured = load(&arguments(to, &["--era", era, "--tool", tool])).await.unwrap();
                    assert_eq!((measured.calls, measured.errors), (200, 0), "{era} {tool}: {:?}", measured.first_error);
                    assert!(
                        measured.p50_us > 0.0
                            && measured.p50_us <= measured.p99_us
                            && measured.p99_us <= measured.max_us
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_answer_counts_as_an_error() {
    // The upstream's blob is 100,000 bytes long; this load is told to want another length.
    let to = upstream(Speaks::Both, false).await;
    let mut args = arguments(to, &["--tool", "blob", "--warmup", "0"]);
    args.payload = 99_999;
    let measured = load(&args).await.unwrap();
    assert_eq!(measured.calls, 0);
    assert!(measured.first_error.unwrap().contains("100000 bytes, not 99999"));
}

#[tokio::test]
async fn an_upstream_of_one_era_refuses_the_other() {
    for (speaks, good, bad) in [(Speaks::Legacy, Era::Legacy, Era::Modern), (Speaks::Modern, Era::Modern, Era::Legacy)]
    {
        let to = upstream(speaks, false).await;
        for (era, works) in [(good, true), (bad, false)] {
            let args = LoadArgs { era, ..arguments(to, &[]) };
            let clean = load(&args).await.is_ok_and(|measured| measured.errors == 0);
            assert_eq!(clean, works, "{era:?} at an upstream that speaks {speaks:?}");
        }
    }
}

#[tokio::test]
async fn nonsense_is_refused_as_a_correct_server_refuses_it() {
    let to = upstream(Speaks::Both, false).await;
    let meta = |version: &str| {
        format!(
            r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}","io.modelcontextprotocol/clientCapabilities":{{}}}}"#
        )
    };
    let discover = |version: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{{}}}}}"#, meta(version))
    };
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let headers = "mcp-protocol-version: 2026-07-28\r\nmcp-method: server/discover\r\n";
    let unknown = format!(r#"{{"jsonrpc":"2.0","id":"x","method":"tasks/get","params":{{{}}}}}"#, meta("2026-07-28"));
    for (headers, body, status, found) in [
        ("", "{", 400, "-32700"),
        ("", "[]", 400, "-32600"),
        ("", r#"{"id":1,"method":"ping"}"#, 400, "-32600"),
        ("", call, 400, "-32000"),
        ("mcp-session-id: bench-00000000000000ff\r\n", call, 404, "-32001"),
        (headers, discover("2026-07-28").as_str(), 200, r#""supportedVersions":["2026-07-28"]"#),
        ("", discover("2026-07-28").as_str(), 400, "-32020"),
        (headers, r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}}"#, 400, "-32602"),
        (
            "mcp-protocol-version: 2099-01-01\r\nmcp-method: server/discover\r\n",
            discover("2099-01-01").as_str(),
            400,
            r#""requested":"2099-01-01""#,
        ),
        (
            "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/list\r\n",
            discover("2026-07-28").as_str(),
            400,
            "-32020",
        ),
        ("mcp-protocol-version: 2026-07-28\r\nmcp-method: tasks/get\r\n", unknown.as_str(), 404, r#""id":"x""#),
    ] {
        let (got, text) = exchange(to, headers, body).await;
        assert!(got == status && text.contains(found), "{body} with {headers:?}: {got} {text}");
    }
}

#[tokio::test]
async fn load_goes_to_loopback_only() {
    let args = LoadArgs { url: "http://192.0.2.1:80/mcp".to_owned(), ..arguments("127.0.0.1:1".parse().unwrap(), &[]) };
    assert!(load(&args).await.unwrap_err().to_string().contains("loopback"));
}
