//! Who may have which secret: what the operator wrote, whichever way a reference is spelled.

use crate::chain::Chain;
use crate::reference::Reference;
use crate::requester::Requester;
use crate::settings::{NameSettings, SecretsSettings};

/// Why `requester` may not have what `reference` stands for; `None` where it may.
///
/// Every entry of `secrets.names` that means the same secret has to allow it. A server may have what stands in its own entry
/// unless one names others; a profile is text that others wrote, so it may have only what is granted to it by name.
pub(crate) fn fault(
    settings: &SecretsSettings,
    chain: &Chain,
    reference: &Reference,
    requester: &Requester,
) -> Option<String> {
    let meant: Vec<(&String, &NameSettings)> =
        settings.names.iter().filter(|(name, _)| chain.names(reference, name)).collect();
    match requester {
        // It stands in the operator's own configuration of the hub.
        Requester::Hub(_) => None,
        Requester::Server(server) => meant.iter().find_map(|(name, entry)| {
            let named = entry.servers.as_ref()?.iter().any(|named| named == server.as_str());
            (!named).then(|| format!("`secrets.names.{name}.servers` does not name it"))
        }),
        // The operator wrote it into the source's entry; where an entry names who may have it, it is for those alone.
        Requester::Source(_) => meant.iter().find_map(|(name, entry)| {
            let others = entry.servers.is_some() || entry.profiles.is_some();
            others.then(|| format!("`secrets.names.{name}` names servers or profiles, and it is for those alone"))
        }),
        Requester::Profile(profile) => {
            let grants = |entry: &NameSettings| entry.profiles.as_ref().is_some_and(|all| all.contains(profile));
            match meant.iter().find(|(_, entry)| !grants(entry)) {
                Some((name, _)) => Some(format!("`secrets.names.{name}.profiles` does not name it")),
                None if meant.is_empty() => {
                    Some(format!("write its name into `secrets.names.{}.profiles` to allow it", reference.path))
                }
                None => None,
            }
        }
    }
}
