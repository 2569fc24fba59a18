//! A change of a client's file: planned, shown, carried out, taken back.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use crate::cli::connect::backup;
use crate::cli::{diff, file, jsonc};

/// What is to happen to a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The file itself, links followed.
    pub(crate) path: PathBuf,
    pub(crate) before: Option<String>,
    /// `None`: the file is to go, because it was made by us.
    pub(crate) after: Option<String>,
    /// The backup that is used up by this change.
    spent: Option<PathBuf>,
    /// What the person should know before agreeing.
    pub(crate) remark: Option<String>,
}

impl Change {
    /// Whether there is anything to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.before == self.after
    }

    /// The lines that change.
    pub(crate) fn preview(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut shown = diff::unified(&self.path, &text(&self.before), &text(&self.after));
        match (&self.before, &self.after) {
            (None, Some(_)) => shown.push_str("(a new file)\n"),
            (Some(_), None) => shown.push_str("(the file is removed; it was made by `omni connect`)\n"),
            _ => {}
        }
        shown
    }

    /// Carries it out; `keep` a backup of what was there and say where.
    pub(crate) fn carry_out(&self, keep: Option<SystemTime>) -> Result<Option<PathBuf>> {
        let path = &self.path;
        let failed = || format!("{} cannot be written", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(failed)?;
        }
        let mut backup = None;
        match (&self.after, keep) {
            (Some(after), keep) => {
                if let Some(now) = keep {
                    let kept = backup::keep(path, self.before.as_deref(), after, now);
                    backup = Some(kept.with_context(|| format!("{}: no backup could be made", path.display()))?);
                }
                if let Err(error) = file::replace(path, self.before.as_deref(), after) {
                    // A backup of a change that did not happen would mislead `--undo`.
                    let _ = backup.as_ref().map(fs::remove_file);
                    return Err(error).with_context(failed);
                }
            }
            (None, _) => fs::remove_file(path).with_context(failed)?,
        }
        if let Some(spent) = &self.spent {
            fs::remove_file(spent).with_context(|| format!("{} cannot be removed", spent.display()))?;
        }
        Ok(backup)
    }
}

/// The hub's entry put into a client's file.
pub(crate) fn connect(path: PathBuf, member: &[&str], entry: &Value) -> Result<Change> {
    let path = real(path)?;
    let before = read(&path)?;
    let after = jsonc::set(before.as_deref().unwrap_or_default(), member, entry).map_err(|fault| {
        anyhow!("{}: {fault}\nnothing was written; put this in by hand:\n{}", path.display(), by_hand(member, entry))
    })?;
    let same = before.as_deref().is_some_and(|text| holds(text, member, entry));
    let after = if same { before.clone() } else { Some(after) };
    Ok(Change { path, before, after, spent: None, remark: None })
}

/// The file as it was before, if it is as we left it; else without our entry.
pub(crate) fn undo(path: PathBuf, member: &[&str]) -> Result<Change> {
    let path = real(path)?;
    let before = read(&path)?;
    let latest = backup::latest(&path).with_context(|| format!("{}: backups cannot be listed", path.display()))?;
    let text = before.clone().unwrap_or_default();
    if let Some(backup) = &latest
        && backup.is_from(&text)
    {
        return Ok(Change {
            path,
            before,
            after: backup.before.clone(),
            spent: Some(backup.path.clone()),
            remark: None,
        });
    }
    let after = jsonc::unset(&text, member).map_err(|fault| anyhow!("{}: {fault}", path.display()))?;
    let remark = match &latest {
        None => "there is no backup of ours: only our entry is taken out".to_owned(),
        Some(backup) => format!(
            "the file has changed since we wrote it: only our entry is taken out, the rest stays. Since the backup {} this changed:\n{}",
            backup.path.display(),
            diff::unified(&path, backup.before.as_deref().unwrap_or_default(), &text)
        ),
    };
    let after = before.as_ref().map(|_| after);
    Ok(Change { path, before, after, spent: None, remark: Some(remark) })
}

fn holds(text: &str, member: &[&str], entry: &Value) -> bool {
    let Ok(root) = jsonc::parse(text) else { return false };
    let mut at = Some(&root);
    for step in member {
        at = at.and_then(|object| object.member(step)).map(|member| &member.value);
    }
    at.is_some_and(|found| found.plain() == *entry)
}

fn real(path: PathBuf) -> Result<PathBuf> {
    file::resolve(&path).with_context(|| format!("{}", path.display()))
}

fn read(path: &std::path::Path) -> Result<Option<String>> {
    file::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The entry with what it goes into, for a person to copy.
pub(crate) fn by_hand(member: &[&str], entry: &Value) -> String {
    let whole = member.iter().rev().fold(entry.clone(), |inner, step| serde_json::json!({ *step: inner }));
    format!("{whole:#}")
}
