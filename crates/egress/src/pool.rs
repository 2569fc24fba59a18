//! A pool of connections to one server (row POOL-1): some at first, a working size, a hard bound, deadlines.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::client::conn::http2;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::body::Body;
use crate::connect::{Connection, connect};
use crate::error::EgressError;
use crate::http1::{ExchangeError, Head, Http1};
use crate::lease::{Lease, PoolLimits, Shared, Slot};
use crate::request::RequestHead;
use crate::target::Target;

/// For a connection above the working size to be idle before it is closed. Closed at once, a load that needs a few more than
/// that would open and close them all the time.
const ABOVE_SIZE_IDLE: Duration = Duration::from_secs(5);

/// Short messages on connections of their own at a time, while the pool's are all in use.
const ASIDES_APART_MAX: usize = 16;

/// What a pool holds at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolStatus {
    /// Connections that serve a request.
    pub in_use: usize,
    /// Connections that wait for one.
    pub idle: usize,
    /// The bound.
    pub max: usize,
}

/// Sends requests to one server.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    /// Where requests go at the server, if not to its address's own path.
    path: Option<PathAndQuery>,
}

/// A request on its way.
struct Outgoing<'a> {
    head: &'a RequestHead,
    extra: &'a [(HeaderName, HeaderValue)],
    body: &'a Bytes,
}

/// A request that did not get an answer.
struct Failed {
    error: EgressError,
    /// Nothing of it reached the server.
    unsent: bool,
}

