//! Making videos.

use crate::{
    Context, Error, GeneratedVideo, Picture, Result, Sampler, VideoRequest, Watch,
    context::random_seed, engine::VideoJob, lora,
};
use std::sync::Arc;

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
        let folder = self.config.lora_folder.clone();
        let (prompt, loras) = lora::resolve(&request.prompt, &request.loras, folder.as_deref())?;
        self.check_loras(&loras)?;
        let job = VideoJob {
            request,
            prompt: &prompt,
            loras: &loras,
            sampler,
            seed: request.seed.filter(|seed| *seed >= 0).unwrap_or_else(random_seed),
        };
        let (video, outcome) = self.raw.generate_video(&job, watch)?;
        let (video, outcome) = self.finish(video, outcome)?;
        let images = Arc::new(video.frames);
        let no_parameters: Arc<str> = Arc::from("");
        let frame =
            |index| Picture::new(Arc::clone(&images), index, job.seed, Arc::clone(&no_parameters));
        Ok(GeneratedVideo {
            frames: (0..images.len()).map(frame).collect(),
            fps: request.fps,
            audio: video.audio,
            seed: job.seed,
            timings: outcome.timings,
            warnings: outcome.lines.warnings,
        })
    }

    fn check_video_request(&self, request: &VideoRequest, sampler: Sampler) -> Result<()> {
        let family = &self.family;
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
        if request.high_noise.steps.is_some() && self.config.high_noise_diffusion_model.is_none() {
            return Err(Error::invalid(
                "high_noise.steps",
                "set without the model",
                "steps with a high_noise_diffusion_model in the configuration",
            ));
        }
        Ok(())
    }
}
