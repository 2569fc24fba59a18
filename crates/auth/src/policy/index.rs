//! All policies, laid out so that a decision looks only at those that can concern it: Cedar itself tries every one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use foldhash::fast::RandomState;
use serde_json::Value;

use crate::policy::action::Action;
use crate::policy::decision::{Approver, Ask};
use crate::policy::fault::PolicyFault;
use crate::policy::pattern::Patterns;
use crate::policy::reads::{Claims, Reads};
use crate::policy::subject::{Subject, service_fault};
use crate::policy::thing::Thing;
use crate::policy::words::{self, Word};

/// One policy, and what is known of it beforehand.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its place among all.
    pub(super) at: usize,
    pub(super) id: Arc<str>,
    pub(super) policy: Policy,
    /// What Cedar is asked about where the index finds it: its conditions, without the scope that the index has looked at.
    pub(super) asked: Policy,
    pub(super) permits: bool,
    /// It holds whenever it is a candidate: its scope, all of which the index looks at, is all it says.
    pub(super) is_certain: bool,
    pub(super) reads: Reads,
    /// Set where the policy demands a person's approval.
    pub(super) ask: Option<Arc<Ask>>,
    pub(super) principal: PrincipalConstraint,
    resource: ResourceConstraint,
}

/// All policies.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) patterns: Patterns,
    /// What any policy reads.
    pub(super) reads: Reads,
    /// What any policy reads of a caller's token.
    pub(super) claims: Claims,
    ids: HashSet<Arc<str>>,
    actions: [Slice; Action::ALL.len()],
}

/// The policies of one action.
#[derive(Debug, Default)]
struct Slice {
    /// Those that may concern anything.
    anything: Callers,
    /// Those about one thing, server or pattern.
    about: HashMap<EntityUid, Callers, RandomState>,
}

/// Policies by whom they are about.
#[derive(Debug, Default)]
struct Callers {
    all: Vec<usize>,
    /// Those that may be about anybody.
    anybody: Vec<usize>,
    /// Those about one principal, role or group.
    of: HashMap<EntityUid, Vec<usize>, RandomState>,
}

impl Callers {
    fn add(&mut self, at: usize, constraint: &PrincipalConstraint) {
        self.all.push(at);
        match constraint {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => self.anybody.push(at),
            PrincipalConstraint::Eq(uid) | PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => {
                self.of.entry(uid.clone()).or_default().push(at);
            }
        }
    }

    /// Those that may be about `subject`.
    fn find(&self, subject: &Subject, found: &mut Vec<usize>) {
        found.extend(&self.anybody);
        if self.of.len() < subject.belongs.len() {
            found.extend(self.of.iter().filter(|(uid, _)| subject.belongs.contains(*uid)).flat_map(|(_, at)| at));
        } else {
            found.extend(subject.belongs.iter().filter_map(|uid| self.of.get(uid)).flatten());
        }
    }
}

impl Index {
    /// Lays out `policies`.
    pub(super) fn build(policies: Vec<Policy>, faults: &mut Vec<PolicyFault>) -> Self {
        let mut index = Self::default();
        for policy in policies {
            if let Err(why) = index.add(policy) {
                faults.push(PolicyFault::key([], why));
            }
        }
        index
    }

