#include "call.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

namespace sdcpp {

namespace {

thread_local Call* running = nullptr;

// All running calls of the process: tells whether a loader thread's line can belong to one only.
std::mutex calls_mutex;
std::vector<Call*>& calls() {
    static std::vector<Call*> all;
    return all;
}

// A hostile file can make the engine repeat a line without end.
constexpr size_t MAX_ERRORS = 64 * 1024;

char* copy(const std::string& text) noexcept {
    char* out = static_cast<char*>(std::malloc(text.size() + 1));
    if (out != nullptr) {
        std::memcpy(out, text.c_str(), text.size() + 1);
    }
    return out;
}

}  // namespace

Call::Call(const sdcpp_hooks* hooks, int32_t first_stage, bool encodes_image)
    : hooks_(hooks != nullptr ? *hooks : sdcpp_hooks{}),
      tracker_(first_stage, encodes_image),
      outer_(running) {
    {
        std::lock_guard<std::mutex> lock(calls_mutex);
        calls().push_back(this);
    }
    running = this;
}

Call::~Call() {
    running = outer_;
    std::lock_guard<std::mutex> lock(calls_mutex);
    auto& all = calls();
    for (size_t i = all.size(); i-- > 0;) {
        if (all[i] == this) {
            all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
            break;
        }
    }
}

Call* Call::current() {
    return running;
}

void Call::file_foreign_error(std::string_view line) {
    // Held while filing: a call cannot end meanwhile.
    std::lock_guard<std::mutex> lock(calls_mutex);
    if (calls().size() == 1) {
        calls().front()->keep_error(line);
    }
}

void Call::keep_error(std::string_view line) {
    std::lock_guard<std::mutex> lock(errors_mutex_);
    if (errors_.size() + line.size() + 1 > MAX_ERRORS) {
        return;
    }
    if (!errors_.empty()) {
        errors_ += '\n';
    }
    errors_ += line;
}

std::string Call::errors() {
    std::lock_guard<std::mutex> lock(errors_mutex_);
    return errors_;
}

void Call::on_log(int32_t level, std::string_view line) {
    const std::string_view message = message_of(line);
    if (hooks_.log != nullptr) {
        hooks_.log(hooks_.user, level, line.data(), line.size(), line.size() - message.size());
    } else {
        log_by_default(level, line);
    }
    if (level == SD_LOG_ERROR) {
        keep_error(line);
    }
    const StageTracker::Change change = tracker_.see(message);
    if (change != StageTracker::Change::None) {
        on_stage(change == StageTracker::Change::BeganAtSafePoint);
    }
}

bool Call::send(int step, int steps, float seconds) {
    if (hooks_.progress == nullptr) {
        return false;
    }
    sdcpp_progress event{};
    event.stage   = tracker_.stage();
    event.step    = step;
    event.steps   = steps;
    event.image   = tracker_.image();
    event.images  = tracker_.images();
    event.tiled   = tracker_.tiled() ? 1 : 0;
    event.seconds = seconds;
    if (hooks_.progress(hooks_.user, &event) != 0) {
        stop_asked_ = true;
    }
    return stop_asked_;
}

void Call::on_stage(bool safe_point) {
    // An answer given where the engine cannot be left is kept, and obeyed at the next safe place.
    if (send(0, 0, 0.0f) && safe_point) {
        throw Stopped{};
    }
}

void Call::on_progress(int step, int steps, float seconds) {
    const bool tiled = tracker_.tiled();
    const bool stop  = send(step, steps, seconds);
    if (tiled && step >= steps) {
        tracker_.tiles_done();
    }
    // While weights load, the engine's reader threads are joinable, and unwinding past them ends
    // the process. Converting reads weights in the same way, without the bracketing lines.
    const int32_t stage = tracker_.stage();
    const bool can_leave = tiled || stage == SDCPP_STAGE_SAMPLING;
    if (stop && can_leave) {
        throw Stopped{};
    }
    if (stage == SDCPP_STAGE_SAMPLING && !tiled) {
        ask_for_preview(hooks_, step + 1);
    }
}

bool Call::stop_wanted() const {
    return stop_asked_ || (hooks_.stop_wanted != nullptr && hooks_.stop_wanted(hooks_.user) != 0);
}

void Call::on_preview(int step, int count, const sd_image_t* frames, bool noisy) {
    if (hooks_.preview != nullptr && frames != nullptr && count > 0) {
        hooks_.preview(hooks_.user, step, count, frames, noisy ? 1 : 0);
    }
}

int32_t finish(sdcpp_report* report, int32_t status, int32_t stage, const std::string& message,
               const std::string& errors) noexcept {
    if (report != nullptr) {
        report->status  = status;
        report->stage   = stage;
        report->message = copy(message);
        report->errors  = copy(errors);
    }
    return status;
}

}  // namespace sdcpp
