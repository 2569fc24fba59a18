//! The policy that a command is about.

use anyhow::{Result, bail};
use omni_auth::Policy;

use crate::cli::context::Context;
use crate::config::{self, Settings};

/// The policy of the configuration that this command is about; the default one where there is none.
pub(super) fn policy_of(context: &Context) -> Result<Policy> {
    let settings = match config::discover(context.config.as_deref(), &context.around) {
        Some(path) => config::load(&path, &context.around)?.settings,
        None => Settings::default(),
    };
    built(&settings)
}

/// The policy of `settings`.
pub(super) fn built(settings: &Settings) -> Result<Policy> {
    match Policy::build(&settings.policy) {
        Ok(policy) => Ok(policy),
        Err(faults) => bail!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}
