//! The way of a reference through grants, what is kept, and the chain of providers; Vault is spoken to over a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use omni_audit::{Audit, Event, Outcome, Sink, Who};
use omni_secrets::settings::SecretsSettings;
use omni_secrets::{Around, Held, Judge, LocalStore, Redactor, Reference, Requester, Resolver, SecretError, Template};
use omni_types::ServerName;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Event>>>);

impl Sink for Kept {
    fn record(&self, _: Who, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Kept {
    fn actions(&self) -> Vec<(String, Outcome)> {
        self.0.lock().unwrap().iter().map(|event| (event.action.to_string(), event.outcome)).collect()
    }
}

struct World {
    folder: tempfile::TempDir,
    kept: Kept,
    around: Around,
}

impl World {
    fn new(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables: HashMap<_, _> = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let around = Around { variables, data_dir: Some(folder.path().to_owned()) };
        Self { folder, kept: Kept::default(), around }
    }

    fn put(&self, name: &str, value: &str) {
        LocalStore::at(self.folder.path()).put(&[(name.to_owned(), Held::new(value.to_owned()))]).unwrap();
    }

    fn resolver(&self, settings: serde_json::Value) -> Resolver {
        let settings: SecretsSettings = serde_json::from_value(settings).unwrap();
        Resolver::new(&settings, &self.around, Audit::to(self.kept.clone()), Arc::new(Redactor::default()))
    }
}

fn server(name: &str) -> Requester {
    Requester::Server(ServerName::parse(name).unwrap())
}

async fn value(resolver: &Resolver, inner: &str) -> Result<String, SecretError> {
    let (reference, _) = Reference::parse(inner).unwrap();
    resolver.resolve(&reference, &server("s")).await.map(|held| held.expose().to_owned())
}

#[tokio::test]
async fn sec_4_the_fallback_is_asked_when_the_first_has_none_and_both_are_on_record() {
    let world = World::new(&[("API_KEY", "of-the-environment")]);
    let resolver = world.resolver(json!({ "fallback": "env" }));
    assert_eq!(value(&resolver, "SECRET:api-key").await.unwrap(), "of-the-environment");
    assert_eq!(value(&resolver, "SECRET:api-key").await.unwrap(), "of-the-environment");
    assert!(
        matches!(value(&resolver, "STORE:api-key").await, Err(SecretError::Missing { .. })),
        "no fallback for STORE"
    );
    world.put("api-key", "of-the-store");
    let ours = world.resolver(json!({ "names": { "api-key": { "from": ["file", "store"] } }, "folder": "/nowhere" }));
    assert_eq!(value(&ours, "SECRET:api-key").await.unwrap(), "of-the-store");
    let (done, failed) = (Outcome::Success, Outcome::Failed);
    let actions = ["fall-back", "hit", "resolve", "fall-back"].map(|action| format!("secrets/{action}"));
    let expected: Vec<_> = actions.into_iter().zip([done, done, failed, done]).collect();
    assert_eq!(world.kept.actions(), expected);
    let counts = &resolver.counts();
    let of = |name: &str| counts.iter().find(|(provider, _)| provider.as_str() == name).unwrap().1;
    assert_eq!((of("env").hits, of("env").misses, of("env").fallbacks, of("store").failures), (1, 1, 1, 2));
}

#[tokio::test]
async fn cfg_5_texts_are_filled_once_and_defaults_stand_in_for_what_is_missing_alone() {
    let world = World::new(&[("NESTED", "${STORE:a} $${x}")]);
    world.put("a", r#"{"user":{"name":"ada"},"port":5432}"#);
    let resolver = world.resolver(json!({}));
    let fill = async |text: &str| {
        let filled = resolver.fill(&Template::parse(text).unwrap(), &server("s")).await;
        filled.map(|held| held.expose().to_owned())
    };
    assert_eq!(fill("${STORE:a:user.name}:${STORE:a:port} $${x}").await.unwrap(), "ada:5432 ${x}");
    assert_eq!(fill("${ENV:NESTED}").await.unwrap(), "${STORE:a} $${x}", "a value is never read for references");
    assert_eq!(fill("${STORE:b:-none}${ENV:B:-}").await.unwrap(), "none");
    assert!(matches!(fill("${STORE:a:nothing:-x}").await, Err(SecretError::Unusable { .. })));
    let key = LocalStore::at(world.folder.path()).key_path();
    std::fs::remove_file(key).unwrap();
    std::fs::write(world.folder.path().join("secrets.json"), "{").unwrap();
    assert!(
        matches!(fill("${STORE:b:-none}").await, Err(SecretError::Unusable { .. })),
        "a broken store is not an empty one"
    );
}

#[tokio::test]
async fn sec_2_who_comes_while_a_value_is_asked_for_waits_for_the_same_answer() {
    let world = World::new(&[]);
    world.put("a", "value-of-a");
    let resolver = Arc::new(world.resolver(json!({})));
    let asking = (0..20).map(|_| {
        let resolver = Arc::clone(&resolver);
        tokio::spawn(async move { value(&resolver, "STORE:a").await.unwrap() })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), "value-of-a");
    }
    let counts = resolver.counts().into_values().next().unwrap();
    assert_eq!((counts.misses, counts.hits), (1, 19));
    world.put("a", "another value");
    assert_eq!(value(&resolver, "STORE:a").await.unwrap(), "another value", "what was changed is asked for again");
    assert_eq!(resolver.redactor().masked("x another value").unwrap(), "x [secret a masked]");
}

#[tokio::test]
async fn sec_5_a_secret_goes_to_those_that_are_named_and_to_no_profile() {
    let world = World::new(&[]);
    world.put("a", "value-of-a");
    let resolver = world.resolver(json!({ "names": { "a": { "servers": ["other"] } } }));
    let (reference, _) = Reference::parse("STORE:a").unwrap();
    assert!(resolver.resolve(&reference, &server("other")).await.is_ok());
    for requester in [server("s"), Requester::Profile("p".to_owned())] {
        let refused = resolver.resolve(&reference, &requester).await.unwrap_err();
        assert!(matches!(refused, SecretError::NotGranted { .. }) && !refused.to_string().contains("value"));
    }
    let denied = ("secrets/resolve".to_owned(), Outcome::Denied);
    assert_eq!(world.kept.actions()[1..], [denied.clone(), denied]);
}

#[tokio::test]
async fn sec_5_a_grant_holds_however_a_reference_is_spelled() {
    let world = World::new(&[("DB_PASSWORD", "of-the-environment")]);
    std::fs::write(world.folder.path().join("f"), "of-a-file").unwrap();
    let vault = json!({ "url": "http://127.0.0.1:1", "token": "t-o-k-e-n" });
    let only = json!({ "servers": ["other"] });
    let names = json!({ "secret/db": only, "DB_PASSWORD": only, "f": only });
    let folder = world.folder.path();
    let resolver = world.resolver(json!({ "vault": vault, "names": names, "folder": folder, "fallback": "vault" }));
    let absolute = format!("FILE:{}", folder.join("f").display());
    for inner in [
        "VAULT:db",
        "VAULT:/db",
        "VAULT:secret/db",
        "VAULT:secret/data/db:x",
        "VAULT:secret//db/",
        "SECRET:db",
        "ENV:db/password",
        "ENV:DB_PASSWORD",
        "FILE:f",
        "FILE:./f",
        "FILE:.//f",
        &absolute,
    ] {
        let refused = value(&resolver, inner).await.unwrap_err();
        assert!(matches!(refused, SecretError::NotGranted { .. }), "{inner}: {refused}");
    }
    let (reference, _) = Reference::parse("FILE:./f").unwrap();
    assert_eq!(resolver.resolve(&reference, &server("other")).await.unwrap().expose(), "of-a-file");
}

/// Policy that keeps `db` from everybody but the server `hr`.
#[derive(Debug)]
struct NotForOthers;

impl Judge for NotForOthers {
    fn refusal(&self, name: &str, requester: &Requester) -> Option<String> {
        (name == "db" && *requester != server("hr")).then(|| "policy forbids it".to_owned())
    }
}

#[tokio::test]
async fn sec_5_policy_takes_away_what_is_granted_and_that_is_on_record() {
    let world = World::new(&[]);
    world.put("db", "value-of-db");
    let vault = json!({ "url": "http://127.0.0.1:1", "token": "t-o-k-e-n" });
    let resolver = world.resolver(json!({ "vault": vault, "names": { "db": {} } })).judged_by(Arc::new(NotForOthers));
    for inner in ["STORE:db", "SECRET:db", "VAULT:secret/data/db"] {
        let refused = value(&resolver, inner).await.unwrap_err().to_string();
        assert!(refused.contains("is not granted to server `s`: policy forbids it"), "{inner}: {refused}");
    }
    let (reference, _) = Reference::parse("STORE:db").unwrap();
    assert_eq!(resolver.resolve(&reference, &server("hr")).await.unwrap().expose(), "value-of-db");
    let outcomes: Vec<_> = world.kept.actions().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [Outcome::Denied, Outcome::Denied, Outcome::Denied, Outcome::Success]);
}

#[tokio::test]
async fn sec_5_a_profile_has_what_is_granted_to_it_by_name() {
    let world = World::new(&[]);
    world.put("a", "value-of-a");
    let resolver = world.resolver(json!({ "names": { "a": { "profiles": ["review"] }, "b": {} } }));
    let (reference, _) = Reference::parse("STORE:a").unwrap();
    let profile = |name: &str| Requester::Profile(name.to_owned());
    assert_eq!(resolver.resolve(&reference, &profile("review")).await.unwrap().expose(), "value-of-a");
    assert!(resolver.granted(&reference, &profile("review")).is_ok());
    let why = resolver.granted(&reference, &profile("other")).unwrap_err().to_string();
    assert!(why.contains("`secrets.names.a.profiles` does not name it"), "{why}");
    for path in ["b", "c"] {
        let (reference, _) = Reference::parse(&format!("STORE:{path}")).unwrap();
        assert!(
            resolver.granted(&reference, &profile("review")).is_err(),
            "{path}: nothing is granted by saying nothing"
        );
    }
}

#[tokio::test]
async fn sec_4_who_waits_for_what_cannot_be_had_is_told_with_the_first() {
    let world = World::new(&[]);
    // Connections are taken and nothing is ever answered.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let vault = json!({ "url": url, "token": "t-o-k-e-n" });
    let resolver = Arc::new(world.resolver(json!({ "timeout_s": 1, "vault": vault })));
    let asking = (0..20).map(|_| {
        let resolver = Arc::clone(&resolver);
        tokio::spawn(async move { value(&resolver, "VAULT:a").await.unwrap_err().to_string() })
    });
    for asked in asking.collect::<Vec<_>>() {
        let told = asked.await.unwrap();
        assert!(told.contains("did not answer within"), "{told}");
    }
    let counts = resolver.counts().into_values().next().unwrap();
    assert_eq!((counts.failures, counts.misses), (1, 0), "one asked for all");
    drop(listener);
}

#[tokio::test]
async fn sec_4_what_a_provider_says_is_told_without_what_the_hub_showed_it() {
    let world = World::new(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let _some_of_it = stream.read(&mut request).await;
            let said = json!({ "errors": ["no such token: vault-t0ken"] }).to_string();
            let reply = format!("HTTP/1.1 400 X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{said}", said.len());
            let _it_may_have_gone = stream.write_all(reply.as_bytes()).await;
        }
    });
    let resolver = world.resolver(json!({ "vault": { "url": url, "token": "vault-t0ken" } }));
    let told = value(&resolver, "VAULT:a").await.unwrap_err().to_string();
    assert!(told.contains("[secret vault token masked]") && !told.contains("t0ken"), "{told}");
    assert_eq!(resolver.redactor().masked("x vault-t0ken").unwrap(), "x [secret vault token masked]");
}

