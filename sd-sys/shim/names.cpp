// Names of enum values. The engine indexes its tables unchecked, so the range is checked here.

#include "functions.hpp"

namespace sdcpp {

namespace {

template <typename Enum>
const char* name(int32_t value, int32_t end, const char* (*name_of)(Enum)) {
    return value >= 0 && value < end ? name_of(static_cast<Enum>(value)) : nullptr;
}

}  // namespace

const char* sample_method_name(int32_t value) {
    return name(value, SAMPLE_METHOD_COUNT, sd_sample_method_name);
}
const char* scheduler_name(int32_t value) {
    return name(value, SCHEDULER_COUNT, sd_scheduler_name);
}
const char* prediction_name(int32_t value) {
    return name(value, PREDICTION_COUNT, sd_prediction_name);
}
const char* rng_type_name(int32_t value) {
    return name(value, RNG_TYPE_COUNT, sd_rng_type_name);
}
const char* type_name(int32_t value) {
    return name(value, SD_TYPE_COUNT, sd_type_name);
}
const char* preview_name(int32_t value) {
    return name(value, PREVIEW_COUNT, sd_preview_name);
}
const char* lora_apply_mode_name(int32_t value) {
    return name(value, LORA_APPLY_MODE_COUNT, sd_lora_apply_mode_name);
}
const char* hires_upscaler_name(int32_t value) {
    return name(value, SD_HIRES_UPSCALER_COUNT, sd_hires_upscaler_name);
}

}  // namespace sdcpp
