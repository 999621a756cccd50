//! A request as arguments of `tests/native/direct.cpp`, which draws by the engine's C API alone.

use super::native::program;
use sdcpp::{
    Canny, Convert, HiresFix, ImageRequest, Lora, ModelConfig, Sampling, StepCache, VaeTiling,
    VideoRequest,
};
use std::{
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Width, height and RGB bytes.
pub(crate) type Pixels = (u32, u32, Vec<u8>);

/// Arguments, and the folder that their pictures lie in.
struct Arguments {
    values: Vec<String>,
    folder: tempfile::TempDir,
}

impl Arguments {
    fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { values: Vec::new(), folder }
    }

    fn new(config: &ModelConfig) -> Self {
        let mut arguments = Self::empty();
        arguments.config(config);
        arguments
    }

    fn add(&mut self, key: &str, value: impl Display) {
        self.values.push(format!("{key}={value}"));
    }

    fn optional(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    fn path(&mut self, key: &str, path: &Option<PathBuf>) {
        self.optional(key, path.as_ref().map(|p| p.display()));
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.add(key, u8::from(value));
    }

    fn list(&mut self, key: &str, values: &[impl Display]) {
        if !values.is_empty() {
            let texts: Vec<_> = values.iter().map(ToString::to_string).collect();
            self.add(key, texts.join(","));
        }
    }

    fn pixels(&mut self, key: &str, (width, height): (u32, u32), channels: u32, bytes: &[u8]) {
        let path = self.folder.path().join(key);
        fs::write(&path, bytes).expect("pixels are written");
        self.add(key, format!("{width}x{height}x{channels}:{}", path.display()));
    }

    fn rgb(&mut self, key: &str, picture: Option<&image::RgbImage>) {
        if let Some(picture) = picture {
            self.pixels(key, picture.dimensions(), 3, picture.as_raw());
        }
    }

    fn all_rgb(&mut self, key: &str, pictures: &[image::RgbImage]) {
        for (index, picture) in pictures.iter().enumerate() {
            self.rgb(&format!("{key}.{index}"), Some(picture));
        }
    }

    fn config(&mut self, config: &ModelConfig) {
        self.path("model_path", &config.model);
        self.path("clip_l_path", &config.clip_l);
        self.path("clip_g_path", &config.clip_g);
        self.path("clip_vision_path", &config.clip_vision);
        self.path("t5xxl_path", &config.t5xxl);
        self.path("llm_path", &config.llm);
        self.path("llm_vision_path", &config.llm_vision);
        self.path("diffusion_model_path", &config.diffusion_model);
        self.path("high_noise_diffusion_model_path", &config.high_noise_diffusion_model);
        self.path("uncond_diffusion_model_path", &config.uncond_diffusion_model);
        self.path("embeddings_connectors_path", &config.embeddings_connectors);
        self.path("vae_path", &config.vae);
        self.path("audio_vae_path", &config.audio_vae);
        self.path("taesd_path", &config.taesd);
        self.path("control_net_path", &config.control_net);
        self.path("photo_maker_path", &config.photo_maker);
        for (index, embedding) in config.embeddings.iter().enumerate() {
            self.add(&format!("embedding.{index}.name"), &embedding.name);
            self.add(&format!("embedding.{index}.path"), embedding.path.display());
        }
        self.optional("tensor_type_rules", config.tensor_type_rules.as_ref());
        self.optional("backend", config.backend.as_ref());
        self.optional("params_backend", config.params_backend.as_ref());
        self.add("n_threads", config.threads.expect("a number of threads"));
        self.optional("wtype", config.weight_type);
        self.add("rng_type", config.rng);
        self.optional("sampler_rng_type", config.sampler_rng);
        self.optional("prediction", config.prediction);
        self.optional("vae_format", config.vae_format);
        // As the crate has it: never merged into mapped weights unless asked to.
        let mode = match config.lora_apply_mode {
            sdcpp::LoraApplyMode::Auto if config.mmap == Some(true) => {
                sdcpp::LoraApplyMode::AtRuntime
            }
            mode => mode,
        };
        self.add("lora_apply_mode", mode);
        // As the crate chooses for the processor.
        let on_processor = config.backend.as_deref().is_none_or(|name| name.starts_with("cpu"));
        let direct = |set: Option<bool>| set.unwrap_or(on_processor);
        for (key, value) in [
            ("enable_mmap", config.mmap == Some(true)),
            ("flash_attn", config.flash_attention),
            ("diffusion_flash_attn", config.diffusion_flash_attention),
            ("tae_preview_only", config.taesd_preview_only),
            ("diffusion_conv_direct", direct(config.diffusion_conv_direct)),
            ("vae_conv_direct", direct(config.vae_conv_direct)),
            ("circular_x", config.circular_x),
            ("circular_y", config.circular_y),
            ("force_sdxl_vae_conv_scale", config.force_sdxl_vae_conv_scale),
            ("chroma_use_dit_mask", config.chroma_use_dit_mask),
            ("chroma_use_t5_mask", config.chroma_use_t5_mask),
            ("qwen_image_zero_cond_t", config.qwen_image_zero_cond_t),
            ("stream_layers", config.stream_layers),
        ] {
            self.flag(key, value);
        }
        self.add("chroma_t5_mask_pad", config.chroma_t5_mask_pad);
        self.add("max_vram", config.max_vram);
    }

    fn sampling(&mut self, sampling: &Sampling) {
        self.add("sample_method", sampling.sampler.expect("a sampler"));
        self.optional("scheduler", sampling.scheduler);
        self.add("sample_steps", sampling.steps);
        self.add("txt_cfg", sampling.cfg_scale);
        self.optional("img_cfg", sampling.image_cfg_scale);
        self.add("distilled_guidance", sampling.distilled_guidance);
        self.optional("eta", sampling.eta);
        self.optional("flow_shift", sampling.flow_shift);
        self.add("shifted_timestep", sampling.shifted_timestep);
        self.list("custom_sigmas", &sampling.custom_sigmas);
        self.optional("extra_sample_args", sampling.extra_sample_args.as_ref());
        if let Some(skip) = &sampling.skip_layers {
            self.list("slg.layers", &skip.layers);
            self.add("slg.layer_start", skip.start);
            self.add("slg.layer_end", skip.end);
            self.add("slg.scale", skip.scale);
        }
    }

    fn loras(&mut self, loras: &[Lora]) {
        for (index, lora) in loras.iter().enumerate() {
            self.add(&format!("lora.{index}.path"), lora.path.display());
            self.add(&format!("lora.{index}.multiplier"), lora.multiplier);
            self.flag(&format!("lora.{index}.is_high_noise"), lora.high_noise);
        }
    }

    fn tiling(&mut self, tiling: Option<&VaeTiling>) {
        let Some(tiling) = tiling else { return };
        self.flag("tiling.enabled", true);
        self.flag("tiling.temporal_tiling", tiling.temporal);
        self.add("tiling.tile_size_x", tiling.tile_size.0);
        self.add("tiling.tile_size_y", tiling.tile_size.1);
        self.add("tiling.target_overlap", tiling.overlap);
        self.optional("tiling.rel_size_x", tiling.relative_size.map(|(x, _)| x));
        self.optional("tiling.rel_size_y", tiling.relative_size.map(|(_, y)| y));
        self.optional("tiling.extra_tiling_args", tiling.extra_args.as_ref());
    }

    /// Numbers of the modes as in the engine's header.
    fn cache(&mut self, cache: Option<&StepCache>) {
        match cache {
            None => {}
            Some(StepCache::EasyCache(c)) => {
                self.add("cache.mode", 1);
                self.add("cache.reuse_threshold", c.reuse_threshold);
                self.add("cache.start_percent", c.start);
                self.add("cache.end_percent", c.end);
            }
            Some(StepCache::UCache(c)) => {
                self.add("cache.mode", 2);
                self.add("cache.reuse_threshold", c.reuse_threshold);
                self.add("cache.start_percent", c.start);
                self.add("cache.end_percent", c.end);
                self.add("cache.error_decay_rate", c.error_decay_rate);
                self.flag("cache.use_relative_threshold", c.relative);
                self.flag("cache.reset_error_on_compute", c.reset_on_compute);
            }
            Some(StepCache::DbCache(blocks)) => {
                self.add("cache.mode", 3);
                self.blocks(blocks);
            }
            Some(StepCache::TaylorSeer(series)) => {
                self.add("cache.mode", 4);
                self.series(series);
            }
            Some(StepCache::CacheDit { blocks, series }) => {
                self.add("cache.mode", 5);
                self.blocks(blocks);
                self.series(series);
            }
            Some(StepCache::Spectrum(c)) => {
                self.add("cache.mode", 6);
                self.add("cache.spectrum_w", c.weight);
                self.add("cache.spectrum_m", c.order);
                self.add("cache.spectrum_lam", c.lambda);
                self.add("cache.spectrum_window_size", c.window_size);
                self.add("cache.spectrum_flex_window", c.flex_window);
                self.add("cache.spectrum_warmup_steps", c.warmup_steps);
                self.add("cache.spectrum_stop_percent", c.stop);
            }
            Some(other) => panic!("{other:?} is not known to this test"),
        }
    }

    fn blocks(&mut self, blocks: &sdcpp::DbCache) {
        self.add("cache.Fn_compute_blocks", blocks.first_blocks);
        self.add("cache.Bn_compute_blocks", blocks.last_blocks);
        self.add("cache.residual_diff_threshold", blocks.residual_threshold);
        self.add("cache.max_warmup_steps", blocks.warmup_steps);
        self.optional("cache.max_cached_steps", blocks.max_cached_steps);
        self.optional("cache.max_continuous_cached_steps", blocks.max_continuous_cached_steps);
        let mask: Vec<_> = blocks.steps_mask.iter().map(|m| u8::from(*m)).collect();
        self.list("cache.scm_mask", &mask);
        self.flag("cache.scm_policy_dynamic", blocks.dynamic_mask);
    }

    fn series(&mut self, series: &sdcpp::TaylorSeer) {
        self.add("cache.taylorseer_n_derivatives", series.derivatives);
        self.add("cache.taylorseer_skip_interval", series.skip_interval);
    }

    fn hires(&mut self, hires: Option<&HiresFix>) {
        let Some(hires) = hires else { return };
        self.flag("hires.enabled", true);
        self.add("hires.upscaler", hires.upscaler);
        self.path("hires.model_path", &hires.model);
        self.add("hires.scale", hires.scale);
        self.optional("hires.target_width", hires.target_size.map(|(w, _)| w));
        self.optional("hires.target_height", hires.target_size.map(|(_, h)| h));
        self.optional("hires.steps", hires.steps);
        self.add("hires.denoising_strength", hires.denoising_strength);
        self.add("hires.upscale_tile_size", hires.tile_size);
        self.list("hires.custom_sigmas", &hires.custom_sigmas);
    }

    fn image(&mut self, request: &ImageRequest) {
        self.add("prompt", &request.prompt);
        self.add("negative_prompt", &request.negative_prompt);
        self.add("width", request.width);
        self.add("height", request.height);
        self.add("batch_count", request.batch);
        self.add("seed", request.seed.expect("a seed"));
        self.add("strength", request.denoising_strength);
        self.optional("clip_skip", request.clip_skip);
        self.sampling(&request.sampling);
        self.loras(&request.loras);
        self.tiling(request.vae_tiling.as_ref());
        self.cache(request.step_cache.as_ref());
        self.hires(request.hires.as_ref());
        self.rgb("init_image", request.init_image.as_ref());
        if let Some(mask) = &request.mask {
            self.pixels("mask_image", mask.dimensions(), 1, mask.as_raw());
        }
        self.all_rgb("ref_images", &request.reference_images);
        self.flag("auto_resize_ref_image", request.resize_references);
        self.flag("increase_ref_index", request.increase_reference_index);
        self.rgb("control_image", request.control_image.as_ref());
        self.add("control_strength", request.control_strength);
        if let Some(photo_maker) = &request.photo_maker {
            self.all_rgb("id_images", &photo_maker.id_images);
            self.path("id_embed_path", &photo_maker.id_embed);
            self.add("style_strength", photo_maker.style_strength);
        }
    }

    fn video(&mut self, request: &VideoRequest) {
        self.add("prompt", &request.prompt);
        self.add("negative_prompt", &request.negative_prompt);
        self.add("width", request.width);
        self.add("height", request.height);
        self.add("video_frames", request.frames);
        self.add("fps", request.fps);
        self.add("seed", request.seed.expect("a seed"));
        self.add("strength", request.conditioning_strength);
        self.optional("clip_skip", request.clip_skip);
        self.sampling(&request.sampling);
        self.loras(&request.loras);
        self.tiling(request.vae_tiling.as_ref());
        self.cache(request.step_cache.as_ref());
        self.hires(request.hires.as_ref());
        self.rgb("init_image", request.init_image.as_ref());
        self.rgb("end_image", request.end_image.as_ref());
        self.all_rgb("control_frames", &request.control_frames);
        self.add("vace_strength", request.vace_strength);
        self.add("moe_boundary", request.moe_boundary);
        let noisy = &request.high_noise;
        self.optional("high_noise.sample_steps", noisy.steps);
        self.add("high_noise.txt_cfg", noisy.cfg_scale);
        self.optional("high_noise.img_cfg", noisy.image_cfg_scale);
        self.add("high_noise.distilled_guidance", noisy.distilled_guidance);
        self.optional("high_noise.sample_method", noisy.sampler);
        self.optional("high_noise.eta", noisy.eta);
        self.optional("high_noise.extra_sample_args", noisy.extra_sample_args.as_ref());
    }

    /// Runs the program; its pictures, and the sound if there is some.
    fn draw(self) -> (Vec<Pixels>, Option<Vec<f32>>) {
        let folder = self.run();
        let out = folder.path().join("out");
        let pictures: Vec<_> = (0..)
            .map(|index| PathBuf::from(format!("{}.{index}", out.display())))
            .take_while(|path| path.exists())
            .map(|path| read_ppm(&path))
            .collect();
        let sound = fs::read(format!("{}.sound", out.display())).ok().map(|bytes| {
            let (samples, rest) = bytes.as_chunks();
            assert!(rest.is_empty(), "whole samples");
            samples.iter().map(|b| f32::from_ne_bytes(*b)).collect()
        });
        (pictures, sound)
    }

    /// Runs the program; the folder of what it wrote.
    fn run(self) -> tempfile::TempDir {
        let out = self.folder.path().join("out");
        let output = Command::new(program("direct"))
            .args(&self.values)
            .arg(format!("out={}", out.display()))
            .output()
            .expect("the program runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", output.status);
        self.folder
    }
}

fn read_ppm(path: &Path) -> Pixels {
    let bytes = fs::read(path).expect("a picture");
    let mut parts = bytes.splitn(4, |b| *b == b'\n');
    let (_, size, _) = (parts.next(), parts.next(), parts.next());
    let size = String::from_utf8_lossy(size.expect("a size")).into_owned();
    let (width, height) = size.split_once(' ').expect("two numbers");
    let pixels = parts.next().expect("pixels").to_vec();
    (width.parse().expect("width"), height.parse().expect("height"), pixels)
}

/// Draws pictures by the C API alone.
pub(crate) fn images(config: &ModelConfig, request: &ImageRequest) -> Vec<Pixels> {
    let mut arguments = Arguments::new(config);
    arguments.image(request);
    arguments.draw().0
}

/// Makes a video by the C API alone: its frames, and the sound if there is some.
pub(crate) fn video(
    config: &ModelConfig,
    request: &VideoRequest,
) -> (Vec<Pixels>, Option<Vec<f32>>) {
    let mut arguments = Arguments::new(config);
    arguments.video(request);
    arguments.draw()
}

/// Enlarges a picture by the C API alone.
pub(crate) fn upscaled(model: &Path, tile_size: u32, picture: &image::RgbImage) -> Pixels {
    let mut arguments = Arguments::empty();
    arguments.add("upscaler", model.display());
    arguments.add("tile_size", tile_size);
    // As the crate chooses for the processor.
    arguments.flag("conv_direct", true);
    arguments.rgb("picture", Some(picture));
    arguments.draw().0.pop().expect("a picture")
}

/// Finds edges by the C API alone.
pub(crate) fn edges(picture: &image::RgbImage, settings: &Canny) -> Vec<u8> {
    let mut arguments = Arguments::empty();
    arguments.rgb("canny", Some(picture));
    arguments.add("high_threshold", settings.high_threshold);
    arguments.add("low_threshold", settings.low_threshold);
    arguments.add("weak", settings.weak);
    arguments.add("strong", settings.strong);
    arguments.flag("invert", settings.invert);
    arguments.draw().0.pop().expect("edges").2
}

/// Converts to `output` by the C API alone.
pub(crate) fn convert(convert: &Convert, output: &Path) {
    let mut arguments = Arguments::empty();
    arguments.add("convert", convert.input.display());
    arguments.add("converted", output.display());
    arguments.path("vae_path", &convert.vae);
    arguments.optional("wtype", convert.weight_type);
    arguments.optional("tensor_type_rules", convert.tensor_type_rules.as_ref());
    arguments.flag("convert_names", convert.convert_names);
    arguments.run();
}
