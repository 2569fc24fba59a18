//! What policies say about one principal, action and thing: settled for good, or open until arguments and time are known.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cedar_policy::{Authorizer, Context, Entities, EntityUid, PolicySet, Request, RestrictedExpression};
use omni_types::keyed_digest;

use crate::policy::access::{Access, Arguments};
use crate::policy::context::{context, now};
use crate::policy::decision::{Approver, Ask, Decided, Decision, Denial};
use crate::policy::facts::{self, THIS};
use crate::policy::index::Rule;
use crate::policy::reads::Reads;
use crate::policy::subject::Subject;
use crate::policy::thing::Thing;
use crate::policy::words::{self, Word};

/// Sets that are kept.
const SETS_MAX: usize = 1_024;
/// Outcomes that are kept.
const OUTCOMES_MAX: usize = 16_384;

static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(Authorizer::new);

/// What policies say.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Whatever the arguments and the time.
    Settled(Decided),
    /// It depends.
    Open(Box<Open>),
}

/// Policies that hold, or failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) permits: Vec<Arc<Rule>>,
    pub(super) forbids: Vec<Arc<Rule>>,
    failed: Option<(Arc<str>, String)>,
}

/// What is known before the arguments are, and what is still to be asked.
#[derive(Debug)]
pub(super) struct Open {
    settled: Outcome,
    asked: Arc<Rules>,
    question: Question,
    refusal: Arc<Denial>,
}

/// Policies as Cedar takes them: permits and forbids apart, because it is to be known which permits hold also where a
/// forbid does.
#[derive(Debug, Default)]
struct Rules {
    rules: Vec<Arc<Rule>>,
    permits: PolicySet,
    forbids: PolicySet,
    reads: Reads,
}

/// What is kept between decisions.
#[derive(Debug, Default)]
pub(super) struct Sets {
    /// Policies as Cedar takes them, which cost more to make than to ask: by the places of their rules.
    all: Mutex<HashMap<Box<[usize]>, Arc<Rules>>>,
    /// What those said that do not look at the thing's own name: by a digest of all that they do look at.
    said: Mutex<HashMap<u128, Outcome, foldhash::fast::RandomState>>,
}

impl Sets {
    fn of(&self, rules: &[&Arc<Rule>]) -> Result<Arc<Rules>, String> {
        let places: Box<[usize]> = rules.iter().map(|rule| rule.at).collect();
        if let Some(found) = self.all.lock().unwrap_or_else(PoisonError::into_inner).get(&places) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(Rules::of(rules)?);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SETS_MAX {
            all.clear();
        }
        all.insert(places, Arc::clone(&made));
        Ok(made)
    }

    /// What `rules` say, which wait for nothing; `authorization` stands for the caller and their surroundings.
    fn ask(&self, rules: &[&Arc<Rule>], authorization: u128, matter: &Matter<'_>) -> Result<Outcome, String> {
        if rules.is_empty() {
            return Ok(Outcome::default());
        }
        let (fresh, same): (Vec<&Arc<Rule>>, Vec<&Arc<Rule>>) = rules.iter().partition(|rule| rule.reads.name);
        let mut outcome = Outcome::default();
        if !same.is_empty() {
            let rules = self.of(&same)?;
            let Access { action, thing, server, hints, .. } = *matter.access;
            let places: Vec<usize> = same.iter().map(|rule| rule.at).collect();
            let (hints, server) = (rules.reads.hints.then_some(hints), rules.reads.server.then_some(server));
            let key =
                keyed_digest(&(authorization, places, thing, rules.reads.action.then_some(action), hints, server));
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
            outcome = match said {
                Some(said) => said,
                None => {
                    let found = rules.ask_now(&matter.question(rules.reads)?, matter.access)?;
                    let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                    if said.len() >= OUTCOMES_MAX {
                        said.clear();
                    }
                    said.insert(key, found.clone());
                    found
                }
            };
        }
        if !fresh.is_empty() {
            let rules = self.of(&fresh)?;
            outcome.add(rules.ask_now(&matter.question(rules.reads)?, matter.access)?);
        }
        Ok(outcome)
    }
}

