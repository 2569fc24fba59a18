//! Arguments of a tool that HTTP headers mirror (`x-mcp-header`, Streamable HTTP of 2026-07-28, "Custom Headers from Tool
//! Parameters"): which ones a tool's schema names, what their headers say, and whether given headers say it.

use serde_json::{Map, Value};

use crate::header::{decode_value, encode_value, names};

/// The annotation in a tool's schema.
const ANNOTATION: &str = "x-mcp-header";
/// Keywords that hold one schema or an array of them, through which no header may lead.
const HOLDING_SCHEMAS: [&str; 14] = [
    "items",
    "prefixItems",
    "additionalItems",
    "contains",
    "additionalProperties",
    "propertyNames",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
];
/// Keywords that hold schemas by name, through which no header may lead.
const HOLDING_NAMED: [&str; 4] = ["patternProperties", "dependentSchemas", "$defs", "definitions"];

/// The arguments of one tool that headers mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredParams {
    params: Vec<Mirrored>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirrored {
    /// `mcp-param-...`, in lower case.
    header: String,
    /// The keys of `properties` that lead to it.
    path: Vec<String>,
    is_integer: bool,
}

impl MirroredParams {
    /// Reads the JSON text of a tool; `None` when its schema names no header.
    ///
    /// # Errors
    /// When an annotation breaks the specification's rules: why the tool must not be shown.
    pub fn of_tool(tool: &str) -> Result<Option<Self>, String> {
        if !tool.contains(ANNOTATION) {
            return Ok(None);
        }
        let tool: Value = serde_json::from_str(tool).map_err(|e| e.to_string())?;
        let mut params = Vec::new();
        if let Some(Value::Object(schema)) = tool.get("inputSchema") {
            walk(schema, &mut Vec::new(), true, &mut params)?;
        }
        Ok((!params.is_empty()).then_some(Self { params }))
    }

    /// Name and value of each header for `arguments`, a JSON text.
    #[must_use]
    pub fn headers(&self, arguments: &str) -> Vec<(&str, String)> {
        let Ok(arguments) = serde_json::from_str::<Value>(arguments) else { return Vec::new() };
        let found = self.params.iter().filter_map(|param| {
            let text = text_of(param.value(&arguments)?)?;
            Some((param.header.as_str(), encode_value(&text).into_owned()))
        });
        found.collect()
    }

