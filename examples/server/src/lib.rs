//! An HTTP service over `sdcpp`: docs/server.md says what it answers.
//!
//! The files: `options` is what it is started with; `service` what all APIs share, with the models of
//! `model`, of which some are `opened`, by the settings of `tuned`, and the jobs of `job`, which are
//! written to the `history`, looked at by a `filter` and found again by a `cache` key; `upscale` enlarges
//! pictures; `api` has a module for each API; `guard` decides who may ask and `rates` how often; `receive`
//! and `serve` how long a client may take to ask; `observe` tells the log; `page` is the web page; `app`
//! puts them together. `commands` are what the program does other than serve, and `hub` is where models
//! are downloaded from.

mod api;
mod app;
mod cache;
mod commands;
mod error;
mod file;
mod filter;
mod guard;
mod hash;
mod headers;
mod hidden;
mod history;
mod hub;
mod job;
mod limits;
mod logs;
pub mod memory;
mod model;
mod observe;
mod opened;
mod options;
mod page;
mod pictures;
mod rates;
mod receive;
mod report;
mod serve;
mod service;
mod tuned;
mod upscale;

pub use app::app;
pub use commands::{Cli, Command, ModelsCommand};
pub use error::ApiError;
pub use filter::{Candidate, CommandFilter, HttpFilter, SafetyFilter, Verdict};
pub use hash::ModelHash;
pub use history::{History, Keep, Unfinished};
pub use job::{Finished, Job, JobStatus, JobView, Jobs, Limits, PictureView, Stored};
pub use logs::Logs;
pub use model::{Active, Catalogue, ModelEntry};
pub use options::{LogFormat, Options};
pub use report::report;
pub use serve::{listen, serve};
pub use service::Service;
