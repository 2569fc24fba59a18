//! The served directories, and how a path that a client names is found below one of them.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use crate::mcp::failure::Failure;

/// The longest path taken, in bytes (Linux takes no longer one in a single call).
const PATH_BYTES_MAX: usize = 4_096;

/// One served directory.
struct Root {
    /// As the operator wrote it, made absolute.
    given: PathBuf,
    /// With every symbolic link resolved when the server started.
    real: PathBuf,
    dir: Dir,
}

/// All served directories.
pub(crate) struct Roots(Vec<Root>);

/// A path below a root. That it stays there is seen to by `dir`, at each access.
pub(crate) struct Place<'a> {
    pub(crate) dir: &'a Dir,
    /// Relative to `dir`, never empty.
    pub(crate) inside: PathBuf,
    /// The absolute path, for people and models.
    pub(crate) shown: PathBuf,
}

impl Roots {
    pub(crate) fn open(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let open = |path: &PathBuf| -> anyhow::Result<Root> {
            let context = || format!("--root {}: cannot be served", path.display());
            let given = std::path::absolute(path).with_context(context)?;
            let real = given.canonicalize().with_context(context)?;
            let dir = Dir::open_ambient_dir(&real, ambient_authority()).with_context(context)?;
            Ok(Root { given, real, dir })
        };
        Ok(Self(paths.iter().map(open).collect::<Result<_, _>>()?))
    }

    /// The served directories as they are shown to clients.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.0.iter().map(|root| root.real.display().to_string()).collect()
    }

    /// Finds the root of a path. Only names are compared here; whether `..` or a link leads out is for the kernel.
    pub(crate) fn locate(&self, path: &str) -> Result<Place<'_>, Failure> {
        if path.contains('\0') {
            return Err(Failure::new("the path contains a NUL character"));
        }
        if path.is_empty() || path.len() > PATH_BYTES_MAX {
            return Err(Failure::new(format!("a path must have 1 to {PATH_BYTES_MAX} bytes")));
        }
        let path = Path::new(path);
        let found = if path.is_absolute() {
            let below = |root: &Root| {
                let rest = path.strip_prefix(&root.real).or_else(|_| path.strip_prefix(&root.given));
                rest.map(Path::to_path_buf).ok()
            };
            let candidates = self.0.iter().filter_map(|root| Some((root, below(root)?)));
            // Of roots one inside the other the innermost is the one that leaves the shortest rest.
            candidates.min_by_key(|(_, rest)| rest.components().count())
        } else {
            self.0.first().map(|root| (root, path.to_path_buf()))
        };
        let Some((root, rest)) = found else {
            return Err(Failure::new(format!(
                "{} is outside the allowed directories: {}",
                path.display(),
                self.shown().join(", ")
            )));
        };
        let inside = if rest.as_os_str().is_empty() { PathBuf::from(".") } else { rest };
        let shown = if inside == Path::new(".") { root.real.clone() } else { root.real.join(&inside) };
        Ok(Place { dir: &root.dir, inside, shown })
    }
}

impl Place<'_> {
    /// Says what was tried and why it failed.
    pub(crate) fn failure(&self, what: &str, error: &io::Error) -> Failure {
        explain(what, &self.shown, error)
    }

    /// Opens a regular file for reading; never waits for the other end of a pipe, never wakes a device.
    pub(crate) fn open_file(&self) -> Result<(File, Metadata), Failure> {
        let failure = |error: io::Error| self.failure("cannot read", &error);
        self.require_file(&self.dir.metadata(&self.inside).map_err(failure)?)?;
        let mut options = OpenOptions::new();
        // The file may be swapped for a pipe after the look above: without this flag the open would wait for a writer.
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = self.dir.open_with(&self.inside, &options).map_err(failure)?;
        let metadata = file.metadata().map_err(failure)?;
        self.require_file(&metadata)?;
        Ok((file, metadata))
    }

    pub(crate) fn open_dir(&self) -> Result<Dir, Failure> {
        self.dir.open_dir(&self.inside).map_err(|error| self.failure("cannot list", &error))
    }

    pub(crate) fn require_file(&self, metadata: &Metadata) -> Result<(), Failure> {
        if metadata.is_file() {
            return Ok(());
        }
        let kind =
            if metadata.is_dir() { "is a directory" } else { "is not a regular file (a pipe, socket or device)" };
        Err(Failure::new(format!("{} {kind}", self.shown.display())))
    }

    /// The directory that holds this place, and the name in it.
    pub(crate) fn parent(&self) -> Result<(Dir, PathBuf), Failure> {
        parent_in(self.dir, &self.inside, &self.shown)
    }
}

/// Opens the directory that holds `inside`, so that what follows happens in that very directory.
pub(crate) fn parent_in(dir: &Dir, inside: &Path, shown: &Path) -> Result<(Dir, PathBuf), Failure> {
    let (Some(name), Some(parent)) = (inside.file_name(), inside.parent()) else {
        return Err(Failure::new(format!("{} does not name something inside a directory", shown.display())));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let dir = dir.open_dir(parent).map_err(|error| explain("cannot open the directory of", shown, &error))?;
    Ok((dir, PathBuf::from(name)))
}

pub(crate) fn explain(what: &str, shown: &Path, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        // The kernel's refusal comes with a number, the one of the sandboxed handle without.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
            "the path leads outside the allowed directories".to_owned()
        }
        _ => error.to_string(),
    };
    Failure::new(format!("{what} {}: {reason}", shown.display()))
}
