//! The commands, one a file.

mod completions;
mod convert;
mod devices;
mod draw;
mod edit;
mod enlarge;
mod img2img;
mod inpaint;
mod inspect;
mod outpaint;
mod samplers;
mod tune;
mod txt2img;
mod upscale;
mod video;

pub(crate) use completions::Completions;
pub(crate) use convert::Convert;
pub(crate) use edit::Edit;
pub(crate) use img2img::Img2img;
pub(crate) use inpaint::Inpaint;
pub(crate) use inspect::Inspect;
pub(crate) use outpaint::Outpaint;
pub(crate) use tune::Tune;
pub(crate) use txt2img::Txt2img;
pub(crate) use upscale::Upscale;
pub(crate) use video::Video;

use crate::{app::App, cli::Command, report::Report};
use sdcpp::Error;

/// Does what is asked.
pub(crate) fn run(app: &App, command: Command) -> Result<Report, Error> {
    match command {
        Command::Txt2img(options) => options.run(app),
        Command::Img2img(options) => options.run(app),
        Command::Inpaint(options) => options.run(app),
        Command::Outpaint(options) => options.run(app),
        Command::Edit(options) => options.run(app),
        Command::Upscale(options) => options.run(app),
        Command::Video(options) => options.run(app),
        Command::Convert(options) => options.run(app),
        Command::Inspect(options) => options.run(),
        Command::Tune(options) => options.run(app),
        Command::Devices => devices::run(app),
        Command::Samplers => Ok(samplers::run()),
        Command::Completions(options) => Ok(options.run()),
    }
}
