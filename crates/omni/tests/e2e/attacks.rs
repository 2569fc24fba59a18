//! AUTH-4, AUTH-7, SHB-2, VAL-5: attacks on the doors: requests that two readers read in two ways, bodies that unpack to more, another
//! user at the admin socket, streams whose token is taken back, names for strangers.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use ::http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::http::{Events, begin, get, request, send};
use crate::harness::hub::{OMNI, command};
use crate::harness::peers::skipped;
use crate::harness::{Client, Era, Hub, bad, everything, in_time, until};

/// What somebody smuggles in behind a request: answered, it says `ok`.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
/// The user that owns nothing.
const NOBODY: u32 = 65_534;

/// Writes `bytes`, and reads until the hub closes.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The hub may have answered and closed before it has all.
    let _closed = stream.write_all(bytes).await;
    let mut told = Vec::new();
    let _reset = in_time("the hub closes", stream.read_to_end(&mut told)).await;
    String::from_utf8_lossy(&told).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_1_no_request_is_smuggled_in_within_another() {
    let servers = json!({ "s": bad(&["hang"]) });
    let hub = Hub::configured(json!({ "servers": servers, "gateway": { "header_timeout_s": 1, "body_timeout_s": 1 } }));
    let chunked = format!("0\r\n\r\n{SMUGGLED}");
    let (whole, long) = (chunked.len(), SMUGGLED.len());
    let twice = format!("Content-Length: 0\r\nContent-Length: {long}");
    for (what, headers, body) in [
        ("two lengths", twice.as_str(), SMUGGLED),
        ("two lengths in one", "Content-Length: 0, 39", SMUGGLED),
        ("a length with a sign", "Content-Length: +0", SMUGGLED),
        ("a length in another base", "Content-Length: 0x0", SMUGGLED),
        ("an unknown coding", &format!("Transfer-Encoding: xchunked\r\nContent-Length: {whole}"), &chunked),
        (
            "chunked, and not at the end",
            &format!("Transfer-Encoding: chunked, identity\r\nContent-Length: {whole}"),
            &chunked,
        ),
        ("a space before the colon", &format!("Transfer-Encoding : chunked\r\nContent-Length: {whole}"), &chunked),
        ("a folded line", &format!("X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: {whole}"), &chunked),
        ("a bare line feed", &format!("X: y\nTransfer-Encoding: chunked\r\nContent-Length: {whole}"), &chunked),
        ("a bare carriage return", &format!("X: y\rTransfer-Encoding: chunked\r\nContent-Length: {whole}"), &chunked),
        ("a length and chunks", &format!("Content-Length: {whole}\r\nTransfer-Encoding: chunked"), &chunked),
    ] {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{headers}\r\n\r\n",
            hub.address
        );
        let told = raw(hub.address, format!("{head}{body}").as_bytes()).await;
        assert!(!told.contains("\r\n\r\nok\n"), "{what}: the second request was answered: {told}");
    }
    // That it would be heard: two honest requests get two answers.
    let honest = SMUGGLED.replace("127.0.0.1", &hub.address.to_string()).repeat(2);
    assert_eq!(raw(hub.address, honest.as_bytes()).await.matches("\r\n\r\nok\n").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn val_1_a_body_that_unpacks_to_more_is_not_unpacked() {
    let hub = Hub::with(json!({ "s": bad(&["hang"]) }));
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    // An empty gzip member, and the plain body in its clothes.
    let empty: &[u8] = &[31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (coding, body) in
        [("gzip", empty), ("deflate", empty), ("br", empty), ("gzip, gzip", empty), ("gzip", body.as_bytes())]
    {
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("content-encoding", coding),
        ];
        let answer = send(hub.address, request(Method::POST, hub.address, "/mcp", &headers, body.to_vec())).await;
        assert!((400..500).contains(&answer.status), "{coding}: {}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_4_a_listening_stream_ends_with_its_key() {
    let hub = Hub::configured(json!({ "servers": { "s": everything(&[]) }, "auth": { "mode": "local" } }));
    let omni = |words: &[&str]| {
        let mut omni = command(&hub.home);
        omni.arg("--config").arg(hub.config_file()).args(words).env("OMNI_DATA_DIR", hub.home.path().join("data"));
        let done = omni.stderr(Stdio::piped()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        serde_json::from_slice::<Value>(&done.stdout).unwrap()
    };
    hub.awake().await;
    let socket = hub.home.path().join("data/admin.sock");
    until("the socket is there", 20, async || {
        if socket.exists() { Ok(()) } else { Err(format!("{} is not", socket.display())) }
    })
    .await;
    let mut streams = Vec::new();
    for name in ["ends", "stays"] {
        let made = omni(&["key", "create", name, "--role", "admin", "--json"]);
        let bearer = format!("Bearer {}", made["secret"].as_str().unwrap());
        let meta = crate::harness::client::modern_meta();
        let params = json!({ "_meta": meta, "notifications": { "toolsListChanged": true } });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params });
        let headers = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "subscriptions/listen"),
            ("authorization", bearer.as_str()),
        ];
        let answer = begin(hub.address, request(Method::POST, hub.address, "/mcp", &headers, body.to_string())).await;
        assert_eq!(answer.status(), 200);
        let mut events = Events::of(answer);
        assert_eq!(events.message().await["method"], "notifications/subscriptions/acknowledged");
        streams.push(events);
    }
    omni(&["key", "revoke", "ends", "--json"]);
    while streams[0].next().await.is_some() {}
    assert_eq!(hub.ready().await["status"], "ready");
    let other = tokio::time::timeout(std::time::Duration::from_millis(200), streams[1].next()).await;
    assert!(!matches!(other, Ok(None)), "another key's stream goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_1_servers_are_named_to_no_stranger() {
    // Behind a proxy nobody is on this machine.
    let servers = json!({ "secret-project": bad(&["hang"]) });
    let hub = Hub::configured(
        json!({ "servers": servers, "auth": { "mode": "local" }, "gateway": { "behind_proxy": true } }),
    );
    let mut connect = command(&hub.home);
    connect.args(["connect", "other", "--name", "t", "--config"]).arg(hub.config_file());
    connect.env("OMNI_DATA_DIR", hub.home.path().join("data"));
    let shown: Value = serde_json::from_slice(&connect.output().unwrap().stdout).unwrap();
    let token = shown["t"]["headers"]["Authorization"].as_str().unwrap().to_owned();
    for wrong in [&[][..], &[("authorization", "Bearer guess")]] {
        let answer = get(hub.address, "/readyz", wrong).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(answer.status == 200 && text.contains("\"status\"") && !text.contains("secret-project"), "{text}");
    }
    let answer = get(hub.address, "/readyz", &[("authorization", &token)]).await;
    assert_eq!(answer.json()["servers"][0]["name"], "secret-project");
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_another_user_is_refused_at_the_admin_socket() {
    if !rustix::process::geteuid().is_root() {
        return skipped("root", "nobody can be made another user by one who is not root");
    }
    let hub = Hub::configured(json!({ "servers": {}, "auth": { "mode": "local" } }));
    let (data, socket) = (hub.home.path().join("data"), hub.home.path().join("data/admin.sock"));
    until("the socket is there", 20, async || {
        if socket.exists() { Ok(()) } else { Err(format!("{} is not", socket.display())) }
    })
    .await;
    // Somebody opened every door on the way: what is left is that the hub looks who comes.
    for (path, mode) in [(hub.home.path(), 0o755), (&data, 0o755), (&socket, 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let program = hub.home.path().join("omni");
    std::fs::hard_link(OMNI, &program).or_else(|_| std::fs::copy(OMNI, &program).map(drop)).unwrap();
    let ask = |uid: Option<u32>| {
        let mut status = std::process::Command::new(&program);
        status.env_clear().env("HOME", "/nonexistent").env("OMNI_DATA_DIR", &data).arg("status");
        status.current_dir(hub.home.path()).stdin(Stdio::null());
        if let Some(uid) = uid {
            status.uid(uid).gid(uid);
        }
        status.output().unwrap()
    };
    let own = ask(None);
    assert!(own.status.success(), "{own:?}");
    assert!(!ask(Some(NOBODY)).status.success());
    // The command itself speaks to no socket of another user's; a program that does gets no word. The hub may have
    // hung up before the program wrote: that is a refusal too, and must not end the program (SIGPIPE).
    let script = "use Socket; $SIG{PIPE} = 'IGNORE'; socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; \
                  connect($s, sockaddr_un($ARGV[0])) or die; \
                  syswrite($s, \"GET /admin/v1/status HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n\"); \
                  my $n = sysread($s, my $b, 100); print 'connected, told ', $n // 0;";
    let mut perl = std::process::Command::new("perl");
    perl.args(["-e", script]).arg(&socket).uid(NOBODY).gid(NOBODY).current_dir("/");
    match perl.output() {
        Ok(done) => assert_eq!(String::from_utf8_lossy(&done.stdout), "connected, told 0", "{done:?}"),
        Err(error) => return skipped("perl", &format!("it cannot be run: {error}")),
    }
    until("it is written down", 20, async || {
        let log = hub.log();
        if log.contains("admin/connect") && log.contains(&NOBODY.to_string()) { Ok(()) } else { Err(log) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn val_5_arguments_of_completions_are_looked_through() {
    let hub = Hub::with(json!({ "s": everything(&[]) }));
    for era in [Era::Legacy, Era::Modern] {
        let client = Client::open(&hub, "/mcp", era).await;
        let reference = json!({ "type": "ref/prompt", "name": "s__test_prompt_with_arguments" });
        let params = |value: &str| json!({ "ref": reference, "argument": { "name": "arg1", "value": value } });
        assert!(client.response("completion/complete", params("par")).await["error"].is_null());
        for hidden in ["par\u{0}", "par\u{202e}", "par\u{e0041}"] {
            let error = client.error("completion/complete", params(hidden)).await;
            assert!(error["message"].as_str().unwrap().contains("holds"), "{error}");
            let mut beside = params("par");
            beside["context"] = json!({ "arguments": { "other": hidden } });
            let error = client.error("completion/complete", beside).await;
            assert!(error["message"].as_str().unwrap().contains("holds"), "{error}");
        }
    }
}
