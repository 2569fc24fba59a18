//! `omni profile update`: what sources of profiles have now, shown against what was accepted, and accepted by a person.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use omni_audit::Audit;
use omni_profiles::remote::{Found, Kept, Lock, Locked, Request, latest};
use omni_profiles::settings::{ProfilesSettings, RemoteSettings};

use crate::cli::context::Context;
use crate::cli::diff;
use crate::cli::printable::printable;
use crate::cli::profile::load::{data_dir, settings};
use crate::cli::profile::visible::visible;
use crate::cli::say::{say, say_err};
use crate::run;
use crate::run::secrets::Secrets;

/// Characters of a line before it is broken: a difference leaves none of it out.
const LINE_CHARS: usize = 160;
/// Digits of a commit that are shown.
const COMMIT_DIGITS: usize = 12;

/// Fetch what sources of profiles have now, show what is another text than was accepted, and accept it.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Only this source of `profiles.remote`.
    name: Option<String>,
    /// Accept what is shown without asking.
    #[arg(long)]
    accept: bool,
}

impl UpdateArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let whole = settings(context)?;
        let folder = data_dir(&whole, context).context("there is no data directory: `data_dir` names one")?;
        let kept = Kept::at(&folder);
        let secrets = Secrets::new(&whole.secrets, Some(&folder), &Audit::to_log(), std::sync::Arc::default());
        secrets.decided_by_policy(run::policy(&whole)?);
        let profiles = whole.profiles.unwrap_or_default();
        if let Some(name) = self.name.as_ref().filter(|name| !profiles.remote.contains_key(*name)) {
            let known: Vec<&str> = profiles.remote.keys().map(String::as_str).collect();
            bail!("there is no source `{name}` in `profiles.remote`; there are: {}", known.join(", "));
        }
        let lock = Lock::read(&profiles.lock).map_err(anyhow::Error::msg)?;
        let (found, failed) = run::runtime()?.block_on(self.ask(&profiles, &lock, &kept, &secrets));
        let mut next = lock.clone();
        let mut texts = Vec::new();
        for (name, from, found) in found {
            let before = lock.sources.get(&name);
            next.sources.insert(name.clone(), found.as_accepted(&from));
            show(&name, before, &found, &kept);
            texts.extend(found.files.into_values());
        }
        let gone: Vec<String> =
            next.sources.keys().filter(|name| !profiles.remote.contains_key(*name)).cloned().collect();
        for name in gone.iter().filter(|_| self.name.is_none()) {
            say!("{name}: is no source any more");
            next.sources.remove(name);
        }
        if next == lock {
            say!("{}", if failed { "nothing was changed" } else { "everything is as it was accepted" });
        } else if self.accept || accepted()? {
            for text in &texts {
                kept.put(text).with_context(|| format!("{} cannot be written", folder.display()))?;
            }
            next.write(&profiles.lock).with_context(|| format!("{} cannot be written", profiles.lock.display()))?;
            say!("accepted: {} is written, and a hub that runs takes it over", profiles.lock.display());
        } else {
            say_err!("nothing was accepted, and nothing changed: with `--accept` it is");
            return Ok(ExitCode::FAILURE);
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// What is another one by now; whether a source could not be asked.
    async fn ask(
        &self,
        profiles: &ProfilesSettings,
        lock: &Lock,
        kept: &Kept,
        secrets: &Secrets,
    ) -> (Vec<(String, String, Found)>, bool) {
        let (mut all, mut failed) = (Vec::new(), false);
        let meant = |name: &String| self.name.as_ref().is_none_or(|only| only == name);
        for (name, source) in profiles.remote.iter().filter(|(name, _)| meant(name)) {
            match Box::pin(one(profiles, (name, source), lock, (kept, secrets))).await {
                Ok(Some(found)) => all.push((name.clone(), source.from.clone(), found)),
                Ok(None) => say!("{name}: nothing new"),
                Err(why) => {
                    failed = true;
                    say_err!("{name}: {}", printable(&why));
                }
            }
        }
        (all, failed)
    }
}

async fn one(
    settings: &ProfilesSettings,
    (name, source): (&str, &RemoteSettings),
    lock: &Lock,
    (kept, secrets): (&Kept, &Secrets),
) -> Result<Option<Found>, String> {
    let token = match &source.token {
        Some(text) => Some(secrets.of_source(name, text).await?),
        None => None,
    };
    let token = token.as_ref().map(|token| token.expose());
    let known = lock.sources.get(name);
    let found = Box::pin(latest(Request { settings, source, token, kept }, known)).await?;
    // Another commit with the same files is nothing that anybody would have to judge, but it is pinned all the same.
    Ok(found.filter(|found| known != Some(&found.as_accepted(&source.from))))
}

/// Each file that is new, gone or another one, every character of it in sight.
fn show(name: &str, before: Option<&Locked>, found: &Found, kept: &Kept) {
    let short = |commit: &Option<String>| {
        commit.as_deref().map_or_else(String::new, |c| c.chars().take(COMMIT_DIGITS).collect())
    };
    match (before.map(|before| short(&before.commit)), short(&found.commit)) {
        (Some(old), new) if old != new => say!("{name}: {old} -> {new}"),
        (_, new) => say!("{name}: {new}"),
    }
    let nothing = BTreeMap::new();
    let old = before.map_or(&nothing, |before| &before.files);
    let paths: BTreeSet<&String> = old.keys().chain(found.files.keys()).collect();
    for path in paths {
        let before = old.get(path).map(|sha256| kept.text(sha256));
        if matches!(before, Some(None)) {
            say_err!("{}: what was accepted before is not on this machine, so all of it is shown", printable(path));
        }
        let before = before.flatten().unwrap_or_default();
        let after = found.files.get(path).map_or("", String::as_str);
        let whole = format!("{name}/{}", printable(path));
        let difference = diff::whole(Path::new(&whole), &broken(&visible(&before)), &broken(&visible(after)));
        if !difference.is_empty() {
            say!("{}", difference.trim_end());
        }
    }
}

/// Long lines on several: what is cut off in a difference, nobody judges.
fn broken(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        for (at, c) in line.chars().enumerate() {
            if at > 0 && at % LINE_CHARS == 0 && c != '\n' {
                out.push_str("\u{21a9}\n");
            }
            out.push(c);
        }
    }
    out
}

fn accepted() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    say_err!("Read it: a model is told what stands there. Accept? [y/N] ");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn cfg_4_no_line_is_so_long_that_it_is_cut() {
        let text = format!("{}\nshort\n", "x".repeat(400));
        let shown = broken(&text);
        assert!(shown.lines().all(|line| line.chars().count() <= 161));
        assert_eq!(shown.replace("\u{21a9}\n", ""), text);
    }
}
