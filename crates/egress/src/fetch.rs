//! Small documents fetched whole: metadata, keys, the answers of forms. Bounded in size and time; redirects are not followed.

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::form_urlencoded;

use crate::body::collect;
use crate::error::EgressError;
use crate::lease::PoolLimits;
use crate::pool::Client;
use crate::target::Target;

/// Connections to one address at a time.
const CONNECTIONS_MAX: usize = 8;
/// After which a connection that nobody uses is closed.
const IDLE: Duration = Duration::from_secs(10);

/// Fetches from one address.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    bytes_max: usize,
    timeout: Duration,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Fetched {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Fetcher {
    /// One for `url`, whose answers have at most `bytes_max` bytes and take at most `timeout` in all.
    ///
    /// # Errors
    /// When it is no address.
    pub fn new(url: &str, bytes_max: usize, timeout: Duration) -> Result<Self, EgressError> {
        Ok(Self::of(Target::parse(url)?, bytes_max, timeout))
    }

    /// One for `target`, with the same bounds.
    #[must_use]
    pub fn of(target: Target, bytes_max: usize, timeout: Duration) -> Self {
        let limits =
            PoolLimits { initial: 1, size: 1, max: CONNECTIONS_MAX, connect_timeout: timeout, idle_timeout: IDLE };
        Self { client: Client::new(target, limits), bytes_max, timeout }
    }

    /// Asks with `method` and a body of JSON, or none, for JSON.
    ///
    /// # Errors
    /// When no whole answer comes in time.
    pub async fn ask(
        &self,
        method: Method,
        authorization: Option<HeaderValue>,
        json: String,
    ) -> Result<Fetched, EgressError> {
        let mut headers = accepting();
        if !json.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(mut authorization) = authorization {
            authorization.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, authorization);
        }
        self.fetch(method, headers, json.into()).await
    }

    /// From where.
    #[must_use]
    pub fn target(&self) -> &Target {
        self.client.target()
    }

    /// GET of another path of the same address, with these headers.
    ///
    /// # Errors
    /// When no whole answer comes in time.
    pub async fn get_at(&self, path: PathAndQuery, headers: HeaderMap) -> Result<Fetched, EgressError> {
        let at = Self { client: self.client.at(path), ..*self };
        at.fetch(Method::GET, headers, Bytes::new()).await
    }

    /// GET, for JSON.
    ///
    /// # Errors
    /// When no whole answer comes in time.
    pub async fn get(&self) -> Result<Fetched, EgressError> {
        self.fetch(Method::GET, accepting(), Bytes::new()).await
    }

    /// POST of `body`; what is answered is of no kind that it asks for.
    ///
    /// # Errors
    /// When no whole answer comes in time.
    pub async fn post(
        &self,
        content_type: HeaderValue,
        authorization: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Fetched, EgressError> {
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        headers.extend(authorization.map(|value| (header::AUTHORIZATION, value)));
        self.fetch(Method::POST, headers, body).await
    }

    /// POST of a form, for JSON.
    ///
    /// # Errors
    /// When no whole answer comes in time.
    pub async fn post_form(
        &self,
        authorization: Option<HeaderValue>,
        form: &[(&str, &str)],
    ) -> Result<Fetched, EgressError> {
        let mut headers = accepting();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(mut authorization) = authorization {
            authorization.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, authorization);
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.fetch(Method::POST, headers, body.into()).await
    }

    async fn fetch(&self, method: Method, headers: HeaderMap, body: Bytes) -> Result<Fetched, EgressError> {
        let whole = async {
            let (head, body) = self.client.send(method, headers, body).await?.into_parts();
            Ok(Fetched { status: head.status, headers: head.headers, body: collect(body, self.bytes_max).await? })
        };
        tokio::time::timeout(self.timeout, Box::pin(whole)).await.unwrap_or_else(|_| {
            let why = format!("no whole answer came within {} s", self.timeout.as_secs());
            Err(EgressError::Broken { authority: self.client.target().authority(), why })
        })
    }
}

fn accepting() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))])
}
