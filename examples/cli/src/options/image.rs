//! What to draw, and from which picture.

use crate::source::SourceOptions;
use clap::Args;
use sdcpp::{Error, ImageRequest, Lora, open_picture};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What to draw, for pictures and videos.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Picture")]
pub(crate) struct PictureOptions {
    #[command(flatten)]
    pub(crate) source: SourceOptions,
    /// What to draw
    #[arg(
        short,
        long,
        allow_hyphen_values = true,
        required_unless_present_any = ["request", "from"],
        value_name = "TEXT"
    )]
    pub(crate) prompt: Option<String>,
    /// What to avoid; else SD_NEGATIVE_PROMPT
    #[arg(short, long, allow_hyphen_values = true, value_name = "TEXT")]
    negative_prompt: Option<String>,
    /// Width in pixels; else the input picture's, SD_IMAGE_SIZE, the preset's, 512
    #[arg(short = 'W', long, value_name = "PIXELS")]
    pub(crate) width: Option<u32>,
    /// Height in pixels
    #[arg(short = 'H', long, value_name = "PIXELS")]
    pub(crate) height: Option<u32>,
    /// Seed; negative: a random one, as without this option
    #[arg(short, long, allow_negative_numbers = true, value_name = "N")]
    seed: Option<i64>,
    /// CLIP layers to leave out at the end: 1 is none; 0 or less: the model's own
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    clip_skip: Option<i64>,
    /// LoRA file and its multiplier, as ink.safetensors or ink.safetensors:0.8; may be repeated
    #[arg(long, value_name = "FILE[:MULTIPLIER]", value_parser = lora)]
    lora: Vec<Lora>,
}

fn lora(text: &str) -> Result<Lora, String> {
    // A colon may be part of a path, as in C:\ink.gguf.
    match text.rsplit_once(':').map(|(path, number)| (path, number.parse::<f32>())) {
        Some((path, Ok(multiplier))) => Ok(Lora::new(path).multiplier(multiplier)),
        _ => Ok(Lora::new(text)),
    }
}

impl PictureOptions {
    /// Sets what is given.
    pub(crate) fn apply(&self, request: &mut ImageRequest) {
        if let Some(prompt) = &self.prompt {
            request.prompt.clone_from(prompt);
        }
        if let Some(prompt) = &self.negative_prompt {
            request.negative_prompt.clone_from(prompt);
        }
        request.width = self.width.unwrap_or(request.width);
        request.height = self.height.unwrap_or(request.height);
        request.seed = self.seed.or(request.seed);
        if let Some(clip_skip) = self.clip_skip {
            request.clip_skip = u32::try_from(clip_skip).ok().filter(|layers| *layers > 0);
        }
        request.loras.extend(self.lora.iter().cloned());
    }

    /// Whether the size is said.
    pub(crate) fn has_size(&self) -> bool {
        self.width.is_some() || self.height.is_some()
    }
}

/// How many pictures.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Picture")]
pub(crate) struct BatchOptions {
    /// How many pictures; each has the next seed [default: 1]
    #[arg(short, long, value_name = "N")]
    batch_count: Option<u32>,
}

impl BatchOptions {
    /// Sets what is given.
    pub(crate) fn apply(&self, request: &mut ImageRequest) {
        request.batch = self.batch_count.unwrap_or(request.batch);
    }

    /// Whether it is one picture.
    pub(crate) fn is_one(&self) -> bool {
        self.batch_count.is_none_or(|count| count == 1)
    }
}

/// The picture to start from.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Input picture")]
pub(crate) struct InitOptions {
    /// Picture to start from (PNG or JPEG)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) init_img: PathBuf,
    /// How much of it may change, 0 to 1 [default: 0.75]
    #[arg(long, value_name = "STRENGTH")]
    pub(crate) strength: Option<f32>,
}

impl InitOptions {
    /// Sets the picture, and its size where none is asked for.
    pub(crate) fn apply(
        &self,
        mut request: ImageRequest,
        options: &PictureOptions,
    ) -> Result<ImageRequest, Error> {
        let picture = open_picture(&self.init_img)?;
        if !options.has_size() {
            (request.width, request.height) = (picture.width(), picture.height());
        }
        request.denoising_strength = self.strength.unwrap_or(request.denoising_strength);
        Ok(request.init_image(picture))
    }
}

/// The files of a folder, in the order of their names.
pub(crate) fn open_folder(role: &'static str, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => {
            Error::FileNotFound { role: role.into(), path: folder.to_owned() }
        }
        _ => Error::FileUnreadable { role: role.into(), path: folder.to_owned(), source },
    };
    let mut files = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>())
        .map_err(unreadable)?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lora_may_have_a_multiplier() {
        assert_eq!(lora("a/ink.gguf:0.8").unwrap(), Lora::new("a/ink.gguf").multiplier(0.8));
        assert_eq!(lora("ink.gguf").unwrap(), Lora::new("ink.gguf"));
        assert_eq!(lora(r"C:\ink.gguf").unwrap(), Lora::new(r"C:\ink.gguf"));
    }

    #[test]
    fn what_is_given_is_set_and_nothing_else() {
        let mut request = ImageRequest::new("before").size(100, 200);
        PictureOptions::default().apply(&mut request);
        assert_eq!(request, ImageRequest::new("before").size(100, 200));
        let options = PictureOptions {
            prompt: Some("after".into()),
            width: Some(64),
            seed: Some(-1),
            clip_skip: Some(-1),
            ..PictureOptions::default()
        };
        options.apply(&mut request);
        assert_eq!(request, ImageRequest::new("after").size(64, 200).seed(-1));
    }
}
