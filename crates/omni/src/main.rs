//! `omni`, the one program of Omni MCP Hub.

#![allow(clippy::print_stdout, reason = "a command's result goes to standard output")]

mod cli;
mod config;
mod run;

use std::process::ExitCode;

use clap::Parser;

/// Small pieces that come and go on several threads are this allocator's strength, by what gateways like this one publish. How
/// it compares with glibc's here was not measured.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // The guard of a server's process (see `omni_proxy::process`) stays small: no runtime, no command line to parse.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|arg| arg == "guard")
        && args.next().is_some_and(|arg| arg == "--")
        && let Some(command) = args.next()
    {
        return omni_proxy::process::run_guard(&command, &args.collect::<Vec<_>>());
    }
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            cli::say::say_err!("omni: {error:#}");
            ExitCode::FAILURE
        }
    }
}
