// Entry points besides drawing: upscaling, converting, edge detection.

#include "call.hpp"
#include "functions.hpp"

#include <cstdlib>
#include <regex>

namespace sdcpp {

int32_t upscaler_new(const char* path, int32_t direct_convolution, int32_t threads,
                     int32_t tile_size, const char* backend, const char* params_backend,
                     const sdcpp_hooks* hooks, upscaler_ctx_t** out, sdcpp_report* report) {
    if (path == nullptr || out == nullptr) {
        return finish(report, SDCPP_STATUS_INVALID, SDCPP_STAGE_NONE, "upscaler_new: NULL argument", {});
    }
    *out = nullptr;
    return guarded(hooks, SDCPP_STAGE_OPENING, false, report, [&] {
        *out = new_upscaler_ctx(path, direct_convolution != 0, threads, tile_size, backend,
                                params_backend);
        return *out != nullptr;
    });
}

int32_t upscaler_free(upscaler_ctx_t* upscaler, sdcpp_report* report) {
    if (upscaler == nullptr) {
        return finish(report, SDCPP_STATUS_OK, SDCPP_STAGE_NONE, {}, {});
    }
    return guarded(nullptr, SDCPP_STAGE_NONE, false, report, [&] {
        free_upscaler_ctx(upscaler);
        return true;
    });
}

int32_t upscaler_factor(upscaler_ctx_t* upscaler) {
    return upscaler != nullptr ? get_upscale_factor(upscaler) : 0;
}

int32_t upscale(upscaler_ctx_t* upscaler, const sd_image_t* image, uint32_t factor,
                const sdcpp_hooks* hooks, sd_image_t** out, sdcpp_report* report) {
    if (upscaler == nullptr || image == nullptr || image->data == nullptr || out == nullptr) {
        return finish(report, SDCPP_STATUS_INVALID, SDCPP_STAGE_NONE, "upscale: NULL argument", {});
    }
    *out = nullptr;
    return guarded(hooks, SDCPP_STAGE_UPSCALING, false, report, [&] {
        // The array comes first, so that nothing can fail once the engine has handed pixels over.
        auto* images = static_cast<sd_image_t*>(std::calloc(1, sizeof(sd_image_t)));
        if (images == nullptr) {
            throw std::bad_alloc();
        }
        try {
            images[0] = ::upscale(upscaler, *image, factor);
        } catch (...) {
            std::free(images);
            throw;
        }
        if (images[0].data == nullptr) {
            std::free(images);
            return false;
        }
        *out = images;
        return true;
    });
}

int32_t convert(const char* input, const char* vae, const char* output, int32_t type,
                const char* tensor_type_rules, int32_t convert_names, const sdcpp_hooks* hooks,
                sdcpp_report* report) {
    if (input == nullptr || output == nullptr || type < 0 || type > SD_TYPE_COUNT) {
        return finish(report, SDCPP_STATUS_INVALID, SDCPP_STAGE_NONE, "convert: invalid argument", {});
    }
    // The engine makes std::string of all of these.
    const char* vae_text   = vae != nullptr ? vae : "";
    const char* rules_text = tensor_type_rules != nullptr ? tensor_type_rules : "";
    return guarded(hooks, SDCPP_STAGE_CONVERTING, false, report, [&] {
        return ::convert(input, vae_text, output, static_cast<sd_type_t>(type), rules_text,
                         convert_names != 0);
    });
}

int32_t pattern_check(const char* pattern, sdcpp_report* report) {
    if (pattern == nullptr) {
        return finish(report, SDCPP_STATUS_INVALID, SDCPP_STAGE_NONE, "pattern_check: NULL argument", {});
    }
    return guarded(nullptr, SDCPP_STAGE_NONE, false, report, [&] {
        const std::regex compiled(pattern);
        return true;
    });
}

int32_t preprocess_canny(sd_image_t* image, float high_threshold, float low_threshold, float weak,
                         float strong, int32_t inverse, const sdcpp_hooks* hooks,
                         sdcpp_report* report) {
    if (image == nullptr || image->data == nullptr || image->channel != 3) {
        return finish(report, SDCPP_STATUS_INVALID, SDCPP_STAGE_NONE,
                      "preprocess_canny: a picture of three channels is needed", {});
    }
    return guarded(hooks, SDCPP_STAGE_PREPROCESSING, false, report, [&] {
        return ::preprocess_canny(*image, high_threshold, low_threshold, weak, strong, inverse != 0);
    });
}

}  // namespace sdcpp
