//! AUTH-7: who shows a certificate is its holder, over HTTP/1.1, HTTP/2 and WebSocket, on that connection and on no other.

use std::path::Path;
use std::process::Stdio;

use ::http::{Method, Request, Version};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::harness::certificates::{Authority, Certified};
use crate::harness::peers::Peers;
use crate::harness::{Hub, everything, in_time};
use crate::tls::{Client, config, home};

/// A hub whose clients' certificates `authority` makes; `ann` may do everything, others nothing.
fn hub(authority: &Authority, auth: Value, required: bool) -> Hub {
    let home = home(authority);
    std::fs::write(home.path().join("crl.pem"), authority.revocation_list(1, &[999])).unwrap();
    let clients = json!({ "authorities": "ca.pem", "required": required, "revocation_lists": ["crl.pem"] });
    let mut config = config(json!({ "client_certificates": clients }));
    config["auth"] = auth;
    config["servers"] = json!({ "s": everything(&[]) });
    config["policy"] =
        json!({ "roles": { "admin": { "members": ["certificate:ann", "certificate:spiffe://example/ann"] } } });
    Hub::at(home, config)
}

fn certificate_mode() -> Value {
    json!({ "mode": "certificate" })
}

fn initialize() -> Value {
    let info = json!({ "name": "t", "version": "0" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

struct Told {
    status: u16,
    session: Option<String>,
    body: Value,
}

/// One request of `client`, on a connection of its own.
async fn post(hub: &Hub, client: &Client<'_>, headers: &[(&str, &str)], body: &Value) -> Told {
    let stream = TokioIo::new(client.connect(hub.address).await.unwrap());
    let two = client.alpn == b"h2";
    let url = if two { format!("https://localhost:{}/mcp", hub.address.port()) } else { "/mcp".to_owned() };
    let mut request = Request::builder().method(Method::POST).uri(url).header("content-type", "application/json");
    request = request.header("accept", "application/json, text/event-stream");
    request = if two { request.version(Version::HTTP_2) } else { request.header("host", hub.address.to_string()) };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
    let answer = if two {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        in_time("an answer", sender.send_request(request)).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        in_time("an answer", sender.send_request(request)).await.unwrap()
    };
    let (head, body) = answer.into_parts();
    let body = in_time("a body", body.collect()).await.unwrap().to_bytes();
    let session = head.headers.get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
    Told { status: head.status.as_u16(), session, body: serde_json::from_slice(&body).unwrap_or_default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_a_certificate_makes_its_holder_and_counts_on_its_own_connection_alone() {
    let authority = Authority::new("clients");
    let hub = hub(&authority, certificate_mode(), false);
    let (ann, bob) = (authority.client("ann", None, 11), authority.client("bob", None, 12));
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let with = |own| Client { own, alpn, ..Client::of(&authority) };
        let opened = post(&hub, &with(Some(&ann)), &[], &initialize()).await;
        assert_eq!(opened.status, 200, "{}", opened.body);
        let session = opened.session.unwrap();
        let in_session = [("mcp-session-id", session.as_str())];
        let tools = post(&hub, &with(Some(&ann)), &in_session, &list).await.body["result"]["tools"].clone();
        assert!(tools.as_array().is_some_and(|tools| !tools.is_empty()), "{tools}");
        // The session's id is nothing without the certificate, and nobody else's certificate opens it.
        assert_eq!(post(&hub, &with(None), &in_session, &list).await.status, 401);
        assert_eq!(post(&hub, &with(Some(&bob)), &in_session, &list).await.status, 404);
        // Who is known, and may do nothing.
        let opened = post(&hub, &with(Some(&bob)), &[], &initialize()).await;
        let session = opened.session.unwrap();
        let listed = post(&hub, &with(Some(&bob)), &[("mcp-session-id", &session)], &list).await;
        assert_eq!(listed.body["result"]["tools"], json!([]), "{}", listed.body);
        // A certificate in a header, as a proxy would write it, is nobody's.
        let told = [("x-forwarded-client-cert", "Subject=\"CN=ann\""), ("x-ssl-client-s-dn", "CN=ann")];
        assert_eq!(post(&hub, &with(None), &told, &initialize()).await.status, 401);
        // A token that is no good is not made good by a certificate.
        let both = [("authorization", "Bearer nonsense")];
        assert_eq!(post(&hub, &with(Some(&ann)), &both, &initialize()).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_the_operator_says_which_name_of_a_certificate_counts() {
    let authority = Authority::new("clients");
    let auth = json!({ "mode": "certificate", "certificates": { "id": "uri" } });
    let hub = hub(&authority, auth, true);
    let ann = authority.client("somebody", Some("spiffe://example/ann"), 11);
    // Who has a common name made that looks like a URI is not taken for the URI's holder.
    let trick = authority.client("spiffe://example/ann", None, 12);
    let with = |own| Client { own: Some(own), ..Client::of(&authority) };
    assert_eq!(post(&hub, &with(&ann), &[], &initialize()).await.status, 200);
    let refused = post(&hub, &with(&trick), &[], &initialize()).await;
    assert_eq!(refused.status, 401);
    assert!(refused.body.to_string().contains("has no uri"), "{}", refused.body);
}

/// A WebSocket of `own`'s holder.
async fn websocket(
    hub: &Hub,
    authority: &Authority,
    own: Option<&Certified>,
) -> Result<tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>, u16> {
    let stream = Client { own, ..Client::of(authority) }.connect(hub.address).await.unwrap();
    let mut request = format!("wss://localhost:{}/mcp", hub.address.port()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mcp".parse().unwrap());
    match in_time("an upgrade", Box::pin(tokio_tungstenite::client_async(request, stream))).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_a_certificate_that_is_taken_back_ends_its_connections() {
    let authority = Authority::new("clients");
    let hub = hub(&authority, certificate_mode(), false);
    let (ann, other) = (authority.client("ann", None, 11), authority.client("ann", None, 12));
    assert_eq!(websocket(&hub, &authority, None).await.map(drop), Err(401));
    let mut open = websocket(&hub, &authority, Some(&ann)).await.unwrap();
    let mut stays = websocket(&hub, &authority, Some(&other)).await.unwrap();
    for socket in [&mut open, &mut stays] {
        socket.send(Message::text(initialize().to_string())).await.unwrap();
        let answer = in_time("an answer", socket.next()).await.unwrap().unwrap();
        assert!(answer.to_text().unwrap().contains("protocolVersion"), "{answer}");
    }
    std::fs::write(hub.home.path().join("crl.new"), authority.revocation_list(2, &[11])).unwrap();
    std::fs::rename(hub.home.path().join("crl.new"), hub.home.path().join("crl.pem")).unwrap();
    let ended = in_time("the connection ends", async {
        loop {
            match open.next().await {
                None | Some(Err(_) | Ok(Message::Close(_))) => return true,
                Some(Ok(_)) => {}
            }
        }
    });
    assert!(ended.await);
    // The other certificate of the same holder goes on.
    let ping = json!({ "jsonrpc": "2.0", "id": 7, "method": "ping" });
    stays.send(Message::text(ping.to_string())).await.unwrap();
    // Pings and changes of lists may come before it.
    let answered = in_time("an answer", async {
        while !stays.next().await.unwrap().unwrap().to_text().is_ok_and(|text| text.contains("\"id\":7")) {}
    });
    answered.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_the_python_sdk_comes_with_a_certificate() {
    let Some(peers) = Peers::find() else { return };
    let authority = Authority::new("clients");
    let hub = hub(&authority, certificate_mode(), true);
    authority.client("ann", None, 11).put(hub.home.path(), "ann");
    let said = python(&peers, &hub, hub.home.path()).await;
    assert!(said.contains("test_simple_text"), "{said}");
}

/// The SDK with an HTTP client that has a certificate.
async fn python(peers: &Peers, hub: &Hub, home: &Path) -> String {
    let script = r#"
import asyncio, ssl, sys
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
url, home = sys.argv[1:]
context = ssl.create_default_context(cafile=home + "/ca.pem")
context.load_cert_chain(home + "/ann.pem", home + "/ann.key")
async def main():
    async with httpx2.AsyncClient(verify=context) as http, Client(streamable_http_client(url, http_client=http)) as client:
        print([tool.name for tool in (await client.list_tools()).tools])
asyncio.run(main())
"#;
    let mut command = tokio::process::Command::new(&peers.python);
    let url = format!("https://localhost:{}/mcp", hub.address.port());
    command.args(["-c", script, &url]).arg(home).kill_on_drop(true).stderr(Stdio::piped());
    let done = in_time("the Python SDK", command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    said
}

#[test]
fn auth_7_certificates_without_tls_that_asks_for_them_are_named() {
    for auth in ["{ mode: certificate }", "{ certificates: { id: uri } }"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("tmp")).unwrap();
        std::fs::write(home.path().join("omni.yaml"), format!("servers: {{}}\nauth: {auth}\n")).unwrap();
        let done =
            crate::harness::hub::command(&home).args(["check"]).stderr(Stdio::piped()).stdout(Stdio::piped()).output();
        let done = done.unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(!done.status.success() && said.contains("gateway.tls.client_certificates"), "{said}");
    }
}
