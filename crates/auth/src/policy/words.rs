//! Names of policies' entities. Cedar reads a type's name with its parser, so each is read once.

use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, Schema};

use crate::policy::action::{Action, ThingKind};

/// The schema as it is written.
pub(super) const SCHEMA_TEXT: &str = include_str!("schema.cedarschema");

/// A type of entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Role,
    Group,
    Permission,
    LocalUser,
    User,
    Service,
    Server,
    Pattern,
    Arguments,
    Numbers,
    Lists,
    Action,
    Thing(ThingKind),
}

struct Words {
    names: Vec<(Word, EntityTypeName)>,
    actions: Vec<EntityUid>,
}

/// The schema.
pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| match Schema::from_cedarschema_str(SCHEMA_TEXT) {
    Ok((schema, _)) => schema,
    // It is part of the program, and a test reads it.
    Err(error) => unreachable!("the schema of policies: {error}"),
});

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let things = [
        ThingKind::Tool,
        ThingKind::Prompt,
        ThingKind::Resource,
        ThingKind::Profile,
        ThingKind::Secret,
        ThingKind::Hub,
    ];
    let all = [
        (Word::Role, "Role"),
        (Word::Group, "Group"),
        (Word::Permission, "Permission"),
        (Word::LocalUser, "LocalUser"),
        (Word::User, "User"),
        (Word::Service, "Service"),
        (Word::Server, "Server"),
        (Word::Pattern, "Pattern"),
        (Word::Arguments, "Arguments"),
        (Word::Numbers, "Numbers"),
        (Word::Lists, "Lists"),
        (Word::Action, "Action"),
    ];
    let all = all.into_iter().chain(things.map(|thing| (Word::Thing(thing), thing.as_str())));
    let name = |text: &str| match EntityTypeName::from_str(text) {
        Ok(name) => name,
        // They stand above, and every test reads them.
        Err(error) => unreachable!("`{text}` names no type: {error}"),
    };
    let names: Vec<_> = all.map(|(word, text)| (word, name(text))).collect();
    let action = name("Action");
    let uid = |action_name: &str| EntityUid::from_type_name_and_id(action.clone(), EntityId::new(action_name));
    Words { actions: Action::ALL.into_iter().map(|action| uid(action.as_str())).collect(), names }
});

impl Word {
    /// The type's name.
    pub(super) fn name(self) -> &'static EntityTypeName {
        match WORDS.names.iter().find(|(word, _)| *word == self) {
            Some((_, name)) => name,
            None => unreachable!("every word is in the table"),
        }
    }

    /// The entity `id` of this type.
    pub(super) fn uid(self, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.name().clone(), EntityId::new(id))
    }
}

/// The entity of `action`.
pub(super) fn action(action: Action) -> &'static EntityUid {
    &WORDS.actions[action.index()]
}

/// The same with the group it is in.
pub(super) fn action_entity(of: Action) -> Entity {
    let group = of.group().map(|group| Word::Action.uid(group));
    Entity::new_no_attrs(action(of).clone(), group.into_iter().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{SCHEMA, action_entity};
    use crate::policy::action::Action;

    #[test]
    fn tool_2_actions_are_in_the_groups_of_the_schema() {
        let all = SCHEMA.action_entities().unwrap();
        for action in Action::ALL {
            let own = action_entity(action);
            let groups: Vec<_> = all.ancestors(&own.uid()).unwrap().cloned().collect();
            assert_eq!(groups, own.clone().into_inner().2.into_iter().collect::<Vec<_>>(), "{action:?}");
        }
    }
}
