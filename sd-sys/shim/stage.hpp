// Tells which stage the engine is in from its log lines on the calling thread.
#pragma once

#include "sdcpp_shim.h"

#include <string_view>

namespace sdcpp {

class StageTracker {
public:
    StageTracker(int32_t first, bool encodes_image) : stage_(first), encodes_image_(encodes_image) {}

    // What a line changed.
    enum class Change {
        None,
        // A new stage began.
        Began,
        // A new stage began, and the line comes from generate_image's own frame, between two
        // stages: the engine can be left here by an exception.
        BeganAtSafePoint,
    };

    // `line` is the message after the "file:line - " prefix.
    Change see(std::string_view line);

    // The innermost stage: loading and tiles nest inside the others.
    int32_t stage() const { return loading_ ? int32_t{SDCPP_STAGE_LOADING} : stage_; }
    bool loading() const { return loading_; }
    bool tiled() const { return tiled_ && !loading_; }
    // The engine reports the last tile as step == steps.
    void tiles_done() { tiled_ = false; }
    int32_t image() const { return image_; }
    int32_t images() const { return images_; }

private:
    Change enter(int32_t stage, Change change);

    int32_t stage_;
    bool encodes_image_;
    bool loading_ = false;
    bool tiled_   = false;
    int32_t image_  = 0;
    int32_t images_ = 0;
};

// Cuts the engine's "file.cpp:12  - " prefix off.
std::string_view message_of(std::string_view line);

}  // namespace sdcpp
