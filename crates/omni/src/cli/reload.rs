//! `omni reload`: the hub that runs reads its configuration again now.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cli::admin::DataDir;
use crate::cli::context::Context;
use crate::cli::say::say;

/// Make the hub that runs read its configuration again, and say what came of it.
#[derive(Debug, Args)]
pub(crate) struct ReloadArgs {
    #[command(flatten)]
    at: DataDir,
}

impl ReloadArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let answer = self.at.of_running(context, "POST", "/reload", None)?;
        let changed = answer["changed"] == true;
        for name in answer["restart"].as_array().into_iter().flatten().filter_map(|name| name.as_str()) {
            say!("`{name}` takes effect when the hub is started again");
        }
        say!("{}", if changed { "taken over" } else { "nothing in it is new" });
        Ok(ExitCode::SUCCESS)
    }
}
