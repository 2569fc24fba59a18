//! Requests and answers carried between the eras, where client and server do not speak the same one.

use std::sync::Arc;

use omni_protocol::{
    CacheHint, Era, ErrorCode, Method, Splice, legacy_request, legacy_result, members, modern_request, modern_result,
    object_with, without_members,
};
use omni_proxy::Link;
use omni_types::{Fault, FaultKind};

use crate::stage::input::without_round;
use crate::stage::validate::{Caller, Validated};

/// JSON text of `params` as the server behind `link` has to see them. The name and the progress token are put in here,
/// since the text is written anew anyway.
pub(super) fn request_params(
    validated: &Validated,
    name: Option<&str>,
    progress_token: Option<u64>,
    link: &Arc<Link>,
) -> Result<String, Fault> {
    let internal = |e: serde_json::Error| Fault::new(FaultKind::InvalidParams, format!("params: {e}"));
    let own = validated.message().params().unwrap_or("{}");
    let renamed = match name {
        Some(name) => rename(validated, own, name),
        None => own.to_owned(),
    };
    let translated = match (link.version().era(), &validated.caller) {
        (Era::Legacy, _) => legacy_request(&renamed).and_then(|params| begun_anew(validated, params)),
        (Era::Modern, Caller::Session(session)) => {
            let (info, level) = (&session.profile.client_info, session.log_level());
            modern_request(Some(&renamed), info, &session.modern_capabilities(), level.as_deref())
        }
        (Era::Modern, _) => modern_request(Some(&renamed), r#"{"name":"unknown","version":"0"}"#, "{}", None),
    }
    .map_err(internal)?;
    match progress_token {
        None => Ok(translated),
        Some(token) => with_progress_token(&translated, token).map_err(internal),
    }
}

/// The parameters without the answers of a client that visited a URL and makes its call again: for a server of an earlier
/// revision it is a call like the first.
fn begun_anew(validated: &Validated, params: String) -> Result<String, serde_json::Error> {
    let (read, message) = (validated.params(), validated.message());
    if read.input_responses_range.is_none() && read.request_state.is_none() || message.params().is_none() {
        return Ok(params);
    }
    without_round(&params)
}

/// The parameters with the name, where it was read and judged, replaced by what the server calls the thing.
fn rename(validated: &Validated, own: &str, name: &str) -> String {
    let params = validated.params();
    let range = params.name_range.as_ref().or(params.uri_range.as_ref());
    let (Some(range), Some(whole)) = (range, validated.message().params_range()) else { return own.to_owned() };
    let mut splice = Splice::new();
    splice.replace(
        range.start - whole.start..range.end - whole.start,
        serde_json::Value::from(name).to_string().into_bytes(),
    );
    // Cut at the edges of a JSON string in valid UTF-8.
    String::from_utf8(splice.apply(own.as_bytes())).unwrap_or_else(|_| own.to_owned())
}

pub(super) fn with_progress_token(params: &str, token: u64) -> Result<String, serde_json::Error> {
    let found = members(params)?;
    let Some((_, meta)) = found.iter().find(|(key, _)| key == "_meta") else { return Ok(params.to_owned()) };
    let own = format!("\"progressToken\":{token}");
    let meta = object_with(&without_members(meta.get(), |key| key == "progressToken")?, &own);
    Ok(object_with(&without_members(params, |key| key == "_meta")?, &format!("\"_meta\":{meta}")))
}

/// JSON text of a result as a client of the other era has to see it.
pub(super) fn result_for(era: Era, method: &Method, result: &str, link: &Arc<Link>) -> Result<String, Fault> {
    let broken = |e: serde_json::Error| {
        let server = link.server();
        Fault::new(FaultKind::ServerBroken, format!("server `{server}`: its result is no object: {e}"))
    };
    match era {
        Era::Modern => {
            let hint = method.is_cacheable().then_some(CacheHint::NONE);
            modern_result(result, hint, link.hello().server_info.as_deref()).map_err(broken)
        }
        Era::Legacy => legacy_result(result).map_err(broken),
    }
}

/// JSON text of an error as a client of `era` has to see it: codes that only the other era has are translated.
pub(super) fn error_for(era: Era, method: &Method, error: &str, code: Option<ErrorCode>) -> Option<String> {
    let (from, to) = match (era, code?) {
        (Era::Modern, ErrorCode::RESOURCE_NOT_FOUND) => (ErrorCode::RESOURCE_NOT_FOUND, ErrorCode::INVALID_PARAMS),
        (Era::Legacy, ErrorCode::INVALID_PARAMS) if *method == Method::ResourcesRead && error.contains("\"uri\"") => {
            (ErrorCode::INVALID_PARAMS, ErrorCode::RESOURCE_NOT_FOUND)
        }
        _ => return None,
    };
    debug_assert_ne!(from, to);
    let rest = without_members(error, |key| key == "code").ok()?;
    Some(object_with(&rest, &format!("\"code\":{}", to.0)))
}
