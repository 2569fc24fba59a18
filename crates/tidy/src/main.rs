//! `omni-tidy ratchet [--accept]`: writes the ratchet's list anew; what `cargo xtask ratchet` runs.

#![allow(clippy::print_stdout, reason = "a command's answer belongs on standard output")]

use anyhow::{Context as _, Result, bail};
use omni_tidy::{Measured, RATCHET_FILE, Ratchet, Tree, report};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ratchet"] => ratchet(false),
        ["ratchet", "--accept"] => ratchet(true),
        _ => bail!("usage: omni-tidy ratchet [--accept]"),
    }
}

/// Writes down what has shrunk; what has grown only when told to accept it.
fn ratchet(accept: bool) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(RATCHET_FILE);
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {RATCHET_FILE}")),
    };
    let known = Ratchet::parse(&before)?;
    let measured = Measured::of(&Tree::read()?);
    let grown = known.grown(&measured);
    let after = if accept { Ratchet::accepting(&measured) } else { known.lowered(&measured) }.render();
    if after == before {
        println!("{RATCHET_FILE} stays as it is");
    } else {
        std::fs::write(&file, after).with_context(|| format!("cannot write {RATCHET_FILE}"))?;
        println!("{RATCHET_FILE} written anew");
    }
    if !grown.is_empty() && !accept {
        bail!("longer than allowed; make it shorter, or take it with --accept and say why:\n{}", report(grown));
    }
    Ok(())
}
