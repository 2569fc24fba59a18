//! How servers say with 400 that they do not know a session, where the specification says 404.
//!
//! What is taken for that is asked for a second time, so it has to be certain that nothing ran: only the sentences count
//! that the SDKs write before they give a request to anybody. Whatever else a server says with 400 is its answer.

use http::StatusCode;
use omni_protocol::Message;
use serde::Deserialize;

/// The TypeScript SDK's examples and the servers made after them, with the id of the request or none; the Python SDK up to
/// 1.9, as plain text.
const NO_VALID_ID: &str = "Bad Request: No valid session ID provided";
/// The TypeScript SDK's transport, which has not looked at the request then: it says so under no id.
const NOT_INITIALIZED: &str = "Bad Request: Server not initialized";
/// The code of both.
const CODE: i64 = -32000;

/// Whether an answer under `status` says that.
pub(super) fn says_session_lost(status: StatusCode, answer: &Message) -> bool {
    #[derive(Deserialize)]
    struct Error {
        code: i64,
        message: String,
    }
    if status != StatusCode::BAD_REQUEST {
        return false;
    }
    let Some(error) = answer.error().and_then(|error| serde_json::from_str::<Error>(error).ok()) else { return false };
    let is_of_none = answer.id().is_none_or(|id| id == "null");
    error.code == CODE && (error.message == NO_VALID_ID || (error.message == NOT_INITIALIZED && is_of_none))
}

/// Whether a body that is no JSON says that.
pub(super) fn writes_session_lost(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::BAD_REQUEST && body.trim_ascii() == NO_VALID_ID.as_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::StatusCode;
    use omni_protocol::Message;

    use super::{NO_VALID_ID, NOT_INITIALIZED, says_session_lost, writes_session_lost};

    fn says(status: u16, id: &str, code: i64, message: &str) -> bool {
        let text = format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":{code},"message":"{message}"}}}}"#);
        let answer = Message::parse(text.into_bytes().into()).unwrap();
        says_session_lost(StatusCode::from_u16(status).unwrap(), &answer)
    }

    #[test]
    fn gw_1_only_the_sdks_own_words_mean_that_a_session_is_lost() {
        for id in [r#""id":null,"#, r#""id":7,"#] {
            assert!(says(400, id, -32000, NO_VALID_ID), "{id}");
        }
        assert!(says(400, r#""id":null,"#, -32000, NOT_INITIALIZED));
        assert!(!says(400, r#""id":7,"#, -32000, NOT_INITIALIZED), "a call that failed in these words");
        assert!(!says(200, r#""id":7,"#, -32000, NO_VALID_ID));
        assert!(!says(400, r#""id":7,"#, -32602, NO_VALID_ID));
        for other in ["the database session expired", "Session not found", "bad request: no valid session id provided"]
        {
            assert!(!says(400, r#""id":null,"#, -32000, other), "{other}");
        }
        assert!(writes_session_lost(StatusCode::BAD_REQUEST, b"Bad Request: No valid session ID provided\n"));
        assert!(!writes_session_lost(StatusCode::BAD_REQUEST, b"no session"));
        assert!(!writes_session_lost(StatusCode::OK, NO_VALID_ID.as_bytes()));
    }
}
