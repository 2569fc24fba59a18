//! The flows: what is done for each method, one file each.

pub(crate) mod call_tool;
pub(crate) mod complete;
pub(crate) mod discover;
pub(crate) mod get_prompt;
mod hello;
pub(crate) mod initialize;
pub(crate) mod list;
pub(crate) mod listen;
pub(crate) mod notify;
pub(crate) mod other;
pub(crate) mod ping;
pub(crate) mod profile_tools;
pub(crate) mod read_resource;
pub(crate) mod respond;
pub(crate) mod set_level;
pub(crate) mod subscribe;
pub(crate) mod task;
