//! Whether a call is well formed for what it calls: arguments against the tool's schema and the operator's rules (rows VAL-1
//! to VAL-4). What has to be rewritten is rewritten before policy decides, so that it decides about what the server sees.

use std::ops::Range;
use std::sync::Arc;

use omni_protocol::{Method, Params, Splice, member};
use omni_proxy::Catalog;
use omni_screen::settings::{OutputSchema, UnusableSchema};
use omni_screen::{Odd, Screen, Violation, coerce};
use omni_types::{Fault, FaultKind};
use serde_json::Value;

use crate::Hub;
use crate::stage::validate::Validated;
use crate::tool_schemas::{Side, ToolSchemas};
use crate::view::Found;

/// Where something that a client writes freely lies in its message.
type Place = fn(&Params) -> Option<Range<usize>>;

/// Rewrites what the operator lets the hub rewrite: dangerous characters (row VAL-5), and values of another type than the
/// tool's schema wants (row VAL-2).
///
/// # Errors
/// When a character must be refused.
pub(super) async fn prepare(hub: &Hub, validated: &mut Validated, found: &Found) -> Result<(), Fault> {
    let screen = hub.screen();
    let server = found.server.name().as_str();
    let places: [Place; 4] = [
        |params| params.arguments_range.clone(),
        |params| params.input_responses_range.clone(),
        |params| params.completion_ranges[0].clone(),
        |params| params.completion_ranges[1].clone(),
    ];
    for place in places {
        // Looked up each time: what was rewritten before has moved the rest.
        let range = place(validated.params());
        let text = range.clone().and_then(|range| validated.message().bytes().get(range));
        let Some(text) = text.and_then(|bytes| std::str::from_utf8(bytes).ok()) else { continue };
        let harmless = screen.inward(server, &found.name, text).map_err(|why| {
            screen.counts().count(Odd::Request);
            let hint = "see `validation.characters` in the hub's configuration";
            unfit(validated, found, &[Violation::whole(&format!("what was sent {why}; {hint}"))])
        })?;
        if let (Some(text), Some(range)) = (harmless, range) {
            rewrite(validated, range, text)?;
        }
    }
    if !screen.coerce || validated.method() != Some(&Method::ToolsCall) {
        return Ok(());
    }
    let Some(range) = validated.params().arguments_range.clone() else { return Ok(()) };
    let Some(catalog) = catalog(hub, validated, found).await else { return Ok(()) };
    let Some(schemas) = ToolSchemas::of(&catalog) else { return Ok(()) };
    let schema = schemas.get(&catalog, found, Side::Input, &screen.schema_bounds);
    if let Some(Ok(schema)) = schema
        && let Some(text) = coerce(schema, validated.arguments())
    {
        rewrite(validated, range, text)?;
    }
    Ok(())
}

fn rewrite(validated: &mut Validated, range: std::ops::Range<usize>, text: String) -> Result<(), Fault> {
    let mut splice = Splice::new();
    splice.replace(range, text.into_bytes());
    let body = splice.apply(validated.message().bytes());
    validated.rewrite(body)
}

