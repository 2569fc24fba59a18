//! A server of 2026-07-28 asks for input, and its client speaks an earlier revision: the client is sent requests, and the
//! call is made again with what it answers.

use std::pin::Pin;

use bytes::Bytes;
use omni_protocol::{Message, Splice, object_with};
use omni_proxy::{Exchange, Outgoing, Place};
use omni_types::{Fault, FaultKind};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::stage::input::{fits, legacy_request, read, without_round};
use crate::stage::passage::Passage;
use crate::stage::translate::with_progress_token;

/// The questions for the client, and what becomes of the call once they are answered.
pub(super) type Begun = (Vec<Bytes>, Pin<Box<dyn Future<Output = Result<(Exchange, Place), Fault>> + Send>>);

/// Begins a round: `result` says what the server wants to know, `again` is the call as it was sent.
///
/// # Errors
/// When the client cannot be asked.
pub(super) fn begin(passage: &Passage, result: &str, again: Outgoing) -> Result<Begun, Fault> {
    let link = passage.link();
    let server = link.server().clone();
    let broken = |why: String| Fault::new(FaultKind::ServerBroken, format!("server `{server}` asks for input: {why}"));
    let wanted = read(result).map_err(broken)?;
    let Some(session) = passage.session() else {
        return Err(Fault::new(FaultKind::Internal, "a round needs a session"));
    };
    if let Some(request) = wanted.requests.iter().find(|r| !fits(session.version, &session.profile.capabilities, r)) {
        let why = format!(
            "server `{server}` asks for input by `{}`, which this client cannot give: it speaks {} and did not declare it",
            request.method,
            session.version.as_str()
        );
        return Err(Fault::new(FaultKind::NotBridged, why));
    }
    let mut questions = Vec::with_capacity(wanted.requests.len());
    let mut answers = Vec::with_capacity(wanted.requests.len());
    for request in wanted.requests {
        let (to, answer) = oneshot::channel();
        let Some(number) = session.ask_for_hub(&server, to) else {
            return Err(Fault::new(FaultKind::Busy, "too many requests wait for this client"));
        };
        questions.push(Bytes::from(legacy_request(number, &request)));
        answers.push((request, answer));
    }
    let (link, wait, account) = (std::sync::Arc::clone(link), passage.input_wait(), passage.account());
    let round = async move {
        let collecting = async {
            let mut responses = Vec::with_capacity(answers.len());
            for (request, answer) in answers {
                let gone = |_| Fault::new(FaultKind::SessionNotFound, "the session ended before its client answered");
                responses.push(given(&request.key, &request.method, &answer.await.map_err(gone)?)?);
            }
            Ok::<_, Fault>(responses)
        };
        let late = || {
            let why =
                format!("server `{server}` asked for input, and the client did not answer in {} s", wait.as_secs());
            Fault::new(FaultKind::InvalidRequest, why)
        };
        let responses = tokio::time::timeout(wait, collecting).await.unwrap_or_else(|_| Err(late()))?;
        let outgoing = repeat(&again, link.next_id(), &responses, wanted.state.as_deref())
            .map_err(|e| Fault::new(FaultKind::Internal, format!("the call cannot be made again: {e}")))?;
        // The call left its place at the server to others while its client was asked.
        let place = link.enter(|| account).await.map_err(|e| link.fault(&e))?;
        Ok((link.exchange(outgoing).await.map_err(|e| link.fault(&e))?, place))
    };
    Ok((questions, Box::pin(round)))
}

/// One member of `inputResponses`.
fn given(key: &str, method: &str, answer: &Message) -> Result<String, Fault> {
    match answer.result() {
        Some(result) => Ok(format!("{}:{result}", Value::from(key))),
        // 2026-07-28 has no way to tell a server that its client failed, so the call ends here.
        None => {
            let error = answer.error().unwrap_or("{}");
            let why = format!("the client answered `{method}` with an error, so the call cannot go on: {error}");
            Err(Fault::new(FaultKind::InvalidRequest, why))
        }
    }
}

/// The call under a new id, with the client's answers and the server's state.
fn repeat(
    call: &Outgoing,
    id: u64,
    responses: &[String],
    state: Option<&str>,
) -> Result<Outgoing, Box<dyn std::error::Error + Send + Sync>> {
    let message = Message::parse(call.body.clone())?;
    let params = message.params().unwrap_or("{}");
    let mut params = without_round(params)?;
    if call.progress_token.is_some() {
        params = with_progress_token(&params, id)?;
    }
    let mut added = Vec::new();
    if !responses.is_empty() {
        added.push(format!(r#""inputResponses":{{{}}}"#, responses.join(",")));
    }
    if let Some(state) = state {
        added.push(format!(r#""requestState":{state}"#));
    }
    let params = object_with(&params, &added.join(","));
    let mut splice = Splice::new();
    if let Some(range) = message.id_range() {
        splice.replace(range, id.to_string().into_bytes());
    }
    if let Some(range) = message.params_range() {
        splice.replace(range, params.into_bytes());
    }
    Ok(Outgoing { body: splice.apply(message.bytes()).into(), id, ..call.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use omni_protocol::Method;
    use omni_proxy::Outgoing;

    use super::repeat;

    #[test]
    fn tool_3_the_call_is_made_again_with_the_newest_answers_alone() {
        let body = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"t","arguments":{"n":1.50},"_meta":{"progressToken":3}}}"#;
        let call = Outgoing {
            body: Bytes::from_static(body.as_bytes()),
            id: 3,
            method: Method::ToolsCall,
            name: Some("t".to_owned()),
            headers: Vec::new(),
            progress_token: Some("\"mine\"".to_owned()),
        };
        let second = repeat(&call, 4, &[r#""a":{"x":1}"#.to_owned()], Some(r#""s""#)).unwrap();
        let third = repeat(&second, 5, &[r#""b":{}"#.to_owned()], None).unwrap();
        let text = |call: &Outgoing| String::from_utf8(call.body.to_vec()).unwrap();
        assert!(text(&second).contains(r#""inputResponses":{"a":{"x":1}},"requestState":"s""#), "{}", text(&second));
        assert!(text(&second).contains(r#""progressToken":4"#) && text(&second).contains("1.50"));
        assert!(text(&third).contains(r#""inputResponses":{"b":{}}"#) && !text(&third).contains("requestState"));
        assert!(text(&third).starts_with(r#"{"jsonrpc":"2.0","id":5,"#) && !text(&third).contains("\"a\""));
    }
}
