//! Taking days away: the oldest first, so that what an interruption leaves is one log without its beginning.

use std::fs;
use std::io;
use std::path::Path;

use crate::archive::checkpoint_files;
use crate::error::LogError;
use crate::keys::sync_folder;
use crate::prune::plan::Pruning;

/// Takes the days away: indexes, segments, what lay aside, checkpoints of the time before. What is gone already is no error: a
/// deletion that was interrupted is done again. `gone` hears of each segment that is.
pub(crate) fn delete(directory: &Path, plan: &Pruning, gone: &mut dyn FnMut(&Path)) -> Result<(), LogError> {
    for day in &plan.days {
        remove_all(&directory.join("index").join(day))?;
    }
    for file in &plan.segments {
        match fs::remove_file(&file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LogError::io("delete", &file.path, error));
            }
            _ => {}
        }
        // Gone for good before the next one goes.
        if let Some(folder) = file.path.parent().filter(|folder| folder.exists()) {
            sync_folder(folder).map_err(|error| LogError::io("make durable", folder, error))?;
        }
        gone(&file.path);
    }
    for day in &plan.days {
        remove_all(&directory.join("log").join(day))?;
    }
    for path in checkpoint_files(directory)? {
        let day = path.file_stem().unwrap_or_default().to_string_lossy();
        if plan.days.last().is_some_and(|last| *day <= **last) {
            fs::remove_file(&path).map_err(|error| LogError::io("delete", &path, error))?;
        }
    }
    sync_folder(&directory.join("log")).map_err(|error| LogError::io("make durable", directory, error))
}

fn remove_all(folder: &Path) -> Result<(), LogError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LogError::io("delete", folder, error)),
        _ => Ok(()),
    }
}
