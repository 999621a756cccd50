// The devices ggml can compute on, and their memory. Needs no context.

#include "call.hpp"
#include "functions.hpp"

namespace sdcpp {

size_t device_count() {
    size_t count = 0;
    // Registering the backends happens on first use and can throw (Vulkan does without a driver).
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
