//! What has come of jobs, in an SQLite database: nothing that was accepted is lost when the program is
//! killed. Without a folder the database is in memory, and ends with the program.
//!
//! A job is written when it is accepted, before its client is told, and again when it has ended, before
//! its client is told. What stands there as open when the program starts was open when it was killed.

mod jobs;
mod retention;

pub(crate) use jobs::Accepted;
pub use jobs::Unfinished;
pub use retention::Keep;

use crate::error::ApiError;
use axum::http::StatusCode;
use rusqlite::Connection;
use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The database's form. A later one is not touched.
const VERSION: i64 = 1;

/// `view` is the job as clients see it, in JSON. `request` is kept while a job is open that is taken up
/// again, with the pictures it draws over. `started` is whether the engine has begun, and `crashes` how often
/// the program ended then without being asked to. `detached` is whether nobody waits for the answer.
const TABLES: &str = "
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed', 'cancelled')),
        model TEXT NOT NULL,
        created INTEGER NOT NULL,
        ended INTEGER,
        detached INTEGER NOT NULL,
        restarts INTEGER NOT NULL,
        started INTEGER NOT NULL DEFAULT FALSE,
        crashes INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        cache_key BLOB,
        view TEXT NOT NULL,
        request TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX jobs_by_end ON jobs (ended, bytes);
    CREATE INDEX jobs_by_key ON jobs (cache_key) WHERE cache_key IS NOT NULL;
    CREATE TABLE pictures (
        job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
        place INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        parameters TEXT NOT NULL,
        safety TEXT,
        png BLOB NOT NULL,
        PRIMARY KEY (job, place)
    ) STRICT;
";

/// The database.
pub struct History {
    connection: Mutex<Connection>,
    on_disk: bool,
    /// Why the last attempt to write failed; none if it did not.
    trouble: Mutex<Option<String>>,
    /// Held for as long as this is: two programs do not share a folder.
    _lock: Option<File>,
}

fn failed(doing: &str, error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "history_failed",
        format!("the history of jobs cannot be {doing}: {error}"),
    )
    .advise("free some space on its disk, or start with --data FOLDER or --no-history")
}

impl History {
    /// The database of a folder, which is made if it is missing; without one, in memory.
    ///
    /// # Errors
    /// The folder cannot be used, another program uses it, or its database is of a later version.
    pub fn open(folder: Option<&Path>) -> Result<Self, ApiError> {
        let Some(folder) = folder else {
            let connection =
                Connection::open_in_memory().map_err(|error| failed("opened", &error))?;
            return Self::with(connection, None);
        };
        make_private(folder).map_err(|error| {
            ApiError::invalid(
                "data",
                folder.display(),
                &format!("a folder that can be made ({error})"),
            )
        })?;
        let lock = lock(folder)?;
        let path = folder.join("history.sqlite3");
        // The folder may have been there, open to others. What SQLite puts beside it has its rights.
        private_file(&path)
            .map_err(|error| failed("opened", &format!("{}: {error}", path.display())))?;
        let connection = Connection::open(&path)
            .map_err(|error| failed("opened", &format!("{}: {error}", path.display())))?;
        Self::with(connection, Some(lock)).map_err(|error| ApiError {
            message: format!("{} ({})", error.message, path.display()),
            ..error
        })
    }

    fn with(mut connection: Connection, lock: Option<File>) -> Result<Self, ApiError> {
        let prepare = |connection: &mut Connection| -> rusqlite::Result<i64> {
            // Before the first table, so that space is given back.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            // The folder is this program's alone, and so no file is shared with others.
            connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
            let journal: String =
                connection
                    .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            // What was written survives the program's end; the machine's may take the last jobs, and
            // without that journal the database itself.
            let synchronous = if journal == "wal" { "NORMAL" } else { "FULL" };
            connection.pragma_update(None, "synchronous", synchronous)?;
            // What is forgotten is gone from the file as well.
            connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
            connection.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))?;
            connection.pragma_update(None, "foreign_keys", true)?;
            let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if version == 0 {
                let transaction = connection.transaction()?;
                transaction.execute_batch(TABLES)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
                transaction.commit()?;
                return Ok(VERSION);
            }
            Ok(version)
        };
        let version = prepare(&mut connection).map_err(|error| failed("opened", &error))?;
        if version != VERSION {
            let why = format!("it is of version {version}, and this program knows {VERSION}");
            return Err(failed("opened", &why));
        }
        Ok(Self {
            connection: Mutex::new(connection),
            on_disk: lock.is_some(),
            trouble: Mutex::default(),
            _lock: lock,
        })
    }

    /// Whether it is there when the program starts again.
    pub fn is_on_disk(&self) -> bool {
        self.on_disk
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, ApiError> {
        let run = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        let done = run(&mut self.connection());
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) =
            done.as_ref().err().map(|error: &rusqlite::Error| error.to_string());
        done.map_err(|error| failed("written", &error))
    }

    /// Why nothing can be written; none where it can.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ApiError> {
        work(&self.connection()).map_err(|error| failed("read", &error))
    }
}

/// Prompts and pictures are their owner's alone.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the file, for its owner alone, if it is not there.
fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn lock(folder: &Path) -> Result<File, ApiError> {
    let path = folder.join("lock");
    let unusable =
        |error: std::io::Error| failed("opened", &format!("{}: {error}", path.display()));
    let file =
        File::options().create(true).write(true).truncate(false).open(&path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "data_in_use",
            format!("{} is in use by another sdcpp-server", folder.display()),
        )
        .advise("start this one with another --data FOLDER, or with --no-history")),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_for_one_program_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/data");
        let first = History::open(Some(&path)).unwrap();
        let Err(error) = History::open(Some(&path)) else { panic!("opened twice") };
        assert_eq!(error.code, "data_in_use");
        assert!(error.message.contains("deep/data"), "{}", error.message);
        drop(first);
        assert!(History::open(Some(&path)).unwrap().is_on_disk());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o700);
            // In a folder that was there and open to all.
            let open = folder.path().join("open");
            std::fs::create_dir(&open).unwrap();
            std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
            let history = History::open(Some(&open)).unwrap();
            history.remove(uuid::Uuid::nil()).unwrap();
            let files: Vec<_> = open.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
            let private = files.iter().filter(|file| mode(file) == 0o600).count();
            assert!(private >= 2, "{files:?}");
            assert!(files.iter().all(|file| mode(file) == 0o600 || file.ends_with("lock")));
        }
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let told = |path: &Path| match History::open(Some(path)) {
            Ok(_) => panic!("{} was opened", path.display()),
            Err(error) => error.message,
        };
        assert!(told(&file).starts_with("data is "), "{}", told(&file));
        std::fs::write(folder.path().join("history.sqlite3"), "no database, and long enough")
            .unwrap();
        assert!(told(folder.path()).contains("history.sqlite3"), "{}", told(folder.path()));
        let later = folder.path().join("later");
        drop(History::open(Some(&later)).unwrap());
        let connection = Connection::open(later.join("history.sqlite3")).unwrap();
        connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        drop(connection);
        assert!(told(&later).contains("it is of version 2"), "{}", told(&later));
    }
}
