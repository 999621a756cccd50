// The table.

#include "functions.hpp"

#include <cstdlib>

namespace sdcpp {

void report_clear(sdcpp_report* report) {
    if (report != nullptr) {
        std::free(report->message);
        std::free(report->errors);
        *report = sdcpp_report{};
    }
}

}  // namespace sdcpp

extern "C" const sdcpp_api* sdcpp_shim_api(void) {
    static const sdcpp_api api = {
        SDCPP_SHIM_ABI,
        sizeof(sdcpp_api),
        SDCPP_HEADERS,
        sd_version,
        sd_commit,
        sdcpp::system_info,
        sdcpp::physical_cores,
        sdcpp::sample_method_name,
        sdcpp::scheduler_name,
        sdcpp::prediction_name,
        sdcpp::rng_type_name,
        sdcpp::type_name,
        sdcpp::preview_name,
        sdcpp::lora_apply_mode_name,
        sdcpp::hires_upscaler_name,
        sdcpp::set_default_log,
        sdcpp::report_clear,
        sdcpp::device_count,
        sdcpp::device_get,
        sd_ctx_params_init,
        sd_img_gen_params_init,
        sd_vid_gen_params_init,
        sdcpp::context_new,
        sdcpp::context_free,
        sdcpp::context_makes_images,
        sdcpp::context_makes_video,
        sdcpp::default_sample_method,
        sdcpp::default_scheduler,
        sdcpp::generate_image,
        sdcpp::generate_video,
        sdcpp::images_free,
        free_sd_audio,
        sdcpp::upscaler_new,
        sdcpp::upscaler_free,
        sdcpp::upscaler_factor,
        sdcpp::upscale,
        sdcpp::convert,
        sdcpp::pattern_check,
        sdcpp::preprocess_canny,
    };
    return &api;
}
