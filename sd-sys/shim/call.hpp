// One engine call: who is told about it, what it captures, and how its failures become a status.
#pragma once

#include "sdcpp_shim.h"
#include "stage.hpp"

#include <exception>
#include <mutex>
#include <new>
#include <string>

namespace sdcpp {

// Thrown through the engine to leave it early. Not derived from std::exception, so that no handler
// of the engine for its own failures catches it.
struct Stopped {};
struct Asserted {
    std::string message;
};

class Call {
public:
    Call(const sdcpp_hooks* hooks, int32_t first_stage, bool encodes_image);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // The call running on this thread, or NULL.
    static Call* current();
    // Files an ERROR line of an engine thread under the running call, if there is only one.
    static void file_foreign_error(std::string_view line);

    // The engine's callbacks, from callbacks.cpp. The first three may throw Stopped.
    void on_log(int32_t level, std::string_view line);
    void on_progress(int step, int steps, float seconds);
    void on_stage(bool safe_point);
    bool stop_wanted() const;
    void on_preview(int step, int count, const sd_image_t* frames, bool noisy);

    int32_t stage() const { return tracker_.stage(); }
    std::string errors();

private:
    bool send(int step, int steps, float seconds);
    void keep_error(std::string_view line);

    sdcpp_hooks hooks_;
    StageTracker tracker_;
    bool stop_asked_ = false;
    std::mutex errors_mutex_;  // engine threads file their lines too
    std::string errors_;
    Call* outer_;
};

void install_callbacks();
// Tells the engine whether the hooks want a preview of the coming step. The engine computes previews
// between progress events, and reads these settings anew for each step.
void ask_for_preview(const sdcpp_hooks& hooks, int step);
// To the host's sink for lines that belong to no call with a hook of its own.
void log_by_default(int32_t level, std::string_view line);
int32_t finish(sdcpp_report* report, int32_t status, int32_t stage, const std::string& message,
               const std::string& errors) noexcept;

// Runs `body` (bool()), and makes a status of whatever leaves it.
template <typename Body>
int32_t guarded(const sdcpp_hooks* hooks, int32_t first_stage, bool encodes_image,
                sdcpp_report* report, Body body) noexcept {
    int32_t status = SDCPP_STATUS_OK;
    try {
        install_callbacks();
        Call call(hooks, first_stage, encodes_image);
        std::string message;
        try {
            status = body() ? SDCPP_STATUS_OK : SDCPP_STATUS_FAILED;
        } catch (const Stopped&) {
            status = SDCPP_STATUS_STOPPED;
        } catch (const Asserted& failed) {
            status  = SDCPP_STATUS_ASSERT;
            message = failed.message;
        } catch (const std::bad_alloc& error) {
            status  = SDCPP_STATUS_OUT_OF_MEMORY;
            message = error.what();
        } catch (const std::exception& error) {
            status  = SDCPP_STATUS_EXCEPTION;
            message = error.what();
        } catch (...) {
            status  = SDCPP_STATUS_EXCEPTION;
            message = "an exception of unknown type";
        }
        return finish(report, status, call.stage(), message, call.errors());
    } catch (...) {
        // Only building the call or its texts can fail here, for lack of memory; but the engine may
        // have run, so its own verdict stands if it was a failure.
        if (status == SDCPP_STATUS_OK || status == SDCPP_STATUS_FAILED) {
            status = SDCPP_STATUS_OUT_OF_MEMORY;
        }
        return finish(report, status, first_stage, {}, {});
    }
}

}  // namespace sdcpp
