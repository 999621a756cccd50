//! Makes a background for a page or a desktop, of any size, from words.
//!
//! ```sh
//! cargo run --release --example background -- --prompt "a blue square" --size 1280x720
//! cargo run --release --example background -- --prompt "a green hill" --fill enlarge --model sd15.gguf
//! ```
//!
//! `tile` draws one small picture whose opposite edges join, and repeats it. `enlarge` draws one
//! picture in the shape of the background, and enlarges it.

mod common;

use clap::{Parser, ValueEnum};
use common::{Model, exit, save, working_size};
use sdcpp::{
    Context, Error, Upscaler, UpscalerConfig,
    image::{Rgb, RgbImage, imageops},
};
use std::{path::PathBuf, process::ExitCode};

/// Make a background for a page or a desktop.
#[derive(Parser)]
struct Options {
    /// What it shows
    #[arg(short, long, default_value = "a blue square")]
    prompt: String,
    /// Width and height in pixels
    #[arg(long, default_value = "1280x720", value_parser = size)]
    size: (u32, u32),
    /// How one picture becomes a background
    #[arg(long, value_enum, default_value_t = Fill::Tile)]
    fill: Fill,
    /// How far it is mixed with white, 0 to 1, so that text on it can be read
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pale: f32,
    /// ESRGAN file to enlarge with; Lanczos otherwise
    #[arg(long)]
    upscaler: Option<PathBuf>,
    /// PNG file to write
    #[arg(short, long, default_value = "background.png")]
    output: PathBuf,
    #[command(flatten)]
    model: Model,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Fill {
    /// Repeat a picture whose edges join
    Tile,
    /// Enlarge one picture of the same shape
    Enlarge,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    const MOST: u32 = sdcpp::MAX_SIDE;
    let side = |text: &str| text.parse().ok().filter(|side| (1..=MOST).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| format!("not of the form 1280x720, with 1 to {MOST} a side"))
}

fn share(text: &str) -> Result<f32, String> {
    let value = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    value.ok_or_else(|| "not from 0 to 1".to_owned())
}

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Error> {
    let mut request = options.model.request(&options.prompt)?;
    let mut config = options.model.config()?;
    if options.fill == Fill::Tile {
        config = config.circular_x(true).circular_y(true);
    } else {
        (request.width, request.height) =
            working_size(options.size, (request.width, request.height));
    }
    let generated = Context::new(config)?.generate(&request)?;
    let Some(drawn) = generated.first() else { return Ok(()) };
    let mut drawn = drawn.to_rgb();
    if let Some(path) = &options.upscaler {
        drawn = Upscaler::new(UpscalerConfig::new(path))?.upscale(drawn)?.image.to_rgb();
    }
    let mut background = match options.fill {
        Fill::Tile => tiled(&drawn, options.size),
        Fill::Enlarge => covering(&drawn, options.size),
    };
    for pixel in background.pixels_mut() {
        *pixel = Rgb(pixel
            .0
            .map(|c| (f32::from(c) * (1.0 - options.pale) + 255.0 * options.pale).round() as u8));
    }
    save(&background, &options.output)?;
    println!(
        "{}: {}x{}, from {}x{}",
        options.output.display(),
        options.size.0,
        options.size.1,
        drawn.width(),
        drawn.height(),
    );
    Ok(())
}

/// The picture over and over, from the upper left corner.
fn tiled(picture: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    let mut background = RgbImage::new(width, height);
    imageops::tile(&mut background, picture);
    background
}

/// The picture enlarged until it covers everything, and what is too much cut off evenly.
fn covering(picture: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    let factor = (f64::from(width) / f64::from(picture.width()))
        .max(f64::from(height) / f64::from(picture.height()));
    let scaled = |side: u32, least: u32| ((f64::from(side) * factor).round() as u32).max(least);
    let large = imageops::resize(
        picture,
        scaled(picture.width(), width),
        scaled(picture.height(), height),
        imageops::FilterType::Lanczos3,
    );
    let (x, y) = ((large.width() - width) / 2, (large.height() - height) / 2);
    imageops::crop_imm(&large, x, y, width, height).to_image()
}
