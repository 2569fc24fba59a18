//! A real OpenID provider, the npm package `oidc-provider`, in a process that ends with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::harness::http::{Answer, request, send};
use crate::harness::peers::Peers;

/// A running provider.
pub(crate) struct OidcProvider {
    process: Child,
    said: BufReader<ChildStdout>,
    /// Its issuer identifier.
    pub(crate) issuer: String,
}

impl OidcProvider {
    pub(crate) fn start(peers: &Peers) -> Self {
        let modules = peers.modules();
        assert!(modules.join("oidc-provider").is_dir(), "oidc-provider is missing: run `cargo xtask fixtures`");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/servers/oidc_provider.mjs");
        let mut command = Command::new(&peers.node);
        command.arg(script).arg(modules).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let mut provider = Self { process, said, issuer: String::new() };
        let issuer = provider.hear()["issuer"].as_str().unwrap().to_owned();
        provider.issuer = issuer;
        provider
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the provider said {line:?}"))
    }

    /// Does what the script's first lines tell.
    pub(crate) fn set(&mut self, change: Value) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{change}").unwrap();
        assert_eq!(self.hear()["done"], json!(true));
    }

    /// It is gone.
    pub(crate) fn stop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.issuer.trim_start_matches("http://").parse().unwrap()
    }

    /// What it answers to a form of `client`'s, whose secret is its name's with `-secret`.
    pub(crate) async fn form(&self, path: &str, client: &str, fields: &[(&str, &str)]) -> Answer {
        let text = |text: &str| url_encoded(text);
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
        let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{client}-secret")));
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", basic.as_str())];
        send(self.address(), request(Method::POST, self.address(), path, &headers, body.join("&"))).await
    }

    /// An access token of the client `program` for `resource`, by client credentials.
    pub(crate) async fn token(&self, resource: &str) -> String {
        let fields = [("grant_type", "client_credentials"), ("scope", "mcp:use"), ("resource", resource)];
        let answer = self.form("/token", "program", &fields).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

fn url_encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        self.stop();
    }
}
