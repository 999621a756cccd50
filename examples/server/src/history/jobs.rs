//! Jobs in the database.

use super::History;
use crate::{
    error::ApiError,
    job::{JobStatus, JobView, Stored},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// A job that was open when the program ended.
#[derive(Debug)]
pub struct Unfinished {
    /// The job as its client saw it last.
    pub view: JobView,
    /// When it was accepted.
    pub created: SystemTime,
    /// How often the program ended, unasked, while the engine worked on it.
    pub crashes: u32,
    /// What was asked for, in JSON; none if its client waited for the answer, and has gone with it.
    pub request: Option<String>,
}

/// A job that is accepted.
pub(crate) struct Accepted<'a> {
    pub(crate) view: &'a JobView,
    pub(crate) created: SystemTime,
    pub(crate) detached: bool,
    /// What is asked for, in JSON, if the job is to be taken up again.
    pub(crate) request: Option<&'a str>,
}

pub(super) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn state(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued | JobStatus::Running => "open",
        JobStatus::Done => "done",
        JobStatus::Failed => "failed",
        JobStatus::Cancelled => "cancelled",
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(|error| ApiError::internal(error.to_string()))
}

/// A column in JSON that this program wrote.
fn parsed<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let broken = |error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    };
    serde_json::from_str(&text).map_err(broken)
}

/// One job that cannot be read does not keep the others from being read.
fn readable<T>(parsed: rusqlite::Result<T>) -> Option<T> {
    parsed.inspect_err(|error| tracing::error!("a job of the history cannot be read: {error}")).ok()
}

fn picture(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let safety: Option<String> = row.get("safety")?;
    Ok(Stored {
        png: row.get::<_, Vec<u8>>("png")?.into(),
        parameters: row.get::<_, String>("parameters")?.into(),
        seed: row.get("seed")?,
        width: row.get("width")?,
        height: row.get("height")?,
        safety: match safety {
            Some(_) => Some(parsed(row, "safety")?),
            None => None,
        },
    })
}