/// What is to be decided about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matter<'a> {
    pub(super) access: &'a Access<'a>,
    /// The name by which the thing is judged.
    pub(super) name: &'a str,
    pub(super) subject: &'a Subject,
    pub(super) thing: &'a Thing,
}

/// Who, what and with what, as Cedar takes it.
#[derive(Debug)]
pub(super) struct Question {
    principal: EntityUid,
    action: &'static EntityUid,
    thing: EntityUid,
    entities: Entities,
}

/// Asks `candidates`, as far as they do not wait for arguments or time. Cedar is asked only about those that say more than
/// their scope does, and is shown what they read and no more.
pub(super) fn find(
    matter: &Matter<'_>,
    authorization: u128,
    (candidates, sets): (&[&Arc<Rule>], &Sets),
    refusal: impl Fn() -> Denial,
) -> Verdict {
    let (certain, asked): (Vec<&Arc<Rule>>, Vec<&Arc<Rule>>) = candidates.iter().partition(|rule| rule.is_certain);
    let mut settled = Outcome::default();
    for rule in certain {
        let held = if rule.permits { &mut settled.permits } else { &mut settled.forbids };
        held.push(Arc::clone(rule));
    }
    if settled.is_final() || asked.is_empty() {
        return Verdict::Settled(settled.decided(refusal));
    }
    let (open, known): (Vec<&Arc<Rule>>, Vec<&Arc<Rule>>) = asked.into_iter().partition(|rule| rule.reads.varies());
    match sets.ask(&known, authorization, matter) {
        Ok(more) => settled.add(more),
        Err(why) => return Verdict::failed(&why),
    }
    if settled.is_final() || open.is_empty() {
        return Verdict::Settled(settled.decided(refusal));
    }
    let asked = sets.of(&open).and_then(|asked| Ok((matter.question(asked.reads)?, asked)));
    match asked {
        Ok((question, asked)) => {
            Verdict::Open(Box::new(Open { settled, asked, question, refusal: Arc::new(refusal()) }))
        }
        Err(why) => Verdict::failed(&why),
    }
}

impl Matter<'_> {
    /// What Cedar is shown of it: as much as `reads` says.
    ///
    /// # Errors
    /// When Cedar does not take it.
    pub(super) fn question(&self, reads: Reads) -> Result<Question, String> {
        let Self { access, name, subject, thing } = *self;
        let mut entities = Vec::with_capacity(3);
        if reads.principal {
            entities.push(subject.entity(access.principal)?);
        }
        if reads.hints || reads.server || reads.name {
            entities.push(thing.entity(access, name, reads)?);
        }
        if reads.action {
            entities.push(words::action_entity(access.action));
        }
        let entities = Entities::from_entities(entities, None).map_err(|e| e.to_string())?;
        let action = words::action(access.action);
        Ok(Question { principal: subject.uid.clone(), action, thing: thing.uid.clone(), entities })
    }
}

impl Question {
    /// What all of `rules` say.
    #[cfg(test)]
    pub(super) fn ask_all(
        &self,
        rules: &[&Arc<Rule>],
        access: &Access<'_>,
        arguments: Option<&str>,
    ) -> Result<Outcome, String> {
        // As they are written.
        let mut whole = Rules::default();
        for rule in rules {
            let set = if rule.permits { &mut whole.permits } else { &mut whole.forbids };
            set.add(rule.policy.clone()).map_err(|e| e.to_string())?;
            whole.rules.push(Arc::clone(rule));
        }
        whole.reads = rules.iter().fold(Reads::SCOPE, |all, rule| all.and(rule.reads));
        whole.ask_with(self, access, arguments)
    }

