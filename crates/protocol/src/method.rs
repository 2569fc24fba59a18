//! The methods of the protocol that the hub knows by name.

use std::borrow::Cow;

/// A method name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// `initialize`
    Initialize,
    /// `server/discover`
    Discover,
    /// `ping`
    Ping,
    /// `tools/list`, `prompts/list`, `resources/list`, `resources/templates/list`
    List(ListKind),
    /// `tools/call`
    ToolsCall,
    /// `prompts/get`
    PromptsGet,
    /// `resources/read`
    ResourcesRead,
    /// `resources/subscribe`
    ResourcesSubscribe,
    /// `resources/unsubscribe`
    ResourcesUnsubscribe,
    /// `completion/complete`
    Complete,
    /// `logging/setLevel`
    SetLevel,
    /// `subscriptions/listen`
    Listen,
    /// `tasks/get` (extension of 2026-07-28; something else before)
    TasksGet,
    /// `tasks/update`
    TasksUpdate,
    /// `tasks/cancel`
    TasksCancel,
    /// `tasks/result` (2025-11-25)
    TasksResult,
    /// `sampling/createMessage`, asked by servers
    CreateMessage,
    /// `elicitation/create`, asked by servers
    Elicit,
    /// `roots/list`, asked by servers
    RootsList,
    /// `notifications/initialized`
    Initialized,
    /// `notifications/cancelled`
    Cancelled,
    /// `notifications/progress`
    Progress,
    /// `notifications/message`
    LogMessage,
    /// `notifications/resources/updated`
    ResourceUpdated,
    /// `notifications/{tools,prompts,resources}/list_changed`
    ListChanged(ListKind),
    /// `notifications/roots/list_changed`
    RootsListChanged,
    /// `notifications/subscriptions/acknowledged`
    Acknowledged,
    /// Any other.
    Other(Box<str>),
}

/// The four lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// Tools.
    Tools,
    /// Prompts.
    Prompts,
    /// Resources.
    Resources,
    /// Resource templates.
    Templates,
}

impl ListKind {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// Its place in [`ListKind::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Tools => 0,
            Self::Prompts => 1,
            Self::Resources => 2,
            Self::Templates => 3,
        }
    }

    /// The member of the result that holds the items.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The member of an item by which it is called.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    /// The method that lists it.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// The server capability that goes with it.
    #[must_use]
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources | Self::Templates => "resources",
        }
    }

    /// The notification that says it changed.
    #[must_use]
    pub const fn changed(self) -> &'static str {
        match self {
            Self::Tools => "notifications/tools/list_changed",
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources | Self::Templates => "notifications/resources/list_changed",
        }
    }
}

impl Method {
    /// The method named `text`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "initialize" => Self::Initialize,
            "server/discover" => Self::Discover,
            "ping" => Self::Ping,
            "tools/list" => Self::List(ListKind::Tools),
            "prompts/list" => Self::List(ListKind::Prompts),
            "resources/list" => Self::List(ListKind::Resources),
            "resources/templates/list" => Self::List(ListKind::Templates),
            "tools/call" => Self::ToolsCall,
            "prompts/get" => Self::PromptsGet,
            "resources/read" => Self::ResourcesRead,
            "resources/subscribe" => Self::ResourcesSubscribe,
            "resources/unsubscribe" => Self::ResourcesUnsubscribe,
            "completion/complete" => Self::Complete,
            "logging/setLevel" => Self::SetLevel,
            "subscriptions/listen" => Self::Listen,
            "tasks/get" => Self::TasksGet,
            "tasks/update" => Self::TasksUpdate,
            "tasks/cancel" => Self::TasksCancel,
            "tasks/result" => Self::TasksResult,
            "sampling/createMessage" => Self::CreateMessage,
            "elicitation/create" => Self::Elicit,
            "roots/list" => Self::RootsList,
            "notifications/initialized" => Self::Initialized,
            "notifications/cancelled" => Self::Cancelled,
            "notifications/progress" => Self::Progress,
            "notifications/message" => Self::LogMessage,
            "notifications/resources/updated" => Self::ResourceUpdated,
            "notifications/tools/list_changed" => Self::ListChanged(ListKind::Tools),
            "notifications/prompts/list_changed" => Self::ListChanged(ListKind::Prompts),
            "notifications/resources/list_changed" => Self::ListChanged(ListKind::Resources),
            "notifications/roots/list_changed" => Self::RootsListChanged,
            "notifications/subscriptions/acknowledged" => Self::Acknowledged,
            other => Self::Other(other.into()),
        }
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => known.known(),
        }
    }

    /// The same, to keep.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Other(name) => Cow::Owned(name.as_ref().to_owned()),
            known => Cow::Borrowed(known.known()),
        }
    }

    /// The name of one that is known.
    const fn known(&self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Discover => "server/discover",
            Self::Ping => "ping",
            Self::List(kind) => kind.method(),
            Self::ToolsCall => "tools/call",
            Self::PromptsGet => "prompts/get",
            Self::ResourcesRead => "resources/read",
            Self::ResourcesSubscribe => "resources/subscribe",
            Self::ResourcesUnsubscribe => "resources/unsubscribe",
            Self::Complete => "completion/complete",
            Self::SetLevel => "logging/setLevel",
            Self::Listen => "subscriptions/listen",
            Self::TasksGet => "tasks/get",
            Self::TasksUpdate => "tasks/update",
            Self::TasksCancel => "tasks/cancel",
            Self::TasksResult => "tasks/result",
            Self::CreateMessage => "sampling/createMessage",
            Self::Elicit => "elicitation/create",
            Self::RootsList => "roots/list",
            Self::Initialized => "notifications/initialized",
            Self::Cancelled => "notifications/cancelled",
            Self::Progress => "notifications/progress",
            Self::LogMessage => "notifications/message",
            Self::ResourceUpdated => "notifications/resources/updated",
            Self::ListChanged(kind) => kind.changed(),
            Self::RootsListChanged => "notifications/roots/list_changed",
            Self::Acknowledged => "notifications/subscriptions/acknowledged",
            Self::Other(_) => "",
        }
    }

    /// Whether clients of 2026-07-28 have lost it (answered -32601 there).
    #[must_use]
    pub const fn is_legacy_only(&self) -> bool {
        matches!(
            self,
            Self::Initialize
                | Self::Ping
                | Self::SetLevel
                | Self::ResourcesSubscribe
                | Self::ResourcesUnsubscribe
                | Self::TasksResult
        )
    }

    /// Whether only clients of 2026-07-28 have it.
    #[must_use]
    pub const fn is_modern_only(&self) -> bool {
        matches!(self, Self::Discover | Self::Listen)
    }

    /// Whether it is about a task, named by `taskId`.
    #[must_use]
    pub const fn is_of_task(&self) -> bool {
        matches!(self, Self::TasksGet | Self::TasksUpdate | Self::TasksCancel | Self::TasksResult)
    }

    /// Whether its result carries `ttlMs` and `cacheScope` in 2026-07-28.
    #[must_use]
    pub const fn is_cacheable(&self) -> bool {
        matches!(self, Self::Discover | Self::List(_) | Self::ResourcesRead)
    }
}

#[cfg(test)]
mod tests {
    use super::{ListKind, Method};

    #[test]
    fn every_list_has_its_place() {
        for (at, kind) in ListKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), at);
        }
    }

    #[test]
    fn every_name_comes_back() {
        for name in
            ["initialize", "tools/list", "resources/templates/list", "notifications/tools/list_changed", "vendor/x"]
        {
            assert_eq!(Method::parse(name).as_str(), name);
        }
    }
}
