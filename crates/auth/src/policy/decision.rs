//! What policy says, in words that a person can act on.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Yes, no, or not without a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow,
    /// Only when a person approves it.
    Approve(Arc<Ask>),
    /// No.
    Deny(Arc<Denial>),
}

/// A decision, and the policies whose word it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// The ids of the policies that allow it: shared by all calls that the same decision is about. None where it is not allowed, where
    /// no policy was asked, or arguments would have to be known.
    pub permits: Option<Arc<[String]>>,
}

/// Why not, and what would be needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The policy that forbids it; `None` where none allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Arc<str>>,
    /// Why not.
    pub reason: String,
    /// What would be needed.
    pub needed: String,
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The policy that demands it.
    pub policy: Arc<str>,
    /// What the policy wants to have said to whoever decides.
    pub message: String,
    /// Who may decide.
    pub approver: Approver,
}

/// Who may approve a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Approver {
    /// The person in front of the client that calls. Where the client cannot ask them, an administrator.
    #[default]
    Caller,
    /// An administrator, by `omni approvals`; without a running admin API such calls are refused.
    Admin,
}

/// How a decision came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Policies that allow it, and hold.
    pub permits: Vec<Arc<str>>,
    /// Policies that forbid it, or demand an approval, and hold.
    pub forbids: Vec<Arc<str>>,
    /// Policies that look at arguments or at the time, which were not given.
    pub open: Vec<Arc<str>>,
    /// Policies that concern this principal, action and thing, of all that there are.
    pub considered: usize,
    /// All policies.
    pub policies: usize,
    /// Roles of the principal, of its own and by membership.
    pub roles: Vec<String>,
}

impl Decision {
    /// Whether the call may be made, at once or with a person's word.
    #[must_use]
    pub const fn is_possible(&self) -> bool {
        !matches!(self, Self::Deny(_))
    }

    /// One word for tables.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Approve(_) => "approve",
            Self::Deny(_) => "deny",
        }
    }
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.reason, self.needed)
    }
}
