//! `omni-tidy ratchet [--accept | --accept-circles]`: writes the ratchet's list anew; what `cargo xtask ratchet` runs.

#![allow(clippy::print_stdout, reason = "a command's answer belongs on standard output")]

use anyhow::{Context as _, Result, bail};
use omni_tidy::{House, Measured, RATCHET_FILE, Ratchet, report};
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
        ["ratchet"] => ratchet(Accept::Nothing),
        ["ratchet", "--accept"] => ratchet(Accept::Lengths),
        ["ratchet", "--accept-circles"] => ratchet(Accept::Circles),
        _ => bail!("usage: omni-tidy ratchet [--accept | --accept-circles]"),
    }
}

/// What may become more.
#[derive(Clone, Copy)]
enum Accept {
    Nothing,
    Lengths,
    Circles,
}

/// Writes down what has shrunk; what has grown only when told to accept it.
fn ratchet(accept: Accept) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(RATCHET_FILE);
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {RATCHET_FILE}")),
    };
    let known = Ratchet::parse(&before)?;
    let measured = Measured::of(&House::read()?);
    let list = match accept {
        Accept::Nothing => known.lowered(&measured),
        Accept::Lengths => known.accepting_lengths(&measured),
        Accept::Circles => known.accepting_circles(&measured),
    };
    let (grown, after) = (list.grown(&measured), list.render());
    if after == before {
        println!("{RATCHET_FILE} stays as it is");
    } else {
        std::fs::write(&file, after).with_context(|| format!("cannot write {RATCHET_FILE}"))?;
        println!("{RATCHET_FILE} written anew");
    }
    if !grown.is_empty() {
        let wish = "mend it, or take it (lengths: --accept, circles: --accept-circles) and say why";
        bail!("more than the list allows; {wish}:\n{}", report(grown));
    }
    Ok(())
}
