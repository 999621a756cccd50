// The processor and the devices ggml can compute on. Needs no context.
//
// Asking registers the backends on first use, which can throw (Vulkan does without a driver).

#include "call.hpp"
#include "functions.hpp"

namespace sdcpp {

const char* system_info() {
    const char* text = nullptr;
    guarded(nullptr, SDCPP_STAGE_OPENING, false, nullptr, [&] {
        text = sd_get_system_info();
        return true;
    });
    return text;
}

int32_t physical_cores() {
    int32_t cores = 0;
    guarded(nullptr, SDCPP_STAGE_OPENING, false, nullptr, [&] {
        cores = sd_get_num_physical_cores();
        return true;
    });
    return cores;
}

size_t device_count() {
    size_t count = 0;
    guarded(nullptr, SDCPP_STAGE_OPENING, false, nullptr, [&] {
        count = ggml_backend_dev_count();
        return true;
    });
    return count;
}

int32_t device_get(size_t index, sdcpp_device* out, sdcpp_report* report) {
    return guarded(nullptr, SDCPP_STAGE_OPENING, false, report, [&] {
        if (out == nullptr || index >= ggml_backend_dev_count()) {
            return false;
        }
        ggml_backend_dev_t device = ggml_backend_dev_get(index);
        if (device == nullptr) {
            return false;
        }
        size_t free = 0;
        size_t total = 0;
        ggml_backend_dev_memory(device, &free, &total);
        out->name         = ggml_backend_dev_name(device);
        out->description  = ggml_backend_dev_description(device);
        out->type         = static_cast<int32_t>(ggml_backend_dev_type(device));
        out->memory_free  = free;
        out->memory_total = total;
        return true;
    });
}

}  // namespace sdcpp
