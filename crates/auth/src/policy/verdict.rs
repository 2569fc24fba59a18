//! What policies say about one principal, action and thing: settled for good, or open until arguments and time are known.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use cedar_policy::{Authorizer, Context, Entities, EntityUid, PolicySet, Request, RestrictedExpression};

use crate::policy::access::{Access, Arguments, Surroundings};
use crate::policy::decision::{Approver, Ask, Decision, Denial};
use crate::policy::facts::{self, THIS};
use crate::policy::index::Rule;
use crate::policy::reads::Reads;
use crate::policy::subject::Subject;
use crate::policy::thing::Thing;
use crate::policy::words::{self, Word};

/// Sets that are kept.
const SETS_MAX: usize = 1_024;

static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(Authorizer::new);

/// What policies say.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Whatever the arguments and the time.
    Settled(Decision),
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

/// Sets of policies as Cedar takes them, which cost more to make than to ask: by the places of their rules.
#[derive(Debug, Default)]
pub(super) struct Sets(Mutex<HashMap<Box<[usize]>, Arc<Rules>>>);

impl Sets {
    fn of(&self, rules: &[&Arc<Rule>]) -> Result<Arc<Rules>, String> {
        let places: Box<[usize]> = rules.iter().map(|rule| rule.at).collect();
        if let Some(found) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&places) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(Rules::of(rules)?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SETS_MAX {
            all.clear();
        }
        all.insert(places, Arc::clone(&made));
        Ok(made)
    }
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
/// their scope does.
pub(super) fn find(
    access: &Access<'_>,
    (candidates, sets): (&[&Arc<Rule>], &Sets),
    question: impl FnOnce() -> Result<Question, String>,
    refusal: impl Fn() -> Denial,
) -> Verdict {
    let (certain, asked): (Vec<&Arc<Rule>>, Vec<&Arc<Rule>>) = candidates.iter().partition(|rule| rule.is_certain);
    let mut settled = Outcome::default();
    for rule in certain {
        let held = if rule.permits { &mut settled.permits } else { &mut settled.forbids };
        held.push(Arc::clone(rule));
    }
    if settled.is_final() || asked.is_empty() {
        return Verdict::Settled(settled.decision(refusal));
    }
    let question = match question() {
        Ok(question) => question,
        Err(why) => return Verdict::failed(&why),
    };
    let (open, known): (Vec<&Arc<Rule>>, Vec<&Arc<Rule>>) = asked.into_iter().partition(|rule| rule.reads.varies());
    let answered = if known.is_empty() {
        Ok(Outcome::default())
    } else {
        sets.of(&known).and_then(|rules| rules.ask_now(&question, access))
    };
    match answered {
        Ok(more) => settled.add(more),
        Err(why) => return Verdict::failed(&why),
    }
    if settled.is_final() || open.is_empty() {
        return Verdict::Settled(settled.decision(refusal));
    }
    match sets.of(&open) {
        Ok(asked) => Verdict::Open(Box::new(Open { settled, asked, question, refusal: Arc::new(refusal()) })),
        Err(why) => Verdict::failed(&why),
    }
}

impl Question {
    /// What `subject` wants to do with `thing`, which goes by `name`.
    ///
    /// # Errors
    /// When Cedar does not take it.
    pub(super) fn of(access: &Access<'_>, name: &str, subject: &Subject, thing: &Thing) -> Result<Self, String> {
        let (who, what) = (subject.entity(access.principal)?, thing.entity(access, name)?);
        let entities = Entities::from_entities([who, what, words::action_entity(access.action)], None)
            .map_err(|e| e.to_string())?;
        let action = words::action(access.action);
        Ok(Self { principal: subject.uid.clone(), action, thing: thing.uid.clone(), entities })
    }

    /// What all of `rules` say.
    #[cfg(test)]
    pub(super) fn ask_all(
        &self,
        rules: &[&Arc<Rule>],
        access: &Access<'_>,
        arguments: Option<&str>,
    ) -> Result<Outcome, String> {
        Rules::of(rules)?.ask_with(self, access, arguments)
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
    pub(super) fn decide(&self, access: &Access<'_>) -> Decision {
        match self {
            Self::Settled(decision) => decision.clone(),
            Self::Open(open) => match access.arguments {
                // There may be arguments, or a time, with which it is allowed: nobody looks for them.
                Arguments::Unknown if open.may_permit() => Decision::Allow,
                Arguments::Unknown => Decision::Deny(Arc::clone(&open.refusal)),
                Arguments::Given(arguments) => match open.ask(access, arguments) {
                    Ok(outcome) => outcome.decision(|| Denial::clone(&open.refusal)),
                    Err(why) => broken(&open.ids(), &why),
                },
            },
        }
    }

    /// What could not be asked.
    pub(super) fn failed(why: &str) -> Self {
        Self::Settled(broken("the validator", why))
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
            set.add(rule.policy.clone()).map_err(|e| e.to_string())?;
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

fn context(
    around: &Surroundings<'_>,
    reads: Reads,
    mut members: Vec<(String, RestrictedExpression)>,
) -> Result<Context, String> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    if reads.loopback {
        members.push(("loopback".to_owned(), RestrictedExpression::new_bool(around.is_loopback())));
    }
    if let Some(address) = around.address.filter(|_| reads.address) {
        members.push(("address".to_owned(), ip(address)));
    }
    if let Some(client) = around.client.filter(|_| reads.client) {
        members.push(("client".to_owned(), text(client)));
    }
    if reads.revision {
        members.push(("revision".to_owned(), text(around.revision)));
    }
    Context::from_pairs(members).map_err(|e| e.to_string())
}

/// An IPv4 address that came in the form of IPv6 is the IPv4 address that rules mean.
fn ip(address: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(address.to_canonical().to_string())
}

fn now() -> RestrictedExpression {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, millis) = (since.as_secs() / 86_400, since.as_millis() % 86_400_000);
    let (year, month, day) = date(i64::try_from(days).unwrap_or(0));
    let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    RestrictedExpression::new_datetime(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        millis % 1_000
    ))
}

/// Year, month and day, `days` after 1 January 1970 (the proleptic Gregorian calendar, counted from 1 March).
const fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn tool_2_days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_513), (2026, 3, 1));
    }
}
