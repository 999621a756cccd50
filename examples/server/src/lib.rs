//! An HTTP service over `sdcpp`: docs/server.md says what it answers.
//!
//! The files: `options` is what it is started with; `service` what all APIs share, with the models of
//! `model` and the jobs of `job`; `api` has a module for each API; `guard` decides who may ask; `page`
//! is the web page; `app` puts them together. `commands` are what the program does other than serve, and
//! `hub` is where models are downloaded from.

mod api;
mod app;
mod commands;
mod error;
mod guard;
mod hash;
mod hidden;
mod hub;
mod job;
mod limits;
mod memory;
mod model;
mod options;
mod page;
mod pictures;
mod service;

pub use app::{app, listen};
pub use commands::{Cli, Command, ModelsCommand};
pub use error::ApiError;
pub use hash::ModelHash;
pub use job::{Finished, Job, JobStatus, JobView, Jobs, Limits, PictureView, Stored};
pub use model::{Active, Catalogue, ModelEntry};
pub use options::Options;
pub use service::Service;
