//! What can be wrong with the database, in words for the operator.

use std::path::PathBuf;

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is not safe to use.
    #[error("{}: {why}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// The file is no database of the hub's.
    #[error("{} is a database of another program; name another `data_dir`, or move the file away", .0.display())]
    NotOurs(PathBuf),
    /// The file is damaged.
    #[error(
        "{} is damaged ({detail}); stop the hub, move the file and its -wal and -shm away, and put back a copy that is whole",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database engine says.
        detail: String,
    },
    /// A newer hub wrote it.
    #[error("{} was written by a newer hub (migration {found}; this one knows up to {known}); run that version, or name another `data_dir`", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its last migration.
        found: i64,
        /// The last one known here.
        known: i64,
    },
    /// A migration is not the one that was applied.
    #[error(
        "{}: migration {version} ({name}) is not the one that was applied when the file was made; this hub was built from \
         changed sources",
        path.display()
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// Its number.
        version: i64,
        /// Its name.
        name: String,
    },
    /// There is no room.
    #[error("there is no room to keep it ({0}); what was kept before is whole: make room and try again")]
    Full(String),
    /// Others hold it for too long.
    #[error("the database is in use by others for too long ({0}); try again")]
    Busy(String),
    /// There is already one of that name.
    #[error("there is one already")]
    Exists,
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else that the engine says.
    #[error("the database says: {0}")]
    Engine(String),
}

// Result codes of SQLite (https://sqlite.org/rescode.html); the extended ones have these in their low byte.
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

impl StoreError {
    /// What `error` of the database in `path` means.
    pub(crate) fn of(path: &std::path::Path, error: &sqlx::Error) -> Self {
        let text = error.to_string();
        let database = match error {
            sqlx::Error::Database(database) => database,
            sqlx::Error::PoolTimedOut => return Self::Busy("no connection became free".to_owned()),
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => return Self::Full(text),
            _ => return Self::Engine(text),
        };
        if database.is_unique_violation() {
            return Self::Exists;
        }
        let code = database.code().and_then(|code| code.parse::<i32>().ok());
        match code.map(|code| code & 0xff) {
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::Busy(text),
            // A write that the disk refuses is an input/output error to SQLite unless the disk says that it is full.
            Some(SQLITE_FULL | SQLITE_IOERR) => Self::Full(text),
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Damaged { path: path.to_owned(), detail: text },
            _ => Self::Engine(text),
        }
    }
}
