// Draws by calling the engine's C API directly: no shim, no Rust. The tests compare its pixels with
// those of the crate, byte by byte. Keys are the fields of the engine's structs.
//
//   direct key=value ...
//
// Writes one binary PPM per picture: <out>.0, <out>.1, ..., and the sound of a video to <out>.sound
// as raw floats. Exit status 0 when it drew. timed=1 writes to <out>.times how long each step and the
// picture took, in seconds, and timed=2 does after a picture of two steps, which is not counted; timed=3
// after one of a step and of the smallest size, which reads the weights. repeat=5 draws it so many times.

#include "arguments.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace {

void print_errors(sd_log_level_t level, const char* line, void*) {
    if (level >= SD_LOG_WARN) {
        std::fputs(line, stderr);
    }
}

void write_step(int step, int, float seconds, void* times) {
    if (step > 0) {
        *static_cast<std::ofstream*>(times) << "step " << seconds << '\n';
    }
}

// The name of one of a list: key.0, key.1, ...
std::string numbered(const std::string& key, size_t index) {
    return key + "." + std::to_string(index);
}

sd_ctx_t* open(const Arguments& args) {
    sd_ctx_params_t params;
    sd_ctx_params_init(&params);
    params.model_path                      = args.text("model_path");
    params.clip_l_path                     = args.text("clip_l_path");
    params.clip_g_path                     = args.text("clip_g_path");
    params.clip_vision_path                = args.text("clip_vision_path");
    params.t5xxl_path                      = args.text("t5xxl_path");
    params.llm_path                        = args.text("llm_path");
    params.llm_vision_path                 = args.text("llm_vision_path");
    params.diffusion_model_path            = args.text("diffusion_model_path");
    params.high_noise_diffusion_model_path = args.text("high_noise_diffusion_model_path");
    params.uncond_diffusion_model_path     = args.text("uncond_diffusion_model_path");
    params.embeddings_connectors_path      = args.text("embeddings_connectors_path");
    params.vae_path                        = args.text("vae_path");
    params.audio_vae_path                  = args.text("audio_vae_path");
    params.taesd_path                      = args.text("taesd_path");
    params.control_net_path                = args.text("control_net_path");
    params.photo_maker_path                = args.text("photo_maker_path");
    params.tensor_type_rules               = args.text("tensor_type_rules");
    params.backend                         = args.text("backend");
    params.params_backend                  = args.text("params_backend");
    std::vector<sd_embedding_t> embeddings;
    for (std::string key; args.has((key = numbered("embedding", embeddings.size())) + ".path");) {
        embeddings.push_back({args.text(key + ".name"), args.text(key + ".path")});
    }
    params.embeddings      = embeddings.data();
    params.embedding_count = static_cast<uint32_t>(embeddings.size());
    args.number("n_threads", params.n_threads);
    args.number("enable_mmap", params.enable_mmap);
    args.number("flash_attn", params.flash_attn);
    args.number("diffusion_flash_attn", params.diffusion_flash_attn);
    args.number("tae_preview_only", params.tae_preview_only);
    args.number("diffusion_conv_direct", params.diffusion_conv_direct);
    args.number("vae_conv_direct", params.vae_conv_direct);
    args.number("circular_x", params.circular_x);
    args.number("circular_y", params.circular_y);
    args.number("force_sdxl_vae_conv_scale", params.force_sdxl_vae_conv_scale);
    args.number("chroma_use_dit_mask", params.chroma_use_dit_mask);
    args.number("chroma_use_t5_mask", params.chroma_use_t5_mask);
    args.number("chroma_t5_mask_pad", params.chroma_t5_mask_pad);
    args.number("qwen_image_zero_cond_t", params.qwen_image_zero_cond_t);
    args.number("max_vram", params.max_vram);
    args.number("stream_layers", params.stream_layers);
    if (args.has("wtype")) {
        params.wtype = str_to_sd_type(args.text("wtype"));
    }
    if (args.has("rng_type")) {
        params.rng_type = str_to_rng_type(args.text("rng_type"));
    }
    if (args.has("sampler_rng_type")) {
        params.sampler_rng_type = str_to_rng_type(args.text("sampler_rng_type"));
    }
    if (args.has("prediction")) {
        params.prediction = str_to_prediction(args.text("prediction"));
    }
    if (args.has("lora_apply_mode")) {
        params.lora_apply_mode = str_to_lora_apply_mode(args.text("lora_apply_mode"));
    }
    return new_sd_ctx(&params);
}

