//! The admin API against its own OpenAPI text: Schemathesis makes up requests, good and bad, and holds every answer against
//! what the text says (row GW-2).

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};

use crate::admin_tls::{address, administered, key};
use crate::harness::certificates::Authority;
use crate::harness::{Hub, bad, peers::Peers};

/// For the whole run; on a free machine it takes some 15 s.
const PATIENCE: Duration = Duration::from_secs(400);
/// Made-up requests of each operation in the phase that is left to chance.
const EXAMPLES: &str = "8";

/// Schemathesis speaks TCP: what comes here goes to the socket.
async fn bridge(socket: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                if let Ok(mut hub) = UnixStream::connect(socket).await {
                    let _closed = copy_bidirectional(&mut client, &mut hub).await;
                }
            });
        }
    });
    format!("http://{address}")
}

/// Runs Schemathesis on `text` against `url`, without these checks.
async fn schemathesis(hub: &Hub, text: &str, url: &str, more: &[&str]) -> Option<String> {
    let program = Peers::schemathesis()?;
    let mut command = tokio::process::Command::new(program);
    command.args([
        "run",
        text,
        "--url",
        url,
        "--phases",
        "coverage,fuzzing",
        "-n",
        EXAMPLES,
        "--seed",
        "1",
        "--no-color",
    ]);
    // It keeps what it found in the current directory.
    command.args(more).current_dir(hub.home.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends in time").unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("Tested: 18"), "every operation was asked: {told}");
    Some(told)
}

/// AUTH-7: the same over TLS with an administrator's key; without it, or with another, nothing is answered.
#[tokio::test(flavor = "multi_thread")]
async fn auth_7_whatever_is_asked_over_tls_the_admin_api_answers_who_has_logged_in() {
    let authority = Authority::new("the test's authority");
    let hub = administered(&authority, &json!({}), json!({ "auth": { "mode": "local" }, "throttle": fast() }));
    let mut text: Value = serde_json::from_str(include_str!("../../../../docs/admin-openapi.json")).unwrap();
    // On this listener something is always to be shown.
    text["security"] = json!([{ "token": [] }]);
    std::fs::write(hub.home.path().join("over-tls.json"), text.to_string()).unwrap();
    let (url, ca) = (format!("https://localhost:{}", address(&hub).port()), hub.home.path().join("ca.pem"));
    let shown = format!("Authorization: Bearer {}", key(&hub, "ops", &["--role", "admin"]));
    let ca = ca.to_str().unwrap();
    let more = ["--exclude-checks", "positive_data_acceptance", "-H", &shown, "--tls-verify", ca];
    schemathesis(&hub, "over-tls.json", &url, &more).await;
    assert_eq!(hub.ready().await["status"], "ready");
}

/// It fails to log in on purpose, often.
fn fast() -> Value {
    json!({ "failed_logins": { "rate": "10000/s" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_2_whatever_is_asked_the_admin_api_answers_as_its_openapi_text_says() {
    let hub = Hub::configured(json!({ "servers": { "one": bad(&["hang"]) } }));
    let url = bridge(hub.home.path().join("data/admin.sock")).await;
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/admin-openapi.json");
    // The text's types say less than the sentences beside them (`jti` or `subject`, one of them), so that not all that fits
    // the types is taken; and there is nothing to authenticate with.
    schemathesis(&hub, text, &url, &["--exclude-checks", "positive_data_acceptance,ignored_auth"]).await;
    assert_eq!(hub.ready().await["status"], "ready");
}
