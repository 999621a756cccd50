//! Models from a hub: repositories of files, by the API and the addresses of `hf-hub`.
//!
//! `hf-hub` knows where things are and which token is ours; its own downloads neither check a hash nor
//! whether a file has changed, follow no `Retry-After` and keep files in a folder of another form. So
//! `download` fetches the bytes: what was cut off is continued, and nothing comes under its name before
//! size and SHA-256 are right.
//!
//! The files: `name` says what may be asked for, `client` asks, `error` says what went wrong and whether
//! to try again, `part` is a file that is not whole yet, `folder` where files and records are, `pull`
//! all of it in order, `auto` the same before the server starts.

mod auto;
mod client;
mod download;
mod error;
mod folder;
mod name;
mod part;
mod progress;
mod pull;

pub(crate) use auto::{fetch_first, is_offline};
pub(crate) use error::HubError;
pub(crate) use folder::{Folder, Record, Verdict};
pub(crate) use name::Repo;
pub(crate) use progress::bytes;
pub(crate) use pull::{Pull, Pulled, Wanted};