    fn add(&mut self, policy: Policy) -> Result<(), String> {
        let id: Arc<str> = Arc::from(AsRef::<str>::as_ref(policy.id()));
        for literal in policy.entity_literals() {
            if literal.type_name() == Word::Service.name()
                && let Some(why) = service_fault(literal.id().as_ref())
            {
                return Err(format!("{id}: {why}"));
            }
            if literal.type_name() == Word::Pattern.name() {
                let text: &str = literal.id().as_ref();
                self.patterns.add(text).map_err(|e| format!("{id}: Pattern::\"{text}\": {e}"))?;
            }
        }
        let json = policy.to_json().map_err(|e| format!("{id}: {e}"))?;
        let at = self.rules.len();
        if !self.ids.insert(Arc::clone(&id)) {
            return Err(format!("two policies are called `{id}`"));
        }
        let resource = policy.resource_constraint();
        let looked_up = is_looked_up(&resource);
        let mut reads = Reads::of(&json);
        let asked = if looked_up { without_scope(&policy, json.clone()) } else { Err(String::new()) };
        let asked = asked.unwrap_or_else(|_| {
            reads = reads.and(Reads::SCOPE);
            policy.clone()
        });
        let rule = Rule {
            at,
            is_certain: !policy.has_non_scope_constraint() && looked_up,
            permits: policy.effect() == Effect::Permit,
            reads,
            ask: ask(&policy, &id),
            principal: policy.principal_constraint(),
            resource,
            asked,
            policy,
            id,
        };
        self.reads = self.reads.and(rule.reads);
        self.claims.add(&json);
        let about = match rule.resource.clone() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
            ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => Some(uid),
        };
        let constraint = rule.policy.action_constraint();
        for action in Action::ALL.into_iter().filter(|action| concerns(&constraint, *action)) {
            let slice = &mut self.actions[action.index()];
            match &about {
                None => slice.anything.add(at, &rule.principal),
                Some(uid) => slice.about.entry(uid.clone()).or_default().add(at, &rule.principal),
            }
        }
        self.rules.push(Arc::new(rule));
        Ok(())
    }

    /// The policies whose scope covers this principal, action and thing, in their order; some more where that is cheaper to ask
    /// Cedar.
    pub(super) fn candidates(&self, subject: &Subject, action: Action, thing: &Thing) -> Vec<&Arc<Rule>> {
        let slice = &self.actions[action.index()];
        let mut found = Vec::new();
        slice.anything.find(subject, &mut found);
        thing.belongs.iter().filter_map(|uid| slice.about.get(uid)).for_each(|of| of.find(subject, &mut found));
        found.sort_unstable();
        let concerns = |rule: &&Arc<Rule>| is_for(&rule.principal, subject) && is_about(&rule.resource, thing);
        found.into_iter().map(|at| &self.rules[at]).filter(concerns).collect()
    }

    /// The policies whose scope covers this action and thing, whoever asks.
    pub(super) fn about(&self, action: Action, thing: &Thing) -> impl Iterator<Item = &Arc<Rule>> {
        let slice = &self.actions[action.index()];
        let about = thing.belongs.iter().filter_map(|uid| slice.about.get(uid)).flat_map(|of| &of.all);
        let all = slice.anything.all.iter().chain(about).map(|at| &self.rules[*at]);
        all.filter(|rule| is_about(&rule.resource, thing))
    }
}

impl Rule {
    /// The role that it gives something to, without a condition.
    pub(super) fn role(&self) -> Option<String> {
        match &self.principal {
            PrincipalConstraint::In(uid) if uid.type_name() == Word::Role.name() => {
                (!self.policy.has_non_scope_constraint()).then(|| AsRef::<str>::as_ref(uid.id()).to_owned())
            }
            _ => None,
        }
    }
}

/// The conditions of `policy`, whose JSON form is `json`, for everybody, everything and every action.
fn without_scope(policy: &Policy, mut json: Value) -> Result<Policy, String> {
    for part in ["principal", "action", "resource"] {
        json[part] = serde_json::json!({ "op": "All" });
    }
    Policy::from_json(Some(policy.id().clone()), json).map_err(|error| error.to_string())
}

fn ask(policy: &Policy, id: &Arc<str>) -> Option<Arc<Ask>> {
    let message = policy.annotation("approval")?;
    let approver = match policy.annotation("approver") {
        Some("admin") => Approver::Admin,
        _ => Approver::Caller,
    };
    Some(Arc::new(Ask { policy: Arc::clone(id), message: message.to_owned(), approver }))
}

fn concerns(constraint: &ActionConstraint, action: Action) -> bool {
    let own = words::action(action);
    let is = |uid: &EntityUid| uid == own || action.group().is_some_and(|group| *uid == Word::Action.uid(group));
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == own,
        ActionConstraint::In(uids) => uids.iter().any(is),
    }
}

/// Whether the index finds a policy for just those things that it is about. What is equal to a server or a pattern is no thing.
fn is_looked_up(constraint: &ResourceConstraint) -> bool {
    let holds_things =
        |uid: &EntityUid| [Word::Server, Word::Pattern].iter().any(|word| uid.type_name() == word.name());
    !matches!(constraint, ResourceConstraint::Eq(uid) if holds_things(uid))
}

/// Whether a policy is about things of this type.
fn is_about(constraint: &ResourceConstraint, thing: &Thing) -> bool {
    match constraint {
        ResourceConstraint::Is(name) | ResourceConstraint::IsIn(name, _) => thing.uid.type_name() == name,
        ResourceConstraint::Any | ResourceConstraint::In(_) | ResourceConstraint::Eq(_) => true,
    }
}

fn is_for(constraint: &PrincipalConstraint, subject: &Subject) -> bool {
    match constraint {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Is(name) => subject.uid.type_name() == name,
        PrincipalConstraint::Eq(uid) => subject.uid == *uid,
        PrincipalConstraint::In(uid) => subject.belongs.contains(uid),
        PrincipalConstraint::IsIn(name, uid) => subject.uid.type_name() == name && subject.belongs.contains(uid),
    }
}
