//! Which files the model is made of.

use clap::Args;
use sdcpp::{Embedding, Error, ModelConfig};
use std::path::{Path, PathBuf};

/// The files of a model.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Model files")]
pub(crate) struct ModelOptions {
    /// Model in one file (safetensors or GGUF), or a diffusers folder; else SD_MODEL_PATH
    #[arg(short, long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Diffusion model alone, with its parts below
    #[arg(long, value_name = "FILE")]
    diffusion_model: Option<PathBuf>,
    /// Second diffusion model of Wan 2.2
    #[arg(long, value_name = "FILE")]
    high_noise_diffusion_model: Option<PathBuf>,
    /// Diffusion model for the negative prompt, where a family has one
    #[arg(long, value_name = "FILE")]
    uncond_diffusion_model: Option<PathBuf>,
    /// CLIP-L text encoder
    #[arg(long, visible_alias = "clip_l", value_name = "FILE")]
    clip_l: Option<PathBuf>,
    /// CLIP-G text encoder
    #[arg(long, visible_alias = "clip_g", value_name = "FILE")]
    clip_g: Option<PathBuf>,
    /// CLIP image encoder
    #[arg(long, visible_alias = "clip_vision", value_name = "FILE")]
    clip_vision: Option<PathBuf>,
    /// T5-XXL text encoder
    #[arg(long, value_name = "FILE")]
    t5xxl: Option<PathBuf>,
    /// Language model used as text encoder (Qwen-Image, Z-Image, FLUX.2…)
    #[arg(long, alias = "qwen2vl", value_name = "FILE")]
    llm: Option<PathBuf>,
    /// Vision part of the language model
    #[arg(long, visible_alias = "llm_vision", alias = "qwen2vl_vision", value_name = "FILE")]
    llm_vision: Option<PathBuf>,
    /// Embeddings connectors of LTX
    #[arg(long, alias = "embeddings-connector", value_name = "FILE")]
    embeddings_connectors: Option<PathBuf>,
    /// VAE; else SD_VAE_PATH, else the one in the model
    #[arg(long, value_name = "FILE")]
    vae: Option<PathBuf>,
    /// Audio VAE of video models with sound
    #[arg(long, value_name = "FILE")]
    audio_vae: Option<PathBuf>,
    /// TAESD: a smaller and faster decoder, a little less detail
    #[arg(long, visible_alias = "tae", value_name = "FILE")]
    taesd: Option<PathBuf>,
    /// ControlNet
    #[arg(long, value_name = "FILE")]
    control_net: Option<PathBuf>,
    /// PhotoMaker identity model
    #[arg(long, value_name = "FILE")]
    photo_maker: Option<PathBuf>,
    /// Folder of textual-inversion embeddings, named by their files
    #[arg(long, value_name = "FOLDER")]
    embd_dir: Option<PathBuf>,
    /// Folder that <lora:name:multiplier> in prompts is looked up in
    #[arg(long, value_name = "FOLDER")]
    lora_model_dir: Option<PathBuf>,
}

impl ModelOptions {
    /// The file that names the model, if options say it.
    pub(crate) fn main_file(&self) -> Option<&Path> {
        self.model.as_deref().or(self.diffusion_model.as_deref())
    }

    /// Sets the files.
    pub(crate) fn apply(&self, config: &mut ModelConfig) -> Result<(), Error> {
        for (target, source) in [
            (&mut config.model, &self.model),
            (&mut config.diffusion_model, &self.diffusion_model),
            (&mut config.high_noise_diffusion_model, &self.high_noise_diffusion_model),
            (&mut config.uncond_diffusion_model, &self.uncond_diffusion_model),
            (&mut config.clip_l, &self.clip_l),
            (&mut config.clip_g, &self.clip_g),
            (&mut config.clip_vision, &self.clip_vision),
            (&mut config.t5xxl, &self.t5xxl),
            (&mut config.llm, &self.llm),
            (&mut config.llm_vision, &self.llm_vision),
            (&mut config.embeddings_connectors, &self.embeddings_connectors),
            (&mut config.vae, &self.vae),
            (&mut config.audio_vae, &self.audio_vae),
            (&mut config.taesd, &self.taesd),
            (&mut config.control_net, &self.control_net),
            (&mut config.photo_maker, &self.photo_maker),
            (&mut config.lora_folder, &self.lora_model_dir),
        ] {
            if source.is_some() {
                target.clone_from(source);
            }
        }
        if let Some(folder) = &self.embd_dir {
            config.embeddings.extend(embeddings(folder)?);
        }
        Ok(())
    }
}

/// The embeddings of a folder, in the order of their names.
fn embeddings(folder: &Path) -> Result<Vec<Embedding>, Error> {
    let mut found: Vec<_> = super::open_folder("embd_dir", folder)?
        .into_iter()
        .filter(|path| {
            path.extension().is_some_and(|e| {
                ["safetensors", "gguf", "pt"].iter().any(|known| e.eq_ignore_ascii_case(known))
            })
        })
        .filter_map(|path| Some(Embedding { name: path.file_stem()?.to_str()?.to_owned(), path }))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_are_named_by_their_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.safetensors", "a.gguf", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> =
            embeddings(folder.path()).unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["a", "b"]);
        let missing = embeddings(Path::new("/no/such/folder")).unwrap_err();
        assert!(matches!(missing, Error::FileNotFound { .. }), "{missing:?}");
    }
}
