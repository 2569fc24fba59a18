//! What speaks as GitHub's REST API does, over TLS, in the test's own process: commits, trees, blobs, contents, entity tags, rate
//! limits, renamed repositories, trees that are cut; and files at plain addresses. For whoever fetches from there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::harness::certificates::Authority;

/// What it holds and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Commits by the references that lead to them.
    pub(crate) references: BTreeMap<String, String>,
    /// Files of each commit.
    pub(crate) commits: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Files at `/files/NAME`.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What a request has to show.
    pub(crate) token: Option<String>,
    /// The repository has another name now, and its old one leads there.
    pub(crate) renamed: bool,
    /// The list of all files is given in part.
    pub(crate) truncated: bool,
    /// Each answer ends before it is whole.
    pub(crate) cut: bool,
    /// Blobs are others than their ids say.
    pub(crate) lies: bool,
    /// Nothing is answered but this: status, headers, body.
    pub(crate) instead: Option<(u16, String, String)>,
    /// What was asked, with the status of the answer.
    pub(crate) asked: Vec<String>,
}

/// It, running.
pub(crate) struct GitHub {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    _home: TempDir,
    /// The file with the certificate of its authority.
    pub(crate) authority: std::path::PathBuf,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The id that git gives to a file's content.
fn blob_id(bytes: &[u8]) -> String {
    let mut whole = format!("blob {}\0", bytes.len()).into_bytes();
    whole.extend(bytes);
    omni_types::hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref())
}

/// An id of a commit.
pub(crate) fn commit_id(name: &str) -> String {
    omni_types::hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes()).as_ref())
}

/// An id of a folder of a commit.
fn tree_id(commit: &str, folder: &str) -> String {
    if folder.is_empty() { commit.to_owned() } else { commit_id(&format!("{commit}:{folder}")) }
}

impl GitHub {
    /// One that holds `acme/profiles`, without any commit.
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::new("GitHub of the tests");
        std::fs::write(home.path().join("ca.pem"), authority.pem()).unwrap();
        let own = authority.server(1);
        let chain = vec![CertificateDer::from_pem_slice(own.chain.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
        let state = Arc::new(Mutex::new(State::default()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&state);
        // A thread of its own, since tests wait for commands that ask it.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = serve(&listener, &acceptor, &shared, address) => {}
                    _ = stopped => {}
                }
            });
        });
        let file = home.path().join("ca.pem");
        Self { address, state, _home: home, authority: file, stop: Some(stop), thread: Some(thread) }
    }

    /// What it holds and how it behaves, to be changed.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// `reference` leads to a commit of these files; its id.
    pub(crate) fn push(&self, reference: &str, files: &[(&str, &str)]) -> String {
        let files: BTreeMap<String, Vec<u8>> =
            files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        let id = commit_id(&format!("{reference} {files:?}"));
        let mut state = self.state();
        state.commits.insert(id.clone(), files);
        state.references.insert(reference.to_owned(), id.clone());
        id
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }

    /// Its address as a client writes it.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _panicked = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

async fn serve(listener: &TcpListener, acceptor: &TlsAcceptor, state: &Arc<Mutex<State>>, address: SocketAddr) {
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, state) = (acceptor.clone(), Arc::clone(state));
        tasks.spawn(async move {
            // Who does not believe its certificate goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { return };
                head.push(byte);
            }
            let answer = answer(&String::from_utf8_lossy(&head), &state, address);
            let _it_may_have_gone = stream.write_all(&answer).await;
            let _it_may_have_gone = stream.shutdown().await;
        });
    }
}

/// Status, headers, body.
type Answer = (u16, String, Vec<u8>);

fn answer(head: &str, state: &Mutex<State>, address: SocketAddr) -> Vec<u8> {
    let mut state = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut lines = head.split("\r\n");
    let target = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let fields: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let (status, headers, body) = respond(&state, &target, &fields, address);
    state.asked.push(format!("{target} {status}"));
    let length = body.len() + if state.cut { 10 } else { 0 };
    let mut whole = format!(
        "HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\nconnection: close\r\nx-ratelimit-limit: 60\r\n{headers}\r\n"
    )
    .into_bytes();
    if status != 304 {
        whole.extend(body);
    }
    whole
}

