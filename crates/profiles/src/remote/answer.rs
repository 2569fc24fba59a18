//! What another host answered, and what it means where it is no content.

use http::header::{ETAG, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use omni_egress::Fetched;

/// Bytes of a message that is told.
const TOLD_BYTES_MAX: usize = 200;

/// A number in a header.
fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The entity tag.
pub(super) fn etag(answer: &Fetched) -> Option<String> {
    answer.headers.get(ETAG)?.to_str().ok().map(str::to_owned)
}

/// What an answer without content means. `who` was asked for `what`, with a token or without.
pub(super) fn refusal(who: &str, what: &str, answer: &Fetched, with_token: bool) -> String {
    let status = answer.status;
    let spent = number(&answer.headers, "x-ratelimit-remaining") == Some(0);
    let wait = number(&answer.headers, RETRY_AFTER.as_str());
    if matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        let more = if with_token { "" } else { "; with a `token` more are allowed" };
        if let Some(seconds) = wait {
            return format!("{who} answers no more requests for {seconds} s (secondary rate limit)");
        }
        if spent {
            let until = number(&answer.headers, "x-ratelimit-reset")
                .map_or_else(String::new, |at| format!(" until {}", when(at)));
            return format!("{who} answers no more requests{until}: the rate limit is spent{more}");
        }
    }
    let said = said(answer);
    match status {
        StatusCode::UNAUTHORIZED => format!("{who} does not take the token for {what}{said}"),
        StatusCode::FORBIDDEN => format!("{who} does not give {what}{said}"),
        StatusCode::NOT_FOUND if with_token => format!("{who} has no {what}, or shows it to this token not"),
        StatusCode::NOT_FOUND => format!("{who} has no {what}; a private repository needs a `token`"),
        status => format!("{who} answered {what} with status {}{said}", status.as_u16()),
    }
}

/// Seconds since 1970 as people write them.
fn when(at: u64) -> String {
    let time = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(at));
    time.map_or_else(|| at.to_string(), httpdate::fmt_http_date)
}

/// The words of an error in JSON, without what a terminal would take for a command.
fn said(answer: &Fetched) -> String {
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(text) = json["message"].as_str() else { return String::new() };
    let plain: String = text.chars().filter(|c| !c.is_control()).take(TOLD_BYTES_MAX).collect();
    format!(": {plain}")
}
