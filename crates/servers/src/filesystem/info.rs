//! Tools that tell about files without reading them.

use std::sync::Arc;

use cap_std::fs::{Metadata, MetadataExt};
use cap_std::time::SystemTime;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::filesystem::list::kind_of;
use crate::filesystem::roots::Roots;
use crate::mcp::calendar::timestamp_of;
use crate::mcp::cancel::Cancel;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

pub(crate) fn tools(roots: &Arc<Roots>) -> Vec<Tool> {
    let info = json!({
        "type": "object",
        "properties": {
            "path": { "type": "string" },
            "type": { "type": "string" },
            "size": { "type": "integer" },
            "created": { "type": ["string", "null"] },
            "modified": { "type": ["string", "null"] },
            "accessed": { "type": ["string", "null"] },
            "isDirectory": { "type": "boolean" },
            "isFile": { "type": "boolean" },
            "permissions": { "type": "string" },
        },
        "required": ["path", "type", "size", "isDirectory", "isFile", "permissions"],
    });
    let directories = json!({
        "type": "object",
        "properties": { "directories": { "type": "array", "items": { "type": "string" } } },
        "required": ["directories"],
    });
    vec![
        Signature::new(
            "get_file_info",
            Hints::READS,
            "Tells size, times (ISO 8601, UTC), type and permissions of a file or directory, without reading it.",
        )
        .returns(info)
        .blocking(roots, file_info),
        Signature::new("list_allowed_directories", Hints::READS, "Lists the directories that this server may touch.")
            .returns(directories)
            .blocking(roots, list_allowed_directories),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Info {
    /// File or directory.
    path: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn file_info(roots: &Roots, arguments: Info, _: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    let metadata = place.dir.metadata(&place.inside).map_err(|error| place.failure("cannot look at", &error))?;
    let info = described(&place.shown.display().to_string(), &metadata);
    let line = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}: {value}")
    };
    let text = info.as_object().into_iter().flatten().map(line).collect::<Vec<_>>().join("\n");
    Ok(Outcome::both(text, info))
}

fn described(path: &str, metadata: &Metadata) -> Value {
    let time = |time: std::io::Result<SystemTime>| time.ok().map(|time| timestamp_of(time.into_std()));
    json!({
        "path": path,
        "type": kind_of(metadata.file_type()),
        "size": metadata.len(),
        "created": time(metadata.created()),
        "modified": time(metadata.modified()),
        "accessed": time(metadata.accessed()),
        "isDirectory": metadata.is_dir(),
        "isFile": metadata.is_file(),
        "permissions": format!("{:o}", metadata.mode() & 0o7777),
    })
}

fn list_allowed_directories(roots: &Roots, _: Nothing, _: &Cancel) -> Answer {
    let directories = roots.shown();
    Ok(Outcome::both(
        format!("Allowed directories:\n{}", directories.join("\n")),
        json!({ "directories": directories }),
    ))
}
