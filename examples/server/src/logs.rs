//! The log: its form, and how much it tells, which may change while the service runs.

use crate::options::{LogFormat, Options};
use tracing_subscriber::{
    EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

/// The log that was started.
pub struct Logs(reload::Handle<EnvFilter, Registry>);

impl Logs {
    /// Writes to the standard error from now on.
    ///
    /// # Errors
    /// The level is none, or there is a log already.
    pub fn start(options: &Options) -> Result<Self, String> {
        let (filter, handle) = reload::Layer::new(filter(options)?);
        let log = tracing_subscriber::registry().with(filter);
        let lines = fmt::layer().with_writer(std::io::stderr);
        let started = match options.log_format.unwrap_or_default() {
            LogFormat::Text => log.with(lines).try_init(),
            LogFormat::Json => {
                log.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
            }
        };
        started.map(|()| Self(handle)).map_err(|error| error.to_string())
    }

    /// Whether the options have a level.
    ///
    /// # Errors
    /// They have something else.
    pub fn check(&self, options: &Options) -> Result<(), String> {
        filter(options).map(drop)
    }

    /// Tells as much as these options say.
    ///
    /// # Errors
    /// The level is none; the one before stays.
    pub fn set(&self, options: &Options) -> Result<(), String> {
        self.0.reload(filter(options)?).map_err(|error| error.to_string())
    }
}

fn filter(options: &Options) -> Result<EnvFilter, String> {
    // The engine tells some thirty lines of each picture.
    let level = options.log_level.as_deref().unwrap_or("info,sdcpp::engine=warn").to_lowercase();
    EnvFilter::try_new(&level).map_err(|error| {
        format!("log-level is {level}: {error}; allowed: error, warn, info, debug, trace")
    })
}