// What pictures and videos have in common, and the memory it points to.
struct Common {
    std::vector<int> layers;
    std::vector<float> sigmas;
    std::vector<float> hires_sigmas;
    std::vector<sd_lora_t> loras;
};

void sampling(const Arguments& args, Common& memory, sd_sample_params_t& params,
              const std::string& prefix) {
    args.number(prefix + "sample_steps", params.sample_steps);
    args.number(prefix + "txt_cfg", params.guidance.txt_cfg);
    args.number(prefix + "img_cfg", params.guidance.img_cfg);
    args.number(prefix + "distilled_guidance", params.guidance.distilled_guidance);
    args.number(prefix + "eta", params.eta);
    args.number(prefix + "flow_shift", params.flow_shift);
    args.number(prefix + "shifted_timestep", params.shifted_timestep);
    params.extra_sample_args = args.text(prefix + "extra_sample_args");
    if (args.has(prefix + "sample_method")) {
        params.sample_method = str_to_sample_method(args.text(prefix + "sample_method"));
    }
    if (args.has(prefix + "scheduler")) {
        params.scheduler = str_to_scheduler(args.text(prefix + "scheduler"));
    }
    if (!prefix.empty()) {
        return;
    }
    memory.sigmas = args.numbers<float>("custom_sigmas");
    if (!memory.sigmas.empty()) {
        params.custom_sigmas       = memory.sigmas.data();
        params.custom_sigmas_count = static_cast<int>(memory.sigmas.size());
        params.sample_steps        = params.custom_sigmas_count - 1;
    }
    memory.layers = args.numbers<int>("slg.layers");
    if (!memory.layers.empty()) {
        params.guidance.slg.layers      = memory.layers.data();
        params.guidance.slg.layer_count = memory.layers.size();
        args.number("slg.layer_start", params.guidance.slg.layer_start);
        args.number("slg.layer_end", params.guidance.slg.layer_end);
        args.number("slg.scale", params.guidance.slg.scale);
    }
}

template <typename Params>
void common(const Arguments& args, Common& memory, Params& params) {
    params.prompt          = args.text("prompt");
    params.negative_prompt = args.has("negative_prompt") ? args.text("negative_prompt") : "";
    args.number("width", params.width);
    args.number("height", params.height);
    args.number("strength", params.strength);
    args.number("clip_skip", params.clip_skip);
    args.seed("seed", params.seed);
    sampling(args, memory, params.sample_params, "");
    for (std::string key; args.has((key = numbered("lora", memory.loras.size())) + ".path");) {
        sd_lora_t lora{};
        lora.path       = args.text(key + ".path");
        lora.multiplier = 1.0f;
        args.number(key + ".multiplier", lora.multiplier);
        args.number(key + ".is_high_noise", lora.is_high_noise);
        memory.loras.push_back(lora);
    }
    params.loras      = memory.loras.data();
    params.lora_count = static_cast<uint32_t>(memory.loras.size());

    auto& tiling = params.vae_tiling_params;
    args.number("tiling.enabled", tiling.enabled);
    args.number("tiling.temporal_tiling", tiling.temporal_tiling);
    args.number("tiling.tile_size_x", tiling.tile_size_x);
    args.number("tiling.tile_size_y", tiling.tile_size_y);
    args.number("tiling.target_overlap", tiling.target_overlap);
    args.number("tiling.rel_size_x", tiling.rel_size_x);
    args.number("tiling.rel_size_y", tiling.rel_size_y);
    tiling.extra_tiling_args = args.text("tiling.extra_tiling_args");

    auto& cache = params.cache;
    int mode    = SD_CACHE_DISABLED;
    args.number("cache.mode", mode);
    cache.mode = static_cast<sd_cache_mode_t>(mode);
    args.number("cache.reuse_threshold", cache.reuse_threshold);
    args.number("cache.start_percent", cache.start_percent);
    args.number("cache.end_percent", cache.end_percent);
    args.number("cache.error_decay_rate", cache.error_decay_rate);
    args.number("cache.use_relative_threshold", cache.use_relative_threshold);
    args.number("cache.reset_error_on_compute", cache.reset_error_on_compute);
    args.number("cache.Fn_compute_blocks", cache.Fn_compute_blocks);
    args.number("cache.Bn_compute_blocks", cache.Bn_compute_blocks);
    args.number("cache.residual_diff_threshold", cache.residual_diff_threshold);
    args.number("cache.max_warmup_steps", cache.max_warmup_steps);
    args.number("cache.max_cached_steps", cache.max_cached_steps);
    args.number("cache.max_continuous_cached_steps", cache.max_continuous_cached_steps);
    args.number("cache.taylorseer_n_derivatives", cache.taylorseer_n_derivatives);
    args.number("cache.taylorseer_skip_interval", cache.taylorseer_skip_interval);
    cache.scm_mask = args.text("cache.scm_mask");
    args.number("cache.scm_policy_dynamic", cache.scm_policy_dynamic);
    args.number("cache.spectrum_w", cache.spectrum_w);
    args.number("cache.spectrum_m", cache.spectrum_m);
    args.number("cache.spectrum_lam", cache.spectrum_lam);
    args.number("cache.spectrum_window_size", cache.spectrum_window_size);
    args.number("cache.spectrum_flex_window", cache.spectrum_flex_window);
    args.number("cache.spectrum_warmup_steps", cache.spectrum_warmup_steps);
    args.number("cache.spectrum_stop_percent", cache.spectrum_stop_percent);

    auto& hires = params.hires;
    args.number("hires.enabled", hires.enabled);
    if (args.has("hires.upscaler")) {
        hires.upscaler = str_to_sd_hires_upscaler(args.text("hires.upscaler"));
    }
    hires.model_path = args.text("hires.model_path");
    args.number("hires.scale", hires.scale);
    args.number("hires.target_width", hires.target_width);
    args.number("hires.target_height", hires.target_height);
    args.number("hires.steps", hires.steps);
    args.number("hires.denoising_strength", hires.denoising_strength);
    args.number("hires.upscale_tile_size", hires.upscale_tile_size);
    memory.hires_sigmas = args.numbers<float>("hires.custom_sigmas");
    if (!memory.hires_sigmas.empty()) {
        hires.custom_sigmas       = memory.hires_sigmas.data();
        hires.custom_sigmas_count = static_cast<int>(memory.hires_sigmas.size());
    }
}

