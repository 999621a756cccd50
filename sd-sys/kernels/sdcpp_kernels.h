// What ggml's CPU backend asks before its own code (vendor/fixes/cpu-kernels.toml).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ggml_compute_params;
struct ggml_tensor;

// Computes the node, as one of the threads that do: false, with nothing done, where ggml's own code is to do
// it. All threads get the same answer.
bool sdcpp_compute_forward(const struct ggml_compute_params * params, struct ggml_tensor * node);

// Bytes of the work buffer that it needs for the node with so many threads; 0 where it would answer false.
size_t sdcpp_work_size(const struct ggml_tensor * node, int threads);

#ifdef __cplusplus
}
#endif
