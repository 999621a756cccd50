// Provokes ggml asserts inside a guarded shim call: one while a graph is built, one while it is
// computed. The first must become a status; the second must end the process with a last line in the
// host's log, because the kernels run in a parallel region that must not be left by an exception.
//
//   asserts build | compute <threads>

#include "call.hpp"

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

ggml_context* new_context() {
    ggml_init_params params = {size_t{16} << 20, nullptr, false};
    return ggml_init(params);
}

// Adds tensors whose shapes do not go together.
bool assert_while_building() {
    ggml_context* context = new_context();
    ggml_tensor* a        = ggml_new_tensor_2d(context, GGML_TYPE_F32, 4, 4);
    ggml_tensor* b        = ggml_new_tensor_2d(context, GGML_TYPE_F32, 3, 3);
    ggml_add(context, a, b);
    return true;
}

// Asks for a row that is not there: noticed by the kernel only.
bool assert_while_computing(int threads) {
    ggml_context* context = new_context();
    ggml_tensor* rows     = ggml_new_tensor_2d(context, GGML_TYPE_F32, 8, 64);
    ggml_tensor* index    = ggml_new_tensor_1d(context, GGML_TYPE_I32, 64);
    for (int i = 0; i < 64; i++) {
        static_cast<int32_t*>(index->data)[i] = 1000000;
    }
    ggml_cgraph* graph = ggml_new_graph(context);
    ggml_build_forward_expand(graph, ggml_get_rows(context, rows, index));
    ggml_graph_compute_with_ctx(context, graph, threads);
    return true;
}

void print_line(int32_t, const char* text, size_t length) {
    std::fwrite(text, 1, length, stderr);
    std::fputc('\n', stderr);
}

}  // namespace

int main(int argc, char** argv) {
    const sdcpp_api* api = sdcpp_shim_api();
    api->set_default_log(print_line);
    const std::string mode = argc > 1 ? argv[1] : "";
    const int threads      = argc > 2 ? std::atoi(argv[2]) : 1;
    sdcpp_report report{};
    // Twice: the first must leave everything usable.
    for (int round = 0; round < 2; round++) {
        const int32_t status =
            sdcpp::guarded(nullptr, SDCPP_STAGE_SAMPLING, false, &report, [&] {
                return mode == "build" ? assert_while_building() : assert_while_computing(threads);
            });
        std::printf("status %d stage %d %s\n", status, report.stage, report.message);
        std::fflush(stdout);
        api->report_clear(&report);
    }
    return 0;
}