    /// Whether `rule` holds; `None` where that waits for arguments or the time.
    pub(super) fn holds(&self, access: &Access<'_>, rule: &Arc<Rule>) -> Option<bool> {
        let rules = Rules::of(&[rule]).ok()?;
        let outcome = match (rule.reads.varies(), access.arguments) {
            (false, _) => rules.ask_now(self, access),
            (true, Arguments::Unknown) => return None,
            (true, Arguments::Given(arguments)) => rules.ask_with(self, access, arguments),
        };
        outcome.ok().map(|o| o.failed.is_some() || !o.permits.is_empty() || !o.forbids.is_empty())
    }
}

impl Verdict {
    /// The decision about `access`.
    pub(super) fn decide(&self, access: &Access<'_>) -> Decided {
        let of = |decision| Decided { decision, permits: None };
        match self {
            Self::Settled(decided) => decided.clone(),
            Self::Open(open) => match access.arguments {
                // There may be arguments, or a time, with which it is allowed: nobody looks for them.
                Arguments::Unknown if open.may_permit() => of(Decision::Allow),
                Arguments::Unknown => of(Decision::Deny(Arc::clone(&open.refusal))),
                Arguments::Given(arguments) => match open.ask(access, arguments) {
                    Ok(outcome) => outcome.decided(|| Denial::clone(&open.refusal)),
                    Err(why) => of(broken(&open.ids(), &why)),
                },
            },
        }
    }

    /// What could not be asked.
    pub(super) fn failed(why: &str) -> Self {
        Self::Settled(Decided { decision: broken("the validator", why), permits: None })
    }
}

impl Open {
    fn may_permit(&self) -> bool {
        !self.settled.permits.is_empty() || !self.asked.permits.is_empty()
    }

    fn ids(&self) -> String {
        self.asked.rules.iter().map(|rule| &*rule.id).collect::<Vec<_>>().join(", ")
    }

    fn ask(&self, access: &Access<'_>, arguments: Option<&str>) -> Result<Outcome, String> {
        let mut outcome = self.asked.ask_with(&self.question, access, arguments)?;
        outcome.add(self.settled.clone());
        Ok(outcome)
    }
}

impl Rules {
    fn of(rules: &[&Arc<Rule>]) -> Result<Self, String> {
        let mut all = Self::default();
        for rule in rules {
            let set = if rule.permits { &mut all.permits } else { &mut all.forbids };
            set.add(rule.asked.clone()).map_err(|e| e.to_string())?;
            all.reads = all.reads.and(rule.reads);
            all.rules.push(Arc::clone(rule));
        }
        Ok(all)
    }

    /// Asks those that wait for nothing.
    fn ask_now(&self, question: &Question, access: &Access<'_>) -> Result<Outcome, String> {
        let context = context(&access.around, self.reads, Vec::new())?;
        Ok(self.ask(question, &question.entities, context))
    }

    /// Asks those that wait for arguments and time.
    fn ask_with(&self, question: &Question, access: &Access<'_>, arguments: Option<&str>) -> Result<Outcome, String> {
        let facts = facts::arguments(arguments, self.reads)?;
        let entities = question.entities.clone().add_entities(facts, None).map_err(|e| e.to_string())?;
        let entity = |word: Word| RestrictedExpression::new_entity_uid(word.uid(THIS));
        let mut members = Vec::new();
        for (read, name, word) in [
            (self.reads.arguments, "arguments", Word::Arguments),
            (self.reads.numbers, "numbers", Word::Numbers),
            (self.reads.lists, "lists", Word::Lists),
        ] {
            if read {
                members.push((name.to_owned(), entity(word)));
            }
        }
        if self.reads.now {
            members.push(("now".to_owned(), now()));
        }
        Ok(self.ask(question, &entities, context(&access.around, self.reads, members)?))
    }

