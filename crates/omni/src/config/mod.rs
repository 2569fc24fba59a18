//! `omni.yaml`: found, read, checked and given its meaning; every complaint names file, line and column.

mod audit;
mod check;
pub(crate) mod edit;
mod emit;
mod error;
mod expand;
mod file;
mod load;
mod nearest;
mod node;
mod paths;
pub(crate) mod policy;
mod schema;
mod settings;
mod shape;
mod surroundings;

#[cfg(test)]
mod tests;

pub(crate) use crate::config::audit::{AuditMode, AuditSettings, ForwardSettings, WitnessSettings};
pub(crate) use crate::config::check::{entry_faults, server_name_fault};
pub(crate) use crate::config::error::{ConfigErrors, Problem};
pub(crate) use crate::config::expand::escape_others;
pub(crate) use crate::config::file::read_file;
#[cfg(test)]
pub(crate) use crate::config::load::parse_in;
pub(crate) use crate::config::load::{Config, FILE_NAME, data_dir, discover, load};
pub(crate) use crate::config::node::plain_yaml;
pub(crate) use crate::config::schema::schema_text;
pub(crate) use crate::config::settings::{LogLevel, ServerSettings, Settings};
pub(crate) use crate::config::surroundings::{Os, Surroundings};
