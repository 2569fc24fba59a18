//! Records as OpenTelemetry log records, in the JSON encoding of OTLP (opentelemetry-proto, "JSON Protobuf Encoding").

use omni_audit::export::json as fields;
use omni_audit::{FieldName, SCHEMA_VERSION, Seen};
use serde_json::{Value, json};

/// OpenTelemetry's numbers for `INFO` and `WARN`.
const INFO: u8 = 9;
const WARN: u8 = 13;

/// One request for all of `records`.
pub(super) fn request(records: &[Seen]) -> String {
    let records: Vec<Value> = records.iter().map(record).collect();
    let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let resource = [attribute("service.name", "omni-mcp-hub"), attribute("service.version", env!("CARGO_PKG_VERSION"))];
    let scope = json!({ "name": "omni.audit", "version": SCHEMA_VERSION.to_string() });
    let scopes = json!([{ "scope": scope, "logRecords": records }]);
    json!({ "resourceLogs": [{ "resource": { "attributes": resource }, "scopeLogs": scopes }] }).to_string()
}

fn record(record: &Seen) -> Value {
    let text = |name: FieldName| record.text(name.as_str());
    let of = |name| text(name).unwrap_or_default();
    // 64-bit numbers are texts in the JSON of protobuf.
    let nanos = i128::from(record.time_us) * 1_000;
    let went_well = matches!(of(FieldName::Outcome), "success" | "pending");
    let (number, severity) = if went_well { (INFO, "INFO") } else { (WARN, "WARN") };
    let Value::Object(fields) = fields(record) else { return Value::Null };
    let attributes: Vec<Value> = fields
        .into_iter()
        .filter(|(name, _)| name != "time")
        .map(|(name, value)| json!({ "key": format!("omni.audit.{name}"), "value": any(value) }))
        .collect();
    let what = [FieldName::Action, FieldName::Server, FieldName::Name, FieldName::Outcome];
    let body: Vec<&str> = what.into_iter().filter_map(text).collect();
    let mut told = json!({
        "timeUnixNano": nanos.to_string(),
        "observedTimeUnixNano": nanos.to_string(),
        "severityNumber": number,
        "severityText": severity,
        "eventName": format!("omni.audit.{}", of(FieldName::Kind)),
        "body": { "stringValue": body.join(" ") },
        "attributes": attributes,
    });
    if let Some(trace) = text(FieldName::TraceId) {
        told["traceId"] = trace.into();
    }
    told
}

/// A value as an `AnyValue`.
fn any(value: Value) -> Value {
    match value {
        Value::String(text) => json!({ "stringValue": text }),
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::Array(list) => {
            let values: Vec<Value> = list.into_iter().map(any).collect();
            json!({ "arrayValue": { "values": values } })
        }
        other => json!({ "stringValue": other.to_string() }),
    }
}