fn respond(state: &State, target: &str, fields: &BTreeMap<String, String>, address: SocketAddr) -> Answer {
    if let Some((status, headers, body)) = &state.instead {
        return (*status, headers.clone(), body.clone().into_bytes());
    }
    let missing = || (404, String::new(), json!({ "message": "Not Found" }).to_string().into_bytes());
    if !fields.contains_key("user-agent") {
        return (403, String::new(), json!({ "message": "Request forbidden: no User-Agent" }).to_string().into_bytes());
    }
    let wanted = state.token.as_ref().map(|token| format!("Bearer {token}"));
    if wanted.is_some() && fields.get("authorization") != wanted.as_ref() {
        return missing();
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let tagged = |tag: String, body: Vec<u8>| {
        let tag = format!("W/\"{tag}\"");
        let same = fields.get("if-none-match") == Some(&tag);
        (if same { 304 } else { 200 }, format!("etag: {tag}\r\n"), body)
    };
    if let Some(name) = path.strip_prefix("/files/") {
        return state.files.get(name).map_or_else(missing, |body| tagged(blob_id(body), body.clone()));
    }
    let inside = match path.strip_prefix("/repos/acme/profiles/") {
        Some(inside) if state.renamed => {
            let query = if query.is_empty() { String::new() } else { format!("?{query}") };
            let location = format!("https://localhost:{}/repositories/1/{inside}{query}", address.port());
            return (
                301,
                format!("location: {location}\r\n"),
                json!({ "message": "Moved Permanently" }).to_string().into(),
            );
        }
        Some(inside) => inside,
        None => match path.strip_prefix("/repositories/1/") {
            Some(inside) => inside,
            None => return missing(),
        },
    };
    match inside.split_once('/') {
        Some(("commits", reference)) => {
            let own = state.commits.contains_key(reference).then(|| reference.to_owned());
            let Some(id) = state.references.get(reference).cloned().or(own) else {
                return (422, String::new(), json!({ "message": "No commit found for SHA: x" }).to_string().into());
            };
            tagged(id.clone(), id.into_bytes())
        }
        Some(("git", rest)) => match rest.split_once('/') {
            Some(("trees", id)) => tree(state, id, query.contains("recursive=1"))
                .map_or_else(missing, |tree| (200, String::new(), tree.to_string().into_bytes())),
            Some(("blobs", id)) => {
                let body = state.commits.values().flat_map(BTreeMap::values).find(|bytes| blob_id(bytes) == id);
                let lie = |body: &Vec<u8>| if state.lies { [body.as_slice(), b"!"].concat() } else { body.clone() };
                body.map_or_else(missing, |body| (200, String::new(), lie(body)))
            }
            _ => missing(),
        },
        Some(("contents", path)) => {
            let commit = query.strip_prefix("ref=").unwrap_or_default();
            let body = state.commits.get(commit).and_then(|files| files.get(path));
            body.map_or_else(missing, |body| (200, String::new(), body.clone()))
        }
        _ => missing(),
    }
}

/// A folder of a commit, or all below it.
fn tree(state: &State, id: &str, recursive: bool) -> Option<Value> {
    let folders = |files: &BTreeMap<String, Vec<u8>>| {
        let mut all = vec![String::new()];
        for path in files.keys() {
            all.extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
        }
        all.sort();
        all.dedup();
        all
    };
    let (commit, files, folder) = state.commits.iter().find_map(|(commit, files)| {
        let folder = folders(files).into_iter().find(|folder| tree_id(commit, folder) == id)?;
        Some((commit, files, folder))
    })?;
    let below = |path: &str| {
        if folder.is_empty() {
            Some(path.to_owned())
        } else {
            path.strip_prefix(&format!("{folder}/")).map(str::to_owned)
        }
    };
    let mut entries = Vec::new();
    for path in folders(files) {
        if let Some(name) = below(&path).filter(|name| !name.is_empty() && (recursive || !name.contains('/'))) {
            entries.push(json!({ "path": name, "mode": "040000", "type": "tree", "sha": tree_id(commit, &path) }));
        }
    }
    for (path, bytes) in files {
        if let Some(name) = below(path).filter(|name| recursive || !name.contains('/')) {
            let mode = if path.ends_with("link.md") { "120000" } else { "100644" };
            entries.push(
                json!({ "path": name, "mode": mode, "type": "blob", "sha": blob_id(bytes), "size": bytes.len() }),
            );
        }
    }
    let cut = recursive && state.truncated;
    if cut {
        entries.truncate(1);
    }
    Some(json!({ "sha": id, "tree": entries, "truncated": cut }))
}
