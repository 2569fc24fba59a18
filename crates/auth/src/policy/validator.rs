//! The policy in force: built from the settings, asked for every call and for every item of a list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use omni_types::{Pattern, Principal, PrincipalKind, keyed_digest};

use crate::policy::access::{Access, Surroundings};
use crate::policy::action::ThingKind;
use crate::policy::cache::{Cache, Key};
use crate::policy::decision::{Decided, Decision, Denial, Explanation};
use crate::policy::fault::PolicyFault;
use crate::policy::index::Index;
use crate::policy::reads::Reads;
use crate::policy::rules;
use crate::policy::settings::PolicySettings;
use crate::policy::source;
use crate::policy::subject::{Roles, Subject};
use crate::policy::thing::Thing;
use crate::policy::uri::plain;
use crate::policy::verdict::{self, Matter, Sets, Verdict};
use crate::policy::words;
use crate::reach::{out_of_reach, servers_of};

/// Callers that are kept as policies see them.
const SUBJECTS_MAX: usize = 4_096;

/// Callers as policies see them, by what they are authorized by.
type Subjects = Mutex<HashMap<u128, Arc<Subject>, foldhash::fast::RandomState>>;

/// Policies as they are in force. `forbid` goes before `permit`; what nothing permits is denied, and so is what a policy
/// fails to decide.
#[derive(Debug)]
pub struct Policy {
    pub(super) index: Index,
    pub(super) roles: Roles,
    cache: Cache,
    sets: Sets,
    subjects: Subjects,
    /// The local user may do everything, and nothing can forbid it.
    local_is_free: bool,
}

