//! `sdcpp outpaint`

use super::draw::DrawOptions;
use crate::{app::App, options::InitOptions, report::Report};
use clap::Args;
use sdcpp::{Error, ImageRequest, OutpaintFill};

/// Continue a picture beyond its borders.
#[derive(Args, Debug)]
pub(crate) struct Outpaint {
    #[command(flatten)]
    pub(crate) init: InitOptions,
    #[command(flatten)]
    pub(crate) sides: SideOptions,
    #[command(flatten)]
    pub(crate) draw: DrawOptions,
}

/// Where and how a picture is continued.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Canvas")]
pub(crate) struct SideOptions {
    /// Pixels to add at the left
    #[arg(long, value_name = "PIXELS")]
    left: Option<u32>,
    /// Pixels to add at the right
    #[arg(long, value_name = "PIXELS")]
    right: Option<u32>,
    /// Pixels to add at the top
    #[arg(long, value_name = "PIXELS")]
    top: Option<u32>,
    /// Pixels to add at the bottom
    #[arg(long, value_name = "PIXELS")]
    bottom: Option<u32>,
    /// Pixels to add on every side not named
    #[arg(long, default_value_t = 0, value_name = "PIXELS")]
    all: u32,
    /// Over how many of the picture's pixels the new fades into the old
    #[arg(long, default_value_t = 32, value_name = "PIXELS")]
    feather: u32,
    /// What the model starts from: edge, mirror, noise, or a colour as "#80a0ff"
    #[arg(long, default_value = "edge", value_name = "FILL", value_parser = fill)]
    fill: OutpaintFill,
}

fn fill(text: &str) -> Result<OutpaintFill, String> {
    match text {
        "edge" => return Ok(OutpaintFill::Edge),
        "mirror" => return Ok(OutpaintFill::Mirror),
        "noise" => return Ok(OutpaintFill::Noise { seed: 0 }),
        _ => {}
    }
    colour(text)
        .map(OutpaintFill::Color)
        .ok_or_else(|| "allowed: edge, mirror, noise, or a colour as #80a0ff".to_owned())
}

/// `#80a0ff`
pub(super) fn colour(text: &str) -> Option<[u8; 3]> {
    let [_, red, green, blue] = text
        .strip_prefix('#')
        .filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())?
        .to_be_bytes();
    Some([red, green, blue])
}

impl SideOptions {
    /// The sides, with the request's seed for noise.
    fn outpaint(&self, seed: Option<i64>) -> sdcpp::Outpaint {
        let side = |side: Option<u32>| side.unwrap_or(self.all);
        let (left, right) = (side(self.left), side(self.right));
        let fill = match (self.fill, seed.and_then(|seed| u64::try_from(seed).ok())) {
            (OutpaintFill::Noise { .. }, Some(seed)) => OutpaintFill::Noise { seed },
            (fill, _) => fill,
        };
        sdcpp::Outpaint::new(left, right, side(self.top), side(self.bottom))
            .feather(self.feather)
            .fill(fill)
    }
}

impl Outpaint {
    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        self.draw.run(app, "outpaint", |request| self.change(request))
    }

    fn change(&self, request: ImageRequest) -> Result<ImageRequest, Error> {
        let mut request = self.init.apply(request, &self.draw.picture)?;
        // What is added must differ from what it starts from: all of it is drawn unless told.
        request.denoising_strength = self.init.strength.unwrap_or(1.0);
        let outpaint = self.sides.outpaint(request.seed);
        Ok(request.outpaint(outpaint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn sides(line: &str) -> sdcpp::Outpaint {
        let all = "sdcpp outpaint -p x -i a.png".split_whitespace();
        let Command::Outpaint(options) =
            Cli::try_parse_from(all.chain(line.split_whitespace())).unwrap().command
        else {
            unreachable!()
        };
        options.sides.outpaint(Some(7))
    }

    #[test]
    fn sides_are_named_or_all() {
        assert_eq!(sides("--left 8 --bottom 16"), sdcpp::Outpaint::new(8, 0, 0, 16));
        assert_eq!(
            sides("--all 64 --top 0 --feather 9 --fill noise"),
            sdcpp::Outpaint::new(64, 64, 0, 64).feather(9).fill(OutpaintFill::Noise { seed: 7 })
        );
    }

    #[test]
    fn fills_are_kinds_or_colours() {
        assert_eq!(fill("#80a0ff"), Ok(OutpaintFill::Color([0x80, 0xa0, 0xff])));
        assert_eq!(fill("mirror"), Ok(OutpaintFill::Mirror));
        assert!(fill("#80a0f").is_err() && fill("#80a0fg").is_err() && fill("blue").is_err());
    }
}
