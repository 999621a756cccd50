//! Continues a picture beyond its borders.
//!
//! ```sh
//! cargo run --release --example magic_expand -- photo.png --direction right --pixels 256 --prompt "a beach"
//! cargo run --release --example magic_expand -- photo.png --direction left --direction right
//! ```
//!
//! The result has the picture's size and what was added; the picture's own pixels are kept, but for a
//! seam along the sides that grew.

mod common;

use clap::{Parser, ValueEnum};
use common::{Model, exit};
use sdcpp::{Error, Outpaint, OutpaintFill, open_picture};
use std::{path::PathBuf, process::ExitCode};

/// Continue a picture beyond its borders.
#[derive(Parser)]
struct Options {
    /// The picture, PNG or JPEG
    picture: PathBuf,
    /// Where to; may be given several times
    #[arg(short, long, value_enum, default_value = "all")]
    direction: Vec<Direction>,
    /// How many pixels to add on each of these sides
    #[arg(long, default_value_t = 64)]
    pixels: u32,
    /// What the whole picture shows
    #[arg(short, long, default_value = "")]
    prompt: String,
    /// What the model starts from on the new parts
    #[arg(long, value_enum, default_value_t = Start::Edge)]
    start: Start,
    /// How far it may leave that, 0 to 1
    #[arg(long, default_value_t = 0.8)]
    strength: f32,
    /// Over how many of the picture's own pixels the new fades into the old
    #[arg(long, default_value_t = 16)]
    feather: u32,
    /// PNG file to write
    #[arg(short, long, default_value = "expanded.png")]
    output: PathBuf,
    #[command(flatten)]
    model: Model,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Direction {
    Left,
    Right,
    Up,
    Down,
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum Start {
    /// The border drawn out
    Edge,
    /// The picture mirrored
    Mirror,
    /// The picture's colours at random
    Noise,
}

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Error> {
    let grows = |direction| {
        let named = [direction, Direction::All];
        if options.direction.iter().any(|d| named.contains(d)) { options.pixels } else { 0 }
    };
    let outpaint = Outpaint::new(
        grows(Direction::Left),
        grows(Direction::Right),
        grows(Direction::Up),
        grows(Direction::Down),
    )
    .feather(options.feather)
    .fill(match options.start {
        Start::Edge => OutpaintFill::Edge,
        Start::Mirror => OutpaintFill::Mirror,
        Start::Noise => OutpaintFill::Noise { seed: 1 },
    });
    let request = options
        .model
        .request(&options.prompt)?
        .init_image(open_picture(&options.picture)?)
        .outpaint(outpaint)
        .denoising_strength(options.strength);
    request.check()?;
    let generated = options.model.open()?.generate(&request)?;
    let Some(expanded) = generated.first() else { return Ok(()) };
    expanded.save(&options.output)?;
    println!("{}: {}x{}", options.output.display(), expanded.width(), expanded.height());
    Ok(())
}
