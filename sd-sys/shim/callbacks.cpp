// The engine's process-global callbacks: installed once, and routed by thread.

#include "call.hpp"

#include <atomic>
#include <cctype>
#include <string_view>

#include "ggml-cpu.h"

namespace sdcpp {

namespace {

std::atomic<sdcpp_default_log_t> default_log{nullptr};

}  // namespace

void log_by_default(int32_t level, std::string_view line) {
    const sdcpp_default_log_t log = default_log.load();
    if (log != nullptr) {
        log(level, line.data(), line.size());
    }
}

namespace {

void log_callback(enum sd_log_level_t level, const char* text, void*) {
    if (text == nullptr) {
        return;
    }
    std::string_view line(text);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
        line.remove_suffix(1);
    }
    if (Call* call = Call::current()) {
        call->on_log(static_cast<int32_t>(level), line);
        return;
    }
    // A loader thread, or a context freed outside a call.
    log_by_default(static_cast<int32_t>(level), line);
    if (level == SD_LOG_ERROR) {
        Call::file_foreign_error(line);
    }
}

// What ggml says before the engine has made anything, as when backends look for devices: it would go to
// stderr. The engine's own callback, set with each context, comes to the same.
void ggml_callback(enum ggml_log_level level, const char* text, void*) {
    switch (level) {
        case GGML_LOG_LEVEL_ERROR: return log_callback(SD_LOG_ERROR, text, nullptr);
        case GGML_LOG_LEVEL_WARN: return log_callback(SD_LOG_WARN, text, nullptr);
        case GGML_LOG_LEVEL_INFO: return log_callback(SD_LOG_INFO, text, nullptr);
        default: return log_callback(SD_LOG_DEBUG, text, nullptr);
    }
}

void progress_callback(int step, int steps, float seconds, void*) {
    if (Call* call = Call::current()) {
        call->on_progress(step, steps, seconds);
    }
}

// The rule that tells whether an assert may be thrown: the message begins with the source file.
// Under ggml-cpu/ are the kernels, which run inside a parallel region with the calling thread as
// worker 0; leaving that by an exception lets the other workers write into buffers that are gone.
// The quantisation tables of ggml-quants are called from there too, and the Metal and BLAS backends
// run their work on queues of their own. Everything else on the calling thread (building and
// allocating graphs, loading, the engine itself) is outside.
//
// Only the file's place inside ggml counts: the folder of the build, and what the message says, may
// contain anything.
bool is_inside_graph_compute(std::string_view message) {
    size_t end = message.find(':');
    while (end != std::string_view::npos &&
           (end + 1 >= message.size() || !std::isdigit(static_cast<unsigned char>(message[end + 1])))) {
        end = message.find(':', end + 1);
    }
    std::string_view file = message.substr(0, end);
    for (const char* folder : {"/ggml/src/", "\\ggml\\src\\"}) {
        const size_t at = file.rfind(folder);
        if (at != std::string_view::npos) {
            file.remove_prefix(at);
        }
    }
    for (const char* part : {"ggml-cpu", "ggml-quants", "ggml-threading", "ggml-metal", "ggml-blas"}) {
        if (file.find(part) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

void abort_callback(const char* message) {
    if (Call::current() != nullptr && !is_inside_graph_compute(message)) {
        throw Asserted{message};
    }
    // ggml aborts the process when this returns; the host's log gets the last words.
    log_by_default(SD_LOG_ERROR, std::string("the engine aborts the process: ") + message);
}

}  // namespace

void set_default_log(sdcpp_default_log_t log) {
    default_log.store(log);
}

static void preview_callback(int step, int count, sd_image_t* frames, bool noisy, void*) {
    if (Call* call = Call::current()) {
        call->on_preview(step, count, frames, noisy);
    }
}

// Previews are thread-local in the engine (vendor/fixes/preview-per-thread.toml).
void ask_for_preview(const sdcpp_hooks& hooks, int step) {
    if (hooks.preview == nullptr || hooks.preview_mode <= PREVIEW_NONE ||
        hooks.preview_mode >= PREVIEW_COUNT) {
        return;
    }
    const bool wanted =
        hooks.preview_wanted == nullptr || hooks.preview_wanted(hooks.user, step) != 0;
    sd_set_preview_callback(preview_callback, static_cast<preview_t>(hooks.preview_mode), 1,
                            wanted && hooks.preview_denoised != 0,
                            wanted && hooks.preview_noisy != 0, nullptr);
}

// Graphs on the CPU ask after each node, on the calling thread, while others work on the same graph:
// nothing may be thrown here.
static bool compute_stop_wanted(void*) {
    const Call* call = Call::current();
    return call != nullptr && call->stop_wanted();
}

// By now all threads have left the graph.
static void compute_stopped() {
    throw Stopped{};
}

// The engine has no function for it; a fix adds one (vendor/fixes/stop-in-compute.toml), and an engine
// without the fix, which SDCPP_SOURCE_DIR and SDCPP_LIB_DIR may bring, computes its graphs to the end.
static void install_stop_callbacks() {
    using set_stop_callbacks_t = void (*)(ggml_abort_callback wanted, void (*stopped)());
    const auto set             = reinterpret_cast<set_stop_callbacks_t>(
        ggml_backend_reg_get_proc_address(ggml_backend_cpu_reg(), "sdcpp_set_stop_callbacks"));
    if (set != nullptr) {
        set(compute_stop_wanted, compute_stopped);
    }
}

void install_callbacks() {
    // A function-local static is initialised once, whatever the number of threads.
    static const bool installed = [] {
        sd_set_log_callback(log_callback, nullptr);
        sd_set_progress_callback(progress_callback, nullptr);
        ggml_log_set(ggml_callback, nullptr);
        ggml_set_abort_callback(abort_callback);
        install_stop_callbacks();
        return true;
    }();
    (void)installed;
}

}  // namespace sdcpp
