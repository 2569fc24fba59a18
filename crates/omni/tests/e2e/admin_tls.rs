//! AUTH-7, TOOL-2, GW-2: the admin API beyond its socket: over TLS, for who logs in and whom policy lets, and for nobody else.

use std::net::SocketAddr;
use std::process::Output;

use ::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::certificates::{Authority, Certified};
use crate::harness::{Hub, bad, hub, in_time};
use crate::tls::{Client, home};

/// A hub with an admin API on a port of its own, whose certificate `authority` makes.
pub(crate) fn administered(authority: &Authority, tls: &Value, mut config: Value) -> Hub {
    let mut own = json!({ "certificate": "hub.pem", "key": "hub.key" });
    for (name, value) in tls.as_object().unwrap() {
        own[name] = value.clone();
    }
    config["servers"] = json!({ "one": bad(&["hang"]) });
    config["admin"] = json!({ "listen": "127.0.0.1:0", "tls": own });
    Hub::at(home(authority), config)
}

/// Where the admin API of `hub` listens.
pub(crate) fn address(hub: &Hub) -> SocketAddr {
    let log = hub.log();
    let line = log.lines().find(|line| line.contains("the admin API is served")).unwrap_or_else(|| panic!("{log}"));
    let (_, rest) = line.split_once("127.0.0.1:").unwrap();
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
}

