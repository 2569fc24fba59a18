//! `POST /audit/rotate`: a new key for the audit log of the hub that runs.

use http::StatusCode;
use omni_audit::LogKey;
use omni_hub::Action;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::problem::Problem;
use crate::admin::reply::Done;
use crate::admin::route::{Answering, Route, Verb, reads};

/// Which key.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Which {
    /// The key that signs checkpoints. The one before vouches for it in a record.
    Signing,
    /// The key that wraps the data keys.
    Encryption,
}

/// Which key is to be a new one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rotate {
    key: Which,
}

/// The key is a new one; what was written before can still be read and verified.
#[derive(Debug, Serialize, JsonSchema)]
struct Rotated {
    key: Which,
    /// The public key that checkpoints are signed by from now on (`NAME+HASH+KEY`); of the signing key alone.
    public: Option<String>,
}

pub(super) const ROTATE: Route = Route {
    method: Verb::Post,
    summary: "Gives the audit log a new key. No record is rewritten, and all that were written stay readable.",
    request: Some(|schemas| schemas.subschema_for::<Rotate>()),
    problems: &[409],
    action: Action::AdminKeys,
    ..reads(
        "/audit/rotate",
        "audit-rotate",
        |ask| -> Answering<'_> {
            Box::pin(async move {
                let Rotate { key } = ask.body()?;
                let which = match key {
                    Which::Signing => LogKey::Signing,
                    Which::Encryption => LogKey::Encryption,
                };
                let audit = ask.administration.hub().audit().clone();
                // It waits for the disk.
                let rotated = tokio::task::spawn_blocking(move || audit.rotate_key(which)).await;
                let failed = |why: String| Problem::new(StatusCode::CONFLICT, format!("the key is as it was: {why}"));
                let public = rotated.map_err(|error| error.to_string()).and_then(|rotated| rotated).map_err(failed)?;
                let done = Done::ok(&Rotated { key, public: public.clone() })?;
                Ok(done.about(public.unwrap_or_else(|| "the audit log's encryption key".to_owned())))
            })
        },
        |schemas| schemas.subschema_for::<Rotated>(),
    )
};
