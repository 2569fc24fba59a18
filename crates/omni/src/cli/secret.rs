//! `omni secret`: the hub's own encrypted store of secrets. Values come from standard input or a prompt, never from arguments.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use omni_secrets::{Held, KeptBy, LocalStore, PASSPHRASE_FILE, Unlock, VALUE_BYTES_MAX, name_fault};
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::admin::DataDir;
use crate::cli::context::Context;
use crate::cli::prompt::hidden;
use crate::cli::say::{say, say_err};
use crate::cli::scan::{scan, undo};
use crate::cli::table::table;
use crate::cli::when::date;

/// Bytes of a file that is imported.
const IMPORT_BYTES_MAX: u64 = 4 << 20;

/// Secrets that references (`${STORE:name}`, `${SECRET:name}`) in the configuration stand for.
#[derive(Debug, Args)]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put a value in, typed at the prompt or read from standard input; the one before is replaced.
    Set {
        /// The secret's name.
        name: String,
        #[command(flatten)]
        at: DataDir,
    },
    /// Print a value.
    Get {
        /// The secret's name.
        name: String,
        #[command(flatten)]
        at: DataDir,
    },
    /// List the names; values are not shown.
    List {
        /// Print JSON for programs.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: DataDir,
    },
    /// Take a secret out.
    Rm {
        /// The secret's name.
        name: String,
        #[command(flatten)]
        at: DataDir,
    },
    /// Seal every value anew under new keys; the values stay.
    Rotate {
        #[command(flatten)]
        at: DataDir,
    },
    /// Say who keeps the store's key: its file, a passphrase (Argon2id) or the system's keychain.
    Protect {
        /// Who keeps it from now on.
        by: Keeper,
        #[command(flatten)]
        at: DataDir,
    },
    /// Find credentials written out in omni.yaml, in profiles and in the files of clients; nothing is written unless asked for.
    Scan {
        /// Move those of omni.yaml into the store, with references in their place.
        #[arg(long)]
        write: bool,
        /// Bring omni.yaml back as it was before the last --write.
        #[arg(long, conflicts_with = "write")]
        undo: bool,
        #[command(flatten)]
        at: DataDir,
    },
    /// Put in the values of a file of `NAME=value` lines, or of a JSON object of texts. All of them, or none.
    Import {
        /// The file; `-` is standard input.
        file: PathBuf,
        #[command(flatten)]
        at: DataDir,
    },
}

/// Who keeps the store's key.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Keeper {
    /// A file beside the store.
    File,
    /// The same, sealed under a passphrase: OMNI_PASSPHRASE_FILE names its file, or it is asked for.
    Passphrase,
    /// The Secret Service of this session, or the kernel's keyring.
    Keychain,
}

