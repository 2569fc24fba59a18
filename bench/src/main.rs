//! `omni-bench`: what the hub costs, measured beside a bare hyper proxy, nginx and a rival in one interleaved run.

mod chain;
mod counts;
mod isolation;
mod load;
mod process;
mod rawproxy;
mod report;
mod run;
mod started;
#[cfg(test)]
mod tests;
mod upstream;

use anyhow::Context;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Benchmarks of Omni MCP Hub
#[derive(Parser)]
#[command(name = "omni-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A trivial, fast MCP server to put behind a gateway
    Upstream(upstream::UpstreamArgs),
    /// The baseline: a bare reverse proxy on hyper
    Rawproxy(rawproxy::RawProxyArgs),
    /// Call one endpoint in a closed loop and print the figures as one line of JSON
    Load(load::LoadArgs),
    /// Open sessions that only hold a stream, and print what the gateway holds for them as one line of JSON
    Idle(load::idle::IdleArgs),
    /// Count the instructions of a call in user space (callgrind), beside the figures that were landed last
    Counts(counts::CountsArgs),
    /// Measure all contenders in one interleaved run and write the report
    Run(run::RunArgs),
    /// Whether one bad server moves the others' latency: p99 beside a good server and beside a bad one, in one run
    Isolation(isolation::IsolationArgs),
    /// What it costs a call that the hub knows who calls, decides and checks: CPU with the chain on and off, in turns
    Chain(chain::ChainArgs),
    /// Write the report again from the results of a run
    Report(report::ReportArgs),
}

fn main() -> ExitCode {
    match dispatch(&Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "omni-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Upstream(args) if args.stdio => upstream::stdio::serve(args)?,
        Command::Idle(args) => {
            let line = serde_json::to_string(&one_thread()?.block_on(load::idle::run(args))?)?;
            writeln!(std::io::stdout(), "{line}")?;
        }
        Command::Counts(args) => one_thread()?.block_on(counts::run(args))?,
        Command::Upstream(args) => one_thread()?.block_on(upstream::serve(args))?,
        Command::Rawproxy(args) => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            if let Some(threads) = args.threads {
                builder.worker_threads(threads);
            }
            builder.enable_all().build().context("cannot start the runtime")?.block_on(rawproxy::serve(args))?;
        }
        Command::Load(args) => {
            let measured = one_thread()?.block_on(async {
                match args.stdio.split_first() {
                    Some((program, rest)) => load::pipe::run(args, program, rest).await,
                    None if args.over == load::Over::Http1 => load::run(args).await,
                    None => load::over::run(args).await,
                }
            })?;
            let line = serde_json::to_string(&measured)?;
            writeln!(std::io::stdout(), "{line}")?;
            return Ok(if measured.errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) });
        }
        Command::Run(args) => run::run(args)?,
        Command::Isolation(args) => isolation::run(args)?,
        Command::Chain(args) => chain::run(args)?,
        Command::Report(args) => report::write(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Upstream and load run on one thread each: they share a CPU, and more threads would only add switches.
fn one_thread() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}
