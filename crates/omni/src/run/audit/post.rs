//! POST to a receiver, through the one door out.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use omni_egress::Fetcher;

/// For the whole answer, which is of no interest but for its status.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// An address that takes POST.
#[derive(Debug, Clone)]
pub(super) struct Post {
    fetcher: Fetcher,
    authorization: Option<HeaderValue>,
}

impl Post {
    /// To `url`, with that header.
    pub(super) fn to(url: &str, authorization: Option<&str>) -> Result<Self, String> {
        let fetcher = Fetcher::new(url, ANSWER_BYTES_MAX, PATIENCE).map_err(|error| error.to_string())?;
        let authorization = match authorization {
            None => None,
            Some(text) => {
                let mut value = HeaderValue::from_str(text).map_err(|_| "`authorization` is no header".to_owned())?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self { fetcher, authorization })
    }

    /// Sends `body`; the status, and what is answered as text.
    pub(super) async fn ask(
        &self,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Result<(u16, String), String> {
        let content_type = HeaderValue::from_static(content_type);
        let answer = self.fetcher.post(content_type, self.authorization.clone(), body.into()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        Ok((answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned()))
    }

    /// Sends `body`; taken is what is answered with a status of success.
    pub(super) async fn send(&self, content_type: &'static str, body: impl Into<Bytes>) -> Result<(), String> {
        let content_type = HeaderValue::from_static(content_type);
        let answer = self.fetcher.post(content_type, self.authorization.clone(), body.into()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status.is_success() { Ok(()) } else { Err(format!("it answers {}", answer.status)) }
    }
}
