//! `omni import`: the servers that a person's clients know already, taken over into `omni.yaml`; the clients' files stay as they are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use comfy_table::Table;
use comfy_table::presets;

use crate::cli::context::Context;
use crate::cli::import::found::{File, Outcome, Reading, Source};
use crate::cli::import::merge::Row;
use crate::cli::own_file::OwnFile;
use crate::cli::say::{say, say_err};
use crate::cli::{file, places};
use crate::config::ServerSettings;

mod claude;
mod claude_desktop;
mod cursor;
mod entry;
mod found;
mod merge;
mod omni;
#[cfg(test)]
mod tests;
mod variables;
mod vscode;
mod windsurf;

/// Where servers are imported from, in the order they are looked for.
const SOURCES: [&Source; 6] =
    [&claude::SOURCE, &cursor::SOURCE, &vscode::SOURCE, &windsurf::SOURCE, &claude_desktop::SOURCE, &omni::SOURCE];

/// Take over the servers of your clients into omni.yaml.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Files to read; without any, all the places that clients keep their servers in.
    files: Vec<PathBuf>,
    /// Show what would be imported, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Whose files they are, or the only ones to look for.
    #[arg(long, value_name = "CLIENT", value_parser = PossibleValuesParser::new(SOURCES.map(|source| source.name)))]
    from: Option<String>,
}

/// All that an import did.
#[derive(Debug, Default)]
struct Report {
    /// Each server, with where it was found.
    rows: Vec<(String, Row)>,
    /// Files that were read.
    read: usize,
    /// About whole files.
    notes: Vec<String>,
    /// Servers that a client's more specific file named already, by client and name.
    seen: BTreeSet<(&'static str, String)>,
}

impl ImportArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let mut own = OwnFile::open(context)?;
        let report = self.import(context, &mut own)?;
        if report.read == 0 {
            let looked: Vec<String> =
                self.places(context).iter().map(|(_, path)| places::shown(path, &context.around)).collect();
            say_err!("nothing to import: there is none of {}", looked.join(", "));
            return Ok(ExitCode::FAILURE);
        }
        show(&report);
        let added = report.rows.iter().filter(|(_, row)| row.added).count();
        let path = own.path.display();
        let by_hand = own.by_hand();
        if !by_hand.is_empty() {
            say_err!("{path} is written in a way that cannot be edited without risk: put this in by hand");
            say!("\nservers:\n{}", by_hand.trim_end());
        }
        match (added, self.dry_run) {
            _ if !by_hand.is_empty() => return Ok(ExitCode::FAILURE),
            (0, _) => say!("nothing new for {path}"),
            (added, true) => say!("{added} would be added to {path}; nothing was written (--dry-run)"),
            (added, false) => {
                own.save()?;
                say!("{added} added to {path}");
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn places(&self, context: &Context) -> Vec<(&'static Source, PathBuf)> {
        let wanted = |source: &&Source| self.from.as_deref().is_none_or(|from| from == source.name);
        let sources = SOURCES.into_iter().filter(wanted);
        sources
            .flat_map(|source| (source.places)(&context.around).into_iter().map(move |path| (source, path)))
            .collect()
    }

    /// Reads every file and merges what it holds into `own`, which is not yet written.
    fn import(&self, context: &Context, own: &mut OwnFile) -> Result<Report> {
        let around = &context.around;
        let mut report = Report::default();
        if self.files.is_empty() {
            for (source, path) in self.places(context) {
                let shown = places::shown(&path, around);
                match read(source, &path, context) {
                    Ok(None) => {}
                    Ok(Some(reading)) => report.take_once(own, source, &shown, reading)?,
                    // Somebody's broken file must not keep the others from being imported.
                    Err(error) => report.notes.push(format!("{shown}: not read: {error:#}")),
                }
            }
        }
        for path in &self.files {
            let path = around.cwd.join(path);
            let shown = places::shown(&path, around);
            let source = match &self.from {
                Some(from) => SOURCES.into_iter().find(|source| source.name == from).context("no such client")?,
                None => guess(&path),
            };
            let Some(reading) = read(source, &path, context).with_context(|| shown.clone())? else {
                bail!("{shown}: there is no such file");
            };
            report.take(own, source, &shown, reading)?;
        }
        Ok(report)
    }
}

impl Report {
    /// Takes a file that was looked for: of a client's files the most specific one that names a server counts, as for the client.
    fn take_once(&mut self, own: &mut OwnFile, source: &Source, shown: &str, mut reading: Reading) -> Result<()> {
        for found in reading.found.iter_mut().filter(|found| matches!(found.outcome, Outcome::Server(_))) {
            if !self.seen.insert((source.name, found.name.clone())) {
                found.outcome = Outcome::Skipped("overridden by the entry before".to_owned());
            }
        }
        self.take(own, source, shown, reading)
    }

    fn take(&mut self, own: &mut OwnFile, source: &Source, shown: &str, reading: Reading) -> Result<()> {
        self.read += 1;
        self.notes.extend(reading.notes.into_iter().map(|note| format!("{shown}: {note}")));
        for found in reading.found {
            self.rows.push((shown.to_owned(), merge::merge(own, source.name, found)?));
        }
        Ok(())
    }
}

/// The servers in the files of all clients, with the file and the name of each; files that cannot be read have none.
pub(crate) fn entries_of_clients(context: &Context) -> Vec<(PathBuf, String, ServerSettings)> {
    let mut entries = Vec::new();
    for source in SOURCES {
        for path in (source.places)(&context.around) {
            let Ok(Some(reading)) = read(source, &path, context) else { continue };
            for found in reading.found {
                if let Outcome::Server(server) = found.outcome {
                    entries.push((path.clone(), found.name, *server));
                }
            }
        }
    }
    entries
}

fn read(source: &Source, path: &Path, context: &Context) -> Result<Option<Reading>> {
    let Some(text) = file::read(path)? else { return Ok(None) };
    let reading = (source.read)(&File { path, text: &text, around: &context.around });
    reading.map(Some).map_err(|fault| anyhow!(fault))
}

/// Whose file it is, told by where it is and what it holds.
fn guess(path: &Path) -> &'static Source {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let in_folder = |folder: &str| path.parent().is_some_and(|parent| parent.ends_with(folder));
    match name.as_ref() {
        "claude_desktop_config.json" => &claude_desktop::SOURCE,
        "mcp_config.json" => &windsurf::SOURCE,
        ".mcp-config.json" => &omni::SOURCE,
        "settings.json" => &vscode::SOURCE,
        _ if name.ends_with(".yaml") || name.ends_with(".yml") => &omni::SOURCE,
        _ if in_folder(".cursor") => &cursor::SOURCE,
        _ if in_folder(".vscode") || holds_servers(path) => &vscode::SOURCE,
        _ => &claude::SOURCE,
    }
}

/// Whether the servers stand under `servers`, as only VS Code writes them.
fn holds_servers(path: &Path) -> bool {
    let text = file::read(path).ok().flatten().unwrap_or_default();
    let root = crate::cli::jsonc::parse(&text);
    root.is_ok_and(|root| root.member("servers").is_some() && root.member("mcpServers").is_none())
}

fn show(report: &Report) {
    if !report.rows.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["NAME", "FROM", "WHAT", "STATUS"]);
        for (from, row) in &report.rows {
            table.add_row([&row.name, from, &row.what, &row.status]);
        }
        say!("{}", table.trim_fmt());
    }
    for note in &report.notes {
        say_err!("note: {note}");
    }
    for (_, row) in &report.rows {
        for note in &row.notes {
            say_err!("note: {}: {note}", row.name);
        }
    }
}
