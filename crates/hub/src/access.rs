//! What the hub puts to policy: who, what, and what else is known of a call.

use std::net::IpAddr;

use omni_auth::{Access, Action, Hints, Surroundings, ThingKind};
use omni_protocol::ListKind;
use omni_proxy::Catalog;
use omni_types::Principal;

/// Bytes of a client's name that policies can look at; a longer one is none.
const CLIENT_BYTES_MAX: usize = 256;

/// From where a call comes, kept as long as it is asked about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Around {
    client: Option<String>,
    revision: &'static str,
    address: Option<IpAddr>,
}

impl Around {
    /// Of a client at `address` that says `client_info`, a JSON text, of itself.
    pub(crate) fn new(client_info: Option<&str>, revision: &'static str, address: Option<IpAddr>) -> Self {
        Self { client: client_info.and_then(client_name), revision, address }
    }

    /// As policy takes it.
    pub(crate) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { address: self.address, client: self.client.as_deref(), revision: self.revision }
    }
}

fn client_name(info: &str) -> Option<String> {
    let name: String = serde_json::from_str(omni_protocol::member(info, "name")?.get()).ok()?;
    (name.len() <= CLIENT_BYTES_MAX).then_some(name)
}

/// The question about a thing of a server: `thing` is the server's name and its own name for it.
pub(crate) fn access<'a>(
    principal: &'a Principal,
    action: Action,
    kind: ListKind,
    thing: (&'a str, &'a str),
) -> Access<'a> {
    let (server, name) = thing;
    let thing = match kind {
        ListKind::Tools => ThingKind::Tool,
        ListKind::Prompts => ThingKind::Prompt,
        ListKind::Resources | ListKind::Templates => ThingKind::Resource,
    };
    Access { thing, ..Access::new(principal, action, server, name) }
}

/// What the server says of `tool`.
pub(crate) fn hints(catalog: &Catalog, tool: &str) -> Hints {
    let said = catalog.hints(tool);
    Hints {
        read_only: said.read_only,
        destructive: said.destructive,
        idempotent: said.idempotent,
        open_world: said.open_world,
    }
}
