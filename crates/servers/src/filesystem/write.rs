//! Tools that write files, make directories and move things.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::{Dir, OpenOptions, Permissions};
use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::filesystem::limits::READ_BYTES_MAX;
use crate::filesystem::roots::{Place, Roots, parent_in};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Names tried for a temporary file before giving up.
const TEMPORARY_NAMES_MAX: u32 = 100;

pub(crate) fn tools(roots: &Arc<Roots>) -> Vec<Tool> {
    vec![
        Signature::new(
            "write_file",
            Hints::REPLACES,
            format!(
                "Writes a text file of at most {} MiB, in one step: a reader sees the old file or the new one. An existing \
                 file is replaced and keeps its permissions. The directory must exist (create_directory).",
                READ_BYTES_MAX / (1024 * 1024)
            ),
        )
        .blocking(roots, write_file),
        Signature::new(
            "create_directory",
            Hints::ENSURES,
            "Makes a directory and the ones above it that are missing; does nothing where it exists.",
        )
        .blocking(roots, create_directory),
        Signature::new(
            "move_file",
            Hints::CHANGES,
            "Moves or renames a file or directory. Fails where the destination exists, and never overwrites.",
        )
        .blocking(roots, move_file),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WriteFile {
    /// File to write.
    path: String,
    /// Its whole new text.
    content: String,
}

fn write_file(roots: &Roots, arguments: WriteFile, _: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    replace(&place, &arguments.content)?;
    Ok(Outcome::text(format!("Wrote {} bytes to {}", arguments.content.len(), place.shown.display())))
}

/// Puts `text` in the place of a file, or of nothing, in one step.
pub(crate) fn replace(place: &Place<'_>, text: &str) -> Result<(), Failure> {
    if text.len() as u64 > READ_BYTES_MAX {
        return Err(Failure::new(format!("the text has {} bytes; at most {READ_BYTES_MAX} are written", text.len())));
    }
    let failure = |error: io::Error| place.failure("cannot write", &error);
    let (inside, permissions) = match place.dir.symlink_metadata(&place.inside) {
        Ok(metadata) if metadata.is_symlink() => {
            // The rename below would replace the link itself, so that it is resolved here, within the root.
            let target = place.dir.canonicalize(&place.inside).map_err(failure)?;
            let metadata = place.dir.metadata(&target).map_err(failure)?;
            place.require_file(&metadata)?;
            (target, Some(metadata.permissions()))
        }
        Ok(metadata) => {
            place.require_file(&metadata)?;
            (place.inside.clone(), Some(metadata.permissions()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (place.inside.clone(), None),
        Err(error) => return Err(failure(error)),
    };
    let (dir, name) = parent_in(place.dir, &inside, &place.shown)?;
    replace_in(&dir, &name, text.as_bytes(), permissions).map_err(failure)
}

fn replace_in(dir: &Dir, name: &Path, bytes: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut tried = 0;
    let (temporary, mut file) = loop {
        let candidate = temporary_name();
        match dir.open_with(&candidate, &options) {
            Ok(file) => break (candidate, file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && tried < TEMPORARY_NAMES_MAX => tried += 1,
            Err(error) => return Err(error),
        }
    };
    let written = (|| {
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        dir.rename(&temporary, dir, name)
    })();
    if written.is_err() {
        // The first error is the one to tell; a file left over is visible by its name.
        drop(dir.remove_file(&temporary));
    }
    written
}

/// A name that no other write of this process uses; another process's is met by `create_new`.
fn temporary_name() -> OsString {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    OsString::from(format!(".omni-{}-{count}.tmp", std::process::id()))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateDirectory {
    /// Directory to make.
    path: String,
}

fn create_directory(roots: &Roots, arguments: CreateDirectory, _: &Cancel) -> Answer {
    let place = roots.locate(&arguments.path)?;
    place.dir.create_dir_all(&place.inside).map_err(|error| place.failure("cannot make the directory", &error))?;
    Ok(Outcome::text(format!("{} is there", place.shown.display())))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MoveFile {
    /// What to move.
    source: String,
    /// Its new path; must not exist.
    destination: String,
}

fn move_file(roots: &Roots, arguments: MoveFile, _: &Cancel) -> Answer {
    let (source, destination) = (roots.locate(&arguments.source)?, roots.locate(&arguments.destination)?);
    let (from, from_name) = source.parent()?;
    let (to, to_name) = destination.parent()?;
    let shown = format!("{} to {}", source.shown.display(), destination.shown.display());
    rename_without_overwriting(&from, &from_name, &to, &to_name).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(format!("{} exists already", destination.shown.display())),
        ErrorKind::NotFound => Failure::new(format!("{} does not exist", source.shown.display())),
        ErrorKind::CrossesDevices => Failure::new(format!("cannot move {shown}: they are on different filesystems")),
        _ => Failure::because(format!("cannot move {shown}"), error),
    })?;
    Ok(Outcome::text(format!("Moved {shown}")))
}

/// Both names are single names in open directories, so that no link on the way is followed any more.
fn rename_without_overwriting(from: &Dir, from_name: &PathBuf, to: &Dir, to_name: &PathBuf) -> io::Result<()> {
    match renameat_with(from, from_name, to, to_name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // A filesystem without this flag: look first, and live with the moment in between.
        Err(Errno::INVAL | Errno::NOSYS) => match to.symlink_metadata(to_name) {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => from.rename(from_name, to, to_name),
            Err(error) => Err(error),
        },
        Err(error) => Err(error.into()),
    }
}
