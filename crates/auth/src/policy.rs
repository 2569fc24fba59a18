//! The permission validator: what a principal may do, decided before anything is routed (row TOOL-2).

use omni_types::Principal;

use crate::pattern::{Pattern, PatternError};
use crate::settings::PolicySettings;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `tools/call`
    CallTool,
    /// `prompts/get`
    GetPrompt,
    /// `resources/read` and subscriptions
    ReadResource,
    /// `completion/complete`
    Complete,
}

impl Action {
    /// The action's name in policies and reasons.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallTool => "tools/call",
            Self::GetPrompt => "prompts/get",
            Self::ReadResource => "resources/read",
            Self::Complete => "completion/complete",
        }
    }
}

/// One thing that somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// What.
    pub action: Action,
    /// With which server.
    pub server: &'a str,
    /// With which tool, prompt or resource.
    pub name: &'a str,
}

/// Yes or no, and which rule says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No, with a reason that a person can act on.
    Deny(String),
}

/// Rules as they are in force. `deny` goes before `allow`; what neither names is denied.
#[derive(Debug, Clone)]
pub struct Policy {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
    allows_everything: bool,
}

impl Policy {
    /// Reads the settings.
    ///
    /// # Errors
    /// The pattern that is none, with the key it stands under.
    pub fn build(settings: &PolicySettings) -> Result<Self, (String, PatternError)> {
        let read = |key: &str, list: &[String]| {
            let parse =
                |(at, text): (usize, &String)| Pattern::parse(text).map_err(|e| (format!("policy.{key}[{at}]"), e));
            list.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()
        };
        let (allow, deny) = (read("allow", &settings.allow)?, read("deny", &settings.deny)?);
        let allows_everything = deny.is_empty() && allow.iter().any(Pattern::is_everything);
        Ok(Self { allow, deny, allows_everything })
    }

    /// Decides on `access`.
    #[must_use]
    pub fn decide(&self, access: &Access<'_>) -> Decision {
        if self.allows_everything {
            return Decision::Allow;
        }
        let Access { server, name, action, principal } = access;
        if let Some(rule) = self.deny.iter().find(|rule| rule.matches(server, name)) {
            return Decision::Deny(format!(
                "policy.deny `{}` forbids {principal} {} on `{server}:{name}`; remove or narrow that rule to allow it",
                rule.text(),
                action.as_str()
            ));
        }
        if self.allow.iter().any(|rule| rule.matches(server, name)) {
            return Decision::Allow;
        }
        Decision::Deny(format!(
            "no rule of policy.allow covers {} on `{server}:{name}` for {principal}; add `{server}:{name}` to allow it",
            action.as_str()
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_types::Principal;

    use super::{Access, Action, Decision, Policy};
    use crate::settings::PolicySettings;

    fn allowed(allow: &[&str], deny: &[&str], server: &str, name: &str) -> bool {
        let list = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        let policy = Policy::build(&PolicySettings { allow: list(allow), deny: list(deny) }).unwrap();
        let principal = Principal::local("ann");
        let access = Access { principal: &principal, action: Action::CallTool, server, name };
        policy.decide(&access) == Decision::Allow
    }

    #[test]
    fn tool_2_deny_goes_before_allow_and_the_rest_is_denied() {
        assert!(allowed(&["*"], &[], "a", "b"));
        assert!(!allowed(&[], &[], "a", "b"));
        assert!(!allowed(&["*"], &["a:b"], "a", "b"));
        assert!(allowed(&["*"], &["a:b"], "a", "c"));
        assert!(allowed(&["a"], &[], "a", "x") && !allowed(&["a"], &[], "b", "x"));
    }

    #[test]
    fn tool_7_a_denial_says_which_rule_and_what_to_do() {
        let settings = PolicySettings { deny: vec!["git:git_commit".into()], ..Default::default() };
        let principal = Principal::local("ann");
        let access = Access { principal: &principal, action: Action::CallTool, server: "git", name: "git_commit" };
        let Decision::Deny(why) = Policy::build(&settings).unwrap().decide(&access) else { panic!("denied") };
        assert!(why.contains("policy.deny `git:git_commit`") && why.contains("local:ann"), "{why}");
    }
}
