//! `cargo xtask`: the chores of this repository, each one command, the same here and in CI.

#![allow(clippy::print_stdout, reason = "a command's answer belongs on standard output")]

mod bench;
mod check;
mod conformance;
mod fixtures;
mod fuzz;
mod optimised;
mod own;
mod peers;
mod ratchet;
mod simulate;
mod skips;
mod soak;
mod step;
mod tally;
mod test;

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  check [--advisories]   format, lints, tests of the house (tidy), dependencies (deny), documentation
  test [NEXTEST ARGS]    peers, one build, all tests, the compile-fail proofs, the conformance run, a simulation, a soak, each fuzz target;
                         with arguments only the tests they choose: cargo xtask test -p omni-proxy
  bench [BENCH ARGS]     build as shipped (`dist`), then omni-bench run --omni target/dist/omni ARGS
  fuzz [TARGET...] [--seconds N] [--list | --minimise | --planted]
                         what reads strangers' bytes under libFuzzer, two targets at a time, up to 20 s each (in CI 120 s for what
                         comes over the wire, 20 s for its parts; OMNI_FUZZ_SECONDS); --minimise puts what was reached into the corpora that are kept;
                         --planted: whether a fault that is put in on purpose is found (docs/FUZZING.md)
  simulate [--from SEED] [--seeds N] [--seconds N] [--failures N] [--twice] [--without-streams]
                         the hub under a simulated network and clock, one world a seed; with --planted alone: whether it finds
                         faults that are put in on purpose
  soak [--minutes N] [--release] [--control]
                         the program under mixed traffic and random faults for 2 minutes (in CI 1); fails when memory,
                         descriptors, processes, tasks, sessions, calls or links do not return to where they began;
                         with --control connections are kept at the end, and it fails unless that is found
  fixtures [PEER ARGS]   install or refresh the real servers and clients tests talk to, and build omni-fixture
  ratchet                write down what has become shorter, and circles that are gone; with --accept
                         also what has grown, with --accept-circles also new import circles
  conformance [ARGS]     the official conformance suite, as server and as client, through the hub each way
  help                   this

check and test go on after a failing step, and name the command that runs just that step again.
With CI=true in the environment a check or a test that was skipped for want of something that can be had is a failure.
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        // The chain of causes and no stack: what went wrong is a command, a file or an argument, not this program.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(compiled) = fuzz::rustc(&arguments) {
        return compiled;
    }
    let (command, rest) = arguments.split_first().map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(&root).with_context(|| format!("cannot enter {}", root.display()))?;
    if rest.iter().any(|argument| argument == "--help") && command != "bench" {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    match command {
        "check" => check::run(rest),
        "test" => test::run(rest),
        "bench" => bench::run(rest),
        "fuzz" => fuzz::run(rest).map(|()| ExitCode::SUCCESS),
        "simulate" => simulate::run(rest).map(|()| ExitCode::SUCCESS),
        "soak" => soak::run(rest).map(|()| ExitCode::SUCCESS),
        "fixtures" => fixtures::run(rest),
        // Not for people: a part of `fixtures`, which `test` runs beside its build.
        "peers" => peers::run(rest).map(|()| ExitCode::SUCCESS),
        "ratchet" => ratchet::run(rest),
        "conformance" => conformance::run(rest).map(|()| ExitCode::SUCCESS),
        // Not for people: the suite starts it (conformance/drive.rs).
        "conformance-client" => conformance::run_client(rest).map(|()| ExitCode::SUCCESS),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("no command `{other}`\n\n{HELP}"),
    }
}
