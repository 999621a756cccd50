// Draws by calling the engine's C API directly: no shim, no Rust. The tests compare its pixels with
// those of the crate, byte by byte.
//
//   direct key=value ...
//
// Writes one binary PPM per picture: <out>.0, <out>.1, ... Exit status 0 when it drew.

#include "stable-diffusion.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::map<std::string, std::string> values;

const char* text(const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? nullptr : found->second.c_str();
}

double number(const std::string& key, double otherwise) {
    const char* value = text(key);
    return value == nullptr ? otherwise : std::stod(value);
}

// A raw picture: a file of width * height * channels bytes.
struct Raw {
    std::vector<uint8_t> bytes;
    sd_image_t image{};
};

Raw read_raw(const std::string& key, uint32_t channels) {
    Raw raw;
    const char* path = text(key);
    if (path == nullptr) {
        return raw;
    }
    std::ifstream file(path, std::ios::binary);
    raw.bytes.assign(std::istreambuf_iterator<char>(file), {});
    raw.image.width   = static_cast<uint32_t>(number(key + "_width", 0));
    raw.image.height  = static_cast<uint32_t>(number(key + "_height", 0));
    raw.image.channel = channels;
    raw.image.data    = raw.bytes.data();
    if (raw.bytes.size() != size_t{raw.image.width} * raw.image.height * channels) {
        throw std::runtime_error("wrong size of " + key);
    }
    return raw;
}

void print_errors(sd_log_level_t level, const char* line, void*) {
    if (level >= SD_LOG_WARN) {
        std::fputs(line, stderr);
    }
}

int draw() {
    sd_set_log_callback(print_errors, nullptr);

    sd_ctx_params_t context_params;
    sd_ctx_params_init(&context_params);
    context_params.model_path  = text("model");
    context_params.vae_path    = text("vae");
    context_params.taesd_path  = text("taesd");
    context_params.n_threads   = static_cast<int>(number("threads", 2));
    context_params.enable_mmap = number("mmap", 0) != 0;
    if (text("rng") != nullptr) {
        context_params.rng_type = str_to_rng_type(text("rng"));
    }
    sd_ctx_t* context = new_sd_ctx(&context_params);
    if (context == nullptr) {
        return 2;
    }

    Raw init = read_raw("init", 3);
    Raw mask = read_raw("mask", 1);
    std::vector<uint8_t> white;

    sd_img_gen_params_t params;
    sd_img_gen_params_init(&params);
    params.prompt                              = text("prompt");
    params.negative_prompt                     = text("negative") != nullptr ? text("negative") : "";
    params.width                               = static_cast<int>(number("width", 128));
    params.height                              = static_cast<int>(number("height", 128));
    params.batch_count                         = static_cast<int>(number("batch", 1));
    params.seed                                = static_cast<int64_t>(number("seed", 42));
    params.strength                            = static_cast<float>(number("strength", 0.75));
    params.clip_skip                           = static_cast<int>(number("clip_skip", -1));
    params.sample_params.sample_steps          = static_cast<int>(number("steps", 12));
    params.sample_params.guidance.txt_cfg      = static_cast<float>(number("cfg", 3));
    params.sample_params.sample_method         = str_to_sample_method(text("method"));
    if (text("scheduler") != nullptr) {
        params.sample_params.scheduler = str_to_scheduler(text("scheduler"));
    }
    if (init.image.data != nullptr) {
        params.init_image = init.image;
        if (mask.image.data == nullptr) {
            white.assign(size_t{init.image.width} * init.image.height, 255);
            params.mask_image = {init.image.width, init.image.height, 1, white.data()};
        } else {
            params.mask_image = mask.image;
        }
    }
    const int tile = static_cast<int>(number("tile", 0));
    if (tile > 0) {
        params.vae_tiling_params.enabled     = true;
        params.vae_tiling_params.tile_size_x = tile;
        params.vae_tiling_params.tile_size_y = tile;
    }

    sd_image_t* images = generate_image(context, &params);
    if (images == nullptr) {
        free_sd_ctx(context);
        return 3;
    }
    for (int i = 0; i < params.batch_count; i++) {
        std::ofstream out(std::string(text("out")) + "." + std::to_string(i), std::ios::binary);
        const sd_image_t& image = images[i];
        out << "P6\n" << image.width << ' ' << image.height << "\n255\n";
        out.write(reinterpret_cast<const char*>(image.data),
                  static_cast<std::streamsize>(size_t{image.width} * image.height * image.channel));
    }
    free_sd_images(images, params.batch_count);
    free_sd_ctx(context);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; i++) {
        const std::string argument = argv[i];
        const size_t equals        = argument.find('=');
        values[argument.substr(0, equals)] = argument.substr(equals + 1);
    }
    try {
        return draw();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "direct: %s\n", error.what());
        return 1;
    }
}
