//! Where other hubs' audit logs show their checkpoints (C2SP tlog-witness). Nobody logs in here: what counts is the log's signature.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use omni_audit::{REQUEST_BYTES_MAX, Witness, Witnessed};

use crate::http::body::Body;
use crate::http::guest::Guest;
use crate::http::incoming::{self, RequestBody};
use crate::http::reply::{not_allowed, refuse, text};

/// Its path, to which the specification's `add-checkpoint` belongs.
pub(crate) const PATH: &str = "/witness/add-checkpoint";
/// What the answer to another size than was seen last is.
const SIZE: HeaderValue = HeaderValue::from_static("text/x.tlog.size");

/// Takes a checkpoint.
pub(crate) async fn take(
    guest: &Guest,
    witness: &Arc<Witness>,
    (method, headers): (&Method, &HeaderMap),
    body: RequestBody,
) -> Response<Body> {
    if *method != Method::POST {
        return not_allowed("POST");
    }
    let too_large = || refuse(StatusCode::PAYLOAD_TOO_LARGE, "a checkpoint and its proof have at most 64 KiB");
    // Anybody may ask here: what is too long is not read first.
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > REQUEST_BYTES_MAX) {
        return too_large();
    }
    let body = match incoming::read_within(body, REQUEST_BYTES_MAX, guest).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    if body.len() > REQUEST_BYTES_MAX {
        return too_large();
    }
    let witness = Arc::clone(witness);
    let taken = tokio::task::spawn_blocking(move || {
        std::str::from_utf8(&body)
            .map_or_else(|_| Ok(Witnessed::Malformed("it is no UTF-8".to_owned())), |body| witness.add_checkpoint(body))
    });
    match taken.await.map_err(|error| error.to_string()).and_then(|taken| taken.map_err(|error| error.to_string())) {
        Ok(witnessed) => answer(witnessed),
        Err(error) => {
            tracing::error!(error, "a checkpoint of another log is not witnessed");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "what was seen cannot be kept; the log says why")
        }
    }
}

fn answer(witnessed: Witnessed) -> Response<Body> {
    match witnessed {
        Witnessed::Cosigned(line) => text(StatusCode::OK, &line),
        Witnessed::Conflict(size) => {
            let mut response = text(StatusCode::CONFLICT, &format!("{size}\n"));
            response.headers_mut().insert(header::CONTENT_TYPE, SIZE);
            response
        }
        Witnessed::Malformed(why) => refuse(StatusCode::BAD_REQUEST, &why),
        Witnessed::Unsigned => refuse(StatusCode::FORBIDDEN, "no key of that log signed it"),
        Witnessed::Unknown => refuse(StatusCode::NOT_FOUND, "no log of that name is watched here"),
        Witnessed::Inconsistent => {
            refuse(StatusCode::UNPROCESSABLE_ENTITY, "the proof does not lead here from what was seen")
        }
    }
}
