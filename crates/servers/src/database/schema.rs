//! The schema as resources: `db://schema/TABLE` for each table and view.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};

use crate::database::engine::Engine;
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::message::{Fault, INTERNAL_ERROR};
use crate::mcp::server::Resources;

const PREFIX: &str = "db://schema/";

/// The resources of the served database.
pub(crate) struct Schema(pub(crate) Arc<Engine>);

impl Resources for Schema {
    fn list(&self, cancel: Cancel) -> BoxFuture<'_, Result<Vec<Value>, Fault>> {
        async move {
            let (tables, _truncated) = self.0.tables(cancel).await.map_err(fault)?;
            let resource = |(name, kind): (String, String)| {
                let description = format!("Schema of the {kind} {name}");
                json!({ "uri": uri(&name), "name": name, "description": description, "mimeType": "application/json" })
            };
            Ok(tables.into_iter().map(resource).collect())
        }
        .boxed()
    }

    fn templates(&self) -> Vec<Value> {
        vec![json!({
            "uriTemplate": "db://schema/{table}",
            "name": "Table schema",
            "description": "Columns, keys and indexes of a table or view, by its name as list_tables gives it",
            "mimeType": "application/json",
        })]
    }

    fn read(&self, uri: String, cancel: Cancel) -> BoxFuture<'_, Result<Option<Vec<Value>>, Fault>> {
        async move {
            let Some(table) = uri.strip_prefix(PREFIX).and_then(decoded) else { return Ok(None) };
            let described = self.0.describe(table, cancel).await.map_err(fault)?;
            Ok(described
                .map(|schema| vec![json!({ "uri": uri, "mimeType": "application/json", "text": schema.to_string() })]))
        }
        .boxed()
    }
}

fn fault(Failure(text): Failure) -> Fault {
    Fault::new(INTERNAL_ERROR, text)
}

/// The URI of a table; every byte that RFC 3986 does not let stand is written in hex.
fn uri(table: &str) -> String {
    let mut uri = PREFIX.to_owned();
    for byte in table.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            plain => bytes.push(plain),
        }
    }
    String::from_utf8(bytes).ok().filter(|table| !table.is_empty() && !table.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_table_name_survives_its_uri() {
        for name in ["users", "my table", "öl/fässer?#%41", "a.\"B\""] {
            let uri = uri(name);
            assert!(uri.is_ascii() && !uri.contains(' '), "{uri}");
            assert_eq!(decoded(&uri[PREFIX.len()..]).as_deref(), Some(name));
        }
        assert_eq!(decoded("%zz"), None);
        assert_eq!(decoded("%4"), None);
        assert_eq!(decoded(""), None);
        assert_eq!(decoded("a%00"), None);
    }
}
