//! `server/discover`: a client of 2026-07-28 asks what is there.

use std::sync::Arc;

use omni_protocol::{CacheHint, Version, meta_keys};
use omni_types::Fault;

use crate::Hub;
use crate::flow::hello::describe;
use crate::stage::{Sanitized, Validated, authenticate};

/// Answers from what is known.
pub(crate) async fn discover(hub: &Arc<Hub>, validated: Validated) -> Result<Sanitized, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let validated = authenticated.validated();
    let about = describe(hub, &validated.received().scope, authenticated.principal(), validated.profile()).await?;
    let instructions = about.instructions.map(|text| format!(r#","instructions":{text}"#)).unwrap_or_default();
    let result = format!(
        r#"{{"resultType":"complete","supportedVersions":["{}"],"capabilities":{}{instructions},{},"_meta":{{"{}":{}}}}}"#,
        Version::V2026_07_28.as_str(),
        about.capabilities,
        CacheHint::NONE.members(),
        meta_keys::SERVER_INFO,
        about.server_info
    );
    Ok(Sanitized::own(validated.message().id().unwrap_or("null"), &result))
}
