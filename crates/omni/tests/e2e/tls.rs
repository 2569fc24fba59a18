//! SHB-2 and GW-1: HTTPS and WSS, certificates that change, certificates of clients, and those who speak no TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::{Method, Request, Version};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::certificates::{Authority, Certified};
use crate::harness::peers::Peers;
use crate::harness::{Hub, everything, http, in_time, until};

/// A home with the authority's certificate and one for the hub.
pub(crate) fn home(authority: &Authority) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("ca.pem"), authority.pem()).unwrap();
    authority.server(1).put(home.path(), "hub");
    home
}

pub(crate) fn config(tls: serde_json::Value) -> serde_json::Value {
    let mut whole = json!({ "certificate": "hub.pem", "key": "hub.key" });
    for (name, value) in tls.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let servers = json!({ "s": everything(&[]), "paged": everything(&["--page-size", "4"]) });
    json!({ "gateway": { "tls": whole }, "servers": servers })
}

/// A client that believes `authority`.
pub(crate) struct Client<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    pub(crate) alpn: &'static [u8],
    pub(crate) own: Option<&'a Certified>,
}

impl<'a> Client<'a> {
    pub(crate) fn of(authority: &'a Authority) -> Self {
        Self { authority, versions: rustls::ALL_VERSIONS, alpn: b"http/1.1", own: None }
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(self.versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match self.own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = CertificateDer::pem_slice_iter(own.chain.as_bytes()).map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).await?;
        in_time("a TLS handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }

    /// Whether the hub answers this client. In TLS 1.3 a client hears of its certificate's refusal only when it reads.
    async fn is_answered(&self, address: SocketAddr) -> bool {
        let Ok(mut stream) = self.connect(address).await else { return false };
        asks(&mut stream, address).await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}

/// One request on a connection that goes on.
async fn asks(stream: &mut TlsStream<TcpStream>, address: SocketAddr) -> std::io::Result<String> {
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        let mut some = [0; 512];
        let read = in_time("an answer", stream.read(&mut some)).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&some[..read]);
    }
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_2_https_and_wss_of_the_sdks() {
    let Some(peers) = Peers::find() else { return };
    let authority = Authority::new("the test's authority");
    let hub = Hub::at(home(&authority), config(json!({})));
    let at = |scheme: &str| {
        let url = format!("{scheme}://localhost:{}/mcp", hub.address.port());
        [url, "--call".into(), "s__test_simple_text".into(), "{}".into()]
    };
    let python = (&peers.python, &peers.client("python_client.py"));
    crate::clients::drive(python.0, python.1, &at("https"), &hub, Some("2026-07-28")).await;
    for scheme in ["https", "wss"] {
        crate::clients::drive(&peers.node, &peers.client("ts_v1.mjs"), &at(scheme), &hub, Some("2025-11-25")).await;
    }
    let older = (&peers.python_sqlite, &peers.client("python_v1.py"));
    crate::clients::drive(older.0, older.1, &at("wss"), &hub, Some("2025-11-25")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_2_http_2_is_agreed_on_in_the_handshake() {
    let authority = Authority::new("the test's authority");
    let hub = Hub::at(home(&authority), config(json!({})));
    let client = Client { alpn: b"h2", ..Client::of(&authority) };
    let stream = client.connect(hub.address).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let url = format!("https://localhost:{}/healthz", hub.address.port());
    let request = Request::builder().method(Method::GET).uri(url).version(Version::HTTP_2);
    let answer = sender.send_request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_2_tls_1_2_is_spoken_where_the_operator_says_so() {
    let authority = Authority::new("the test's authority");
    static OLD: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
    let old = Client { versions: &OLD, ..Client::of(&authority) };
    for (minimum, spoken) in [("1.3", false), ("1.2", true)] {
        let hub = Hub::at(home(&authority), config(json!({ "min_version": minimum })));
        assert_eq!(old.is_answered(hub.address).await, spoken, "{minimum}");
        assert!(Client::of(&authority).is_answered(hub.address).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_2_a_renewed_certificate_is_taken_over_and_no_connection_dropped() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let hub = Hub::at(home(&old), config(json!({})));
    let mut open = Client::of(&old).connect(hub.address).await.unwrap();
    asks(&mut open, hub.address).await.unwrap();
    // What does not fit together leaves the old in force.
    std::fs::write(hub.home.path().join("hub.pem"), new.server(2).chain).unwrap();
    until("the hub says what is wrong", 20, async || {
        let log = hub.log();
        if log.contains("is not this certificate's") { Ok(()) } else { Err(log) }
    })
    .await;
    assert!(Client::of(&old).is_answered(hub.address).await);
    new.server(3).put(hub.home.path(), "hub");
    until("the new certificate is shown", 20, async || {
        if Client::of(&new).is_answered(hub.address).await { Ok(()) } else { Err("the old one".to_owned()) }
    })
    .await;
    assert!(!Client::of(&old).is_answered(hub.address).await);
    asks(&mut open, hub.address).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn shb_2_who_speaks_no_tls_is_told_or_dropped() {
    let authority = Authority::new("the test's authority");
    let mut impatient = config(json!({}));
    impatient["gateway"]["header_timeout_s"] = json!(2);
    let hub = Hub::at(home(&authority), impatient);
    let answer = http::get(hub.address, "/healthz", &[]).await;
    assert_eq!(answer.status, 400);
    assert!(String::from_utf8_lossy(&answer.body).contains("https://"));
    // Nothing, half a handshake, rubbish.
    let long = [22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc];
    for first in [&b""[..], &long, b"\x16\x03\x01\x00\x05hello", b"\x80\x2e\x01\x00\x02"] {
        let mut stream = TcpStream::connect(hub.address).await.unwrap();
        stream.write_all(first).await.unwrap();
        let mut rest = Vec::new();
        let ended = in_time("the hub lets it go", stream.read_to_end(&mut rest)).await;
        assert!(ended.is_err() || !rest.starts_with(b"HTTP"), "{first:?} got {rest:?}");
    }
    assert!(Client::of(&authority).is_answered(hub.address).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_clients_show_certificates_that_are_checked() {
    let (authority, other) = (Authority::new("clients"), Authority::new("others"));
    let home = home(&authority);
    std::fs::write(home.path().join("crl.pem"), authority.revocation_list(1, &[12])).unwrap();
    let clients = json!({ "authorities": "ca.pem", "revocation_lists": ["crl.pem"] });
    let hub = Hub::at(home, config(json!({ "client_certificates": clients })));
    let (good, revoked) = (authority.client("good", None, 11), authority.client("revoked", None, 12));
    let (foreign, server) = (other.client("good", None, 11), authority.server(13));
    let answered = async |own| Client { own, ..Client::of(&authority) }.is_answered(hub.address).await;
    assert!(answered(Some(&good)).await);
    assert!(!answered(None).await, "none");
    assert!(!answered(Some(&revoked)).await, "taken back");
    assert!(!answered(Some(&foreign)).await, "of another authority");
    assert!(!answered(Some(&server)).await, "not for clients");
    // Taken back while the hub runs.
    std::fs::write(hub.home.path().join("crl.new"), authority.revocation_list(2, &[good.serial, 12])).unwrap();
    std::fs::rename(hub.home.path().join("crl.new"), hub.home.path().join("crl.pem")).unwrap();
    until("the list is taken over", 20, async || {
        if answered(Some(&good)).await { Err("still let in".to_owned()) } else { Ok(()) }
    })
    .await;
    assert!(answered(Some(&authority.client("another", None, 14))).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_7_certificates_of_clients_may_be_optional() {
    let (authority, other) = (Authority::new("clients"), Authority::new("others"));
    let clients = json!({ "authorities": "ca.pem", "required": false });
    let hub = Hub::at(home(&authority), config(json!({ "client_certificates": clients })));
    let foreign = other.client("good", None, 11);
    assert!(Client::of(&authority).is_answered(hub.address).await);
    assert!(!Client { own: Some(&foreign), ..Client::of(&authority) }.is_answered(hub.address).await);
}

#[test]
fn shb_2_files_that_are_none_are_named() {
    let authority = Authority::new("the test's authority");
    let right = authority.server(1);
    let wrong = [
        ("gateway.tls.certificate", "hub.pem: No such file", None, Some(right.key.clone())),
        (
            "gateway.tls.certificate",
            "holds no `BEGIN CERTIFICATE`",
            Some("nothing".to_owned()),
            Some(right.key.clone()),
        ),
        ("gateway.tls.key", "holds no `BEGIN PRIVATE KEY`", Some(right.chain.clone()), Some(String::new())),
        ("gateway.tls.certificate", "is not this certificate's", Some(right.chain), Some(authority.server(2).key)),
    ];
    for (setting, why, chain, key) in wrong {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("tmp")).unwrap();
        for (name, text) in [("hub.pem", chain), ("hub.key", key)] {
            text.into_iter().for_each(|text| std::fs::write(home.path().join(name), text).unwrap());
        }
        std::fs::write(home.path().join("omni.yaml"), config(json!({})).to_string()).unwrap();
        let mut command = crate::harness::hub::command(&home);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(home.path().join("omni.yaml"));
        let done = command.stderr(std::process::Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(setting) && said.contains(why), "{why}: {said}");
    }
}