/// Holds a call's arguments against the tool's schema and the operator's rules.
///
/// # Errors
/// What does not fit, and where.
pub(super) async fn fits(hub: &Hub, validated: &Validated, found: &Found) -> Result<(), Fault> {
    let screen = hub.screen();
    let server = found.server.name().as_str();
    let has_rules = screen.has_rules(server, &found.name);
    let is_tool = validated.method() == Some(&Method::ToolsCall);
    if !(has_rules || is_tool && screen.arguments) {
        return Ok(());
    }
    let given = match validated.arguments() {
        // Some clients write what is absent so.
        "null" => "{}",
        text => text,
    };
    if is_tool && !given.trim_start().starts_with('{') {
        return Err(Fault::new(FaultKind::InvalidParams, "params.arguments must be an object"));
    }
    // A number that no double holds is another one to each side, or none.
    let arguments: Value = serde_json::from_str(given)
        .map_err(|error| unfit(validated, found, &[Violation::whole(&format!("cannot be read: {error}"))]))?;
    let mut wrong = Vec::new();
    if is_tool && screen.arguments {
        wrong = Box::pin(against_schema(hub, &screen, validated, found, &arguments)).await?;
    }
    if has_rules {
        wrong.extend(screen.break_rules(server, &found.name, &arguments));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    screen.counts().count(Odd::Request);
    Err(unfit(validated, found, &wrong))
}

async fn against_schema(
    hub: &Hub,
    screen: &Screen,
    validated: &Validated,
    found: &Found,
    arguments: &Value,
) -> Result<Vec<Violation>, Fault> {
    let server = found.server.name().as_str();
    let Some(catalog) = catalog(hub, validated, found).await else { return Ok(Vec::new()) };
    let Some(schemas) = ToolSchemas::of(&catalog) else { return Ok(Vec::new()) };
    match schemas.get(&catalog, found, Side::Input, &screen.schema_bounds) {
        Some(Ok(schema)) => {
            let mut wrong = schema.misfits(arguments);
            if !screen.case_variants {
                wrong.extend(schema.case_variants(arguments));
            }
            Ok(wrong)
        }
        Some(Err(error)) if screen.unusable_schema == UnusableSchema::Refuse => {
            let why = format!(
                "server `{server}`: arguments of `{}` cannot be checked: {error}; \
                 `validation.unusable_schema: pass` lets them through unchecked",
                found.name
            );
            Err(Fault::new(FaultKind::ServerBroken, why))
        }
        // A tool that its server does not list, or without a schema: the server has the last word on it.
        Some(Err(_)) | None => Ok(Vec::new()),
    }
}

/// Holds the structured content of a tool's result against the tool's output schema (row TOOL-5).
///
/// # Errors
/// When it does not fit, and the operator wants such answers refused.
pub(super) fn output_fits(hub: &Hub, validated: &Validated, found: &Found, result: &str) -> Result<(), Fault> {
    let screen = hub.screen();
    if screen.output_schema == OutputSchema::Pass {
        return Ok(());
    }
    let Some(content) = member(result, "structuredContent") else { return Ok(()) };
    let Some(catalog) = found.server.catalog_now(validated.profile()).catalog else { return Ok(()) };
    let Some(schemas) = ToolSchemas::of(&catalog) else { return Ok(()) };
    let Some(Ok(schema)) = schemas.get(&catalog, found, Side::Output, &screen.schema_bounds) else { return Ok(()) };
    let wrong = match serde_json::from_str::<Value>(content.get()) {
        Ok(value) => schema.violations(&value),
        Err(error) => vec![Violation::whole(&format!("cannot be read: {error}"))],
    };
    if wrong.is_empty() {
        return Ok(());
    }
    let (server, tool) = (found.server.name().as_str(), found.name.as_str());
    let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    let why = format!("server `{server}`: the answer of `{tool}` does not fit its output schema: {}", told.join("; "));
    tracing::warn!(target: "server", server, tool, "{why}");
    if screen.output_schema == OutputSchema::Refuse { Err(Fault::new(FaultKind::ServerBroken, why)) } else { Ok(()) }
}

/// What the server offers; waited for, within bounds, where it was not asked yet. A server that does not say is left its word.
async fn catalog(hub: &Hub, validated: &Validated, found: &Found) -> Option<Arc<Catalog>> {
    let profile = validated.profile();
    let state = found.server.catalog_now(profile);
    if state.is_settled() {
        return state.catalog;
    }
    Box::pin(found.server.settle(profile, hub.limits().settle_wait)).await;
    found.server.catalog_now(profile).catalog
}

/// Only a tool has a result that says what was wrong; to anything else that is an error.
fn unfit(validated: &Validated, found: &Found, wrong: &[Violation]) -> Fault {
    let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    let data = serde_json::to_string(wrong).unwrap_or_else(|_| "[]".to_owned());
    let is_tool = validated.method() == Some(&Method::ToolsCall);
    let kind = if is_tool { FaultKind::UnfitArguments } else { FaultKind::InvalidParams };
    Fault::new(kind, format!("Invalid arguments for `{}`: {}", found.name, told.join("; ")))
        .with_data(format!(r#"{{"violations":{data}}}"#))
}