void write(const Arguments& args, const sd_image_t* images, int count) {
    for (int i = 0; i < count; i++) {
        std::ofstream out(std::string(args.text("out")) + "." + std::to_string(i), std::ios::binary);
        const sd_image_t& image = images[i];
        out << "P6\n" << image.width << ' ' << image.height << "\n255\n";
        out.write(reinterpret_cast<const char*>(image.data),
                  static_cast<std::streamsize>(size_t{image.width} * image.height * image.channel));
    }
}

bool draw_images(Arguments& args, sd_ctx_t* context) {
    Common memory;
    sd_img_gen_params_t params;
    sd_img_gen_params_init(&params);
    common(args, memory, params);
    args.number("batch_count", params.batch_count);
    params.init_image = args.picture("init_image");
    if (params.init_image.data != nullptr) {
        params.mask_image =
            args.has("mask_image") ? args.picture("mask_image") : args.white(params.init_image);
    }
    std::vector<sd_image_t> references = args.pictures("ref_images");
    params.ref_images                  = references.data();
    params.ref_images_count            = static_cast<int>(references.size());
    params.auto_resize_ref_image       = true;
    args.number("auto_resize_ref_image", params.auto_resize_ref_image);
    args.number("increase_ref_index", params.increase_ref_index);
    params.control_image = args.picture("control_image");
    args.number("control_strength", params.control_strength);
    std::vector<sd_image_t> people   = args.pictures("id_images");
    params.pm_params.id_images       = people.data();
    params.pm_params.id_images_count = static_cast<int>(people.size());
    params.pm_params.id_embed_path   = args.text("id_embed_path");
    args.number("style_strength", params.pm_params.style_strength);

    int timed = 0;
    args.number("timed", timed);
    if (timed > 1) {
        const int steps = params.sample_params.sample_steps, width = params.width, height = params.height;
        params.sample_params.sample_steps = timed > 2 ? 1 : 2;
        if (timed > 2) {
            params.width = params.height = 64;
        }
        sd_image_t* first                 = generate_image(context, &params);
        if (first == nullptr) {
            return false;
        }
        free_sd_images(first, params.batch_count);
        params.sample_params.sample_steps = steps;
        params.width                      = width;
        params.height                     = height;
    }
    std::ofstream times;
    if (timed > 0) {
        times.open(std::string(args.text("out")) + ".times");
        sd_set_progress_callback(write_step, &times);
    }
    int repeat = 1;
    args.number("repeat", repeat);
    sd_image_t* images = nullptr;
    for (int drawn = 0; drawn < std::max(repeat, 1); drawn++) {
        if (images != nullptr) {
            free_sd_images(images, params.batch_count);
        }
        const auto begin = std::chrono::steady_clock::now();
        images           = generate_image(context, &params);
        if (images == nullptr) {
            return false;
        }
        if (timed > 0) {
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
            times << "picture " << took.count() << '\n';
        }
    }
    sd_set_progress_callback(nullptr, nullptr);
    write(args, images, params.batch_count);
    free_sd_images(images, params.batch_count);
    return true;
}

