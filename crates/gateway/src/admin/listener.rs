//! The listener of the admin API: HTTP/1.1 on a Unix socket, bounded, and for nobody but the hub's own user.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use omni_audit::{Event, EventKind, FieldName, Outcome, Who};
use omni_types::Principal;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use crate::admin::problem::Problem;
use crate::admin::service::{AdminService, Answer, BODY_BYTES_MAX};
use crate::admin::socket;

/// Connections at a time.
const CONNECTIONS_MAX: usize = 64;
/// For a request's head, and for its body.
const PATIENCE: Duration = Duration::from_secs(10);
/// For answers that are on their way when the hub stops.
const LAST_ANSWERS_WAIT: Duration = Duration::from_secs(2);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// After an accept that failed, before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener. Dropped, it takes its socket away.
#[derive(Debug)]
pub struct AdminListener {
    listener: UnixListener,
    folder: PathBuf,
    inode: Option<u64>,
}

/// Why there is no admin API.
#[derive(Debug, thiserror::Error)]
#[error("the admin API has no socket: {0}")]
pub struct AdminSocketError(#[from] io::Error);

impl AdminListener {
    /// Binds the socket in `folder`.
    ///
    /// # Errors
    /// When the folder is not ours, or another hub has the socket.
    pub fn bind(folder: PathBuf) -> Result<Self, AdminSocketError> {
        let listener = UnixListener::from_std(socket::listen(&folder)?)?;
        let inode = socket::inode(&folder);
        Ok(Self { listener, folder, inode })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(socket::SOCKET)
    }

    /// Serves until the hub is asked to stop.
    pub async fn serve(self, service: AdminService, mut stopping: watch::Receiver<bool>) {
        let service = Arc::new(service);
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = tokio::task::JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            let Ok(slot) = slot else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (service, stopping) = (Arc::clone(&service), stopping.clone());
                    connections.spawn(async move {
                        serve(stream, service, stopping).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the admin API could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let rest = async { while connections.join_next().await.is_some() {} };
        let _over_time = tokio::time::timeout(LAST_ANSWERS_WAIT, rest).await;
    }
}

impl Drop for AdminListener {
    fn drop(&mut self) {
        socket::remove(&self.folder, self.inode);
    }
}

async fn serve(stream: UnixStream, service: Arc<AdminService>, mut stopping: watch::Receiver<bool>) {
    let uid = match stream.peer_cred() {
        Ok(cred) => cred.uid(),
        Err(error) => {
            tracing::warn!(%error, "who asks at the admin API cannot be told, so they are not answered");
            return;
        }
    };
    let Some(by) = who(&service, uid) else {
        let event = Event::new(EventKind::Administration, "admin/connect", Outcome::Denied)
            .because("only the user that runs the hub, and root, may use the admin API")
            .fact(FieldName::Uid, u64::from(uid));
        service.administration.hub().audit().record(Who::Anonymous, event);
        return;
    };
    let answer = service_fn(move |request| {
        let (service, by) = (Arc::clone(&service), by.clone());
        async move { Ok::<_, Infallible>(answer(&service, &by, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    let stopped = tokio::select! {
        served = connection.as_mut() => Some(served),
        () = async { drop(stopping.wait_for(|stop| *stop).await) } => None,
    };
    let served = match stopped {
        Some(served) => served,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the admin API ended");
    }
}

/// Who `uid` is, when they may use the admin API.
fn who(service: &AdminService, uid: u32) -> Option<Principal> {
    if !socket::may_use(uid) {
        return None;
    }
    let local = service.administration.hub().local().principal().clone();
    Some(if uid == socket::me() { local } else { Principal::local("root") })
}

async fn answer(service: &AdminService, by: &Principal, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let body = match tokio::time::timeout(PATIENCE, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("the body has more than {BODY_BYTES_MAX} bytes");
            return response(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into());
        }
        Ok(Err(_)) => return response(Problem::invalid("the body broke off").into()),
        Err(_) => {
            let detail = format!("the body did not come within {} s", PATIENCE.as_secs());
            return response(Problem::new(StatusCode::REQUEST_TIMEOUT, detail).into());
        }
    };
    // A web page can send other types without asking first; none can reach a Unix socket, and this costs nothing.
    let is_json = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        text.trim().eq_ignore_ascii_case("application/json")
    };
    if !body.is_empty() && !head.headers.get(CONTENT_TYPE).is_some_and(is_json) {
        let detail = "send the body as `content-type: application/json`";
        return response(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).into());
    }
    response(service.answer(by, &head.method, &target, &body).await)
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let kind = if answer.status.is_success() { "application/json" } else { "application/problem+json" };
    let empty = answer.json.is_empty();
    let mut response = Response::new(Full::new(Bytes::from(answer.json)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    if !empty {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    // Keys are shown here, once.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(allow) = answer.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
        headers.insert(ALLOW, allow);
    }
    response
}
