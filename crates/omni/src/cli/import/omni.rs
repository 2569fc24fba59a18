//! The hub we inherit: `omni-config.yaml` in all the forms that its documents, examples and charts use, and the older `.mcp-config.json`.

use serde_json::{Map, Value};

use crate::cli::import::entry;
use crate::cli::import::found::{File, Found, Outcome, Reading, Source};
use crate::cli::import::variables::{Scene, Syntax};
use crate::cli::{jsonc, places};
use crate::config::plain_yaml;

pub(crate) const SOURCE: Source = Source { name: "omni", places: |around| places::inherited(around).into(), read };

/// How deep a chart's values may hold a configuration in a configuration.
const NESTED_MAX: usize = 2;

fn read(file: &File<'_>) -> Result<Reading, String> {
    if jsonc::is_blank(file.text) {
        return Ok(Reading::default());
    }
    let json = file.path.extension().is_some_and(|extension| extension == "json");
    let root = if json { jsonc::parse(file.text)?.plain() } else { plain_yaml(file.text)? };
    let Value::Object(root) = root else { return Err("the file wants a map (`key: value`)".to_owned()) };
    let scene = Scene { syntax: Syntax::Inherited, base: file.path.parent(), around: file.around };
    let mut reading = Reading::default();
    configuration(&root, scene, &mut reading, 0)?;
    Ok(reading)
}

fn configuration(
    root: &Map<String, Value>,
    scene: Scene<'_>,
    reading: &mut Reading,
    depth: usize,
) -> Result<(), String> {
    let mut left = Vec::new();
    for (key, value) in root {
        match key.as_str() {
            "externalServers" => external(value, scene, reading)?,
            "mcpServers" => reading.found.extend(named(value, scene)?),
            // Helm's values: the configuration itself stands below `config.omniConfig`, as a map or as a text.
            "config" if depth < NESTED_MAX && value.get("omniConfig").is_some() => {
                let inner = match &value["omniConfig"] {
                    Value::String(text) => plain_yaml(text)?,
                    other => other.clone(),
                };
                if let Value::Object(inner) = inner {
                    configuration(&inner, scene, reading, depth + 1)?;
                }
            }
            _ => left.push(named_with_count(key, value)),
        }
    }
    if !left.is_empty() {
        reading.notes.push(format!("not imported: {} (this version takes over the servers only)", left.join(", ")));
    }
    Ok(())
}

/// `externalServers` as an object with `enabled` and `servers`, as a plain list, or as a map of servers.
fn external(value: &Value, scene: Scene<'_>, reading: &mut Reading) -> Result<(), String> {
    let Value::Object(section) = value else {
        reading.found.extend(named(value, scene)?);
        return Ok(());
    };
    if section.get("servers").is_none() && section.values().any(|entry| entry.get("command").is_some()) {
        reading.found.extend(named(value, scene)?);
        return Ok(());
    }
    let mut found = named(section.get("servers").unwrap_or(&Value::Null), scene)?;
    if section.get("enabled") == Some(&Value::Bool(false)) {
        for server in &mut found {
            server.outcome = Outcome::Skipped("externalServers.enabled is false".to_owned());
        }
    }
    reading.found.extend(found);
    let left: Vec<String> = section
        .keys()
        .filter(|key| !matches!(key.as_str(), "enabled" | "servers"))
        .map(|key| format!("externalServers.{key}"))
        .collect();
    if !left.is_empty() {
        reading.notes.push(format!("not imported: {}", left.join(", ")));
    }
    Ok(())
}

/// Servers in a list, each with its name, or in a map by name.
fn named(value: &Value, scene: Scene<'_>) -> Result<Vec<Found>, String> {
    let Value::Array(items) = value else { return entry::servers(value, scene) };
    let server = |(index, item): (usize, &Value)| match item["name"].as_str() {
        Some(name) => entry::server(name, item, scene),
        None => Found {
            outcome: Outcome::Skipped("has no name".to_owned()),
            ..entry::server(&format!("number {}", index + 1), item, scene)
        },
    };
    Ok(items.iter().enumerate().map(server).collect())
}

/// A key with what it holds, e.g. `autoLoad (2 profiles)`.
fn named_with_count(key: &str, value: &Value) -> String {
    let (list, of) = match key {
        "autoLoad" => (&value["profiles"], " profiles"),
        "profiles" | "initialProfiles" => (value, " profiles"),
        _ => (value, ""),
    };
    match list {
        Value::Array(items) if !of.is_empty() => format!("{key} ({}{of})", items.len()),
        Value::Object(map) if !of.is_empty() => format!("{key} ({}{of})", map.len()),
        _ => key.to_owned(),
    }
}
