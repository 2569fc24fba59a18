//! Messages that the hub writes itself. Values are JSON texts already.

use crate::error_code::ErrorCode;

/// `{"jsonrpc":"2.0","id":…,"method":…,"params":…}`
#[must_use]
pub fn request(id: u64, method: &str, params: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#).into_bytes()
}

/// `{"jsonrpc":"2.0","method":…,"params":…}`
#[must_use]
pub fn notification(method: &str, params: Option<&str>) -> Vec<u8> {
    match params {
        Some(params) => format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#),
        None => format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#),
    }
    .into_bytes()
}

/// `{"jsonrpc":"2.0","id":…,"result":…}`
#[must_use]
pub fn response(id: &str, result: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into_bytes()
}

/// `{"jsonrpc":"2.0","id":…,"error":{…}}`; `id` is `null` where the request's could not be read.
#[must_use]
pub fn error_response(id: Option<&str>, code: ErrorCode, message: &str, data: Option<&str>) -> Vec<u8> {
    let message = serde_json::Value::from(message).to_string();
    let data = data.map(|d| format!(r#","data":{d}"#)).unwrap_or_default();
    let id = id.unwrap_or("null");
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{},"message":{message}{data}}}}}"#, code.0).into_bytes()
}
