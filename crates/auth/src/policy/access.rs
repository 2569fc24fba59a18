//! One thing that somebody wants to do, as it is put to policy.

use std::net::IpAddr;

use omni_types::Principal;

use crate::policy::action::{Action, ThingKind};

/// One thing that somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// What.
    pub action: Action,
    /// With what kind of thing.
    pub thing: ThingKind,
    /// Of which server; empty for what is the hub's own.
    pub server: &'a str,
    /// With which tool, prompt or resource.
    pub name: &'a str,
    /// What the server says of the tool.
    pub hints: Hints,
    /// From where.
    pub around: Surroundings<'a>,
    /// With which arguments.
    pub arguments: Arguments<'a>,
}

/// From where, and with what, a call comes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The client's address; `None` where it came over no network.
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    pub client: Option<&'a str>,
    /// The revision of MCP that it speaks.
    pub revision: &'a str,
}

/// What a call is made with.
#[derive(Debug, Clone, Copy, Default)]
pub enum Arguments<'a> {
    /// No call is made yet: is there one that could be allowed? Lists ask so.
    #[default]
    Unknown,
    /// This JSON text, if the call has arguments.
    Given(Option<&'a str>),
}

/// What a server says of a tool (`annotations` of the tool). What it says nothing about is taken for the worse, as MCP
/// wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something.
    pub destructive: bool,
    /// Called again, it does nothing more.
    pub idempotent: bool,
    /// It reaches beyond its server.
    pub open_world: bool,
}

impl Default for Hints {
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

impl<'a> Access<'a> {
    /// The question whether `principal` may do `action` with `name` of `server` at all.
    #[must_use]
    pub fn new(principal: &'a Principal, action: Action, server: &'a str, name: &'a str) -> Self {
        Self {
            principal,
            action,
            thing: action.thing(),
            server,
            name,
            hints: Hints::default(),
            around: Surroundings::default(),
            arguments: Arguments::Unknown,
        }
    }

    /// Whether it is about a thing of a server, not of the hub.
    #[must_use]
    pub const fn is_of_server(&self) -> bool {
        self.thing.is_of_server()
    }
}

impl Surroundings<'_> {
    /// Whether the client is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.address.is_none_or(|address| address.to_canonical().is_loopback())
    }
}
