//! The profiles that a command is about.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use omni_hub::Library;
use omni_profiles::Profile;

use crate::cli::context::Context;
use crate::config::{self, Settings};
use crate::run;

/// The section of the configuration that the command is about.
pub(super) fn settings(context: &Context) -> Result<Settings> {
    let Some(path) = config::discover(context.config.as_deref(), &context.around) else {
        bail!("there is no configuration here: `profiles:` in omni.yaml says where profiles are");
    };
    let settings = config::load(&path, &context.around)?.settings;
    if settings.profiles.is_none() {
        bail!("{} has no section `profiles`: with it, even empty (`profiles: {{}}`), there are some", path.display());
    }
    Ok(settings)
}

/// Where the hub keeps what it fetched.
pub(super) fn data_dir(settings: &Settings, context: &Context) -> Option<PathBuf> {
    context.data_dir(None, settings)
}

/// The profiles of the configuration that the command is about.
pub(super) fn library(context: &Context) -> Result<Library> {
    let settings = settings(context)?;
    let data_dir = data_dir(&settings, context);
    Ok(run::library(&settings.profiles.unwrap_or_default(), data_dir.as_deref()))
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
