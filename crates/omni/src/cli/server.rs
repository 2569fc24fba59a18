//! `omni server …`: one of the built-in MCP servers, on standard input and output.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use omni_servers::BuiltIn;

/// Run one of the built-in MCP servers on standard input and output.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    #[command(subcommand)]
    which: BuiltIn,
}

impl ServerArgs {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let served = runtime.block_on(omni_servers::serve(self.which));
        runtime.shutdown_background();
        served.map(|()| ExitCode::SUCCESS)
    }
}
