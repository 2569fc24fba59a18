//! JSON-RPC 2.0: what a line holds, and how an answer is put.

use serde_json::{Map, Value, json};

/// Not JSON.
pub(crate) const PARSE_ERROR: i64 = -32700;
/// JSON, but no request.
pub(crate) const INVALID_REQUEST: i64 = -32600;
/// No such method in this revision.
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters do not fit; also an unknown tool, and since 2026-07-28 an unknown resource.
pub(crate) const INVALID_PARAMS: i64 = -32602;
/// The server's own failure.
pub(crate) const INTERNAL_ERROR: i64 = -32603;
/// An unknown resource, before 2026-07-28.
pub(crate) const RESOURCE_NOT_FOUND: i64 = -32002;
/// The protocol version of the request is not served.
pub(crate) const UNSUPPORTED_VERSION: i64 = -32022;

/// A JSON-RPC error.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl Fault {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(crate) fn with(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The error as a message; `Value::Null` where the id could not be read.
    pub(crate) fn reply(self, id: &Value) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = self.data {
            error["data"] = data;
        }
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    }
}

/// A request, still unchecked beyond its envelope.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Map<String, Value>,
}

/// One message.
#[derive(Debug)]
pub(crate) enum Message {
    Request(Request),
    Notification {
        method: String,
        params: Map<String, Value>,
    },
    /// An answer to a request that this side never sends.
    Answer,
}

/// Reads the envelope. The error is the reply to send.
pub(crate) fn parse(value: Value) -> Result<Message, Value> {
    let Value::Object(mut object) = value else {
        return Err(Fault::new(INVALID_REQUEST, "a message must be a JSON object").reply(&Value::Null));
    };
    let id = object.remove("id");
    let readable_id = match &id {
        Some(id @ (Value::String(_) | Value::Number(_))) => id.clone(),
        _ => Value::Null,
    };
    let refuse = |text: &str| Err(Fault::new(INVALID_REQUEST, text).reply(&readable_id));
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return refuse("member 'jsonrpc' must be \"2.0\"");
    }
    let Some(method) = object.remove("method") else {
        let is_answer = object.contains_key("result") || object.contains_key("error");
        return if is_answer { Ok(Message::Answer) } else { refuse("member 'method' is missing") };
    };
    let Value::String(method) = method else {
        return refuse("member 'method' must be a string");
    };
    let params = match object.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return refuse("member 'params' must be an object"),
    };
    match id {
        None => Ok(Message::Notification { method, params }),
        Some(id @ (Value::String(_) | Value::Number(_))) => Ok(Message::Request(Request { id, method, params })),
        Some(_) => refuse("member 'id' must be a string or a number"),
    }
}

/// A successful answer.
pub(crate) fn success(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(value: Value) -> (Value, i64) {
        match parse(value) {
            Err(reply) => (reply["id"].clone(), reply["error"]["code"].as_i64().unwrap_or_default()),
            Ok(message) => (json!(format!("accepted {message:?}")), 0),
        }
    }

    #[test]
    fn what_is_no_message_is_refused_under_its_id_where_it_has_one() {
        assert_eq!(refusal(json!(5)), (Value::Null, INVALID_REQUEST));
        assert_eq!(refusal(json!({"id": 7, "method": "ping"})), (json!(7), INVALID_REQUEST));
        assert_eq!(refusal(json!({"jsonrpc": "2.0", "id": "a"})), (json!("a"), INVALID_REQUEST));
        assert_eq!(refusal(json!({"jsonrpc": "2.0", "id": null, "method": "ping"})), (Value::Null, INVALID_REQUEST));
        assert_eq!(refusal(json!({"jsonrpc": "2.0", "id": 1, "method": 4})), (json!(1), INVALID_REQUEST));
        assert_eq!(
            refusal(json!({"jsonrpc": "2.0", "id": 1, "method": "m", "params": []})),
            (json!(1), INVALID_REQUEST)
        );
    }

    #[test]
    fn requests_notifications_and_answers_are_told_apart() {
        assert!(matches!(parse(json!({"jsonrpc": "2.0", "id": "x", "method": "m"})), Ok(Message::Request(_))));
        assert!(matches!(parse(json!({"jsonrpc": "2.0", "method": "m"})), Ok(Message::Notification { .. })));
        assert!(matches!(parse(json!({"jsonrpc": "2.0", "id": 1, "result": {}})), Ok(Message::Answer)));
    }
}
