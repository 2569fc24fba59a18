//! The one place where a fault becomes an answer: HTTP status and JSON-RPC error, in the words of the client's revision.

use omni_protocol::{Era, ErrorCode, Version, error_response, resource_not_found};
use omni_types::{Fault, FaultKind};

/// The JSON-RPC error of `fault`.
pub(crate) fn body(fault: &Fault, id: Option<&str>, version: Version) -> Vec<u8> {
    error_response(id, code(fault.kind(), version), fault.public(), fault.data())
}

fn code(kind: FaultKind, version: Version) -> ErrorCode {
    match kind {
        FaultKind::Unparsable => ErrorCode::PARSE,
        FaultKind::InvalidRequest | FaultKind::SessionRequired | FaultKind::SessionNotFound => {
            ErrorCode::INVALID_REQUEST
        }
        FaultKind::MethodNotFound => ErrorCode::METHOD_NOT_FOUND,
        FaultKind::InvalidParams | FaultKind::UnfitArguments | FaultKind::MissingMeta => ErrorCode::INVALID_PARAMS,
        FaultKind::HeaderMismatch => ErrorCode::HEADER_MISMATCH,
        FaultKind::MissingCapability => ErrorCode::MISSING_CLIENT_CAPABILITY,
        FaultKind::UnsupportedVersion => ErrorCode::UNSUPPORTED_VERSION,
        FaultKind::ResourceNotFound => resource_not_found(version),
        FaultKind::Unauthenticated => ErrorCode::UNAUTHENTICATED,
        FaultKind::Denied | FaultKind::InsufficientScope => ErrorCode::DENIED,
        FaultKind::Busy => ErrorCode::BUSY,
        FaultKind::TooLarge => ErrorCode::TOO_LARGE,
        FaultKind::ServerUnavailable | FaultKind::NotRecorded => ErrorCode::SERVER_UNAVAILABLE,
        FaultKind::ServerTimeout => ErrorCode::SERVER_TIMEOUT,
        FaultKind::ServerBroken => ErrorCode::SERVER_BROKEN,
        FaultKind::NotBridged => ErrorCode::NOT_BRIDGED,
        FaultKind::Cancelled | FaultKind::Internal => ErrorCode::INTERNAL,
    }
}

/// The HTTP status under which it is sent. Before 2026-07-28 an error is an answer like any other, and 404 means that
/// the session is gone.
pub(crate) fn status(kind: FaultKind, version: Version) -> u16 {
    let modern = version.era() == Era::Modern;
    match kind {
        FaultKind::Unparsable
        | FaultKind::InvalidRequest
        | FaultKind::SessionRequired
        | FaultKind::MissingMeta
        | FaultKind::HeaderMismatch
        | FaultKind::MissingCapability
        | FaultKind::UnsupportedVersion => 400,
        FaultKind::SessionNotFound => 404,
        FaultKind::MethodNotFound if modern => 404,
        FaultKind::Unauthenticated => 401,
        FaultKind::Denied | FaultKind::InsufficientScope => 403,
        FaultKind::TooLarge => 413,
        FaultKind::Busy => 429,
        FaultKind::NotRecorded => 503,
        _ => 200,
    }
}

#[cfg(test)]
mod tests {
    use omni_protocol::Version;
    use omni_types::{Fault, FaultKind};

    use super::{body, status};

    #[test]
    fn a_legacy_client_never_sees_404_for_an_unknown_method() {
        assert_eq!(status(FaultKind::MethodNotFound, Version::V2025_11_25), 200);
        assert_eq!(status(FaultKind::MethodNotFound, Version::V2026_07_28), 404);
    }

    #[test]
    fn tool_7_a_denial_is_403_in_both_places() {
        assert_eq!(status(FaultKind::Denied, Version::V2025_11_25), 403);
        let text = body(&Fault::new(FaultKind::Denied, "no"), Some("7"), Version::V2025_11_25);
        assert_eq!(text, br#"{"jsonrpc":"2.0","id":7,"error":{"code":403,"message":"no"}}"#);
    }
}
