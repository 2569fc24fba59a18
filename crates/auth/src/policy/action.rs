//! What is done, and with what kind of thing.

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// `tools/call`, requests about the tasks that it began, and methods that the hub does not know.
    CallTool,
    /// `prompts/get`
    GetPrompt,
    /// `resources/read` and subscriptions
    ReadResource,
    /// `completion/complete`
    Complete,
    /// A profile is applied.
    ApplyProfile,
    /// A secret is put where a server reads it.
    UseSecret,
    /// The hub's state is looked at.
    AdminRead,
    /// Keys are made, rotated and revoked.
    AdminKeys,
    /// Tokens are revoked.
    AdminTokens,
    /// Calls that wait for a person are approved or denied.
    AdminApprovals,
    /// The configuration is taken over anew.
    AdminConfiguration,
}

/// What kind of thing it is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThingKind {
    /// A tool of a server.
    Tool,
    /// A prompt of a server.
    Prompt,
    /// A resource of a server, or a template of resources.
    Resource,
    /// A profile.
    Profile,
    /// A secret.
    Secret,
    /// The hub itself.
    Hub,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::CallTool,
        Self::GetPrompt,
        Self::ReadResource,
        Self::Complete,
        Self::ApplyProfile,
        Self::UseSecret,
        Self::AdminRead,
        Self::AdminKeys,
        Self::AdminTokens,
        Self::AdminApprovals,
        Self::AdminConfiguration,
    ];

    /// The action's name in policies and reasons.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallTool => "tools/call",
            Self::GetPrompt => "prompts/get",
            Self::ReadResource => "resources/read",
            Self::Complete => "completion/complete",
            Self::ApplyProfile => "profiles/apply",
            Self::UseSecret => "secrets/use",
            Self::AdminRead => "admin/read",
            Self::AdminKeys => "admin/keys",
            Self::AdminTokens => "admin/tokens",
            Self::AdminApprovals => "admin/approvals",
            Self::AdminConfiguration => "admin/configuration",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// The group that policies may name instead.
    pub(super) const fn group(self) -> Option<&'static str> {
        match self {
            Self::CallTool | Self::GetPrompt | Self::ReadResource | Self::Complete => Some("use"),
            Self::ApplyProfile | Self::UseSecret => None,
            Self::AdminRead | Self::AdminKeys | Self::AdminTokens | Self::AdminApprovals | Self::AdminConfiguration => {
                Some("admin")
            }
        }
    }

    /// The kind of thing that this is usually done with.
    #[must_use]
    pub const fn thing(self) -> ThingKind {
        match self {
            Self::CallTool => ThingKind::Tool,
            Self::GetPrompt | Self::Complete => ThingKind::Prompt,
            Self::ReadResource => ThingKind::Resource,
            Self::ApplyProfile => ThingKind::Profile,
            Self::UseSecret => ThingKind::Secret,
            _ => ThingKind::Hub,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl ThingKind {
    /// Its name in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "Tool",
            Self::Prompt => "Prompt",
            Self::Resource => "Resource",
            Self::Profile => "Profile",
            Self::Secret => "Secret",
            Self::Hub => "Hub",
        }
    }

    /// Whether it is a server's.
    pub(super) const fn is_of_server(self) -> bool {
        matches!(self, Self::Tool | Self::Prompt | Self::Resource)
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn tool_2_every_action_has_its_own_place_and_name() {
        for (at, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action.index(), at);
            assert_eq!(Action::parse(action.as_str()), Some(action));
        }
    }
}
