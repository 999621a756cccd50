// The functions of the table, by the file that has them.
#pragma once

#include "sdcpp_shim.h"

namespace sdcpp {

// callbacks.cpp
void set_default_log(sdcpp_default_log_t log);

// api.cpp
void report_clear(sdcpp_report* report);

// names.cpp
const char* sample_method_name(int32_t value);
const char* scheduler_name(int32_t value);
const char* prediction_name(int32_t value);
const char* rng_type_name(int32_t value);
const char* type_name(int32_t value);
const char* preview_name(int32_t value);
const char* lora_apply_mode_name(int32_t value);
const char* hires_upscaler_name(int32_t value);

// devices.cpp
const char* system_info();
int32_t physical_cores();
size_t device_count();
int32_t device_get(size_t index, sdcpp_device* out, sdcpp_report* report);

// context.cpp
int32_t context_new(const sd_ctx_params_t* params, const sdcpp_hooks* hooks, sd_ctx_t** out,
                    sdcpp_report* report);
int32_t context_free(sd_ctx_t* context, sdcpp_report* report);
int32_t context_makes_images(const sd_ctx_t* context);
int32_t context_makes_video(const sd_ctx_t* context);
int32_t default_sample_method(const sd_ctx_t* context);
int32_t default_scheduler(const sd_ctx_t* context, int32_t sample_method);
int32_t generate_image(sd_ctx_t* context, const sd_img_gen_params_t* params,
                       const sdcpp_hooks* hooks, sd_image_t** out, sdcpp_report* report);
int32_t generate_video(sd_ctx_t* context, const sd_vid_gen_params_t* params,
                       const sdcpp_hooks* hooks, sd_image_t** frames, int32_t* count,
                       sd_audio_t** audio, sdcpp_report* report);
void images_free(sd_image_t* images, int32_t count);

// tools.cpp
int32_t upscaler_new(const char* path, int32_t direct_convolution, int32_t threads,
                     int32_t tile_size, const char* backend, const char* params_backend,
                     const sdcpp_hooks* hooks, upscaler_ctx_t** out, sdcpp_report* report);
int32_t upscaler_free(upscaler_ctx_t* upscaler, sdcpp_report* report);
int32_t upscaler_factor(upscaler_ctx_t* upscaler);
int32_t upscale(upscaler_ctx_t* upscaler, const sd_image_t* image, uint32_t factor,
                const sdcpp_hooks* hooks, sd_image_t** out, sdcpp_report* report);
int32_t convert(const char* input, const char* vae, const char* output, int32_t type,
                const char* tensor_type_rules, int32_t convert_names, const sdcpp_hooks* hooks,
                sdcpp_report* report);
int32_t pattern_check(const char* pattern, sdcpp_report* report);
int32_t preprocess_canny(sd_image_t* image, float high_threshold, float low_threshold, float weak,
                         float strong, int32_t inverse, const sdcpp_hooks* hooks,
                         sdcpp_report* report);

}  // namespace sdcpp