impl Client {
    /// A client for `target`. No connection is made before the first request.
    #[must_use]
    pub fn new(target: Target, limits: PoolLimits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.max));
        let asides = Arc::new(Semaphore::new(ASIDES_APART_MAX));
        Self { shared: Arc::new(Shared { target, limits, slots, asides, state: Mutex::default() }), path: None }
    }

    /// The same pool, for requests to another path of the same server.
    #[must_use]
    pub fn at(&self, path: PathAndQuery) -> Self {
        Self { shared: Arc::clone(&self.shared), path: Some(path) }
    }

    /// Where requests go.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.shared.target
    }

    /// What the pool holds at the moment.
    #[must_use]
    pub fn status(&self) -> PoolStatus {
        let idle = self.shared.lock().idle.len();
        PoolStatus { in_use: self.in_use(), idle, max: self.shared.limits.max }
    }

    fn in_use(&self) -> usize {
        self.shared.limits.max.saturating_sub(self.shared.slots.available_permits())
    }

    /// Closes what has been idle for too long; to be called now and then.
    pub fn prune(&self) {
        self.prune_as_of(Instant::now());
    }

    fn prune_as_of(&self, now: Instant) {
        let limits = &self.shared.limits;
        let mut state = self.shared.lock();
        let idle_for = |since: Instant| now.saturating_duration_since(since);
        state.idle.retain_mut(|(connection, since)| idle_for(*since) < limits.idle_timeout && connection.is_quiet());
        while state.idle.len() > limits.size
            && state.idle.front().is_some_and(|(_, since)| idle_for(*since) >= ABOVE_SIZE_IDLE)
        {
            state.idle.pop_front();
        }
    }

    /// The head of requests that have `method` and `headers` in common, made once for all of them.
    #[must_use]
    pub fn head(&self, method: Method, headers: HeaderMap) -> RequestHead {
        RequestHead::new(&self.shared.target, self.path().clone(), method, headers)
    }

    /// Sends a request on a pooled connection.
    ///
    /// # Errors
    /// When no connection comes about in time, or it breaks. A request that found its kept connection closed is sent
    /// again on another; one that may have reached the server is not.
    pub async fn send(&self, method: Method, headers: HeaderMap, body: Bytes) -> Result<Response<Body>, EgressError> {
        self.request(&self.head(method, headers), &[], &body).await
    }

    /// Sends a request with the fields `extra` beside those of `head`, each in the place of one of its name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn request(
        &self,
        head: &RequestHead,
        extra: &[(HeaderName, HeaderValue)],
        body: &Bytes,
    ) -> Result<Response<Body>, EgressError> {
        if head.has_any_of(extra) {
            let head = head.with(&self.shared.target, extra);
            return Box::pin(self.request_as_it_is(Outgoing { head: &head, extra: &[], body }, false)).await;
        }
        self.request_as_it_is(Outgoing { head, extra, body }, false).await
    }

    /// Sends a short message that must get out although the pool may be full, as others may hold its connections until
    /// the server has it: where none is free it goes on a connection of its own.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn request_aside(&self, head: &RequestHead, body: &Bytes) -> Result<Response<Body>, EgressError> {
        self.request_as_it_is(Outgoing { head, extra: &[], body }, true).await
    }

    async fn request_as_it_is(&self, outgoing: Outgoing<'_>, aside: bool) -> Result<Response<Body>, EgressError> {
        loop {
            let (connection, fresh, slot) = self.checkout(aside).await?;
            let answered = match (connection, slot) {
                (Connection::Http1(connection), slot) => self.over_http1(connection, slot, &outgoing).await,
                (Connection::Http2(sender), _) => Box::pin(self.over_http2(sender, &outgoing)).await,
            };
            match answered {
                Err(Failed { unsent: true, .. }) if !fresh => {}
                done => return done.map_err(|failed| failed.error),
            }
        }
    }

    /// Sends a request on a connection of its own, for answers that stay open.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_apart(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, EgressError> {
        let head = self.head(method, headers);
        let outgoing = Outgoing { head: &head, extra: &[], body: &body };
        let answered = match Box::pin(self.within_deadline(connect(&self.shared.target))).await? {
            Connection::Http1(connection) => self.over_http1(connection, None, &outgoing).await,
            Connection::Http2(sender) => Box::pin(self.over_http2(sender, &outgoing)).await,
        };
        answered.map_err(|failed| failed.error)
    }

    async fn within_deadline<T>(&self, work: impl Future<Output = Result<T, EgressError>>) -> Result<T, EgressError> {
        let limit = self.shared.limits.connect_timeout;
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(EgressError::ConnectTimeout { authority: self.shared.target.authority(), seconds: limit.as_secs() })
        })
    }

    /// A connection, whether it is a new one, and the right to use it.
    async fn checkout(&self, aside: bool) -> Result<(Connection, bool, Option<Slot>), EgressError> {
        let http2 = self.shared.lock().http2.clone().filter(|s| !s.is_closed());
        if let Some(sender) = http2 {
            return Ok((Connection::Http2(sender), false, None));
        }
        let permit = match Arc::clone(&self.shared.slots).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if aside => return Box::pin(self.checkout_apart()).await,
            Err(_) => self.turn(&self.shared.slots).await?,
        };
        if let Some(connection) = self.shared.take_idle() {
            return Ok((Connection::Http1(connection), false, Some(Slot { permit, pooled: true })));
        }
        // Connecting is rare and its future large (TLS): boxed, it does not weigh on every request.
        Box::pin(self.within_deadline(self.open(Slot { permit, pooled: true }))).await
    }

    async fn checkout_apart(&self) -> Result<(Connection, bool, Option<Slot>), EgressError> {
        let permit = self.turn(&self.shared.asides).await?;
        self.within_deadline(self.open(Slot { permit, pooled: false })).await
    }

    async fn turn(&self, line: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, EgressError> {
        let limits = &self.shared.limits;
        match tokio::time::timeout(limits.connect_timeout, Arc::clone(line).acquire_owned()).await {
            Ok(turn) => turn.map_err(|_| self.shut_down()),
            Err(_) => Err(EgressError::PoolFull {
                authority: self.shared.target.authority(),
                seconds: limits.connect_timeout.as_secs(),
                max: limits.max,
            }),
        }
    }

    fn path(&self) -> &PathAndQuery {
        self.path.as_ref().unwrap_or_else(|| self.shared.target.path())
    }

    fn shut_down(&self) -> EgressError {
        EgressError::Connect { authority: self.shared.target.authority(), why: "shut down".to_owned() }
    }

    async fn open(&self, slot: Slot) -> Result<(Connection, bool, Option<Slot>), EgressError> {
        let connection = connect(&self.shared.target).await?;
        if let Connection::Http2(sender) = &connection {
            self.shared.lock().http2 = Some(sender.clone());
            return Ok((connection, true, None));
        }
        let first = !std::mem::replace(&mut self.shared.lock().warmed, true);
        if first {
            self.warm();
        }
        Ok((connection, true, Some(slot)))
    }

    /// Opens the rest of the initial connections beside the first request.
    fn warm(&self) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            for _ in 1..shared.limits.initial {
                let Ok(_slot) = shared.slots.try_acquire() else { return };
                let Ok(Ok(Connection::Http1(connection))) =
                    tokio::time::timeout(shared.limits.connect_timeout, connect(&shared.target)).await
                else {
                    return;
                };
                let mut state = shared.lock();
                if state.idle.len() >= shared.limits.size {
                    return;
                }
                state.idle.push_front((connection, Instant::now()));
            }
        });
    }

    async fn over_http1(
        &self,
        mut connection: Http1,
        slot: Option<Slot>,
        outgoing: &Outgoing<'_>,
    ) -> Result<Response<Body>, Failed> {
        let Outgoing { head, extra, body } = *outgoing;
        // Requests that are ready together go out together: a server that sleeps is woken once for all of them.
        if self.in_use() > 1 {
            tokio::task::yield_now().await;
        }
        let answered = connection.exchange(|out| head.write(out, extra, body.len()), body).await;
        let Head { status, headers, framing, keeps } = answered.map_err(|error| {
            let authority = self.shared.target.authority();
            match error {
                ExchangeError::Unsent => Failed { error: EgressError::NotSent(authority), unsent: true },
                ExchangeError::Broken(why) => Failed { error: EgressError::Broken { authority, why }, unsent: false },
            }
        })?;
        let lease = slot.map(|Slot { permit, pooled }| {
            let shared = Arc::clone(&self.shared);
            Lease { shared, slot: permit, keeps: keeps && pooled }
        });
        let mut response = Response::new(Body::http1(connection, framing, lease));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    async fn over_http2(
        &self,
        mut sender: http2::SendRequest<Full<Bytes>>,
        outgoing: &Outgoing<'_>,
    ) -> Result<Response<Body>, Failed> {
        let target = &self.shared.target;
        let not_sent = || Failed { error: EgressError::NotSent(target.authority()), unsent: true };
        let Some(uri) = target.absolute(&outgoing.head.path) else {
            return Err(Failed { error: EgressError::Address(target.authority()), unsent: false });
        };
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = outgoing.head.method.clone();
        *request.uri_mut() = uri;
        request.headers_mut().clone_from(outgoing.head.headers());
        // HTTP/2 says it in `:authority`.
        request.headers_mut().remove(http::header::HOST);
        for (name, value) in outgoing.extra {
            request.headers_mut().append(name, value.clone());
        }
        if sender.ready().await.is_err() {
            return Err(not_sent());
        }
        let answered = sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(_unsent) => not_sent(),
            None => {
                let error = EgressError::Broken { authority: target.authority(), why: describe(error.error()) };
                Failed { error, unsent: false }
            }
        })?;
        Ok(answered.map(Body::http2))
    }
}

/// hyper's own message hides the cause behind `source`.
fn describe(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
