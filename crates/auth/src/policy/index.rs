//! All policies, laid out so that a decision looks only at those that can concern it: Cedar itself tries every one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};

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
    pub(super) permits: bool,
    /// It holds whenever it is a candidate: its scope, all of which the index looks at, is all it says.
    pub(super) is_certain: bool,
    pub(super) reads: Reads,
    /// Set where the policy demands a person's approval.
    pub(super) ask: Option<Arc<Ask>>,
    pub(super) principal: PrincipalConstraint,
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
    anything: Vec<usize>,
    /// Those about one thing, server or pattern.
    about: HashMap<EntityUid, Vec<usize>>,
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
        let rule = Rule {
            at,
            is_certain: !policy.has_non_scope_constraint() && is_looked_up(&policy.resource_constraint()),
            permits: policy.effect() == Effect::Permit,
            reads: Reads::of(&json),
            ask: ask(&policy, &id),
            principal: policy.principal_constraint(),
            policy,
            id,
        };
        self.reads = self.reads.and(rule.reads);
        self.claims.add(&json);
        let about = match rule.policy.resource_constraint() {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
            ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid) => Some(uid),
        };
        let constraint = rule.policy.action_constraint();
        for action in Action::ALL.into_iter().filter(|action| concerns(&constraint, *action)) {
            let slice = &mut self.actions[action.index()];
            match &about {
                None => slice.anything.push(at),
                Some(uid) => slice.about.entry(uid.clone()).or_default().push(at),
            }
        }
        self.rules.push(Arc::new(rule));
        Ok(())
    }

    /// The policies whose scope covers this principal, action and thing; some more where that is cheaper to ask Cedar.
    pub(super) fn candidates(&self, subject: &Subject, action: Action, thing: &Thing) -> Vec<&Arc<Rule>> {
        self.about(action, thing).filter(|rule| is_for(&rule.principal, subject)).collect()
    }

    /// The policies whose scope covers this action and thing, whoever asks.
    pub(super) fn about(&self, action: Action, thing: &Thing) -> impl Iterator<Item = &Arc<Rule>> {
        let slice = &self.actions[action.index()];
        let about = thing.belongs.iter().filter_map(|uid| slice.about.get(uid)).flatten();
        slice.anything.iter().chain(about).map(|at| &self.rules[*at])
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

/// Whether the index finds a policy for just those things that it is about. Of types it knows nothing, and what is equal to
/// a server or a pattern is no thing.
fn is_looked_up(constraint: &ResourceConstraint) -> bool {
    let holds_things =
        |uid: &EntityUid| [Word::Server, Word::Pattern].iter().any(|word| uid.type_name() == word.name());
    match constraint {
        ResourceConstraint::Any | ResourceConstraint::In(_) => true,
        ResourceConstraint::Eq(uid) => !holds_things(uid),
        ResourceConstraint::Is(_) | ResourceConstraint::IsIn(..) => false,
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
