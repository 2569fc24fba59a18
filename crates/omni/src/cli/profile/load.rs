//! The profiles that a command is about.

use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use omni_hub::Library;
use omni_profiles::Profile;

use crate::cli::context::Context;
use crate::config;
use crate::run;

/// The profiles of the configuration that the command is about.
pub(super) fn library(context: &Context) -> Result<Library> {
    let Some(path) = config::discover(context.config.as_deref(), &context.around) else {
        bail!("there is no configuration here: `profiles:` in omni.yaml says where profiles are");
    };
    let settings = config::load(&path, &context.around)?.settings;
    let profiles = settings.profiles.ok_or_else(|| {
        anyhow!("{} has no section `profiles`: with it, even empty (`profiles: {{}}`), there are some", path.display())
    })?;
    Ok(run::library(&profiles))
}

/// The profile called `name`; what is wrong with it, where it is left out.
pub(super) fn find(library: &Library, name: &str) -> Result<Arc<Profile>> {
    if let Some(profile) = library.find(name) {
        return Ok(Arc::clone(profile));
    }
    let known: Vec<&str> = library.profiles().map(|profile| profile.name.as_str()).collect();
    let mut why = format!("there is no profile `{name}`; there are: {}", known.join(", "));
    for fault in library.faults() {
        why.push_str(&format!("\nleft out: {fault}"));
    }
    bail!("{why}")
}
