//! One file at an `https://` address of a host that the operator names.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, IF_NONE_MATCH, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use omni_egress::{Fetched, Fetcher, Target};

use crate::document::BYTES_MAX;
use crate::remote::answer::refusal;
use crate::remote::github::AGENT;

/// For the file to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Redirects of one request.
const HOPS_MAX: usize = 3;

/// Asks for `url`. Each host on the way is one that `reach` lets through; the token is shown to the first alone.
pub(super) async fn get(
    url: &str,
    reach: &(dyn Fn(&str) -> Result<Target, String> + Sync),
    (token, seen): (Option<&str>, Option<&str>),
) -> Result<Fetched, String> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/markdown, text/plain, */*;q=0.5"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.extend(seen.and_then(|tag| HeaderValue::from_str(tag).ok()).map(|tag| (IF_NONE_MATCH, tag)));
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token holds characters that no header may have".to_owned())?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut target = reach(url)?;
    for _hop in 0..=HOPS_MAX {
        let fetcher = Fetcher::of(target.clone(), BYTES_MAX + 1, PATIENCE);
        let answer =
            Box::pin(fetcher.get_at(target.path().clone(), headers.clone())).await.map_err(|e| e.to_string())?;
        let moved = answer.status.is_redirection() && answer.status != StatusCode::NOT_MODIFIED;
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(location) = location.filter(|_| moved) else {
            return match answer.status {
                StatusCode::OK | StatusCode::NOT_MODIFIED => Ok(answer),
                _ => Err(refusal(target.host(), &format!("`{}`", target.path().path()), &answer, token.is_some())),
            };
        };
        target = match target.resolve(location) {
            Ok(path) => reach(&format!("https://{}{path}", target.authority()))?,
            Err(_) => {
                headers.remove(AUTHORIZATION);
                reach(location)?
            }
        };
    }
    Err(format!("{} leads on and on: more than {HOPS_MAX} redirects", target.host()))
}
