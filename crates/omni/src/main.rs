//! `omni`, the one program of Omni MCP Hub.

#![allow(clippy::print_stdout, reason = "a command's result goes to standard output")]

mod cli;
mod config;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            cli::say::say_err!("omni: {error:#}");
            ExitCode::FAILURE
        }
    }
}
