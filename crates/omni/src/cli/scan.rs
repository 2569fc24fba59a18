//! `omni secret scan`: credentials written out in `omni.yaml`, in profiles and in the files of clients; those of `omni.yaml` are moved
//! into the store, with a reference in their place.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use omni_screen::Kind;
use omni_secrets::{Held, LocalStore, Template, VALUE_BYTES_MAX, name_fault};

use crate::cli::context::Context;
use crate::cli::import::entries_of_clients;
use crate::cli::own_file::OwnFile;
use crate::cli::say::{say, say_err};
use crate::cli::table::table;
use crate::cli::{file, places, secrets};
use crate::config::ServerSettings;
use crate::config::edit::with_text;
use crate::run;

/// The file as it was before it was written last, for `--undo`: sealed in the store, because it holds what was moved.
const BEFORE: &str = "omni-scan/before";
/// The file as it was left.
const AFTER: &str = "omni-scan/after";
/// Names tried when one is taken.
const NAMES_TRIED_MAX: usize = 99;

/// A credential of `omni.yaml`.
struct Found {
    server: String,
    /// `env` or `headers`, and the key there; one step for what stands elsewhere.
    steps: Vec<String>,
    /// What is to be moved; `None` where it cannot be.
    value: Option<Held>,
}

impl Found {
    fn place(&self) -> String {
        format!("servers.{}.{}", self.server, self.steps.join("."))
    }
}

