//! Changes a picture by words.
//!
//! ```sh
//! cargo run --release --example magic_edit -- circle.png "a blue circle"
//! cargo run --release --example magic_edit -- photo.png "make it winter" --cfg-scale 1 \
//!     --diffusion-model kontext.gguf --clip-l clip_l.gguf --t5xxl t5xxl.gguf --vae ae.safetensors
//! ```
//!
//! A model that takes reference pictures (FLUX Kontext, FLUX.2, Qwen-Image-Edit, InstructPix2Pix) gets
//! the picture and the instruction. Every other one draws over the picture, and wants the words to
//! describe the whole result. The program says which it was.

mod common;

use clap::Parser;
use common::{Model, exit, working_size};
use sdcpp::{Context, Error, Generated, ImageRequest, image::DynamicImage, open_picture};
use std::{path::PathBuf, process::ExitCode};

/// Change a picture by words.
#[derive(Parser)]
struct Options {
    /// The picture, PNG or JPEG
    picture: PathBuf,
    /// What to do with it; without a model that edits, what it shows afterwards
    instruction: String,
    /// Draw over the picture even where the model takes references: how much may change, 0 to 1
    #[arg(long)]
    strength: Option<f32>,
    /// PNG file to write
    #[arg(short, long, default_value = "edited.png")]
    output: PathBuf,
    #[command(flatten)]
    model: Model,
}

/// How much may change where the picture is drawn over and nothing was said.
const STRENGTH: f32 = 0.75;

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Error> {
    let picture = open_picture(&options.picture)?;
    let mut request = options.model.request(&options.instruction)?;
    let size = (picture.width(), picture.height());
    (request.width, request.height) = working_size(size, (request.width, request.height));
    let mut context = options.model.open()?;
    let (generated, way) = edit(&mut context, &request, picture, options.strength)?;
    let Some(edited) = generated.first() else { return Ok(()) };
    edited.save(&options.output)?;
    println!(
        "{}: {}x{}, {way} ({})",
        options.output.display(),
        edited.width(),
        edited.height(),
        context.family(),
    );
    Ok(())
}

/// The edited picture, and how it came to be.
fn edit(
    context: &mut Context,
    request: &ImageRequest,
    picture: DynamicImage,
    strength: Option<f32>,
) -> Result<(Generated, String), Error> {
    if strength.is_none() {
        // A model that takes no references is told before anything is drawn.
        match context.generate(&request.clone().reference_image(picture.clone())) {
            Err(Error::Unsupported { .. }) => {}
            other => return Ok((other?, "as a reference".to_owned())),
        }
    }
    let strength = strength.unwrap_or(STRENGTH);
    let request = request.clone().init_image(picture).denoising_strength(strength);
    Ok((context.generate(&request)?, format!("drawn over at strength {strength}")))
}
