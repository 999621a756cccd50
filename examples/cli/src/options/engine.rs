//! How the engine holds and computes the model.

use clap::Args;
use sdcpp::{LoraApplyMode, ModelConfig, Prediction, RngKind, VaeFormat, WeightType};

/// How a model is held and computed.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineOptions {
    /// CPU threads; 0 or less: one for each physical core, whatever was measured
    #[arg(short, long, allow_negative_numbers = true, value_name = "N")]
    threads: Option<i64>,
    /// Type the weights are converted to, as f16, q8_0 or q4_K; else as in the file
    #[arg(long = "type", value_name = "TYPE")]
    weight_type: Option<WeightType>,
    /// Types by tensor name, as "^first_stage_model\.=f16,model\.diffusion_model\.=q8_0"
    #[arg(long, value_name = "RULES")]
    tensor_type_rules: Option<String>,
    /// Random numbers: cuda (A1111 on a GPU), cpu (ComfyUI) or std_default
    #[arg(long, value_name = "KIND")]
    rng: Option<RngKind>,
    /// Random numbers of samplers that add noise; else as --rng
    #[arg(long, value_name = "KIND")]
    sampler_rng: Option<RngKind>,
    /// What the model predicts: eps, v, edm_v, sd3_flow, flux_flow, flux2_flow
    #[arg(long, value_name = "KIND")]
    prediction: Option<Prediction>,
    /// How LoRAs are brought in: auto, immediately, at_runtime
    #[arg(long, value_name = "MODE")]
    lora_apply_mode: Option<LoraApplyMode>,
    /// Latent format of the VAE: flux, sd3, flux2; else told from the model
    #[arg(long, value_name = "FORMAT", value_parser = vae_format)]
    vae_format: Option<VaeFormat>,
    /// Devices to compute on, as "cuda0" or "vulkan0,te=cpu" (see `sdcpp devices`)
    #[arg(long, value_name = "DEVICES")]
    backend: Option<String>,
    /// Devices to keep weights on, as "cpu" or "disk"
    #[arg(long, value_name = "DEVICES")]
    params_backend: Option<String>,
    /// Keep weights in main memory and bring them in as needed: --params-backend cpu
    #[arg(long)]
    offload_to_cpu: bool,
    /// Text encoders on the CPU: te=cpu in --backend
    #[arg(long)]
    clip_on_cpu: bool,
    /// VAE on the CPU: vae=cpu in --backend
    #[arg(long)]
    vae_on_cpu: bool,
    /// ControlNet on the CPU: controlnet=cpu in --backend
    #[arg(long)]
    control_net_cpu: bool,
    /// Device memory to use, in GiB; negative: what is free less that much
    #[arg(long, allow_negative_numbers = true, value_name = "GIB")]
    max_vram: Option<f32>,
    /// Stream layers ahead of their use, with --max-vram
    #[arg(long)]
    stream_layers: bool,
    /// Map weights from the file instead of reading them
    #[arg(long)]
    mmap: bool,
    /// Flash attention everywhere
    #[arg(long, visible_alias = "flash-attention")]
    fa: bool,
    /// Flash attention in the diffusion model only
    #[arg(long)]
    diffusion_fa: bool,
    /// Direct convolution in the diffusion model [default: on the processor]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    diffusion_conv_direct: Option<bool>,
    /// Direct convolution in the VAE [default: on the processor]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    vae_conv_direct: Option<bool>,
    /// TAESD for previews only, the VAE for the picture
    #[arg(long)]
    taesd_preview_only: bool,
    /// Pictures that tile in both directions
    #[arg(long)]
    circular: bool,
    /// Pictures whose left and right edges join
    #[arg(long, visible_alias = "circular-x")]
    circularx: bool,
    /// Pictures whose top and bottom edges join
    #[arg(long, visible_alias = "circular-y")]
    circulary: bool,
    /// Scale SDXL's VAE convolutions, against black pictures in f16
    #[arg(long)]
    force_sdxl_vae_conv_scale: bool,
    /// Chroma: no mask of padding tokens in the transformer
    #[arg(long)]
    chroma_disable_dit_mask: bool,
    /// Chroma: mask padding tokens in T5
    #[arg(long)]
    chroma_enable_t5_mask: bool,
    /// Chroma: padding tokens that stay unmasked
    #[arg(long, value_name = "N")]
    chroma_t5_mask_pad: Option<u32>,
    /// Qwen-Image-Edit 2511: zero timestep for reference pictures
    #[arg(long)]
    qwen_image_zero_cond_t: bool,
    /// Try what needs more memory than there is, by estimate, instead of refusing it
    #[arg(long)]
    no_memory_check: bool,
    /// Allow pickle files (.ckpt, .pt), which can crash the program if hostile
    #[arg(long)]
    trust_pickle: bool,
}