    fn ask(&self, question: &Question, entities: &Entities, context: Context) -> Outcome {
        let mut outcome = Outcome::default();
        let request =
            Request::new(question.principal.clone(), question.action.clone(), question.thing.clone(), context, None);
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                outcome.failed = Some((Arc::from("the validator"), error.to_string()));
                return outcome;
            }
        };
        for (set, held) in [(&self.permits, &mut outcome.permits), (&self.forbids, &mut outcome.forbids)] {
            if set.is_empty() {
                continue;
            }
            let response = AUTHORIZER.is_authorized(&request, set, entities);
            // Cedar leaves out a policy that fails, which would open what a failing `forbid` closes.
            for error in response.diagnostics().errors() {
                let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
                let id: &str = error.policy_id().as_ref();
                outcome.failed = Some((Arc::from(id), error.to_string()));
            }
            for id in response.diagnostics().reason() {
                let id: &str = id.as_ref();
                held.extend(self.rules.iter().find(|rule| *rule.id == *id).cloned());
            }
        }
        outcome
    }
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.permits.extend(other.permits);
        self.forbids.extend(other.forbids);
        self.failed = self.failed.take().or(other.failed);
    }

    /// Whether nothing that is still open can change it.
    fn is_final(&self) -> bool {
        self.failed.is_some() || self.forbids.iter().any(|rule| rule.ask.is_none())
    }

    /// What follows from it, and by whose word. Of those that permit it only with a person's, the one that is asked of counts.
    fn decided(&self, refusal: impl Fn() -> Denial) -> Decided {
        let decision = self.decision(refusal);
        let permits = match &decision {
            Decision::Allow => {
                let mut ids: Vec<String> =
                    self.permits.iter().filter(|rule| rule.ask.is_none()).map(|rule| rule.id.to_string()).collect();
                ids.sort_unstable();
                Some(ids.into())
            }
            Decision::Approve(ask) => Some(Arc::from([ask.policy.to_string()])),
            Decision::Deny(_) => None,
        };
        Decided { decision, permits }
    }

    /// What follows from it. `refusal` is what is said where nothing permits: to find the words may cost more than to decide.
    pub(super) fn decision(&self, refusal: impl Fn() -> Denial) -> Decision {
        if let Some((id, why)) = &self.failed {
            return broken(id, why);
        }
        if let Some(rule) = self.forbids.iter().filter(|rule| rule.ask.is_none()).min_by_key(|rule| &rule.id) {
            return Decision::Deny(Arc::new(Denial {
                policy: Some(Arc::clone(&rule.id)),
                reason: forbids(rule, &refusal()),
                needed: format!("`{}` would have to be removed or narrowed", rule.id),
            }));
        }
        if self.permits.is_empty() {
            return Decision::Deny(Arc::new(refusal()));
        }
        // One that permits without an approval is enough, unless a forbid demands one.
        let mut asks: Vec<&Arc<Ask>> = self.forbids.iter().filter_map(|rule| rule.ask.as_ref()).collect();
        if asks.is_empty() && self.permits.iter().all(|rule| rule.ask.is_some()) {
            asks = self.permits.iter().filter_map(|rule| rule.ask.as_ref()).collect();
        }
        // Whoever is hardest to ask decides.
        match asks.into_iter().min_by_key(|ask| (ask.approver != Approver::Admin, &ask.policy)) {
            None => Decision::Allow,
            Some(ask) => Decision::Approve(Arc::clone(ask)),
        }
    }
}

/// The words of a rule of `omni.yaml` say which pattern it was.
fn forbids(rule: &Rule, refusal: &Denial) -> String {
    let pattern = match rule.policy.resource_constraint() {
        cedar_policy::ResourceConstraint::In(uid) if uid.type_name() == Word::Pattern.name() => {
            format!(" (`{}`)", AsRef::<str>::as_ref(uid.id()))
        }
        _ => String::new(),
    };
    let what = refusal.reason.strip_prefix("nothing allows ").unwrap_or(&refusal.reason);
    format!("{}{pattern} forbids {what}", rule.id)
}

fn broken(id: &str, why: &str) -> Decision {
    Decision::Deny(Arc::new(Denial {
        policy: Some(Arc::from(id)),
        reason: format!("policy {id} could not be decided, and what cannot be decided is refused: {why}"),
        needed: "the policy, or what it was asked about, has to be mended".to_owned(),
    }))
}
