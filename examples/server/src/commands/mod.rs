//! What the program does: it serves, or does what a subcommand says.

mod models;

use crate::{ApiError, hub::HubError, options::Options};
use clap::{Parser, Subcommand};
pub use models::ModelsCommand;

/// Local pictures over HTTP: A1111's API, OpenAI's, and jobs with progress.
#[derive(Debug, Parser)]
#[command(name = "sdcpp-server", version)]
pub struct Cli {
    /// Those of serving; a subcommand uses some of them.
    #[command(flatten)]
    pub options: Options,
    /// What to do other than serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do other than serve.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List, download, check and remove the models of the folder
    #[command(subcommand)]
    Models(ModelsCommand),
}

impl Command {
    /// Does it, and tells what came of it on stdout; whether all is well.
    ///
    /// # Errors
    /// Why it could not be done.
    pub fn run(&self, options: &Options) -> Result<bool, ApiError> {
        let done: Result<bool, HubError> = match self {
            Self::Models(command) => command.run(options),
        };
        Ok(done?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_the_servers_with_and_without_a_subcommand() {
        let cli = Cli::parse_from(["sdcpp-server", "--port", "1", "--models", "m", "--listen"]);
        assert!(cli.command.is_none() && cli.options.port == Some(1));
        for arguments in [
            &["sdcpp-server", "--models", "m", "models", "list"][..],
            &["sdcpp-server", "models", "list", "--models", "m"],
            &["sdcpp-server", "models", "--models", "m", "list"],
        ] {
            let cli = Cli::parse_from(arguments);
            assert_eq!(cli.options.models, Some("m".into()), "{arguments:?}");
            assert!(cli.command.is_some());
        }
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
