// Contexts and what they draw.

#include "call.hpp"
#include "functions.hpp"

namespace sdcpp {

namespace {

// Previews during one call on this thread.
class PreviewScope {
public:
    explicit PreviewScope(const sdcpp_hooks* hooks) {
        if (hooks != nullptr) {
            ask_for_preview(*hooks, 1);
        }
    }
    ~PreviewScope() { sd_set_preview_callback(nullptr, PREVIEW_NONE, 1, true, false, nullptr); }
    PreviewScope(const PreviewScope&) = delete;
    PreviewScope& operator=(const PreviewScope&) = delete;
};

int32_t invalid(sdcpp_report* report, const char* what) {
    return finish(report, SDCPP_STATUS_INVALID, SDCPP_STAGE_NONE, what, {});
}

}  // namespace

int32_t context_new(const sd_ctx_params_t* params, const sdcpp_hooks* hooks, sd_ctx_t** out,
                    sdcpp_report* report) {
    if (params == nullptr || out == nullptr) {
        return invalid(report, "context_new: NULL argument");
    }
    *out = nullptr;
    return guarded(hooks, SDCPP_STAGE_OPENING, false, report, [&] {
        *out = new_sd_ctx(params);
        return *out != nullptr;
    });
}

int32_t context_free(sd_ctx_t* context, sdcpp_report* report) {
    if (context == nullptr) {
        return finish(report, SDCPP_STATUS_OK, SDCPP_STAGE_NONE, {}, {});
    }
    return guarded(nullptr, SDCPP_STAGE_NONE, false, report, [&] {
        free_sd_ctx(context);
        return true;
    });
}

int32_t context_makes_images(const sd_ctx_t* context) {
    return sd_ctx_supports_image_generation(context) ? 1 : 0;
}

int32_t context_makes_video(const sd_ctx_t* context) {
    return sd_ctx_supports_video_generation(context) ? 1 : 0;
}

int32_t default_sample_method(const sd_ctx_t* context) {
    return static_cast<int32_t>(sd_get_default_sample_method(context));
}

int32_t default_scheduler(const sd_ctx_t* context, int32_t sample_method) {
    return static_cast<int32_t>(
        sd_get_default_scheduler(context, static_cast<sample_method_t>(sample_method)));
}

int32_t generate_image(sd_ctx_t* context, const sd_img_gen_params_t* params,
                       const sdcpp_hooks* hooks, sd_image_t** out, sdcpp_report* report) {
    if (context == nullptr || params == nullptr || out == nullptr) {
        return invalid(report, "generate_image: NULL argument");
    }
    *out = nullptr;
    const bool encodes_image = params->init_image.data != nullptr || params->ref_images_count > 0;
    return guarded(hooks, SDCPP_STAGE_OPENING, encodes_image, report, [&] {
        PreviewScope previews(hooks);
        *out = ::generate_image(context, params);
        return *out != nullptr;
    });
}

int32_t generate_video(sd_ctx_t* context, const sd_vid_gen_params_t* params,
                       const sdcpp_hooks* hooks, sd_image_t** frames, int32_t* count,
                       sd_audio_t** audio, sdcpp_report* report) {
    // All outs are needed: the engine leaks the frames when one is NULL.
    if (context == nullptr || params == nullptr || frames == nullptr || count == nullptr ||
        audio == nullptr) {
        return invalid(report, "generate_video: NULL argument");
    }
    *frames = nullptr;
    *count  = 0;
    *audio  = nullptr;
    const bool encodes_image = params->init_image.data != nullptr ||
                               params->end_image.data != nullptr || params->control_frames_size > 0;
    return guarded(hooks, SDCPP_STAGE_OPENING, encodes_image, report, [&] {
        PreviewScope previews(hooks);
        return ::generate_video(context, params, frames, count, audio) && *frames != nullptr;
    });
}

void images_free(sd_image_t* images, int32_t count) {
    free_sd_images(images, count);
}

}  // namespace sdcpp
