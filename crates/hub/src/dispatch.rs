//! One message in, one reply out: the only door into the flows. Each call's record is opened and closed here.

use std::pin::{Pin, pin};
use std::sync::Arc;

use omni_auth::Identified;
use omni_protocol::{Era, Message, MessageKind, Method, Version};
use omni_telemetry::{in_trace, within_trace};
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::flow;
use crate::record::{CallRecord, End};
use crate::reply::Reply;
use crate::stage::{ID_BYTES_MAX, Received, Sanitized, Validated, told, validate};

/// Answers one message.
///
/// The first stage runs here, because the method decides on the flow; every flow takes it from there.
pub async fn dispatch(hub: &Arc<Hub>, received: Received) -> Reply {
    let mut record = CallRecord::open(hub.audit(), &received);
    let (body, sender) = (received.body.clone(), received.sender.clone());
    let says = received.headers.version.as_deref().and_then(Version::parse);
    let known = received.session.as_ref().map(|session| session.version);
    let validated = match validate(hub, received) {
        Ok(validated) => validated,
        Err(fault) => {
            let version = match fault.kind() {
                FaultKind::MissingMeta
                | FaultKind::MissingCapability
                | FaultKind::HeaderMismatch
                | FaultKind::UnsupportedVersion => Version::LATEST,
                FaultKind::MethodNotFound => known.unwrap_or(Version::LATEST),
                _ => known.or(says).unwrap_or(Version::LATEST_LEGACY),
            };
            let fault = record.close(End::Fault(&fault, None)).await.err().unwrap_or(fault);
            return Reply::Failed { fault, id: readable_id(&body), version };
        }
    };
    let version = validated.version();
    let id = validated.message().id().map(str::to_owned);
    record.read(&validated);
    let trace = record.trace();
    let done = {
        // Pinned here: handed on by value it would be moved twice, and it is the largest thing of a call.
        let work = pin!(run(hub, validated, &mut record));
        within_trace(trace, while_it_stands(hub, &sender, work)).await
    };
    let fault = match done {
        Ok(reply) => match answered(reply, record).await {
            Ok(reply) => return reply,
            Err(fault) => fault,
        },
        Err(fault) => {
            let asked = std::str::from_utf8(&body).unwrap_or_default();
            let (told, error_id) = in_trace(trace, || told(hub, &fault, asked));
            match record.close(End::Fault(&fault, error_id.as_deref())).await {
                Ok(()) => told.unwrap_or(fault),
                Err(fault) => fault,
            }
        }
    };
    match tool_error(&fault, id.as_deref(), version) {
        Some(answer) => Reply::Answer(Box::new(answer)),
        None => Reply::Failed { fault, id, version },
    }
}

/// Does `work` for as long as what `sender` showed holds. When that ends, so does the call, and what its server answered is not
/// given away. (An answer that comes in pieces is held to the same by who writes it.)
async fn while_it_stands<T>(
    hub: &Hub,
    sender: &Identified,
    work: Pin<&mut impl Future<Output = Result<T, Fault>>>,
) -> Result<T, Fault> {
    let done = tokio::select! {
        // What is answered at once is not watched.
        biased;
        done = work => done?,
        refusal = sender.revoked() => return Err(hub.refused(sender, &refusal)),
    };
    sender.stands().map_err(|refusal| hub.refused(sender, &refusal))?;
    Ok(done)
}

/// Closes the record of a call that was answered, or leaves that to what is still to come.
///
/// # Errors
/// When nothing may be answered without a record, and there cannot be one.
async fn answered(mut reply: Reply, mut record: CallRecord) -> Result<Reply, Fault> {
    let mut is_error = false;
    if let Reply::Answer(sanitized) = &mut reply {
        if let Some(rest) = sanitized.rest_mut() {
            rest.keep(record);
            return Ok(reply);
        }
        is_error = sanitized.is_error();
    }
    record.close(End::Answered { is_error }).await?;
    Ok(reply)
}

/// Arguments that do not fit are told to the model, which can mend them (2025-11-25 and later, server/tools, "Error
/// Handling"); before, they are an error of the protocol.
fn tool_error(fault: &Fault, id: Option<&str>, version: Version) -> Option<Sanitized> {
    if fault.kind() != FaultKind::UnfitArguments || version < Version::V2025_11_25 {
        return None;
    }
    let text = serde_json::Value::from(fault.public());
    let kind = if version.era() == Era::Modern { r#""resultType":"complete","# } else { "" };
    let result = format!(r#"{{{kind}"content":[{{"type":"text","text":{text}}}],"isError":true}}"#);
    Some(Sanitized::own(id?, &result))
}

async fn run(hub: &Arc<Hub>, validated: Validated, record: &mut CallRecord) -> Result<Reply, Fault> {
    match validated.message().kind() {
        MessageKind::Notification => return Box::pin(flow::notify::notify(hub, validated)).await,
        MessageKind::Response => return Box::pin(flow::respond::respond(hub, validated)).await,
        MessageKind::Request => {}
    }
    let method = validated.method().cloned().unwrap_or_else(|| Method::parse(""));
    match method {
        Method::ToolsCall => answer(flow::call_tool::call_tool(hub, validated, record).await),
        Method::PromptsGet => answer(flow::get_prompt::get_prompt(hub, validated, record).await),
        Method::ResourcesRead => answer(flow::read_resource::read_resource(hub, validated, record).await),
        Method::Complete => answer(flow::complete::complete(hub, validated, record).await),
        Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
            answer(Box::pin(flow::subscribe::subscribe(hub, validated, record)).await)
        }
        Method::List(kind) => answer(flow::list::list(hub, validated, kind).await),
        Method::Initialize => Box::pin(flow::initialize::initialize(hub, validated)).await,
        Method::Discover => answer(flow::discover::discover(hub, validated).await),
        Method::Listen => Box::pin(flow::listen::listen(hub, validated)).await,
        Method::SetLevel => answer(Box::pin(flow::set_level::set_level(hub, validated)).await),
        Method::Ping => answer(flow::ping::ping(hub, validated)),
        Method::TasksGet | Method::TasksUpdate | Method::TasksCancel | Method::TasksResult => {
            answer(Box::pin(flow::task::task(hub, validated, record)).await)
        }
        Method::Other(_) => answer(Box::pin(flow::other::other(hub, validated, record)).await),
        _ => Err(flow::other::unknown_method(&validated)),
    }
}

fn answer(done: Result<Sanitized, Fault>) -> Result<Reply, Fault> {
    done.map(|sanitized| Reply::Answer(Box::new(sanitized)))
}

/// The id of a message that is otherwise no good, so that its sender learns which one it was.
fn readable_id(body: &bytes::Bytes) -> Option<String> {
    if let Ok(message) = Message::parse(body.clone()) {
        return message.id().filter(|id| id.len() <= ID_BYTES_MAX).map(str::to_owned);
    }
    // serde reads a struct out of an array too: the first of a batch would be taken for an id.
    if omni_protocol::is_batch(body) {
        return None;
    }
    #[derive(serde::Deserialize)]
    struct OnlyId<'a> {
        #[serde(borrow)]
        id: &'a serde_json::value::RawValue,
    }
    let found: OnlyId<'_> = serde_json::from_slice(body).ok()?;
    let text = found.id.get();
    let is_id = matches!(text.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9')) && text.len() <= ID_BYTES_MAX;
    is_id.then(|| text.to_owned())
}
