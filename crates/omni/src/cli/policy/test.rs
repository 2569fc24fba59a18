//! `omni policy test CASES`: who may do what, against the table that was agreed on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cli::context::Context;
use crate::cli::diff::unified;
use crate::cli::policy::cases::Cases;
use crate::cli::policy::load::policy_of;
use crate::cli::say::{say, say_err};

/// Hold the policy against a table of who may do what.
///
/// CASES is YAML: `principals:` by name, `things:` as a list. The table stands beside it, with the ending `.table`: keep both
/// with your configuration. It fails where the policy decides otherwise than the table says.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The cases.
    cases: PathBuf,
    /// Write the table as the policy decides today.
    #[arg(long)]
    write: bool,
}

impl TestArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let table = Cases::read(&self.cases)?.table(&policy_of(context)?)?;
        let path = self.cases.with_extension("table");
        if self.write {
            std::fs::write(&path, &table).with_context(|| format!("{} cannot be written", path.display()))?;
            say!("{table}{}: written, {} decisions", path.display(), table.lines().count());
            return Ok(ExitCode::SUCCESS);
        }
        let agreed = std::fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read; --write makes it", path.display()))?;
        if agreed == table {
            say!("{}: {} decisions, all as agreed", path.display(), table.lines().count());
            return Ok(ExitCode::SUCCESS);
        }
        say!("{}", unified(&path, &agreed, &table).trim_end());
        say_err!("the policy decides otherwise than agreed; if that is right, --write takes it over");
        Ok(ExitCode::FAILURE)
    }
}