/// Shows what is found; `write` moves what can be moved.
pub(crate) fn scan(context: &Context, store: &LocalStore, write: bool) -> Result<ExitCode> {
    let mut own = OwnFile::open(context)?;
    let shown = places::shown(&own.path, &context.around);
    let before = own.text.clone();
    let (mut rows, mut values) = (table(&["WHERE", "WHAT", "THEN"]), Vec::new());
    let mut count = 0;
    for found in in_own(&own)? {
        count += 1;
        let then = match moved(&mut own, store, &mut values, &found)? {
            Some(name) => format!("${{STORE:{name}}}"),
            None => "by hand".to_owned(),
        };
        rows.add_row([shown.clone(), found.place(), then]);
    }
    for (file, place) in elsewhere(context, &store.path()) {
        count += 1;
        rows.add_row([places::shown(&file, &context.around), place, "look at it".to_owned()]);
    }
    if count == 0 {
        say!("no credentials are written out in {shown}, in profiles or in the files of clients");
        return Ok(ExitCode::SUCCESS);
    }
    say!("{rows}");
    say_err!(
        "A client's file: `omni import` takes its servers over, then scan again; a profile's text goes to models: take it out."
    );
    match (values.is_empty() && own.text == before, write) {
        (true, _) => say!("nothing can be moved out of {shown}"),
        (false, false) => {
            say!("nothing was written: `omni secret scan --write` moves those with a reference into the store")
        }
        (false, true) => {
            if before.len() > VALUE_BYTES_MAX || own.text.len() > VALUE_BYTES_MAX {
                bail!(
                    "{shown} is larger than {VALUE_BYTES_MAX} bytes: it could not be kept for --undo, so nothing was moved"
                );
            }
            values.push((BEFORE.to_owned(), Held::new(before)));
            values.push((AFTER.to_owned(), Held::new(own.text.clone())));
            store.put(&values)?;
            own.save()?;
            say!(
                "{} values are in the store, {shown} refers to them; `omni secret scan --undo` brings the file back",
                values.len() - 2
            );
            say_err!(
                "They stood in a file: replace them where they were made, and look for them in copies and histories of it."
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Brings the file back as it was before the last `--write`. What was moved stays in the store, too.
pub(crate) fn undo(context: &Context, store: &LocalStore) -> Result<ExitCode> {
    let own = OwnFile::open(context)?;
    let (Some(before), Some(after)) = (store.value(BEFORE)?, store.value(AFTER)?) else {
        bail!("there is nothing to undo: no scan has written here");
    };
    if own.text != after.expose() {
        bail!("{} was changed since: `omni secret get {BEFORE}` prints it as it was", own.path.display());
    }
    file::replace(&own.path, Some(after.expose()), before.expose())
        .with_context(|| format!("{} cannot be written", own.path.display()))?;
    store.remove(BEFORE)?;
    store.remove(AFTER)?;
    say!("{} is as it was; the values stay in the store, too (`omni secret list`)", own.path.display());
    Ok(ExitCode::SUCCESS)
}

/// What stands in our own file.
fn in_own(own: &OwnFile) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for (server, entry) in own.servers()? {
        // An entry that is wrong is `omni check`'s to tell of.
        let Ok(settings) = serde_json::from_value::<ServerSettings>(entry.clone()) else { continue };
        for key in secrets::literal(&settings) {
            let steps: Vec<String> = match key.split_once('.') {
                Some((part @ ("env" | "headers"), name)) => vec![part.to_owned(), name.to_owned()],
                _ => vec![key.clone()],
            };
            let text = steps.iter().try_fold(&entry, |value, step| value.get(step)).and_then(|value| value.as_str());
            let plain = text.filter(|text| steps.len() == 2 && !text.contains("${"));
            let value = plain.map(|text| Held::new(secrets::secret_part(text).to_owned()));
            all.push(Found { server: server.clone(), steps, value });
        }
    }
    Ok(all)
}

/// Puts a reference in the place of one; its name in the store, or `None` where that has to be done by hand.
fn moved(
    own: &mut OwnFile,
    store: &LocalStore,
    values: &mut Vec<(String, Held)>,
    found: &Found,
) -> Result<Option<String>> {
    let Some(value) = &found.value else { return Ok(None) };
    let wanted = format!("{}/{}", found.server, found.steps.last().map_or("value", String::as_str));
    for number in 1..=NAMES_TRIED_MAX {
        let name = if number == 1 { wanted.clone() } else { format!("{wanted}-{number}") };
        if name_fault(&name).is_some() || Template::parse(&format!("${{STORE:{name}}}")).is_err() {
            return Ok(None);
        }
        let there = match values.iter().find(|(taken, _)| *taken == name) {
            Some((_, held)) => Some(held.clone()),
            None => store.value(&name)?,
        };
        let is_new = there.is_none();
        if there.is_some_and(|there| there.expose() != value.expose()) {
            continue;
        }
        let mut path = vec!["servers", found.server.as_str()];
        path.extend(found.steps.iter().map(String::as_str));
        let reference = format!("${{STORE:{name}}}");
        let Some(text) = with_text(&own.text, &path, value.expose(), &reference) else { return Ok(None) };
        own.text = text;
        if is_new {
            values.push((name.clone(), value.clone()));
        }
        return Ok(Some(name));
    }
    Ok(None)
}

/// What stands in the files of clients and in profiles (also those that were fetched, which are kept beside the `store`): file and
/// place, never a value.
fn elsewhere(context: &Context, store: &Path) -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    for (path, name, server) in entries_of_clients(context) {
        all.extend(secrets::literal(&server).into_iter().map(|key| (path.clone(), format!("{name}: {key}"))));
    }
    let settings = run::configuration(context).ok().and_then(|(settings, _)| settings.profiles);
    let scanned = settings.map(|settings| run::library(&settings, store.parent()));
    let mut files: Vec<PathBuf> =
        scanned.iter().flat_map(|library| library.profiles().map(|profile| profile.file.clone())).collect();
    files.push(context.around.cwd.join("CLAUDE.md"));
    files.sort();
    files.dedup();
    for path in files {
        let Ok(Some(text)) = file::read(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = omni_screen::find(line, "", &|kind| matches!(kind, Kind::Key | Kind::Unknown));
            all.extend(found.into_iter().map(|found| (path.clone(), format!("line {}: {}", number + 1, found.label))));
        }
    }
    all
}
