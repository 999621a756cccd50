//! Making videos.

use crate::{
    Architecture, Context, Error, GeneratedVideo, Picture, Result, Sampler, VideoRequest, Warning,
    Watch, blend::resized, canvas::rounded_up, context::random_seed, engine::VideoJob,
};
use image::RgbImage;
use std::{borrow::Cow, sync::Arc};

impl Context {
    /// Makes a video.
    ///
    /// ```no_run
    /// use sdcpp::{Context, ModelConfig, VideoRequest};
    ///
    /// # fn main() -> sdcpp::Result<()> {
    /// let config = ModelConfig::from_parts("wan2.1-t2v-1.3B-q8_0.gguf")
    ///     .t5xxl("umt5-xxl-q8_0.gguf")
    ///     .vae("wan_2.1_vae.safetensors");
    /// let mut context = Context::new(config)?;
    /// let video = context.generate_video(&VideoRequest::new("waves on a beach").frames(33))?;
    /// println!("{} frames, {:?}", video.frames.len(), video.duration());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`VideoRequest::check`], and as [`Context::generate`].
    pub fn generate_video(&mut self, request: &VideoRequest) -> Result<GeneratedVideo> {
        self.generate_video_with(request, Watch::new())
    }

    /// Makes a video, watched by `watch`, which can stop it.
    ///
    /// # Errors
    /// As [`Context::generate_video`], and as [`Context::generate_with`].
    pub fn generate_video_with(
        &mut self,
        request: &VideoRequest,
        watch: Watch<'_>,
    ) -> Result<GeneratedVideo> {
        self.check_usable()?;
        request.check()?;
        self.check_watch(&watch)?;
        let sampler = request.sampling.sampler.unwrap_or_else(|| self.default_sampler());
        self.check_video_request(request, sampler)?;
        let (prompt, loras) = self.resolve_prompt(&request.prompt, &request.loras)?;
        let pictures = Pictures::new(request, self.family.multiple());
        let job = VideoJob {
            request,
            prompt: &prompt,
            loras: &loras,
            init_image: pictures.init.as_deref(),
            end_image: pictures.end.as_deref(),
            control_frames: pictures.control.iter().map(AsRef::as_ref).collect(),
            sampler,
            seed: request.seed.filter(|seed| *seed >= 0).unwrap_or_else(random_seed),
        };
        self.admission.check_video(&self.engine, &self.config, request)?;
        let (video, outcome) = self.raw.generate_video(&job, watch)?;
        let (video, outcome) = self.finish(video, outcome)?;
        let images = Arc::new(video.frames);
        let no_parameters: Arc<str> = Arc::from("");
        let frame =
            |index| Picture::new(Arc::clone(&images), index, job.seed, Arc::clone(&no_parameters));
        let frames: Vec<_> = (0..images.len()).map(frame).collect();
        let mut warnings = outcome.lines.warnings;
        Warning::add_uniform(&mut warnings, &frames);
        Ok(GeneratedVideo {
            frames,
            fps: request.fps,
            audio: video.audio,
            seed: job.seed,
            timings: outcome.timings,
            warnings,
        })
    }

    fn check_video_request(&mut self, request: &VideoRequest, sampler: Sampler) -> Result<()> {
        let family = self.family.clone();
        if !self.raw.makes_video() {
            return Err(Error::Unsupported {
                what: "making a video".to_owned(),
                reason: format!("{family} draws single pictures; use generate"),
            });
        }
        let scheduler = self.check_sampling(&request.sampling, sampler)?;
        if let Some(cache) = &request.step_cache {
            cache.check_model(family.transformer, family.name())?;
        }
        if let Some(hires) = &request.hires {
            hires.check_steps_with(&request.sampling, scheduler)?;
            if let Some(model) = &hires.model {
                self.check_file("hires.model", model)?;
            }
            if !family.is_ltx() {
                return Err(Error::Unsupported {
                    what: format!("a second pass with {family}"),
                    reason: "the engine has it for LTX only".to_owned(),
                });
            }
        }
        self.check_high_noise(request)?;
        match self.bases.diffusion_architecture(&self.config, self.engine.mock)? {
            Some(architecture) => check_inputs(request, architecture),
            None => Ok(()),
        }
    }

    /// What is for the second model of Wan 2.2, which is not there, would do nothing.
    fn check_high_noise(&self, request: &VideoRequest) -> Result<()> {
        let default = VideoRequest::default();
        let without = |field: &'static str| {
            Err(Error::invalid(
                field,
                "set without the model",
                "its default, or a high_noise_diffusion_model in the configuration",
            ))
        };
        if self.config.high_noise_diffusion_model.is_none() {
            if request.high_noise != default.high_noise {
                return without("high_noise");
            }
            if request.moe_boundary != default.moe_boundary {
                return without("moe_boundary");
            }
        } else if request.high_noise.steps.is_some() && !request.sampling.custom_sigmas.is_empty() {
            return Err(Error::invalid(
                "high_noise.steps",
                "set together with custom_sigmas",
                "one of the two: with noise levels of your own, moe_boundary divides them",
            ));
        }
        self.check_skip_layers(request.high_noise.skip_layers.as_ref())
    }
}

/// The pictures of a request in the size that the engine draws in: it would stretch them by nearest
/// neighbour.
struct Pictures<'a> {
    init: Option<Cow<'a, RgbImage>>,
    end: Option<Cow<'a, RgbImage>>,
    control: Vec<Cow<'a, RgbImage>>,
}

impl<'a> Pictures<'a> {
    fn new(request: &'a VideoRequest, multiple: u32) -> Self {
        let (width, height) = rounded_up(request.width, request.height, multiple);
        let fit = |picture: &'a RgbImage| resized(picture, width, height);
        Self {
            init: request.init_image.as_ref().map(fit),
            end: request.end_image.as_ref().map(fit),
            control: request.control_frames.iter().map(fit).collect(),
        }
    }
}

/// Which pictures a kind of model takes; the engine ignores the others.
fn check_inputs(request: &VideoRequest, architecture: Architecture) -> Result<()> {
    use Architecture::{Wan21Flf2v, Wan21I2v, Wan22I2v, Wan22Ti2v, WanT2v, WanVace};
    let from_picture = matches!(architecture, Wan21I2v | Wan21Flf2v | Wan22I2v);
    let takes_init = architecture != WanT2v;
    let takes_end = match architecture {
        WanT2v | WanVace => false,
        Wan22Ti2v => request.init_image.is_some(),
        _ => true,
    };
    let refused = |field: &'static str, allowed: &'static str| {
        Err(Error::invalid(field, format!("set with {architecture}"), allowed))
    };
    if request.init_image.is_some() && !takes_init {
        return refused("init_image", "none: this model starts from words alone");
    }
    if request.init_image.is_none() && from_picture {
        return Err(Error::invalid(
            "init_image",
            format!("not set with {architecture}"),
            "the first frame: this model starts from a picture",
        ));
    }
    if request.end_image.is_some() && !takes_end {
        return refused("end_image", "none, or with Wan 2.2 TI2V an init_image too");
    }
    if !request.control_frames.is_empty() && architecture != WanVace {
        return refused("control_frames", "none: only VACE models follow a control video");
    }
    if request.vace_strength != VideoRequest::default().vace_strength && architecture != WanVace {
        return refused("vace_strength", "its default: only VACE models have it");
    }
    Ok(())
}