fn vae_format(text: &str) -> Result<VaeFormat, String> {
    match text.to_ascii_lowercase().as_str() {
        "flux" => Ok(VaeFormat::Flux),
        "sd3" => Ok(VaeFormat::Sd3),
        "flux2" => Ok(VaeFormat::Flux2),
        _ => Err("allowed: flux, sd3, flux2".to_owned()),
    }
}

impl EngineOptions {
    /// The number of threads, if one is set.
    pub(crate) fn threads(&self) -> Option<u32> {
        self.threads.filter(|n| *n > 0).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// Whether it is said how many threads there are to be: a number, or one for each core.
    pub(crate) fn sets_threads(&self) -> bool {
        self.threads.is_some()
    }

    /// The devices to compute on, with those of the parts.
    pub(crate) fn backend(&self) -> Option<String> {
        let parts = [
            (self.clip_on_cpu, "te=cpu"),
            (self.vae_on_cpu, "vae=cpu"),
            (self.control_net_cpu, "controlnet=cpu"),
        ];
        let parts = parts.into_iter().filter(|(set, _)| *set).map(|(_, part)| part);
        let all: Vec<_> = self.backend.as_deref().into_iter().chain(parts).collect();
        (!all.is_empty()).then(|| all.join(","))
    }

    /// The devices to keep weights on.
    pub(crate) fn params_backend(&self) -> Option<String> {
        self.params_backend.clone().or_else(|| self.offload_to_cpu.then(|| "cpu".to_owned()))
    }

    /// Whether pickle files are allowed.
    pub(crate) fn trust_pickle(&self) -> bool {
        self.trust_pickle
    }

    /// The type weights are converted to.
    pub(crate) fn weight_type(&self) -> Option<WeightType> {
        self.weight_type
    }

    /// The types by tensor name.
    pub(crate) fn tensor_type_rules(&self) -> Option<&str> {
        self.tensor_type_rules.as_deref()
    }

    /// Sets what is given.
    pub(crate) fn apply(&self, config: &mut ModelConfig) {
        config.threads = self.threads().or(config.threads);
        config.weight_type = self.weight_type.or(config.weight_type);
        if self.tensor_type_rules.is_some() {
            config.tensor_type_rules.clone_from(&self.tensor_type_rules);
        }
        config.rng = self.rng.unwrap_or(config.rng);
        config.sampler_rng = self.sampler_rng.or(config.sampler_rng);
        config.prediction = self.prediction.or(config.prediction);
        config.lora_apply_mode = self.lora_apply_mode.unwrap_or(config.lora_apply_mode);
        config.mmap = self.mmap.then_some(true).or(config.mmap);
        config.diffusion_conv_direct = self.diffusion_conv_direct.or(config.diffusion_conv_direct);
        config.vae_conv_direct = self.vae_conv_direct.or(config.vae_conv_direct);
        config.vae_format = self.vae_format.or(config.vae_format);
        config.backend = self.backend().or(config.backend.take());
        config.params_backend = self.params_backend().or(config.params_backend.take());
        config.max_vram = self.max_vram.unwrap_or(config.max_vram);
        config.chroma_t5_mask_pad = self.chroma_t5_mask_pad.unwrap_or(config.chroma_t5_mask_pad);
        config.memory_check &= !self.no_memory_check;
        config.chroma_use_dit_mask &= !self.chroma_disable_dit_mask;
        for (target, set) in [
            (&mut config.stream_layers, self.stream_layers),
            (&mut config.flash_attention, self.fa),
            (&mut config.diffusion_flash_attention, self.diffusion_fa),
            (&mut config.taesd_preview_only, self.taesd_preview_only),
            (&mut config.circular_x, self.circular || self.circularx),
            (&mut config.circular_y, self.circular || self.circulary),
            (&mut config.force_sdxl_vae_conv_scale, self.force_sdxl_vae_conv_scale),
            (&mut config.chroma_use_t5_mask, self.chroma_enable_t5_mask),
            (&mut config.qwen_image_zero_cond_t, self.qwen_image_zero_cond_t),
            (&mut config.trust_pickle, self.trust_pickle),
        ] {
            *target |= set;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_parts_are_added_to_the_backend() {
        let none = EngineOptions::default();
        assert_eq!((none.backend(), none.params_backend()), (None, None));
        let some = EngineOptions {
            backend: Some("cuda0".into()),
            clip_on_cpu: true,
            vae_on_cpu: true,
            offload_to_cpu: true,
            ..EngineOptions::default()
        };
        assert_eq!(some.backend().as_deref(), Some("cuda0,te=cpu,vae=cpu"));
        assert_eq!(some.params_backend().as_deref(), Some("cpu"));
    }

    #[test]
    fn threads_of_zero_or_less_are_none() {
        for (given, expected) in
            [(None, None), (Some(-1), None), (Some(0), None), (Some(3), Some(3))]
        {
            let options = EngineOptions { threads: given, ..EngineOptions::default() };
            assert_eq!((options.threads(), options.sets_threads()), (expected, given.is_some()));
        }
    }
}
