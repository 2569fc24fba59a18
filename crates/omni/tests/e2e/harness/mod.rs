//! What the tests share: a running hub, clients, servers by name, a look at the system's processes.

pub(crate) mod acted;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod fixture;
pub(crate) mod github;
pub(crate) mod http;
pub(crate) mod hub;
pub(crate) mod idp;
pub(crate) mod oidc;
pub(crate) mod peers;
pub(crate) mod processes;
pub(crate) mod puppet;
pub(crate) mod recorded;
pub(crate) mod scripted;
pub(crate) mod talker;
pub(crate) mod told;
pub(crate) mod wait;

pub(crate) use client::{Client, Era};
pub(crate) use fixture::{HttpFixture, bad, everything};
pub(crate) use hub::{HUB_ALONE, Hub};
pub(crate) use wait::{in_time, until};