#[test]
fn sec_3_values_are_read_while_keys_are_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::at(folder.path());
    store.put(&[("a".to_owned(), Held::new("value-of-a".to_owned()))]).unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let rotating = std::thread::spawn({
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        move || {
            for _ in 0..20 {
                store.rotate_key().unwrap();
            }
            stop.store(true, Ordering::SeqCst);
        }
    });
    while !stop.load(Ordering::SeqCst) {
        assert_eq!(store.value("a").unwrap().unwrap().expose(), "value-of-a");
    }
    rotating.join().unwrap();
}

/// A server that answers requests, told by their head and their body.
async fn speaking(answer: impl Fn(&str, &str) -> (u16, serde_json::Value) + Send + Sync + 'static) -> String {
    let answer = Arc::new(answer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                loop {
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        match stream.read(&mut buffer).await {
                            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                            _ => return,
                        }
                        continue;
                    };
                    let length = head
                        .to_lowercase()
                        .split("content-length: ")
                        .nth(1)
                        .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
                    if body.len() < length {
                        match stream.read(&mut buffer).await {
                            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                            _ => return,
                        }
                        continue;
                    }
                    let (status, said) = answer(head, &body[..length]);
                    request.drain(..head.len() + 4 + length);
                    let said = said.to_string();
                    let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{said}", said.len());
                    if stream.write_all(reply.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// As much of Vault's API as the hub asks for: AppRole logins whose tokens serve twice.
async fn vault(logins: Arc<AtomicUsize>) -> String {
    let uses = AtomicUsize::new(0);
    speaking(move |head, body| answer(head, body, &logins, &uses)).await
}

fn answer(head: &str, body: &str, logins: &AtomicUsize, uses: &AtomicUsize) -> (u16, serde_json::Value) {
    let path = head.split(' ').nth(1).unwrap();
    if path == "/v1/auth/approle/login" {
        let sent: serde_json::Value = serde_json::from_str(body).unwrap();
        if sent != json!({ "role_id": "r", "secret_id": "s" }) {
            return (400, json!({ "errors": ["invalid role or secret ID"] }));
        }
        uses.store(0, Ordering::SeqCst);
        let token = format!("token-{}", logins.fetch_add(1, Ordering::SeqCst) + 1);
        return (200, json!({ "auth": { "client_token": token } }));
    }
    let token = format!("x-vault-token: token-{}\r\n", logins.load(Ordering::SeqCst));
    if !format!("{}\r\n", head.to_lowercase()).contains(&token) || uses.fetch_add(1, Ordering::SeqCst) >= 2 {
        return (403, json!({ "errors": ["permission denied"] }));
    }
    match path {
        "/v1/kv/data/db/main" => (200, json!({ "data": { "data": { "password": "p4ssw0rd", "port": 5432 } } })),
        "/v1/kv/data/sealed" => (503, json!({ "errors": ["Vault is sealed"] })),
        _ => (404, json!({ "errors": [] })),
    }
}

#[tokio::test]
async fn sec_1_vault_is_asked_with_a_login_that_is_made_anew_when_it_has_run_out() {
    let world = World::new(&[]);
    let logins = Arc::new(AtomicUsize::new(0));
    let url = vault(Arc::clone(&logins)).await;
    let with =
        |secret_id: &str| json!({ "vault": { "url": url, "mount": "kv", "role_id": "r", "secret_id": secret_id } });
    let resolver = world.resolver(with("s"));
    assert_eq!(value(&resolver, "VAULT:db/main:password").await.unwrap(), "p4ssw0rd");
    assert_eq!(value(&resolver, "VAULT:db/main:port").await.unwrap(), "5432", "kept: not asked again");
    assert!(matches!(value(&resolver, "VAULT:none").await, Err(SecretError::Missing { .. })));
    // The third use of a token is refused: a login more, and the value is there.
    assert!(matches!(value(&resolver, "VAULT:none/too").await, Err(SecretError::Missing { .. })));
    assert_eq!(logins.load(Ordering::SeqCst), 2);
    let sealed = value(&resolver, "VAULT:sealed").await.unwrap_err().to_string();
    assert!(sealed.contains("vault answered 503: Vault is sealed; it is sealed or starting"), "{sealed}");
    let wrong = value(&world.resolver(with("wrong")), "VAULT:db/main").await.unwrap_err();
    assert!(matches!(wrong, SecretError::Unusable { .. }), "{wrong}");
    assert!(wrong.to_string().contains("answered 400: invalid role or secret ID"), "{wrong}");
    assert!(!wrong.to_string().contains("wrong\""), "{wrong}");
}

#[tokio::test]
async fn sec_4_a_provider_that_fails_again_and_again_is_left_alone() {
    let world = World::new(&[("A", "of-the-environment")]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // Whoever comes is hung up on.
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let settings = json!({ "provider": "vault", "fallback": "env", "vault": { "url": url, "token": "t" } });
    let resolver = world.resolver(settings);
    for number in 0..6 {
        let told = value(&resolver, &format!("VAULT:{number}")).await.unwrap_err().to_string();
        assert_eq!(told.contains("left alone"), number >= 5, "{number}: {told}");
    }
    assert_eq!(value(&resolver, "SECRET:A").await.unwrap(), "of-the-environment", "the fallback is not");
    assert!(!matches!(value(&resolver, "VAULT:x").await, Err(SecretError::Missing { .. })), "no default may stand in");
}

#[tokio::test]
async fn sec_1_credentials_are_made_once_renewed_and_given_back() {
    let world = World::new(&[]);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let url = speaking(move |head, body| {
        let path = head.split(' ').nth(1).unwrap();
        seen.lock().unwrap().push(format!("{path} {body}"));
        match path {
            "/v1/auth/kube/login" => {
                let sent: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(sent, json!({ "role": "hub", "jwt": "pods-t0ken" }));
                (200, json!({ "auth": { "client_token": "login-t0ken", "lease_duration": 3 } }))
            }
            "/v1/auth/token/renew-self" => (200, json!({ "auth": { "lease_duration": 3 } })),
            "/v1/database/creds/app" => {
                let data = json!({ "username": "app-1", "password": "made-pass" });
                (
                    200,
                    json!({ "lease_id": "database/creds/app/1", "lease_duration": 3, "renewable": true, "data": data }),
                )
            }
            "/v1/sys/leases/renew" => (200, json!({ "lease_duration": 3 })),
            _ => (204, json!({})),
        }
    })
    .await;
    let token_file = world.folder.path().join("token");
    std::fs::write(&token_file, "pods-t0ken\n").unwrap();
    let kubernetes = json!({ "role": "hub", "mount": "kube", "token_file": token_file });
    let vault = json!({ "url": url, "kubernetes": kubernetes, "dynamic": ["database"] });
    let resolver = world.resolver(json!({ "ttl_s": 1, "vault": vault }));
    let count = |what: &str| asked.lock().unwrap().iter().filter(|line| line.starts_with(what)).count();
    // Each time that it is kept no longer than the value of another engine would be, the same credentials are given.
    while count("/v1/sys/leases/renew") == 0 || count("/v1/auth/token/renew-self") == 0 {
        assert_eq!(value(&resolver, "VAULT:database/creds/app:password").await.unwrap(), "made-pass");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(count("/v1/auth/kube/login") >= 1 && count("/v1/sys/leases/revoke") == 0);
    resolver.close().await;
    let asked = asked.lock().unwrap();
    let line = asked.iter().rev().find(|line| line.starts_with("/v1/sys/leases/revoke")).unwrap();
    assert_eq!(line, "/v1/sys/leases/revoke {\"lease_id\":\"database/creds/app/1\"}");
    assert!(asked.iter().any(|line| line.starts_with("/v1/auth/token/revoke-self")));
    assert!(resolver.redactor().masked("pods-t0ken login-t0ken").unwrap().matches("masked").count() == 2);
}
