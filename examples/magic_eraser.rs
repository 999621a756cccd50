//! Takes something out of a picture.
//!
//! ```sh
//! cargo run --release --example magic_eraser -- photo.png mask.png --prompt "a beach" -o beach.png
//! ```
//!
//! The mask is white where the thing is, and may be painted roughly. First the masked part is filled
//! with what lies around it, so that the model does not start from the thing itself; then it is
//! drawn again. Everything else keeps its exact pixels.

mod common;

use clap::Parser;
use common::{Model, exit, working_size};
use sdcpp::{
    Error, Inpaint, InpaintArea,
    image::{DynamicImage, GrayImage, Luma, Rgba, Rgba32FImage, imageops},
    open_picture,
};
use std::{path::PathBuf, process::ExitCode};

/// Take something out of a picture.
#[derive(Parser)]
struct Options {
    /// The picture, PNG or JPEG
    picture: PathBuf,
    /// What to take out: white on black, of the same size
    mask: PathBuf,
    /// What is there instead, such as "a beach"
    #[arg(short, long, default_value = "")]
    prompt: String,
    /// How far the model may leave what lies around, 0 to 1
    #[arg(long, default_value_t = 0.4)]
    strength: f32,
    /// Pixels to add around the mask, for the thing's soft edge
    #[arg(long, default_value_t = 4)]
    grow: u8,
    /// PNG file to write
    #[arg(short, long, default_value = "erased.png")]
    output: PathBuf,
    #[command(flatten)]
    model: Model,
}

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Error> {
    let picture = open_picture(&options.picture)?;
    let mask = grown(open_picture(&options.mask)?.into_luma8(), options.grow);
    let mut request = options.model.request(&options.prompt)?;
    if mask.dimensions() == (picture.width(), picture.height()) {
        request = request.init_image(without(&picture, &mask));
    } else {
        // The check tells both sizes.
        request = request.init_image(picture);
    }
    let masked = white_size(&mask).unwrap_or(mask.dimensions());
    (request.width, request.height) = working_size(masked, (request.width, request.height));
    request = request.mask(mask).denoising_strength(options.strength).inpaint(
        Inpaint::new()
            .area(InpaintArea::OnlyMasked { padding: 32 })
            .mask_blur(4)
            .keep_unmasked(true),
    );
    request.check()?;
    let generated = options.model.open()?.generate(&request)?;
    let Some(erased) = generated.first() else { return Ok(()) };
    erased.save(&options.output)?;
    println!("{}: {}x{}", options.output.display(), erased.width(), erased.height());
    Ok(())
}

/// The mask with this many more pixels on each side of what is white.
fn grown(mask: GrayImage, pixels: u8) -> GrayImage {
    let reach = u32::from(pixels);
    let (width, height) = mask.dimensions();
    // A square is a row of columns: once along each axis.
    let spread = |mask: &GrayImage, across: bool| {
        GrayImage::from_fn(width, height, |x, y| {
            let (at, end) = if across { (x, width) } else { (y, height) };
            let near = at.saturating_sub(reach)..(at + reach + 1).min(end);
            let value = |i| if across { (i, y) } else { (x, i) };
            let values = near.map(value).filter_map(|(x, y)| mask.get_pixel_checked(x, y));
            Luma([values.map(|pixel| pixel.0[0]).max().unwrap_or(0)])
        })
    };
    spread(&spread(&mask, true), false)
}

/// Width and height of what is white.
fn white_size(mask: &GrayImage) -> Option<(u32, u32)> {
    let white = || mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 127);
    let width = white().map(|(x, ..)| x).max()? - white().map(|(x, ..)| x).min()? + 1;
    let height = white().map(|(_, y, _)| y).max()? - white().map(|(_, y, _)| y).min()? + 1;
    Some((width, height))
}

/// The picture with the masked part filled from around it.
fn without(picture: &DynamicImage, mask: &GrayImage) -> DynamicImage {
    let mut known = picture.to_rgba32f();
    for (pixel, mask) in known.pixels_mut().zip(mask.pixels()) {
        let Rgba([r, g, b, _]) = *pixel;
        *pixel = if mask.0[0] > 127 { Rgba([0.0; 4]) } else { Rgba([r, g, b, 1.0]) };
    }
    DynamicImage::ImageRgba32F(filled(&known)).into_rgb8().into()
}

/// Fills what is unknown (of no alpha) from the picture at half the size, filled likewise.
fn filled(known: &Rgba32FImage) -> Rgba32FImage {
    let (width, height) = known.dimensions();
    if (width, height) == (1, 1) || known.pixels().all(|pixel| pixel.0[3] >= 1.0) {
        return known.clone();
    }
    let linear = imageops::FilterType::Triangle;
    let mut half = imageops::resize(known, width.div_ceil(2), height.div_ceil(2), linear);
    for pixel in half.pixels_mut() {
        let alpha = pixel.0[3];
        *pixel = if alpha > 0.0 { Rgba(pixel.0.map(|c| c / alpha)) } else { Rgba([0.0; 4]) };
    }
    let mut whole = imageops::resize(&filled(&half), width, height, linear);
    for (to, from) in whole.pixels_mut().zip(known.pixels()) {
        if from.0[3] >= 1.0 {
            *to = *from;
        }
    }
    whole
}
