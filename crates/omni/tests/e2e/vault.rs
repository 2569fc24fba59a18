//! A real OpenBao behind the hub: logins that run out, a value that changes, a path that is refused, and a server that is sealed.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use ::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::acted::{Acted, Said, modern_hello};
use crate::harness::hub::OMNI;
use crate::harness::peers::Peers;
use crate::harness::{Client, Era, Hub, http, until};

const FIRST: &str = "first-t0ken-of-vault";
const SECOND: &str = "second-t0ken-of-vault";
const ROOT: &str = "root-of-this-test";

/// A running OpenBao, in memory alone. Its guard ends it however the test ends.
struct Bao {
    guard: Child,
    _open_while_it_lives: Option<ChildStdin>,
    address: SocketAddr,
    _home: TempDir,
}

impl Bao {
    async fn start() -> Option<Self> {
        let program = Peers::openbao()?;
        for _ in 0..5 {
            // It does not tell which port it was given: one that is free now is asked for, and another if it was taken meanwhile.
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let home = tempfile::tempdir().unwrap();
            let mut command = Command::new(OMNI);
            command.args(["guard", "--"]).arg(&program).args(["server", "-dev", "-dev-no-store-token"]);
            command.arg(format!("-dev-root-token-id={ROOT}")).arg(format!("-dev-listen-address={address}"));
            command.env_clear().env("HOME", home.path()).current_dir(home.path());
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut guard = command.spawn().unwrap();
            let stdin = guard.stdin.take();
            let mut bao = Self { guard, _open_while_it_lives: stdin, address, _home: home };
            while matches!(bao.guard.try_wait(), Ok(None)) {
                if tokio::net::TcpStream::connect(address).await.is_ok() {
                    let health = http::get(address, "/v1/sys/health", &[]).await;
                    if health.status == 200 {
                        return Some(bao);
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        panic!("OpenBao did not start");
    }

    /// Asks its API as its root; the answer's JSON, if it has any.
    async fn api(&self, method: Method, path: &str, body: Value) -> Value {
        let headers = [("x-vault-token", ROOT), ("content-type", "application/json")];
        let request = http::request(method, self.address, path, &headers, body.to_string());
        let answer = http::send(self.address, request).await;
        assert!(matches!(answer.status, 200 | 204), "{path}: {} {:?}", answer.status, answer.body);
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    async fn put(&self, value: &str) {
        self.api(Method::PUT, "/v1/secret/data/app", json!({ "data": { "token": value } })).await;
    }

    /// An AppRole whose tokens last for two seconds and may read `app`: its role id and secret id.
    async fn role(&self) -> (String, String) {
        let policy = json!({ "policy": "path \"secret/data/app\" { capabilities = [\"read\"] }" });
        self.api(Method::PUT, "/v1/sys/policies/acl/hub", policy).await;
        self.api(Method::POST, "/v1/sys/auth/approle", json!({ "type": "approle" })).await;
        let role = json!({ "token_policies": "hub", "token_ttl": "2s", "token_max_ttl": "4s" });
        self.api(Method::POST, "/v1/auth/approle/role/hub", role).await;
        let role_id = self.api(Method::GET, "/v1/auth/approle/role/hub/role-id", json!({})).await;
        let secret_id = self.api(Method::POST, "/v1/auth/approle/role/hub/secret-id", json!({})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&role_id["data"]["role_id"]), text(&secret_id["data"]["secret_id"]))
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        drop(self._open_while_it_lives.take());
        let _it_ends_by_itself = self.guard.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_1_a_real_vault_logs_in_anew_changes_refuses_and_is_sealed() {
    let Some(bao) = Bao::start().await else { return };
    bao.put(FIRST).await;
    let (role_id, secret_id) = bao.role().await;
    let tools = json!([{ "name": "tell", "inputSchema": { "type": "object" } }]);
    let server = Acted::start(move |asked| {
        modern_hello(asked, &json!({ "tools": {} }), &tools).unwrap_or_else(|| {
            let content = json!([{ "type": "text", "text": "told" }]);
            Said::result(asked, json!({ "resultType": "complete", "content": content }))
        })
    })
    .await;
    let mut entry = server.entry();
    entry["headers"] = json!({ "Authorization": "Bearer ${VAULT:app:token}" });
    let refused = json!({ "url": server.entry()["url"], "headers": { "X-Key": "${VAULT:other:token}" } });
    let vault = json!({ "url": format!("http://{}", bao.address), "role_id": role_id, "secret_id": secret_id });
    let hub = Hub::configured(json!({
        "servers": { "tells": entry, "refused": refused },
        "secrets": { "ttl_s": 1, "vault": vault },
    }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let sent = async |value: &str| {
        until(value, 60, async || {
            let told = client.response("tools/call", json!({ "name": "tells__tell", "arguments": {} })).await;
            let calls = server.asked("tools/call");
            let last = calls.last().map(|asked| asked.headers["authorization"].to_str().unwrap().to_owned());
            if last == Some(format!("Bearer {value}")) { Ok(()) } else { Err(format!("{told}")) }
        })
        .await;
    };
    sent(FIRST).await;
    until("what policy does not allow is refused and said", 60, async || {
        let why = hub.server("refused").await.to_string();
        if why.contains("permission denied") { Ok(()) } else { Err(why) }
    })
    .await;
    // Its tokens last for four seconds at most: by the time that the new value is seen, others have been had.
    bao.put(SECOND).await;
    sent(SECOND).await;

    bao.api(Method::PUT, "/v1/sys/seal", json!({})).await;
    until("the log says that it is sealed", 60, async || {
        let log = hub.log();
        if log.contains("goes on with what it has") && log.contains("sealed") { Ok(()) } else { Err(String::new()) }
    })
    .await;
    sent(SECOND).await;
    let log = hub.log();
    for value in [FIRST, SECOND, &secret_id] {
        assert!(!log.contains(value), "{value} stands in the log");
    }
}
