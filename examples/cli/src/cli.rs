//! The command line as a whole.

use crate::{commands, exit};
use clap::{Args, Parser, Subcommand};

/// Pictures and videos by stable-diffusion.cpp.
///
/// Options rank before the environment (SD_MODEL_PATH, SD_VAE_PATH, SD_IMAGE_SIZE,
/// SD_INFERENCE_STEPS, SD_GUIDANCE_SCALE, SD_NEGATIVE_PROMPT, SD_TIMEOUT_SECONDS, SD_VAE_TILING,
/// SD_FREE_PARAMS), that before the model's preset (MODEL.preset.json beside it), that before the
/// general defaults. A command line of upstream's sd-cli runs as it is: its mode chooses the command.
#[derive(Parser, Debug)]
#[command(name = "sdcpp", version, about, after_help = exit::HELP, args_override_self = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Args, Debug, Clone, Copy, Default)]
#[command(next_help_heading = "General")]
pub(crate) struct GlobalOptions {
    /// One JSON object on standard output, for errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The engine's log, on standard error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// No progress bar, timings and warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Accepted for upstream's sake: colours are used where the terminal has them
    #[arg(long, global = true, hide = true)]
    color: bool,
}

/// What to do.
#[derive(Subcommand, Debug)]
#[command(after_help = exit::HELP)]
pub(crate) enum Command {
    /// Draw pictures from words
    Txt2img(Box<commands::Txt2img>),
    /// Draw pictures from a picture and words
    Img2img(Box<commands::Img2img>),
    /// Repaint a part of a picture
    Inpaint(Box<commands::Inpaint>),
    /// Continue a picture beyond its borders
    Outpaint(Box<commands::Outpaint>),
    /// Edit pictures by words, with a model that takes references
    Edit(Box<commands::Edit>),
    /// Enlarge pictures by an ESRGAN model
    Upscale(Box<commands::Upscale>),
    /// Make a video (Wan, LTX)
    Video(Box<commands::Video>),
    /// Convert or quantise a model file
    Convert(Box<commands::Convert>),
    /// Say what a model file is
    Inspect(Box<commands::Inspect>),
    /// Measure which settings are the fastest here
    Tune(Box<commands::Tune>),
    /// List the devices to compute on
    Devices,
    /// List samplers, schedulers and the other names that options take
    Samplers,
    /// Write shell completions
    Completions(commands::Completions),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn exit_codes_are_in_the_help_of_every_command() {
        let mut command = Cli::command();
        assert!(command.render_long_help().to_string().contains("out of memory"));
        for subcommand in command.get_subcommands() {
            assert!(subcommand.get_about().is_some(), "{}", subcommand.get_name());
        }
    }
}