impl Policy {
    /// Reads the settings.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn build(settings: &PolicySettings) -> Result<Self, Vec<PolicyFault>> {
        let mut faults = Vec::new();
        let roles = Roles::build(&settings.roles, &mut faults);
        pattern_faults(settings, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut policies = rules::parse(rules::written(settings), &mut faults);
        for source in &settings.sources {
            policies.extend(source::parse(source, &mut faults));
        }
        let index = Index::build(policies, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let allows = |text: &String| Pattern::parse(text).is_ok_and(|pattern| pattern.is_everything());
        // A policy of a file may fail, and then it refuses the call.
        let local_is_free = settings.allow.iter().any(allows)
            && settings.sources.is_empty()
            && index.rules.iter().all(|rule| rule.permits);
        Ok(Self {
            index,
            roles,
            cache: Cache::default(),
            sets: Sets::default(),
            subjects: Subjects::default(),
            local_is_free,
        })
    }

    /// Whether `principal` may use everything: nothing else has to be known of a call then.
    #[must_use]
    pub fn is_free(&self, principal: &Principal) -> bool {
        self.local_is_free && principal.kind() == PrincipalKind::LocalUser
    }

    /// Whether any policy reads from where, or with what program, a call comes.
    #[must_use]
    pub fn looks_around(&self) -> bool {
        let reads = self.index.reads;
        reads.loopback || reads.address || reads.client || reads.revision
    }

    /// What everything that a client is shown depends on, beside the servers themselves: two clients of one digest see the
    /// same.
    #[must_use]
    pub fn authorization(&self, principal: &Principal, around: &Surroundings<'_>) -> u128 {
        let reads = self.index.reads;
        let claims = self.index.claims.of(principal.claims());
        let servers = servers_of(principal);
        if claims.is_empty() && servers.is_none() && !self.looks_around() {
            return principal.authorization();
        }
        let texts: Vec<(&str, String)> = claims.into_iter().map(|(name, value)| (name, value.to_string())).collect();
        keyed_digest(&(
            principal.authorization(),
            texts,
            servers.map(ToString::to_string),
            reads.loopback.then(|| around.is_loopback()),
            around.address.filter(|_| reads.address),
            around.client.filter(|_| reads.client),
            reads.revision.then_some(around.revision),
        ))
    }

    /// Decides on `access`.
    #[must_use]
    pub fn decide(&self, access: &Access<'_>) -> Decision {
        self.decide_by(access).decision
    }

    /// The same, and by which policies it is allowed.
    #[must_use]
    pub fn decide_by(&self, access: &Access<'_>) -> Decided {
        if self.is_free(access.principal) && access.thing.is_of_server() {
            return Decided { decision: Decision::Allow, permits: None };
        }
        if let Some(reason) = out_of_reach(access.principal, access.server).filter(|_| access.thing.is_of_server()) {
            let needed = "a key that was made for this server would be needed".to_owned();
            let decision = Decision::Deny(Arc::new(Denial { policy: None, reason, needed }));
            return Decided { decision, permits: None };
        }
        if access.thing == ThingKind::Hub && servers_of(access.principal).is_some() {
            let reason = format!("{} is for some servers, and the hub is none of them", access.principal);
            let needed = "a key that was made for no servers in particular would be needed".to_owned();
            let decision = Decision::Deny(Arc::new(Denial { policy: None, reason, needed }));
            return Decided { decision, permits: None };
        }
        let decided = self.decide_by_name(access, access.name);
        if access.thing != ThingKind::Resource || matches!(decided.decision, Decision::Deny(_)) {
            return decided;
        }
        // A URI has many spellings, and a server may take one for another: the plainest must be allowed too.
        let plain = plain(access.name);
        if plain == access.name {
            return decided;
        }
        match self.decide_by_name(access, &plain) {
            Decided { decision: Decision::Allow, .. } => decided,
            worse => worse,
        }
    }

    fn decide_by_name(&self, access: &Access<'_>, name: &str) -> Decided {
        let authorization = self.authorization(access.principal, &access.around);
        let key = Key {
            authorization,
            action: access.action,
            thing: access.thing,
            hints: access.hints,
            server: access.server,
            name,
        };
        self.cache.get(key, || self.find(access, name, authorization)).decide(access)
    }

    fn find(&self, access: &Access<'_>, name: &str, authorization: u128) -> Verdict {
        let (subject, thing) =
            (self.subject(access.principal, authorization), Thing::of(access, name, &self.index.patterns));
        let candidates = self.index.candidates(&subject, access.action, &thing);
        let matter = Matter { access, name, subject: &subject, thing: &thing };
        let refusal = || self.refusal(access, name, &thing);
        verdict::find(&matter, authorization, (&candidates, &self.sets), refusal)
    }

    /// `principal` as policies see it. Of its claims they see those that some policy reads, and `authorization` stands for them.
    fn subject(&self, principal: &Principal, authorization: u128) -> Arc<Subject> {
        let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = subjects.get(&authorization) {
            return Arc::clone(known);
        }
        if subjects.len() >= SUBJECTS_MAX {
            subjects.clear();
        }
        let made = Arc::new(Subject::of(principal, &self.roles));
        subjects.insert(authorization, Arc::clone(&made));
        made
    }

    /// What is said where nothing permits `access`.
    fn refusal(&self, access: &Access<'_>, name: &str, thing: &Thing) -> Denial {
        let Access { principal, action, server, .. } = access;
        let action = action.as_str();
        let what = match (access.thing.is_of_server(), access.thing) {
            (true, _) => format!("`{server}:{name}`"),
            (false, ThingKind::Hub) => "the hub".to_owned(),
            (false, kind) => format!("{} `{name}`", kind.as_str().to_lowercase()),
        };
        let reason = format!("nothing allows {principal} {action} on {what}");
        let needed = if principal.kind() == PrincipalKind::LocalUser && access.thing.is_of_server() {
            format!("add {what} to policy.allow to allow it")
        } else {
            match self.roles_that_may(access, thing).as_slice() {
                [] => "a policy would have to permit it".to_owned(),
                [role] => format!("the role {role} would be needed"),
                roles => format!("one of the roles {} would be needed", roles.join(", ")),
            }
        };
        Denial { policy: None, reason, needed }
    }

    fn roles_that_may(&self, access: &Access<'_>, thing: &Thing) -> Vec<String> {
        let permits = self.index.about(access.action, thing).filter(|rule| rule.permits);
        let mut roles: Vec<String> = permits.filter_map(|rule| rule.role()).collect();
        roles.sort();
        roles.dedup();
        roles
    }

    /// How the decision about `access` comes about.
    #[must_use]
    pub fn explain(&self, access: &Access<'_>) -> Explanation {
        let decision = self.decide(access);
        let mut explanation = Explanation {
            decision,
            permits: Vec::new(),
            forbids: Vec::new(),
            open: Vec::new(),
            considered: 0,
            policies: self.index.rules.len(),
            roles: Vec::new(),
        };
        let subject = Subject::of(access.principal, &self.roles);
        let thing = Thing::of(access, access.name, &self.index.patterns);
        explanation.roles.clone_from(&subject.roles);
        let candidates = self.index.candidates(&subject, access.action, &thing);
        explanation.considered = candidates.len();
        let matter = Matter { access, name: access.name, subject: &subject, thing: &thing };
        let Ok(question) = matter.question(Reads::EVERYTHING) else { return explanation };
        for rule in candidates {
            let id = Arc::clone(&rule.id);
            match question.holds(access, rule) {
                None => explanation.open.push(id),
                Some(true) if rule.permits => explanation.permits.push(id),
                Some(true) => explanation.forbids.push(id),
                Some(false) => {}
            }
        }
        explanation
    }

    /// All policies as they are in force, as Cedar: each with its name.
    #[must_use]
    pub fn to_cedar(&self) -> String {
        let text = |rule: &Arc<crate::policy::index::Rule>| {
            format!("// {}\n{}\n", rule.id, rule.policy.to_cedar().unwrap_or_default())
        };
        self.index.rules.iter().map(text).collect::<Vec<_>>().join("\n")
    }

    /// The schema that policies are checked against.
    #[must_use]
    pub const fn schema() -> &'static str {
        words::SCHEMA_TEXT
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.rules.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.rules.is_empty()
    }
}

fn pattern_faults(settings: &PolicySettings, faults: &mut Vec<PolicyFault>) {
    let mut check = |key: &[&str], list: &[String]| {
        for (at, text) in list.iter().enumerate() {
            if let Err(error) = Pattern::parse(text) {
                let path = key.iter().map(|step| (*step).to_owned()).chain([at.to_string()]);
                faults.push(PolicyFault::at_key(path, error.to_string()));
            }
        }
    };
    check(&["allow"], &settings.allow);
    check(&["deny"], &settings.deny);
    check(&["approve"], &settings.approve);
    for (name, role) in &settings.roles {
        check(&["roles", name, "allow"], role.allow.as_deref().unwrap_or_default());
        check(&["roles", name, "deny"], &role.deny);
        check(&["roles", name, "approve"], &role.approve);
    }
}