    /// Whether the headers say what the JSON text `arguments` says; `header` looks one up, and `None` in it stands for a
    /// value that is no plain ASCII.
    ///
    /// # Errors
    /// The header that does not, and why.
    pub fn check<'a>(&self, arguments: &str, header: impl Fn(&str) -> Option<Option<&'a str>>) -> Result<(), String> {
        let arguments: Value = serde_json::from_str(arguments).unwrap_or(Value::Null);
        for param in &self.params {
            let name = &param.header;
            let wanted = param.value(&arguments).and_then(text_of);
            match (header(name), wanted) {
                (None, None) => {}
                (None, Some(_)) => return Err(format!("the header {name} is missing")),
                (Some(_), None) => return Err(format!("{name} mirrors an argument that the body does not have")),
                (Some(given), Some(wanted)) => {
                    let given = given.and_then(decode_value);
                    let given = given.ok_or_else(|| format!("{name} holds no valid Base64 of UTF-8"))?;
                    if given != wanted && !(param.is_integer && is_same_number(&given, &wanted)) {
                        return Err(format!("{name} differs from the argument in the body"));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Mirrored {
    /// The argument; `null` is none.
    fn value<'a>(&self, arguments: &'a Value) -> Option<&'a Value> {
        let found = self.path.iter().try_fold(arguments, |at, key| at.get(key))?;
        (!found.is_null()).then_some(found)
    }
}

/// A primitive value as a header says it.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `42` and `42.0` are the same integer.
fn is_same_number(one: &str, other: &str) -> bool {
    matches!((one.parse::<f64>(), other.parse::<f64>()), (Ok(one), Ok(other)) if one == other)
}

/// Collects the annotations below `schema`; `reachable` tells whether `properties` alone led there.
fn walk(
    schema: &Map<String, Value>,
    path: &mut Vec<String>,
    reachable: bool,
    found: &mut Vec<Mirrored>,
) -> Result<(), String> {
    if let Some(annotation) = schema.get(ANNOTATION) {
        let mirrored = mirrored(annotation, schema, path, reachable)?;
        if found.iter().any(|other| other.header == mirrored.header) {
            return Err(format!("two arguments are mirrored in {}", mirrored.header));
        }
        found.push(mirrored);
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Value::Object(property) = property {
            path.push(name.clone());
            walk(property, path, reachable, found)?;
            path.pop();
        }
    }
    let single = HOLDING_SCHEMAS.into_iter().filter_map(|keyword| schema.get(keyword));
    let single = single.flat_map(|held| held.as_array().map_or(std::slice::from_ref(held), Vec::as_slice));
    let named = HOLDING_NAMED.into_iter().filter_map(|keyword| schema.get(keyword)?.as_object());
    for held in single.chain(named.flat_map(Map::values)).filter_map(Value::as_object) {
        walk(held, path, false, found)?;
    }
    Ok(())
}

fn mirrored(
    annotation: &Value,
    schema: &Map<String, Value>,
    path: &[String],
    reachable: bool,
) -> Result<Mirrored, String> {
    let name = annotation.as_str().ok_or_else(|| format!("{ANNOTATION} is no string"))?;
    if name.is_empty() || !name.bytes().all(is_tchar) {
        return Err(format!("{ANNOTATION} {name:?} is no name of a header"));
    }
    if !reachable || path.is_empty() {
        return Err(format!("{ANNOTATION} {name:?} stands where no chain of `properties` leads"));
    }
    let kind = schema.get("type").and_then(Value::as_str);
    if !matches!(kind, Some("string" | "integer" | "boolean")) {
        return Err(format!("{ANNOTATION} {name:?} is at an argument that is no string, integer or boolean"));
    }
    let header = format!("{}{}", names::PARAM_PREFIX, name.to_ascii_lowercase());
    Ok(Mirrored { header, path: path.to_vec(), is_integer: kind == Some("integer") })
}

/// RFC 9110, section 5.6.2.
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    fn of(properties: Value) -> Result<Option<MirroredParams>, String> {
        let schema = json!({ "type": "object", "properties": properties });
        MirroredParams::of_tool(&json!({ "name": "t", "inputSchema": schema }).to_string())
    }

    fn annotated(name: &str, kind: &str) -> Value {
        json!({ "type": kind, ANNOTATION: name })
    }

    #[test]
    fn headers_say_what_the_arguments_say() {
        let params = of(json!({
            "region": annotated("Region", "string"),
            "count": annotated("Count", "integer"),
            "dry": annotated("Dry", "boolean"),
            "where": { "type": "object", "properties": { "city": annotated("City", "string") } },
            "note": { "type": "string" },
        }));
        let params = params.unwrap().unwrap();
        let arguments = r#"{"region":" padded ","count":42,"dry":false,"where":{"city":"Zürich"},"note":"n"}"#;
        let mut headers = params.headers(arguments);
        headers.sort();
        let expected = [
            ("mcp-param-city", "=?base64?WsO8cmljaA==?="),
            ("mcp-param-count", "42"),
            ("mcp-param-dry", "false"),
            ("mcp-param-region", "=?base64?IHBhZGRlZCA=?="),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(params.headers(r#"{"region":null,"count":1}"#), [("mcp-param-count", "1".to_owned())]);
        let given = |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| Some(value.as_str()));
        assert_eq!(params.check(arguments, given), Ok(()));
    }

    #[test]
    fn headers_that_differ_lack_or_exceed_are_told() {
        let params = of(json!({ "r": annotated("R", "string"), "n": annotated("N", "integer") })).unwrap().unwrap();
        let check = |arguments: &str, headers: &[(&str, Option<&'static str>)]| {
            params.check(arguments, |name| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| *value))
        };
        assert_eq!(check(r#"{"r":"a","n":42}"#, &[("mcp-param-r", Some("a")), ("mcp-param-n", Some("42.0"))]), Ok(()));
        assert_eq!(check(r#"{"r":null}"#, &[]), Ok(()));
        assert_eq!(check(r#"{"r":"SGVsbG8="}"#, &[("mcp-param-r", Some("SGVsbG8="))]), Ok(()));
        assert_eq!(check(r#"{"r":"=?base64?eA"}"#, &[("mcp-param-r", Some("=?base64?eA"))]), Ok(()));
        for (arguments, headers, why) in [
            (r#"{"r":"a"}"#, vec![], "missing"),
            (r#"{"r":"a"}"#, vec![("mcp-param-r", Some("A"))], "differs"),
            (r#"{"n":42}"#, vec![("mcp-param-n", Some("43"))], "differs"),
            (r#"{}"#, vec![("mcp-param-r", Some("a"))], "does not have"),
            (r#"{"r":"Hello"}"#, vec![("mcp-param-r", Some("=?base64?SGVsbG8?="))], "no valid Base64"),
            (r#"{"r":"ü"}"#, vec![("mcp-param-r", None)], "no valid Base64"),
        ] {
            let told = check(arguments, &headers).unwrap_err();
            assert!(told.contains(why), "{arguments} {headers:?}: {told}");
        }
    }

    #[test]
    fn annotations_that_break_the_rules_are_refused() {
        for (properties, why) in [
            (json!({ "a": annotated("", "string") }), "no name"),
            (json!({ "a": annotated("My Region", "string") }), "no name"),
            (json!({ "a": annotated("Region:x", "string") }), "no name"),
            (json!({ "a": annotated("Région", "string") }), "no name"),
            (json!({ "a": annotated("R\r\n", "string") }), "no name"),
            (json!({ "a": { "type": "string", ANNOTATION: 7 } }), "no string"),
            (json!({ "a": annotated("R", "number") }), "no string, integer or boolean"),
            (json!({ "a": annotated("R", "object") }), "no string, integer or boolean"),
            (json!({ "a": annotated("R", "null") }), "no string, integer or boolean"),
            (json!({ "a": annotated("R", "string"), "b": annotated("r", "string") }), "two arguments"),
            (json!({ "a": { "type": "array", "items": annotated("R", "string") } }), "no chain"),
            (json!({ "a": { "anyOf": [annotated("R", "string")] } }), "no chain"),
            (json!({ "a": { "$defs": { "x": annotated("R", "string") } } }), "no chain"),
        ] {
            let told = of(properties.clone()).unwrap_err();
            assert!(told.contains(why), "{properties}: {told}");
        }
        let root = json!({ "name": "t", "inputSchema": { "type": "string", ANNOTATION: "R" } });
        assert!(MirroredParams::of_tool(&root.to_string()).is_err());
    }

    #[test]
    fn the_word_alone_is_no_annotation() {
        assert_eq!(of(json!({ "x-mcp-header": { "type": "string" } })), Ok(None));
        assert_eq!(of(json!({ "a": { "type": "object", "default": { "x-mcp-header": "" } } })), Ok(None));
        assert_eq!(of(json!({ "a": { "type": "string" } })), Ok(None));
    }
}
