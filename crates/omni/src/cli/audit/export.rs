//! `omni audit export`: events for other programs, and the log as tlog-tiles for public tools.

use std::io::{BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use omni_audit::export::{cef, json, ocsf};
use omni_audit::{Order, export_tiles};

use crate::cli::audit::filter::Filter;
use crate::cli::audit::log_dir::{LogDir, tell_damage};
use crate::cli::context::Context;
use crate::cli::say::say_err;

/// Write events to standard output, in the order of time.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filter: Filter,
    /// In which form.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Write the whole log, sealed as it is, as C2SP tlog-tiles into this new folder instead. It needs no key.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["format", "conditions"])]
    tiles: Option<PathBuf>,
    #[command(flatten)]
    log: LogDir,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A JSON object a line, under the names of the hub's schema.
    Jsonl,
    /// ArcSight Common Event Format.
    Cef,
    /// Open Cybersecurity Schema Framework, a JSON object a line.
    Ocsf,
}

impl ExportArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        if let Some(folder) = &self.tiles {
            let checkpoint = export_tiles(&self.log.archive(context)?, folder)?;
            say_err!("{}: {} records, {}", folder.display(), checkpoint.size, checkpoint.origin);
            return Ok(ExitCode::SUCCESS);
        }
        let query = self.filter.query()?;
        let mut logs = self.log.logs(context)?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut written = Ok(());
        logs.find(&query, Order::Oldest, &mut |event| {
            written = match self.format {
                Format::Jsonl => writeln!(out, "{}", json(&event)),
                Format::Cef => writeln!(out, "{}", cef(&event)),
                Format::Ocsf => writeln!(out, "{}", ocsf(&event)),
            };
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        match written.and_then(|()| out.flush()) {
            // Whoever read it (`omni audit export | head`) has what they want.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            other => other.context("the events cannot be written")?,
        }
        tell_damage(&logs);
        Ok(ExitCode::SUCCESS)
    }
}
