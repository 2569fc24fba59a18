//! What is called, as policies see it: with its server, and the patterns that cover it.

use cedar_policy::{Entity, EntityUid, RestrictedExpression};

use crate::policy::access::Access;
use crate::policy::action::ThingKind;
use crate::policy::pattern::Patterns;
use crate::policy::reads::Reads;
use crate::policy::words::Word;

/// A tool, prompt, resource or what else is called.
#[derive(Debug)]
pub(super) struct Thing {
    pub(super) uid: EntityUid,
    /// Itself, its server and the patterns that cover it.
    pub(super) belongs: Vec<EntityUid>,
}

impl Thing {
    /// What `access` is about, under the name `name`.
    pub(super) fn of(access: &Access<'_>, name: &str, patterns: &Patterns) -> Self {
        let Access { thing, server, .. } = *access;
        if !thing.is_of_server() {
            let uid = Word::Thing(thing).uid(name);
            return Self { belongs: vec![uid.clone()], uid };
        }
        let uid = Word::Thing(thing).uid(&format!("{server}:{name}"));
        let mut belongs = vec![uid.clone(), Word::Server.uid(server)];
        belongs.extend(patterns.covering(server, name).map(|pattern| Word::Pattern.uid(pattern)));
        Self { uid, belongs }
    }

    /// It as Cedar takes it, as far as policies read it.
    ///
    /// # Errors
    /// When Cedar does not take what is known of it.
    pub(super) fn entity(&self, access: &Access<'_>, name: &str, reads: Reads) -> Result<Entity, String> {
        let Access { thing, server, hints, .. } = *access;
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let mut attributes = match thing {
            _ if !reads.server && !reads.name => Vec::new(),
            ThingKind::Tool | ThingKind::Prompt | ThingKind::Resource if !reads.name => vec![("server", text(server))],
            ThingKind::Tool | ThingKind::Prompt => vec![("server", text(server)), ("name", text(name))],
            ThingKind::Resource => vec![("server", text(server)), ("uri", text(name))],
            ThingKind::Profile | ThingKind::Secret => vec![("name", text(name))],
            ThingKind::Hub => Vec::new(),
        };
        if thing == ThingKind::Tool && reads.hints {
            attributes.extend(
                [
                    ("readOnly", hints.read_only),
                    ("destructive", hints.destructive),
                    ("idempotent", hints.idempotent),
                    ("openWorld", hints.open_world),
                ]
                .map(|(name, hint)| (name, RestrictedExpression::new_bool(hint))),
            );
        }
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let parents = self.belongs.iter().filter(|uid| reads.name && **uid != self.uid).cloned().collect();
        Entity::new(self.uid.clone(), attributes, parents).map_err(|e| e.to_string())
    }
}
