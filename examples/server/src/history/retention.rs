//! What is forgotten of the jobs that ended.

use super::History;
use crate::error::ApiError;
use rusqlite::params;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// How much is kept of the jobs that ended.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Jobs.
    pub jobs: usize,
    /// Bytes of their pictures.
    pub bytes: u64,
    /// How long ago they ended; none for ever.
    pub age: Option<Duration>,
}

impl History {
    /// Forgets what is more than is kept, the first that ended first. `last`, which has ended just now,
    /// stays for its client.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn trim(&self, keep: Keep, last: Option<Uuid>) -> Result<usize, ApiError> {
        let last = last.map(|id| id.to_string()).unwrap_or_default();
        let oldest = keep.age.and_then(|age| SystemTime::now().checked_sub(age));
        let forgotten = self.write(|database| {
            let mut forgotten = 0;
            if let Some(oldest) = oldest {
                forgotten += database
                    .prepare_cached("DELETE FROM jobs WHERE ended < ?1 AND id <> ?2")?
                    .execute(params![super::jobs::millis(oldest), last])?;
            }
            forgotten += database
                .prepare_cached(
                    "DELETE FROM jobs WHERE id <> ?2 AND id IN (SELECT id FROM (
                        SELECT id, sum(bytes) OVER (ORDER BY ended DESC, id DESC) AS total
                        FROM jobs WHERE ended IS NOT NULL AND bytes > 0
                    ) WHERE total > ?1)",
                )?
                .execute(params![i64::try_from(keep.bytes).unwrap_or(i64::MAX), last])?;
            forgotten += database
                .prepare_cached(
                    "DELETE FROM jobs WHERE id IN (
                        SELECT id FROM jobs WHERE ended IS NOT NULL AND id <> ?2
                        ORDER BY ended, id
                        LIMIT max(0, (SELECT count(*) FROM jobs WHERE ended IS NOT NULL) - ?1)
                    )",
                )?
                .execute(params![i64::try_from(keep.jobs.max(1)).unwrap_or(i64::MAX), last])?;
            Ok(forgotten)
        })?;
        if forgotten > 0 {
            self.shrink()?;
        }
        Ok(forgotten)
    }

    /// Gives room back to the disk that forgotten jobs had; a part of it each time, for others wait.
    pub(super) fn shrink(&self) -> Result<(), ApiError> {
        self.read(|database| {
            // Pages of 4 KiB.
            let mut statement = database.prepare_cached("PRAGMA incremental_vacuum(4096)")?;
            let mut pages = statement.query([])?;
            while pages.next()?.is_some() {}
            Ok(())
        })
    }
}
