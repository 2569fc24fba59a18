//! Runs one built-in server on the real stdin and stdout: what the tests of the process's life start.

use clap::Parser;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    which: omni_servers::BuiltIn,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    omni_servers::serve(Arguments::parse().which).await
}