impl SecretArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let variables = &context.around.variables;
        let store = |at: &DataDir| opened(LocalStore::at(&at.folder(context)?), Unlock::of(variables));
        match self.what {
            What::Set { name, at } => set(&store(&at)?, &name)?,
            What::Get { name, at } => get(&store(&at)?, &name)?,
            What::List { json, at } => list(&store(&at)?, json)?,
            What::Rm { name, at } => {
                if !store(&at)?.remove(&name)? {
                    bail!("there is no secret `{name}`; `omni secret list` shows the names");
                }
                say!("`{name}` is gone. A server that has it goes on with it until it is started anew.");
            }
            What::Rotate { at } => {
                let store = store(&at)?;
                let count = store.rotate_key()?;
                say!(
                    "{count} secrets are sealed under new keys. Copies of {} need their own key file.",
                    store.path().display()
                );
            }
            What::Scan { undo: true, at, .. } => return undo(context, &store(&at)?),
            What::Scan { write, at, .. } => return scan(context, &store(&at)?, write),
            What::Protect { by, at } => protect(&store(&at)?, by, Unlock::of(variables))?,
            What::Import { file, at } => import(&store(&at)?, &file)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The store, with a passphrase asked for where it needs one that no file holds.
fn opened(store: LocalStore, unlock: Unlock) -> Result<LocalStore> {
    let asks = store.kept_by()? == Some(KeptBy::Passphrase) && !unlock.has_passphrase();
    if asks && std::io::stdin().is_terminal() {
        let passphrase = hidden("Passphrase of the store")?;
        return Ok(store.unlocked_by(unlock.with_passphrase(passphrase)));
    }
    Ok(store.unlocked_by(unlock))
}

fn protect(store: &LocalStore, by: Keeper, mut unlock: Unlock) -> Result<()> {
    if matches!(by, Keeper::Passphrase) && !unlock.has_passphrase() {
        if !std::io::stdin().is_terminal() {
            bail!("name the file of the passphrase in {PASSPHRASE_FILE}, or run this at a terminal");
        }
        let (first, second) = (hidden("New passphrase")?, hidden("The same once more")?);
        if first.expose() != second.expose() {
            bail!("they are not the same: nothing was changed");
        }
        unlock = unlock.with_passphrase(first);
    }
    let (kept_by, told) = match by {
        Keeper::File => (KeptBy::File, "in clear in its file"),
        Keeper::Passphrase => {
            (KeptBy::Passphrase, "under a passphrase: the hub reads it from the file that OMNI_PASSPHRASE_FILE names")
        }
        Keeper::Keychain => (KeptBy::Keychain, "in the system's keychain: the hub has to run in the same session"),
    };
    store.keep_by(kept_by, &unlock)?;
    say!("The store's key is kept {told}.");
    say_err!(
        "Copies of {} as it was still open the store: `omni secret rotate` ends that.",
        store.key_path().display()
    );
    Ok(())
}

fn set(store: &LocalStore, name: &str) -> Result<()> {
    if let Some(why) = name_fault(name) {
        bail!("`{name}` cannot be a secret's name: {why}");
    }
    let value = if std::io::stdin().is_terminal() { hidden(&format!("Value of `{name}`"))? } else { from_stdin()? };
    let entries = store.put(&[(name.to_owned(), value)])?;
    let version = entries.first().map_or(1, |entry| entry.version);
    say_err!("`{name}` is kept (version {version}) in {}.", store.path().display());
    say_err!("Write ${{STORE:{name}}} in `env` or `headers` of a server; one that has it already is started anew.");
    Ok(())
}

fn get(store: &LocalStore, name: &str) -> Result<()> {
    let Some(held) = store.value(name)? else {
        bail!("there is no secret `{name}`; `omni secret list` shows the names");
    };
    let mut out = std::io::stdout();
    out.write_all(held.expose().as_bytes())?;
    if out.is_terminal() {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn list(store: &LocalStore, as_json: bool) -> Result<()> {
    let entries = store.list()?;
    if as_json {
        let all: Vec<_> =
            entries.iter().map(|e| json!({ "name": e.name, "version": e.version, "set_at": e.set_at })).collect();
        say!("{:#}", serde_json::Value::from(all));
        return Ok(());
    }
    if entries.is_empty() {
        say_err!("There are no secrets yet: `omni secret set NAME` puts one in.");
        return Ok(());
    }
    let mut shown = table(&["NAME", "VERSION", "SET"]);
    for entry in entries {
        let at = i64::try_from(entry.set_at).unwrap_or(i64::MAX);
        shown.add_row([entry.name, entry.version.to_string(), date(at)]);
    }
    say!("{shown}");
    Ok(())
}

fn import(store: &LocalStore, file: &std::path::Path) -> Result<()> {
    let mut text = Zeroizing::new(String::new());
    let named = file.display();
    if file.as_os_str() == "-" {
        std::io::stdin().take(IMPORT_BYTES_MAX + 1).read_to_string(&mut text).context("standard input")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("{named} cannot be read"))?;
        opened
            .take(IMPORT_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .with_context(|| format!("{named} cannot be read"))?;
    }
    if text.len() as u64 > IMPORT_BYTES_MAX {
        bail!("{named} is larger than {IMPORT_BYTES_MAX} bytes: nothing was put in");
    }
    let values = read_values(&text).map_err(|why| anyhow::anyhow!("{named}: {why}: nothing was put in"))?;
    let count = store.put(&values)?.len();
    say!("{count} secrets are kept in {}.", store.path().display());
    if file.as_os_str() != "-" {
        say_err!("{named} still holds them: remove it when you have looked at `omni secret list`.");
    }
    Ok(())
}

/// The values of a text: a JSON object of texts, or lines as programs read them from `.env` files.
fn read_values(text: &str) -> Result<Vec<(String, Held)>, String> {
    if text.trim_start().starts_with('{') {
        let read: std::collections::BTreeMap<String, String> = serde_json::from_str(text)
            .map_err(|error| format!("is no JSON object of texts (line {})", error.line()))?;
        return Ok(read.into_iter().map(|(name, value)| (name, Held::new(value))).collect());
    }
    let mut values: Vec<(String, Held)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            return Err(format!("line {} is no NAME=value", number + 1));
        };
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        let (name, value) = (name.trim().to_owned(), Held::new(quoted.unwrap_or(value).to_owned()));
        // The last one counts, as it does for those who read such files.
        values.retain(|(before, _)| *before != name);
        values.push((name, value));
    }
    Ok(values)
}

/// The value on standard input, without the line end behind it.
fn from_stdin() -> Result<Held> {
    let mut text = Zeroizing::new(String::with_capacity(VALUE_BYTES_MAX + 2));
    std::io::stdin().take(VALUE_BYTES_MAX as u64 + 2).read_to_string(&mut text).context("standard input is no text")?;
    let value = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if value.is_empty() {
        bail!("standard input is empty: nothing was put in");
    }
    Ok(Held::new(value.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::read_values;

    #[test]
    fn sec_3_values_are_read_from_lines_and_objects() {
        let read = |text: &str| {
            let values = read_values(text).unwrap();
            values.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect::<Vec<_>>()
        };
        let lines = "# comment\n\nexport A=1\nB = \"x y\"\nC='a=b'\nA=2\n";
        assert_eq!(read(lines), ["B=x y", "C=a=b", "A=2"]);
        assert_eq!(read(r#" {"b":"1","a":"x\ny"}"#), ["a=x\ny", "b=1"]);
        for (text, part) in [("A=1\nnothing", "line 2"), (r#"{"a": 1}"#, "JSON object of texts")] {
            let why = read_values(text).unwrap_err();
            assert!(why.contains(part) && !why.contains("nothing"), "{why}");
        }
    }
}
