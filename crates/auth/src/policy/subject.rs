//! Who calls, as policies see them: the principal with its roles, of its own and by membership.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use cedar_policy::{Entity, EntityUid, RestrictedExpression};
use foldhash::fast::RandomState;
use omni_types::{Principal, PrincipalKind, glob};

use crate::policy::facts;
use crate::policy::fault::PolicyFault;
use crate::policy::settings::RoleSettings;
use crate::policy::words::Word;

/// Who has which role beside those whose login says so.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles(Vec<Role>);

#[derive(Debug, Clone)]
struct Role {
    name: String,
    members: Vec<(Member, String)>,
    inherits: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Member {
    Kind(PrincipalKind),
    Group,
    Permission,
    Client,
    Tenant,
}

/// A principal as policies see it.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) uid: EntityUid,
    pub(super) roles: Vec<String>,
    /// The principal itself and everything that it belongs to.
    pub(super) belongs: HashSet<EntityUid, RandomState>,
    /// As Cedar takes it, once it was asked for.
    entity: OnceLock<Result<Entity, String>>,
}

impl Roles {
    /// Reads the settings.
    pub(super) fn build(settings: &BTreeMap<String, RoleSettings>, faults: &mut Vec<PolicyFault>) -> Self {
        let mut roles = Vec::new();
        for (name, role) in settings {
            let mut members = Vec::new();
            for (at, text) in role.members.iter().enumerate() {
                match member(text) {
                    Ok(member) => members.push(member),
                    Err(why) => faults.push(PolicyFault::key(["roles", name, "members", &at.to_string()], why)),
                }
            }
            roles.push(Role { name: name.clone(), members, inherits: role.inherits.clone() });
        }
        Self(roles)
    }

    /// All roles of `principal`, each once.
    fn of(&self, principal: &Principal) -> Vec<String> {
        let mut found: Vec<String> = principal.roles().to_vec();
        for role in &self.0 {
            if role.members.iter().any(|(member, text)| is_member(principal, *member, text)) {
                found.push(role.name.clone());
            }
        }
        // The list grows while it is walked, and each role comes into it once.
        let mut seen = HashSet::new();
        let mut at = 0;
        while at < found.len() {
            if !seen.insert(found[at].clone()) {
                found.remove(at);
                continue;
            }
            let inherited = self.0.iter().filter(|role| role.name == found[at]).flat_map(|role| &role.inherits);
            let more: Vec<String> = inherited.cloned().collect();
            found.extend(more);
            at += 1;
        }
        found
    }
}

fn member(text: &str) -> Result<(Member, String), String> {
    let Some((kind, name)) = text.split_once(':').filter(|(_, name)| !name.is_empty()) else {
        return Err("is written `user:ID`, `group:NAME`, `permission:NAME`, `client:ID`, `key:NAME`, \
                    `certificate:NAME`, `tenant:NAME` or `local:NAME`"
            .to_owned());
    };
    let member = match kind {
        "user" => Member::Kind(PrincipalKind::Token),
        "key" => Member::Kind(PrincipalKind::ApiKey),
        "certificate" => Member::Kind(PrincipalKind::Certificate),
        "local" => Member::Kind(PrincipalKind::LocalUser),
        "group" => Member::Group,
        "permission" => Member::Permission,
        "client" => Member::Client,
        "tenant" => Member::Tenant,
        _ => {
            return Err(format!(
                "`{kind}` is no kind of member: user, group, permission, client, key, certificate, tenant, local"
            ));
        }
    };
    Ok((member, name.to_owned()))
}

fn is_member(principal: &Principal, member: Member, pattern: &str) -> bool {
    let among = |names: &[String]| names.iter().any(|name| glob(pattern, name));
    match member {
        // A key has a name beside its id: its client.
        Member::Kind(kind) => {
            let named = principal.client().filter(|_| kind == PrincipalKind::ApiKey);
            principal.kind() == kind && (glob(pattern, principal.id()) || named.is_some_and(|name| glob(pattern, name)))
        }
        Member::Group => among(principal.groups()),
        Member::Permission => among(principal.permissions()),
        Member::Client => principal.client().is_some_and(|name| glob(pattern, name)),
        Member::Tenant => principal.tenant().is_some_and(|name| glob(pattern, name)),
    }
}

/// Why `id` is no id of a service; `None` where it is. A policy about nobody would refuse nobody.
pub(super) fn service_fault(id: &str) -> Option<String> {
    let of = |kind: PrincipalKind| id.strip_prefix(kind.as_str())?.strip_prefix('|');
    let key = of(PrincipalKind::ApiKey).is_some_and(|name| !name.is_empty());
    // A certificate's issuer is part of who its holder is: without one it is nobody's.
    let certificate = of(PrincipalKind::Certificate)
        .and_then(|rest| rest.split_once('|'))
        .is_some_and(|(issuer, id)| !issuer.is_empty() && !id.is_empty());
    let nobody = || format!("`Service::\"{id}\"` is nobody: write `key|ID` or `certificate|ISSUER|ID`");
    (!key && !certificate).then(nobody)
}

impl Subject {
    /// `principal` with its roles.
    pub(super) fn of(principal: &Principal, roles: &Roles) -> Self {
        let word = match principal.kind() {
            PrincipalKind::LocalUser => Word::LocalUser,
            PrincipalKind::Token => Word::User,
            PrincipalKind::ApiKey | PrincipalKind::Certificate => Word::Service,
        };
        // Users of two providers may have one name: the issuer is part of who they are. A key may be given the name that a
        // certificate has, so it is said which of the two it is.
        let name = match principal.issuer() {
            Some(issuer) => format!("{issuer}|{}", principal.id()),
            None => principal.id().to_owned(),
        };
        let uid = match word {
            Word::Service => word.uid(&format!("{}|{name}", principal.kind().as_str())),
            _ => word.uid(&name),
        };
        let roles = roles.of(principal);
        let mut belongs = HashSet::from_iter([uid.clone()]);
        for (word, names) in
            [(Word::Role, &*roles), (Word::Group, principal.groups()), (Word::Permission, principal.permissions())]
        {
            belongs.extend(names.iter().map(|name| word.uid(name)));
        }
        Self { uid, roles, belongs, entity: OnceLock::new() }
    }

    /// It as Cedar takes it, with what is known of `principal`, which it is.
    ///
    /// # Errors
    /// When Cedar does not take that.
    pub(super) fn entity(&self, principal: &Principal) -> Result<Entity, String> {
        self.entity.get_or_init(|| self.whole(principal)).clone()
    }

    fn whole(&self, principal: &Principal) -> Result<Entity, String> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let mut attributes = vec![("id".to_owned(), text(principal.id()))];
        for (name, value) in
            [("issuer", principal.issuer()), ("tenant", principal.tenant()), ("client", principal.client())]
        {
            attributes.extend(value.map(|value| (name.to_owned(), text(value))));
        }
        let tags = facts::claims(principal.claims());
        let parents = self.belongs.iter().filter(|uid| **uid != self.uid).cloned().collect::<Vec<_>>();
        Entity::new_with_tags(self.uid.clone(), attributes, parents, tags).map_err(|e| e.to_string())
    }
}
