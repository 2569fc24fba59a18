//! The admin API against its own OpenAPI text: Schemathesis makes up requests, good and bad, and holds every answer against
//! what the text says (row GW-2).

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};

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

#[tokio::test(flavor = "multi_thread")]
async fn gw_2_whatever_is_asked_the_admin_api_answers_as_its_openapi_text_says() {
    let Some(program) = Peers::schemathesis() else { return };
    let hub = Hub::configured(json!({ "servers": { "one": bad(&["hang"]) } }));
    let url = bridge(hub.home.path().join("data/admin.sock")).await;
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/admin-openapi.json");
    let mut command = tokio::process::Command::new(program);
    command.args([
        "run",
        text,
        "--url",
        &url,
        "--phases",
        "coverage,fuzzing",
        "-n",
        EXAMPLES,
        "--seed",
        "1",
        "--no-color",
    ]);
    // The text's types say less than the sentences beside them (`jti` or `subject`, one of them), so that not all that fits
    // the types is taken; and there is nothing to authenticate with.
    command.args(["--exclude-checks", "positive_data_acceptance,ignored_auth"]);
    // It keeps what it found in the current directory.
    command.current_dir(hub.home.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends in time").unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("Tested: 15"), "every operation was asked: {told}");
    assert_eq!(hub.ready().await["status"], "ready");
}