bool draw_video(Arguments& args, sd_ctx_t* context) {
    Common memory;
    sd_vid_gen_params_t params;
    sd_vid_gen_params_init(&params);
    common(args, memory, params);
    sampling(args, memory, params.high_noise_sample_params, "high_noise.");
    args.number("moe_boundary", params.moe_boundary);
    args.number("video_frames", params.video_frames);
    args.number("fps", params.fps);
    args.number("vace_strength", params.vace_strength);
    params.init_image              = args.picture("init_image");
    params.end_image               = args.picture("end_image");
    std::vector<sd_image_t> frames = args.pictures("control_frames");
    params.control_frames          = frames.data();
    params.control_frames_size     = static_cast<int>(frames.size());

    sd_image_t* images = nullptr;
    int count          = 0;
    sd_audio_t* audio  = nullptr;
    if (!generate_video(context, &params, &images, &count, &audio)) {
        return false;
    }
    write(args, images, count);
    if (audio != nullptr) {
        std::ofstream out(std::string(args.text("out")) + ".sound", std::ios::binary);
        out.write(reinterpret_cast<const char*>(audio->data),
                  static_cast<std::streamsize>(audio->sample_count * audio->channels * sizeof(float)));
    }
    free_sd_images(images, count);
    free_sd_audio(audio);
    return true;
}

bool upscale_image(Arguments& args) {
    int threads = 1;
    int tile    = 128;
    bool direct = false;
    args.number("n_threads", threads);
    args.number("tile_size", tile);
    args.number("conv_direct", direct);
    upscaler_ctx_t* upscaler =
        new_upscaler_ctx(args.text("upscaler"), direct, threads, tile, nullptr, nullptr);
    if (upscaler == nullptr) {
        return false;
    }
    sd_image_t image = upscale(upscaler, args.picture("picture"), 0);
    write(args, &image, 1);
    std::free(image.data);
    free_upscaler_ctx(upscaler);
    return true;
}

bool find_edges(Arguments& args) {
    float high = 0, low = 0, weak = 0, strong = 0;
    bool invert = false;
    args.number("high_threshold", high);
    args.number("low_threshold", low);
    args.number("weak", weak);
    args.number("strong", strong);
    args.number("invert", invert);
    sd_image_t image = args.picture("canny");
    if (!preprocess_canny(image, high, low, weak, strong, invert)) {
        return false;
    }
    write(args, &image, 1);
    return true;
}

bool convert_model(const Arguments& args) {
    const sd_type_t type =
        args.has("wtype") ? str_to_sd_type(args.text("wtype")) : SD_TYPE_COUNT;
    bool names = false;
    args.number("convert_names", names);
    // The engine takes no NULL here.
    const char* rules = args.has("tensor_type_rules") ? args.text("tensor_type_rules") : "";
    return convert(args.text("convert"), args.text("vae_path"), args.text("converted"), type, rules,
                   names);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Arguments args(argc, argv);
        sd_set_log_callback(print_errors, nullptr);
        if (args.has("upscaler")) {
            return upscale_image(args) ? 0 : 3;
        }
        if (args.has("canny")) {
            return find_edges(args) ? 0 : 3;
        }
        if (args.has("convert")) {
            return convert_model(args) ? 0 : 3;
        }
        sd_ctx_t* context = open(args);
        if (context == nullptr) {
            return 2;
        }
        const bool drew =
            args.has("video_frames") ? draw_video(args, context) : draw_images(args, context);
        free_sd_ctx(context);
        return drew ? 0 : 3;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "direct: %s\n", error.what());
        return 1;
    }
}