/// Runs `omni` at the hub's home with these variables.
fn omni(hub: &Hub, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = hub::command(&hub.home);
    command.arg("--config").arg(hub.config_file()).args(arguments).envs(variables.iter().copied());
    command.current_dir(hub.home.path()).stderr(std::process::Stdio::piped()).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A key of the hub's, made at its socket.
pub(crate) fn key(hub: &Hub, name: &str, more: &[&str]) -> String {
    let data = hub.home.path().join("data");
    let arguments = [&["key", "create", name, "--json"], more].concat();
    let made = omni(hub, &[("OMNI_DATA_DIR", data.to_str().unwrap())], &arguments);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{}", told(&made)));
    made["secret"].as_str().unwrap().to_owned()
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

/// One request to the admin API, on a connection of its own.
async fn ask(
    (hub, client): (&Hub, &Client<'_>),
    token: Option<&str>,
    (method, path): (&Method, &str),
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let at = address(hub);
    let stream = TokioIo::new(client.connect(at).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(format!("/admin/v1{path}")).header("host", at.to_string());
    request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request = if body.is_some() { request.header("content-type", "application/json") } else { request };
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let answer = in_time("an answer", sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap())).await;
    let (head, body) = answer.unwrap().into_parts();
    let body = in_time("a body", body.collect()).await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

/// What `token` may do there: look, change a key, decide, read the configuration again.
async fn may(hub: &Hub, authority: &Authority, token: &str) -> [u16; 4] {
    let client = Client::of(authority);
    let mut statuses = [0; 4];
    let all = [
        (Method::GET, "/keys", None),
        (Method::DELETE, "/keys/none", None),
        (Method::POST, "/approvals/none/approve", Some(json!({}))),
        (Method::POST, "/reload", None),
    ];
    for (status, (method, path, body)) in statuses.iter_mut().zip(all) {
        *status = ask((hub, &client), Some(token), (&method, path), &[], body).await.status;
    }
    statuses
}

/// AUTH-7, TOOL-2: each route is an action that policy decides about; what is done and what is refused is on record.
#[tokio::test(flavor = "multi_thread")]
async fn auth_7_beyond_its_socket_the_admin_api_does_what_policy_lets_each_do() {
    let authority = Authority::new("the test's authority");
    let hub = administered(&authority, &json!({}), json!({ "auth": { "mode": "local" } }));
    let made = |name: &str, role: &str, more: &[&str]| key(&hub, name, &[&["--role", role], more].concat());
    let (admin, reviewer, developer) =
        (made("ops", "admin", &[]), made("look", "reviewer", &[]), made("dev", "developer", &[]));
    assert_eq!(may(&hub, &authority, &admin).await, [200, 404, 404, 200]);
    assert_eq!(may(&hub, &authority, &reviewer).await, [200, 403, 404, 403]);
    assert_eq!(may(&hub, &authority, &developer).await, [403; 4]);
    // One that was made for a server administers nothing, whatever its role.
    let narrow = made("narrow", "admin", &["--server", "one"]);
    assert_eq!(may(&hub, &authority, &narrow).await, [403; 4]);
    // Nor does what a client of this machine holds, who speaks for its user everywhere else.
    let data = hub.home.path().join("data");
    let connected = omni(&hub, &[("OMNI_DATA_DIR", data.to_str().unwrap())], &["connect", "other", "--name", "t"]);
    let entry: Value = serde_json::from_slice(&connected.stdout).unwrap_or_else(|_| panic!("{}", told(&connected)));
    let bearer = entry["t"]["headers"]["Authorization"].as_str().unwrap();
    assert_eq!(may(&hub, &authority, bearer.strip_prefix("Bearer ").unwrap()).await, [403; 4]);

    let client = Client::of(&authority);
    let wanted = json!({ "name": "made", "roles": ["viewer"] });
    let there = (&Method::POST, "/keys");
    let refused = ask((&hub, &client), Some(&reviewer), there, &[], Some(wanted.clone())).await;
    assert_eq!((refused.status, refused.body["status"].as_u64()), (403, Some(403)), "{}", refused.body);
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    assert!(refused.body["detail"].as_str().unwrap().contains("admin/keys"), "{}", refused.body);
    let created = ask((&hub, &client), Some(&admin), there, &[], Some(wanted)).await;
    assert_eq!(
        (created.status, created.body["key"]["created_by"].as_str()),
        (201, Some("key:ops")),
        "{}",
        created.body
    );
    let log = hub.log();
    let on_record = |words: &[&str]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(on_record(&["keys/create", "key:look", "denied", "127.0.0.1"]), "{log}");
    assert!(on_record(&["keys/create", "key:ops", "success", "127.0.0.1"]), "{log}");

    // It ends as everywhere.
    let path = format!("/keys/{}", "look");
    assert_eq!(ask((&hub, &client), Some(&admin), (&Method::DELETE, &path), &[], None).await.status, 200);
    assert_eq!(may(&hub, &authority, &reviewer).await, [401; 4]);
}

/// AUTH-1: nothing without TLS and a login, to no page, and no more than one's share.
#[tokio::test(flavor = "multi_thread")]
async fn auth_1_no_stranger_and_no_page_reaches_the_admin_api() {
    let authority = Authority::new("the test's authority");
    let throttle = json!({ "principal": { "rate": "1/h", "burst": 2 } });
    let hub = administered(&authority, &json!({}), json!({ "auth": { "mode": "local" }, "throttle": throttle }));
    let (client, status) = (Client::of(&authority), (&Method::GET, "/status"));
    let missing = ask((&hub, &client), None, status, &[], None).await;
    assert_eq!(missing.status, 401);
    assert!(missing.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "), "{:?}", missing.headers);
    assert_eq!(missing.headers["content-type"], "application/problem+json");
    for path in ["/status", "/keys", "/nothing", ""] {
        let wrong = ask((&hub, &client), Some("omni_wrong"), (&Method::GET, path), &[], None).await;
        assert_eq!(wrong.status, 401, "{path}: what there is, is told to nobody: {}", wrong.body);
    }
    let admin = key(&hub, "ops", &["--role", "admin"]);
    for origin in ["https://elsewhere.example", "http://localhost", "null"] {
        let page = ask((&hub, &client), Some(&admin), status, &[("origin", origin)], None).await;
        assert_eq!(page.status, 403, "{origin}");
    }
    let mut plain = TcpStream::connect(address(&hub)).await.unwrap();
    plain
        .write_all(format!("GET /admin/v1/status HTTP/1.1\r\nHost: {}\r\n\r\n", address(&hub)).as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    in_time("an answer", plain.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("https://"), "{answer}");
    // MCP is spoken elsewhere.
    let mcp = ask((&hub, &client), Some(&admin), (&Method::POST, "/../../mcp"), &[], Some(json!({}))).await;
    assert_eq!(mcp.status, 404, "{}", mcp.body);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let asked = ask((&hub, &client), Some(&admin), status, &[], None).await;
        statuses.push((asked.status, asked.headers.contains_key("retry-after")));
    }
    assert_eq!(statuses, [(200, false), (200, false), (429, true)]);
}

/// GW-2: the commands speak to a hub elsewhere as to this machine's, by key or by certificate, and say what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn gw_2_commands_ask_a_hub_elsewhere_by_key_and_by_certificate() {
    let authority = Authority::new("the test's authority");
    let clients = json!({ "client_certificates": { "authorities": "ca.pem", "required": false } });
    let config = json!({
        "auth": { "mode": "local", "certificates": {} },
        "policy": { "roles": { "admin": { "members": ["certificate:ann"] } } },
    });
    let hub = administered(&authority, &clients, config);
    let url = format!("https://localhost:{}", address(&hub).port());
    let secret = key(&hub, "ops", &["--role", "admin"]);
    let file = hub.home.path().join("ops.token");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    let at = |variables: &[(&str, &str)], arguments: &[&str]| {
        omni(&hub, variables, &[&["--admin", &url, "--admin-ca", "ca.pem"], arguments].concat())
    };
    let by_file = at(&[], &["--admin-token-file", "ops.token", "status"]);
    assert!(by_file.status.success() && told(&by_file).contains(&format!("process {}", hub.pid)), "{}", told(&by_file));
    let by_variable = at(&[("OMNI_ADMIN_TOKEN", &secret)], &["key", "create", "made", "--json"]);
    assert!(by_variable.status.success(), "{}", told(&by_variable));
    let listed = at(&[("OMNI_ADMIN_TOKEN", &secret)], &["key", "list"]);
    assert!(told(&listed).contains("made") && !told(&listed).contains(&secret), "{}", told(&listed));
    let reloaded = at(&[("OMNI_ADMIN_TOKEN", &secret)], &["reload"]);
    assert!(reloaded.status.success(), "{}", told(&reloaded));
    // A certificate, shown to this listener.
    for (name, who, good) in [("ann", "ann", true), ("bob", "bob", false)] {
        let certified: Certified = authority.client(who, None, 7);
        certified.put(hub.home.path(), name);
        let (chain, own) = (format!("{name}.pem"), format!("{name}.key"));
        let shown = at(&[], &["--admin-certificate", &chain, "--admin-key", &own, "status"]);
        assert_eq!(shown.status.success(), good, "{name}: {}", told(&shown));
        assert!(good || told(&shown).contains("admin/read"), "{}", told(&shown));
    }
    // What is wrong is said.
    for (variables, arguments, why) in [
        (vec![], vec!["status"], "OMNI_ADMIN_TOKEN"),
        (vec![("OMNI_ADMIN_TOKEN", "omni_wrong")], vec!["status"], "token"),
        (vec![("OMNI_ADMIN_TOKEN", secret.as_str())], vec!["tools"], "--admin"),
    ] {
        let refused = at(&variables, &arguments);
        assert!(!refused.status.success() && told(&refused).contains(why), "{arguments:?}: {}", told(&refused));
    }
    let environment =
        [("OMNI_ADMIN", url.as_str()), ("OMNI_ADMIN_CA", "ca.pem"), ("OMNI_ADMIN_TOKEN_FILE", "ops.token")];
    let by_environment = omni(&hub, &environment, &["status"]);
    assert!(told(&by_environment).contains(&format!("process {}", hub.pid)), "{}", told(&by_environment));
    let local = omni(&hub, &environment, &["check"]);
    assert!(local.status.success(), "what asks no hub is not concerned: {}", told(&local));
    let token = [("OMNI_ADMIN_TOKEN", secret.as_str())];
    let unknown = omni(&hub, &token, &["--admin", &url, "status"]);
    assert!(!unknown.status.success(), "no authority of the system vouches for it: {}", told(&unknown));
    let open = omni(&hub, &token, &["--admin", &url.replace("https", "http"), "status"]);
    assert!(!open.status.success() && told(&open).contains("https://"), "{}", told(&open));
}

/// SHB-2: without TLS, or where nobody has to log in, there is no listener, and the configuration is refused.
#[test]
fn shb_2_the_admin_api_leaves_its_socket_with_tls_and_logins_alone() {
    let home = home(&Authority::new("the test's authority"));
    let tls = json!({ "certificate": "hub.pem", "key": "hub.key" });
    for (config, why) in [
        (json!({ "admin": { "listen": "127.0.0.1:0" } }), "tls"),
        (json!({ "admin": { "listen": "127.0.0.1:0", "tls": tls }, "auth": { "mode": "none" } }), "auth.mode"),
        (json!({ "admin": { "listen": "here", "tls": tls } }), "admin.listen"),
        (
            json!({ "admin": { "listen": "127.0.0.1:0", "tls": { "certificate": "no.pem", "key": "hub.key" } } }),
            "admin.tls",
        ),
    ] {
        std::fs::write(home.path().join("omni.yaml"), config.to_string()).unwrap();
        let mut command = hub::command(&home);
        command.arg("--config").arg(home.path().join("omni.yaml")).args(["serve", "--listen", "127.0.0.1:0"]);
        let refused =
            command.arg("--data-dir").arg(home.path().join("data")).stderr(std::process::Stdio::piped()).output();
        let refused = refused.unwrap();
        assert!(!refused.status.success() && told(&refused).contains(why), "{config}: {}", told(&refused));
    }
}