impl History {
    /// Writes a job that is accepted; one that is taken up again stands there, and counts that.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(crate) fn accept(&self, job: &Accepted<'_>) -> Result<(), ApiError> {
        let view = json(job.view)?;
        self.write(|database| {
            database
                .prepare_cached(
                    "INSERT INTO jobs (id, state, model, created, detached, restarts, view, request)
                    VALUES (?1, 'open', ?2, ?3, ?4, ?5, ?6, ?7)
                    ON CONFLICT (id) DO UPDATE SET restarts = excluded.restarts, view = excluded.view,
                        crashes = crashes + started, started = FALSE",
                )?
                .execute(params![
                    job.view.id.to_string(),
                    job.view.model,
                    millis(job.created),
                    job.detached,
                    job.view.restarts,
                    view,
                    job.request,
                ])
        })?;
        Ok(())
    }

    /// Writes that the engine works on a job, or that it is left for the next start.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(crate) fn set_started(&self, id: Uuid, started: bool) -> Result<(), ApiError> {
        self.write(|database| {
            database
                .prepare_cached("UPDATE jobs SET started = ?2 WHERE id = ?1")?
                .execute(params![id.to_string(), started])
        })?;
        Ok(())
    }

    /// Writes how a job ended, and what it drew. `key` is what the answer is found by again.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(crate) fn end(
        &self,
        view: &JobView,
        pictures: &[Stored],
        key: Option<&[u8]>,
    ) -> Result<(), ApiError> {
        let (id, text) = (view.id.to_string(), json(view)?);
        let bytes: usize = pictures.iter().map(|picture| picture.png.len()).sum();
        let safeties = pictures.iter().map(|picture| picture.safety.as_ref().map(json).transpose());
        let safeties = safeties.collect::<Result<Vec<_>, _>>()?;
        self.write(|database| {
            let known = database
                .prepare_cached(
                    "UPDATE jobs SET state = ?2, ended = ?3, bytes = ?4, view = ?5, cache_key = ?6, request = NULL
                    WHERE id = ?1",
                )?
                .execute(params![
                    id,
                    state(view.status),
                    millis(SystemTime::now()),
                    i64::try_from(bytes).unwrap_or(i64::MAX),
                    text,
                    key,
                ])?;
            if known == 0 {
                // Its client had it forgotten meanwhile.
                return Ok(());
            }
            let mut insert = database.prepare_cached(
                "INSERT INTO pictures (job, place, seed, width, height, parameters, safety, png)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for (place, (picture, safety)) in (0i64..).zip(pictures.iter().zip(&safeties)) {
                insert.execute(params![
                    id,
                    place,
                    picture.seed,
                    picture.width,
                    picture.height,
                    picture.parameters.as_ref(),
                    safety,
                    picture.png.as_ref(),
                ])?;
            }
            Ok(())
        })
    }

    /// Forgets a job, and its pictures.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(crate) fn remove(&self, id: Uuid) -> Result<(), ApiError> {
        self.write(|database| {
            database.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([id.to_string()])
        })?;
        self.shrink()
    }

    /// A job that ended.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) fn view(&self, id: Uuid) -> Result<Option<JobView>, ApiError> {
        self.read(|database| {
            database
                .prepare_cached("SELECT view FROM jobs WHERE id = ?1 AND ended IS NOT NULL")?
                .query_row([id.to_string()], |row| parsed(row, "view"))
                .optional()
        })
    }

    /// Jobs that ended, the newest first: those before `before`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) fn list(
        &self,
        limit: usize,
        before: Option<Uuid>,
    ) -> Result<Vec<JobView>, ApiError> {
        // Greater than all.
        let before = before.unwrap_or(Uuid::max()).to_string();
        self.read(|database| {
            database
                .prepare_cached(
                    "SELECT view FROM jobs WHERE ended IS NOT NULL AND id < ?1 ORDER BY id DESC LIMIT ?2",
                )?
                .query_map(params![before, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                    Ok(readable(parsed(row, "view")))
                })?
                .filter_map(rusqlite::Result::transpose)
                .collect()
        })
    }

    /// The file of a picture.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) fn png(&self, id: Uuid, place: usize) -> Result<Option<Vec<u8>>, ApiError> {
        let Ok(place) = i64::try_from(place) else { return Ok(None) };
        self.read(|database| {
            database
                .prepare_cached("SELECT png FROM pictures WHERE job = ?1 AND place = ?2")?
                .query_row(params![id.to_string(), place], |row| row.get(0))
                .optional()
        })
    }

    /// What a job with this key drew.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) fn cached(&self, key: &[u8]) -> Result<Option<(JobView, Vec<Stored>)>, ApiError> {
        self.read(|database| {
            let found = database
                .prepare_cached("SELECT view FROM jobs WHERE cache_key = ?1 AND state = 'done' ORDER BY ended DESC LIMIT 1")?
                .query_row([key], |row| parsed::<JobView>(row, "view"))
                .optional()?;
            let Some(view) = found else { return Ok(None) };
            let pictures = pictures(database, view.id)?;
            Ok(Some((view, pictures)))
        })
    }

    /// The jobs that were open when the program ended, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) fn unfinished(&self) -> Result<Vec<Unfinished>, ApiError> {
        self.read(|database| {
            database
                .prepare(
                    "SELECT view, created, request, crashes + started AS crashes FROM jobs
                    WHERE ended IS NULL ORDER BY id",
                )?
                .query_map([], |row| {
                    let created: i64 = row.get("created")?;
                    let since =
                        std::time::Duration::from_millis(u64::try_from(created).unwrap_or(0));
                    let Some(view) = readable(parsed(row, "view")) else { return Ok(None) };
                    Ok(Some(Unfinished {
                        view,
                        created: UNIX_EPOCH + since,
                        crashes: row.get("crashes")?,
                        request: row.get("request")?,
                    }))
                })?
                .filter_map(rusqlite::Result::transpose)
                .collect()
        })
    }
}

fn pictures(database: &Connection, id: Uuid) -> rusqlite::Result<Vec<Stored>> {
    database
        .prepare_cached("SELECT * FROM pictures WHERE job = ?1 ORDER BY place")?
        .query_map([id.to_string()], picture)?
        .collect()
}
