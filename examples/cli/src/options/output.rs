//! Where results go, and how a run is bounded.

use clap::Args;
use std::{path::PathBuf, time::Duration};

/// Where pictures go.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// File to write, .png or .jpg; an existing one is replaced. "%03d" and {index} stand for the
    /// picture's number, {seed} for its seed; without them the second picture of a batch gets _2.
    /// "-" writes one PNG to standard output
    #[arg(short, long, default_value = "output.png", value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// First number [default: 0 with %d, else 1]
    #[arg(long, value_name = "N")]
    pub(crate) output_begin_idx: Option<u32>,
    /// Leave out how the picture was made
    #[arg(long)]
    pub(crate) disable_image_metadata: bool,
}

/// How a run is bounded.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Run")]
pub(crate) struct RunOptions {
    /// Stop after so many seconds; 0: no limit; else SD_TIMEOUT_SECONDS, no limit
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Check everything and open the model, but draw nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A number of seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds is wanted".to_owned())
}

impl RunOptions {
    /// The time limit: the option's, else the environment's, else none.
    pub(crate) fn time_limit(&self, environment: Option<Duration>) -> Option<Duration> {
        self.timeout.or(environment).filter(|limit| !limit.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_limit_ranks_before_the_environments() {
        let limit = |given, environment| {
            RunOptions { timeout: given, dry_run: false }.time_limit(environment)
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(limit(None, None), None);
        assert_eq!(limit(None, second), second);
        assert_eq!(limit(Some(Duration::ZERO), second), None);
        assert_eq!(seconds("0.5").unwrap(), Duration::from_millis(500));
        assert!(seconds("-1").is_err() && seconds("nan").is_err());
    }
}
