//! How weights are stored and interpreted: types, random numbers, prediction, placement.

use crate::named::named_enum;

named_enum! {
    /// The type weights are held in; the file's own when none is chosen.
    ///
    /// Smaller types need less memory and cost some quality: `f16` is lossless for most files,
    /// `q8_0` nearly so.
    pub enum WeightType as "weight_type", end SD_TYPE_COUNT {
        /// 32-bit floats.
        F32 = SD_TYPE_F32, "f32", "f32";
        /// 16-bit floats.
        F16 = SD_TYPE_F16, "f16", "f16", ["fp16"];
        /// 16-bit brain floats.
        Bf16 = SD_TYPE_BF16, "bf16", "bf16";
        /// 8.5 bits a weight.
        Q8_0 = SD_TYPE_Q8_0, "q8_0", "q8_0";
        /// 5.5 bits a weight.
        Q5_0 = SD_TYPE_Q5_0, "q5_0", "q5_0";
        /// 6 bits a weight.
        Q5_1 = SD_TYPE_Q5_1, "q5_1", "q5_1";
        /// 4.5 bits a weight.
        Q4_0 = SD_TYPE_Q4_0, "q4_0", "q4_0";
        /// 5 bits a weight.
        Q4_1 = SD_TYPE_Q4_1, "q4_1", "q4_1";
        /// 2.6 bits a weight, k-quant.
        Q2K = SD_TYPE_Q2_K, "q2_K", "q2_K";
        /// 3.4 bits a weight, k-quant.
        Q3K = SD_TYPE_Q3_K, "q3_K", "q3_K";
        /// 4.5 bits a weight, k-quant.
        Q4K = SD_TYPE_Q4_K, "q4_K", "q4_K";
        /// 5.5 bits a weight, k-quant.
        Q5K = SD_TYPE_Q5_K, "q5_K", "q5_K";
        /// 6.6 bits a weight, k-quant.
        Q6K = SD_TYPE_Q6_K, "q6_K", "q6_K";
        /// 4.5 bits a weight, non-linear.
        Iq4Nl = SD_TYPE_IQ4_NL, "iq4_nl", "iq4_nl";
        /// 4.25 bits a weight, non-linear, k-quant.
        Iq4Xs = SD_TYPE_IQ4_XS, "iq4_xs", "iq4_xs";
        /// 4.25 bits a weight, microscaling.
        Mxfp4 = SD_TYPE_MXFP4, "mxfp4", "mxfp4";
    }
}

named_enum! {
    /// Which random numbers the noise is drawn from: decides which picture a seed gives.
    pub enum RngKind as "rng", end RNG_TYPE_COUNT {
        /// C++'s `mt19937` as the standard library draws from it.
        StdDefault = STD_DEFAULT_RNG, "std_default", "std_default";
        /// Philox as PyTorch draws on CUDA: pictures as A1111 draws them on an NVIDIA card. The
        /// default.
        Cuda = CUDA_RNG, "cuda", "GPU";
        /// `mt19937` as PyTorch draws on the CPU: pictures as ComfyUI draws them.
        Cpu = CPU_RNG, "cpu", "CPU";
    }
}

named_enum! {
    /// What the diffusion model predicts; told from the file when none is chosen.
    pub enum Prediction as "prediction", end PREDICTION_COUNT {
        /// The noise.
        Eps = EPS_PRED, "eps", "eps";
        /// The velocity (SD 2.x at 768, some SDXL).
        V = V_PRED, "v", "v";
        /// The velocity in EDM's scaling.
        EdmV = EDM_V_PRED, "edm_v", "edm_v";
        /// Rectified flow as in SD3.
        Flow = FLOW_PRED, "sd3_flow", "sd3_flow", ["flow"];
        /// Rectified flow as in FLUX.
        FluxFlow = FLUX_FLOW_PRED, "flux_flow", "flux_flow";
        /// Rectified flow as in FLUX.2.
        Flux2Flow = FLUX2_FLOW_PRED, "flux2_flow", "flux2_flow";
    }
}

named_enum! {
    /// How LoRA weights are brought in.
    pub enum LoraApplyMode as "lora_apply_mode", end LORA_APPLY_MODE_COUNT {
        /// At run time where weights are quantised, mapped, streamed or kept on another device; else
        /// immediately.
        Auto = LORA_APPLY_AUTO, "auto", "auto";
        /// Merged into the weights: fastest to draw, re-reads the weights when the set changes. Not
        /// with quantised weights; with mapped ones the set cannot change.
        Immediately = LORA_APPLY_IMMEDIATELY, "immediately", "immediately";
        /// Added at each step: nothing is re-read, and each step costs more.
        AtRuntime = LORA_APPLY_AT_RUNTIME, "at_runtime", "at_runtime";
    }
}

named_enum! {
    /// Which latent format a VAE file has; told from the model when none is chosen.
    pub enum VaeFormat as "vae_format", end SD_VAE_FORMAT_AUTO {
        /// 16 channels, as in FLUX and Z-Image.
        Flux = SD_VAE_FORMAT_FLUX, "flux", "flux";
        /// 16 channels, as in SD3.
        Sd3 = SD_VAE_FORMAT_SD3, "sd3", "sd3";
        /// 32 channels, as in FLUX.2.
        Flux2 = SD_VAE_FORMAT_FLUX2, "flux2", "flux2";
    }
}
