//! A tool: its name, schema and hints, and the typed function behind it.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;

/// What a tool gives back when it worked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// Content blocks for the model.
    pub(crate) content: Vec<Value>,
    /// The same as data, where the tool has an output schema.
    pub(crate) structured: Option<Value>,
}

impl Outcome {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { content: vec![json!({ "type": "text", "text": text.into() })], structured: None }
    }

    /// Text for the model and data for a program.
    pub(crate) fn both(text: impl Into<String>, structured: Value) -> Self {
        Self { structured: Some(structured), ..Self::text(text) }
    }

    /// Data, and its JSON text for clients that read only text.
    pub(crate) fn data(structured: Value) -> Self {
        Self::both(structured.to_string(), structured)
    }
}

pub(crate) type Answer = Result<Outcome, Failure>;

/// What a call does to the world; shown to clients as annotations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hints {
    pub(crate) read_only: bool,
    pub(crate) destructive: bool,
    pub(crate) idempotent: bool,
}

impl Hints {
    pub(crate) const READS: Self = Self { read_only: true, destructive: false, idempotent: true };
    /// Adds something; a second call adds again or fails.
    pub(crate) const ADDS: Self = Self { read_only: false, destructive: false, idempotent: false };
    /// Adds something; a second call changes nothing.
    pub(crate) const ENSURES: Self = Self { read_only: false, destructive: false, idempotent: true };
    /// Takes something away; a second call does so again or fails.
    pub(crate) const CHANGES: Self = Self { read_only: false, destructive: true, idempotent: false };
    /// Takes something away; a second call changes nothing.
    pub(crate) const REPLACES: Self = Self { read_only: false, destructive: true, idempotent: true };
}

type Handler = Box<dyn Fn(Value, Cancel) -> BoxFuture<'static, Answer> + Send + Sync>;

/// One tool of a server.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    description: String,
    hints: Hints,
    input: Value,
    output: Option<Value>,
    handler: Handler,
}

/// A tool without its function: the first half of its declaration.
pub(crate) struct Signature {
    name: &'static str,
    description: String,
    hints: Hints,
    output: Option<Value>,
}

impl Signature {
    pub(crate) fn new(name: &'static str, hints: Hints, description: impl Into<String>) -> Self {
        Self { name, description: description.into(), hints, output: None }
    }

    /// Declares the shape of the structured result.
    pub(crate) fn returns(mut self, schema: Value) -> Self {
        self.output = Some(schema);
        self
    }

    /// The function behind the tool, where it may block: it runs on a thread of the blocking pool.
    pub(crate) fn blocking<S, A>(self, state: &Arc<S>, function: fn(&S, A, &Cancel) -> Answer) -> Tool
    where
        S: Send + Sync + 'static,
        A: DeserializeOwned + JsonSchema + Send + 'static,
    {
        self.asynchronous(state, move |state, arguments, cancel| {
            async move {
                let work = tokio::task::spawn_blocking(move || function(&state, arguments, &cancel));
                work.await.unwrap_or_else(|error| Err(Failure::because("the tool broke off", error)))
            }
            .boxed()
        })
    }

    /// The function behind the tool, where it waits without blocking.
    pub(crate) fn asynchronous<S, A, F>(self, state: &Arc<S>, function: F) -> Tool
    where
        S: Send + Sync + 'static,
        A: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(Arc<S>, A, Cancel) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
    {
        let state = Arc::clone(state);
        let handler: Handler = Box::new(move |arguments, cancel| match read_arguments::<A>(arguments) {
            Ok(arguments) => function(Arc::clone(&state), arguments, cancel),
            Err(failure) => std::future::ready(Err(failure)).boxed(),
        });
        let Self { name, description, hints, output } = self;
        Tool { name, description, hints, input: input_schema::<A>(), output, handler }
    }
}

impl Tool {
    /// The tool as `tools/list` shows it.
    pub(crate) fn listed(&self) -> Value {
        let mut listed = json!({
            "name": self.name,
            "description": self.description,
            "inputSchema": self.input,
            "annotations": {
                "readOnlyHint": self.hints.read_only,
                "destructiveHint": self.hints.destructive,
                "idempotentHint": self.hints.idempotent,
                "openWorldHint": false,
            },
        });
        if let Some(output) = &self.output {
            listed["outputSchema"] = output.clone();
        }
        listed
    }

    pub(crate) fn call(&self, arguments: Value, cancel: Cancel) -> BoxFuture<'static, Answer> {
        (self.handler)(arguments, cancel)
    }
}

/// An answer as the result of `tools/call`.
pub(crate) fn result_of(answer: Answer) -> Value {
    match answer {
        Ok(Outcome { content, structured: None }) => json!({ "content": content, "isError": false }),
        Ok(Outcome { content, structured: Some(structured) }) => {
            json!({ "content": content, "structuredContent": structured, "isError": false })
        }
        Err(Failure(text)) => json!({ "content": [{ "type": "text", "text": text }], "isError": true }),
    }
}

/// Reads arguments into their struct; the failure names the argument.
fn read_arguments<A: DeserializeOwned>(arguments: Value) -> Result<A, Failure> {
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let place = error.path().to_string();
        let reason = error.into_inner();
        Failure::new(match place.as_str() {
            "." | "?" => format!("invalid arguments: {reason}"),
            place => format!("invalid argument '{place}': {reason}"),
        })
    })
}

/// The JSON Schema (2020-12) of an argument struct, without what says nothing to a client.
fn input_schema<A: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<A>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.shift_remove("title");
        root.shift_remove("description");
        root.entry("properties").or_insert_with(|| json!({}));
    }
    drop_integer_formats(&mut schema);
    schema
}

/// `"format": "uint32"` and the like are no formats of JSON Schema; strict clients warn about them.
fn drop_integer_formats(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let is_integer = members.get("format").and_then(Value::as_str).is_some_and(|format| format.contains("int"));
            if is_integer {
                members.shift_remove("format");
            }
            members.values_mut().for_each(drop_integer_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_integer_formats),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        /// Where.
        path: String,
        #[serde(default)]
        edits: Vec<Edit>,
        head: Option<u32>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Edit {
        line: u32,
    }

    fn refusal(arguments: Value) -> String {
        match read_arguments::<Arguments>(arguments) {
            Err(Failure(text)) => text,
            Ok(arguments) => format!("accepted {}, {:?}, {:?}", arguments.path, arguments.edits, arguments.head),
        }
    }

    #[test]
    fn a_wrong_argument_is_named() {
        assert!(refusal(json!({})).contains("missing field `path`"));
        assert!(refusal(json!({"path": 5})).starts_with("invalid argument 'path': invalid type: integer `5`"));
        assert!(refusal(json!({"path": "a", "edits": [{"line": 1}, {"line": "x"}]})).contains("'edits[1].line'"));
        assert!(refusal(json!({"path": "a", "colour": 1})).contains("colour"));
        let edits: Vec<u32> = read_arguments::<Arguments>(json!({"path": "", "edits": [{"line": 3}]}))
            .unwrap()
            .edits
            .iter()
            .map(|e| e.line)
            .collect();
        assert_eq!(edits, [3]);
    }

    #[test]
    fn the_schema_says_what_the_struct_takes() {
        let schema = input_schema::<Arguments>();
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], json!(["path"]));
        assert_eq!(schema["properties"]["path"], json!({"description": "Where.", "type": "string"}));
        assert!(!schema.to_string().contains("uint32"));
        assert_eq!(schema.get("$schema"), None);
    }
}
