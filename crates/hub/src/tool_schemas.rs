//! The schemas of one catalog's tools: compiled at the first call that needs one, and let go with the catalog.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use omni_protocol::{ListKind, Version, member};
use omni_proxy::Catalog;
use omni_screen::{Age, Schema, SchemaBounds, SchemaError};

use crate::view::Found;

/// Bytes of schemas that are compiled for one catalog; compiled they take many times that.
const COMPILED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The schemas of one catalog's tools.
#[derive(Debug)]
pub(crate) struct ToolSchemas {
    age: Age,
    /// By the tool's name; where its text lies in the catalog.
    tools: HashMap<String, Tool>,
    compiled_bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Tool {
    at: usize,
    input: OnceLock<Compiled>,
    output: OnceLock<Compiled>,
}

/// A schema, `None` where the tool has none.
pub(crate) type Compiled = Option<Result<Schema, SchemaError>>;

/// Which of a tool's schemas is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Of its arguments.
    Input,
    /// Of its structured content.
    Output,
}

impl Side {
    pub(crate) const fn member(self) -> &'static str {
        match self {
            Self::Input => "inputSchema",
            Self::Output => "outputSchema",
        }
    }
}

impl ToolSchemas {
    /// Those of `catalog`.
    pub(crate) fn of(catalog: &Catalog) -> Option<Arc<Self>> {
        catalog.derived(|catalog| {
            let items = catalog.list(ListKind::Tools).items.iter().enumerate();
            Self {
                age: if catalog.hello.version >= Version::V2025_11_25 { Age::SaysDefault } else { Age::SaysNothing },
                tools: items.map(|(at, item)| (item.key.clone(), Tool { at, ..Tool::default() })).collect(),
                compiled_bytes: AtomicUsize::new(0),
            }
        })
    }

    /// A schema of the tool found, compiled now if nobody needed it before; `None` where there is no such tool, or it has none.
    pub(crate) fn get(
        &self,
        catalog: &Catalog,
        found: &Found,
        side: Side,
        bounds: &SchemaBounds,
    ) -> Option<&Result<Schema, SchemaError>> {
        let (server, tool) = (found.server.name().as_str(), found.name.as_str());
        let own = self.tools.get(tool)?;
        let slot = if side == Side::Input { &own.input } else { &own.output };
        let compile = || {
            let item = catalog.list(ListKind::Tools).items.get(own.at)?;
            let text = member(&item.text, side.member())?.get();
            let compiled = self.compile(text, bounds);
            match &compiled {
                Ok(schema) if schema.unchecked().is_empty() => {}
                Ok(schema) => {
                    let patterns = schema.unchecked();
                    tracing::warn!(target: "server", server, tool, ?patterns, "patterns that do not run in linear time are left to the server");
                }
                Err(error) => {
                    tracing::warn!(target: "server", server, tool, %error, "the tool's {} cannot be used", side.member());
                }
            }
            Some(compiled)
        };
        slot.get_or_init(compile).as_ref()
    }

    fn compile(&self, text: &str, bounds: &SchemaBounds) -> Result<Schema, SchemaError> {
        if self.compiled_bytes.fetch_add(text.len(), Ordering::Relaxed) > COMPILED_BYTES_MAX {
            let why = format!("this server's schemas have more than {COMPILED_BYTES_MAX} bytes");
            return Err(SchemaError::Bounds(why));
        }
        Schema::compile(text, self.age, bounds)
    }
}
